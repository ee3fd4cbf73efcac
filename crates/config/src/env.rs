//! `${NAME}` and `${NAME:-default}` inside texts. `$${` is a literal `${`. What it gives is always text, so that a
//! variable can never change the shape of a configuration.

use crate::form::Problem;
use crate::source::Source;

/// The text with every reference replaced; `None` when there is none.
pub(crate) fn expand(text: &str, source: &dyn Source) -> Result<Option<String>, Problem> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(escaped) = before.strip_suffix('$') {
            out.push_str(escaped);
            out.push_str("${");
            rest = after;
            continue;
        }
        out.push_str(before);
        let Some((inside, tail)) = after.split_once('}') else {
            let problem = Problem::new("E0113", "`${` is not closed", "no `}` follows");
            return Err(problem.note("a literal `${` is written `$${`"));
        };
        out.push_str(&value(inside, source)?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(Some(out))
}

fn value(inside: &str, source: &dyn Source) -> Result<String, Problem> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || !name.chars().all(allowed)
        || name.starts_with(|c: char| c.is_ascii_digit())
    {
        let label = "not `${NAME}` or `${NAME:-default}`";
        let problem = Problem::new(
            "E0113",
            format!("`${{{inside}}}` is not a reference"),
            label,
        );
        let problem =
            problem.note("a name has letters, digits and `_`; a literal `${` is written `$${`");
        let end = inside.find(|c| !allowed(c)).unwrap_or(inside.len());
        return Err(match inside.split_at_checked(end) {
            Some(("", tail)) if tail.starts_with('{') => {
                problem.help("a template that nobody filled in")
            }
            Some((name, tail)) if !name.is_empty() && tail.starts_with(['-', ':', '=']) => {
                let default = tail.trim_start_matches([':', '-', '=', '?']);
                problem.help(format!("a default is written `${{{name}:-{default}}}`"))
            }
            _ => problem,
        });
    }
    // As in a shell, `:-` also stands in for a variable that is set and empty.
    match (source.env(name), default) {
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => {
            let message = format!("the environment variable `{name}` is not set");
            let problem = Problem::new("E0112", message, "has no default");
            Err(problem.help(format!("set it, or write `${{{name}:-default}}`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySource;

    fn world() -> MemorySource {
        let env = [("HOST", "10.0.0.1"), ("EMPTY", "")];
        MemorySource {
            env: env.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..MemorySource::default()
        }
    }

    #[test]
    fn references_are_replaced_by_text() {
        for (text, out) in [
            ("plain", None),
            ("http://${HOST}:80", Some("http://10.0.0.1:80")),
            ("${NONE:-a}${HOST}", Some("a10.0.0.1")),
            ("${EMPTY:-b}", Some("b")),
            ("${EMPTY}", Some("")),
            ("${NONE:-}", Some("")),
            ("$${HOST}", Some("${HOST}")),
            ("a$", None),
        ] {
            assert_eq!(
                expand(text, &world()).map_err(|p| p.code),
                Ok(out.map(str::to_owned)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_an_error() {
        for (text, code) in [
            ("${NONE}", "E0112"),
            ("${", "E0113"),
            ("${a b}", "E0113"),
            ("${}", "E0113"),
            ("${1}", "E0113"),
        ] {
            assert_eq!(
                expand(text, &world()).map_err(|p| p.code),
                Err(code),
                "{text}"
            );
        }
    }
}
