//! A configuration from the command line: `bascule run --listen :8080 aws=70@URL oci=30@URL`. It makes the text that a
//! person would have written and loads that, so there is one way in and the text can be shown.

use crate::Loaded;
use crate::diagnostic::Diagnostics;
use crate::source::Source;
use crate::write::literal;

/// The name a file has that was made of arguments.
pub const ARGS_FILE: &str = "(arguments)";
/// The name of the listener made of arguments.
pub const ARGS_LISTENER: &str = "web";
/// The name of the service made of arguments.
pub const ARGS_SERVICE: &str = "app";

/// Why arguments are not a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgsError {
    /// An argument has not the form `NAME=WEIGHT@URL[,URL…]` or `NAME=standby@URL[,URL…]`.
    #[error(
        "`{argument}`: {problem}; write NAME=WEIGHT@URL, for example aws=70@http://10.0.1.10:8080"
    )]
    Form {
        /// The argument.
        argument: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// No backend is given.
    #[error("no backend given; write NAME=WEIGHT@URL, for example aws=70@http://10.0.1.10:8080")]
    NoBackend,
    /// The text made of them is refused.
    #[error("the arguments make no configuration: {}", .0.summary())]
    Config(Diagnostics),
}

/// The text and the configuration that these arguments mean: one listener `web`, one service `app`.
///
/// # Errors
/// [`ArgsError`].
pub fn from_args(
    listen: &str,
    backends: &[String],
    source: &dyn Source,
) -> Result<(String, Loaded), ArgsError> {
    let lines: Vec<String> = backends
        .iter()
        .map(|argument| backend(argument))
        .collect::<Result<_, _>>()?;
    if lines.is_empty() {
        return Err(ArgsError::NoBackend);
    }
    let text = format!(
        "listen:\n  {ARGS_LISTENER}: {{ address: {} }}\nservices:\n  {ARGS_SERVICE}:\n    backends:\n{}",
        literal(listen),
        lines.concat()
    );
    let loaded = crate::load(ARGS_FILE, &text, source).map_err(ArgsError::Config)?;
    Ok((text, loaded))
}

fn backend(argument: &str) -> Result<String, ArgsError> {
    let form = |problem| ArgsError::Form {
        argument: argument.to_owned(),
        problem,
    };
    let (name, rest) = argument.split_once('=').ok_or(form("there is no `=`"))?;
    let (weight, urls) = rest.split_once('@').ok_or(form("there is no `@`"))?;
    if name.is_empty() {
        return Err(form("the name is empty"));
    }
    let part = match weight {
        "standby" => "role: standby".to_owned(),
        _ if weight.parse::<u64>().is_ok() => format!("weight: {weight}"),
        _ => return Err(form("the weight is not a whole number")),
    };
    let urls: Vec<String> = urls.split(',').map(literal).collect();
    Ok(format!(
        "      {}: {{ {part}, endpoints: [{}] }}\n",
        literal(name),
        urls.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySource;

    fn made(listen: &str, backends: &[&str]) -> Result<(String, Loaded), ArgsError> {
        let backends: Vec<String> = backends.iter().map(|b| (*b).to_owned()).collect();
        from_args(listen, &backends, &MemorySource::default())
    }

    #[test]
    fn arguments_make_the_minimal_configuration() {
        let (text, loaded) = made(
            ":8080",
            &[
                "aws=70@http://10.0.1.10:8080",
                "oci=30@http://10.1.1.10:8080,http://10.1.1.11:8080",
                "gcp=standby@https://g.example",
            ],
        )
        .unwrap();
        let service = &loaded.config.services[0];
        assert_eq!(service.name.as_str(), ARGS_SERVICE);
        assert_eq!(service.declared.to_string(), "aws=70 gcp=0 oci=30");
        assert_eq!(loaded.config.listeners.len(), 1);
        assert!(
            text.contains("aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }"),
            "{text}"
        );
    }

    #[test]
    fn arguments_that_are_none_say_so() {
        for bad in [
            "aws",
            "aws=70",
            "=70@http://a",
            "aws=many@http://a",
            "aws=-1@http://a",
        ] {
            assert!(
                matches!(made(":80", &[bad]), Err(ArgsError::Form { .. })),
                "{bad}"
            );
        }
        assert_eq!(made(":80", &[]).map(|_| ()), Err(ArgsError::NoBackend));
        let refused = made("80", &["a b=0@ftp://a"]).map(|_| ());
        let Err(ArgsError::Config(problems)) = refused else {
            panic!("{refused:?}")
        };
        let codes: Vec<&str> = problems.items.iter().map(|d| d.code).collect();
        assert_eq!(codes, ["E0205", "E0301", "E0106", "E0206"]);
    }
}
