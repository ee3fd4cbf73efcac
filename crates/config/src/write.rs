//! How single values are written so that reading gives the same: plain where nothing can be misread, else in double
//! quotes. Used by `render`, by fixes and by `from_args`.

use crate::form::Replacement;
use crate::node::Core;

/// A text as YAML.
pub(crate) fn text(text: &str) -> String {
    let safe =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '+' | '-' | '%' | '=');
    let begins = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '+' | '_');
    let plain =
        text.starts_with(begins) && text.chars().all(safe) && Core::of_plain(text) == Core::Text;
    if plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if needs_escape(c) => out.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// A text that is not an environment reference when it is read.
pub(crate) fn literal(value: &str) -> String {
    text(&value.replace("${", "$${"))
}

/// A replacement as it stands in the file.
pub(crate) fn replacement(replacement: &Replacement) -> String {
    match replacement {
        Replacement::Text(value) => text(value),
        Replacement::Plain(value) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_misread_is_quoted() {
        for plain in [
            "aws",
            "10.0.0.0/8",
            "/healthz",
            "3s",
            "+30%",
            "20%..80%",
            "us-east-1",
        ] {
            assert_eq!(text(plain), plain);
        }
        for other in [
            "", "12", "true", ":8080", "a b", "- a", "#a", "a: b", "*a", "null", "1e3", "a,b",
            "[a]", "é",
        ] {
            assert!(text(other).starts_with('"'), "{other:?}");
        }
    }
}
