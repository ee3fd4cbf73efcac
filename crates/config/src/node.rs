//! The tree of a text: maps, lists and scalars with their places, exactly as written. Knows YAML's core schema (what a
//! plain scalar is), nothing of keys. Made by [`yaml`](crate::yaml), read by [`lower`](crate::lower).

use crate::origin::Span;

/// One value as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Where; of a block map or list, from its first entry to its last. Inside an alias, where it was defined.
    pub(crate) span: Span,
    /// Where it is repeated, when an alias does so.
    pub(crate) alias: Option<Span>,
    /// What.
    pub(crate) kind: Kind,
}

impl Node {
    pub(crate) fn new(span: Span, kind: Kind) -> Self {
        let alias = None;
        Self { span, alias, kind }
    }

    /// Where it stands in the file: for an alias the alias itself.
    pub(crate) fn site(&self) -> Span {
        self.alias.unwrap_or(self.span)
    }
}

/// The kind of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// Keys and values, in the order of the file; keys are distinct.
    Map(Vec<Entry>),
    /// Values in order.
    List(Vec<Node>),
    /// A single value.
    Scalar(Scalar),
    /// Something that was refused already; nothing more is said of it.
    Bad,
}

/// One entry of a map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The key's text.
    pub(crate) key: String,
    /// Where the key is.
    pub(crate) key_span: Span,
    /// The value.
    pub(crate) value: Node,
}

/// A single value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scalar {
    /// The text, escapes resolved.
    pub(crate) text: String,
    /// What it is by the core schema; quoted ones are always text.
    pub(crate) core: Core,
}

/// What a scalar is by YAML 1.2's core schema. There `yes`, `no`, `on` and `off` are text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Core {
    /// `null`, `~`, or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// Text.
    Text,
}

impl Kind {
    /// The kind as people call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Map(_) => "a map",
            Self::List(_) => "a list",
            Self::Bad => "nothing",
            Self::Scalar(scalar) => match scalar.core {
                Core::Null => "nothing",
                Core::Bool(_) => "true or false",
                Core::Integer(_) | Core::Float(_) => "a number",
                Core::Text => "text",
            },
        }
    }
}

impl Core {
    /// What a plain scalar with this text is.
    pub(crate) fn of_plain(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "true" | "True" | "TRUE" => return Self::Bool(true),
            "false" | "False" | "FALSE" => return Self::Bool(false),
            ".nan" | ".NaN" | ".NAN" => return Self::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
                return Self::Float(f64::INFINITY);
            }
            "-.inf" | "-.Inf" | "-.INF" => return Self::Float(f64::NEG_INFINITY),
            _ => {}
        }
        Self::of_number(text).unwrap_or(Self::Text)
    }

    fn of_number(text: &str) -> Option<Self> {
        let radix = |digits: &str, radix| {
            let plain = !digits.starts_with(['+', '-']);
            plain
                .then(|| i64::from_str_radix(digits, radix).ok())
                .flatten()
        };
        if let Some(digits) = text.strip_prefix("0x") {
            return radix(digits, 16).map(Self::Integer);
        }
        if let Some(digits) = text.strip_prefix("0o") {
            return radix(digits, 8).map(Self::Integer);
        }
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let numeric = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
        let begins = unsigned.starts_with(|c: char| c.is_ascii_digit())
            || unsigned
                .strip_prefix('.')
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if !begins || !unsigned.chars().all(numeric) {
            return None;
        }
        if let Ok(integer) = text.parse::<i64>() {
            return Some(Self::Integer(integer));
        }
        text.parse::<f64>().ok().map(Self::Float)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, core) in [
            ("", Core::Null),
            ("~", Core::Null),
            ("true", Core::Bool(true)),
            ("FALSE", Core::Bool(false)),
            ("yes", Core::Text),
            ("off", Core::Text),
            ("12", Core::Integer(12)),
            ("-12", Core::Integer(-12)),
            ("0o17", Core::Integer(15)),
            ("0x1F", Core::Integer(31)),
            ("017", Core::Integer(17)),
            ("1.5", Core::Float(1.5)),
            ("1e3", Core::Float(1000.0)),
            (".5", Core::Float(0.5)),
            ("3s", Core::Text),
            ("1.2.3", Core::Text),
            ("-", Core::Text),
            ("0x", Core::Text),
            ("10.0.0.0/8", Core::Text),
        ] {
            assert_eq!(Core::of_plain(text), core, "{text:?}");
        }
    }
}
