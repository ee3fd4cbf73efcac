//! A configuration from the command line: `bascule run --listen :8080 aws=70@URL oci=30@URL`. It makes the text that a
//! person would have written and loads that, so there is one way in and the text can be shown.

use crate::Loaded;
use crate::diagnostic::Diagnostics;
use crate::source::Source;

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

/// The text and the configuration that these arguments mean.
///
/// # Errors
/// [`ArgsError`].
pub fn from_args(
    listen: &str,
    backends: &[String],
    source: &dyn Source,
) -> Result<(String, Loaded), ArgsError> {
    let text = format!("{listen} {backends:?}");
    let loaded = crate::load("arguments", &text, source).map_err(ArgsError::Config)?;
    Ok((text, loaded))
}
