//! Setting single values in a file and leaving every other character as it is, comments included: what a command writes for
//! a person who would have written the same. It knows the shapes of YAML, nothing of keys; whether the result means what
//! was wanted is for the caller to see, by reading it.

use crate::diagnostic::{Diagnostics, Edit};
use crate::fix::apply;
use crate::node::{Core, Entry, Kind, Node};
use crate::origin::Span;
use crate::{write, yaml};

/// A value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The keys that lead to it, from the top of the file.
    pub keys: Vec<String>,
    /// The value, as YAML on one line: `0`, `{ cloud: oci }`.
    pub value: String,
}

/// Why a value has no place in a file.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(Diagnostics),
    /// What stands there is of a form that cannot hold it, or is repeated elsewhere.
    #[error("`{pointer}` cannot be set: {because}")]
    NoPlace {
        /// Where, as a JSON pointer.
        pointer: String,
        /// Why.
        because: &'static str,
    },
}

/// A text as a value of one line, in quotes where it needs them.
#[must_use]
pub fn text(text: &str) -> String {
    write::text(text)
}

/// The text with these values, one after the other: over what is there, or as a new last entry of the innermost map that is.
///
/// # Errors
/// [`PutError`].
pub fn put(file: &str, text: &str, puts: &[Put]) -> Result<String, PutError> {
    let mut text = text.to_owned();
    for put in puts {
        let (root, problems) = yaml::parse(&text);
        let unreadable = |items| {
            PutError::Unreadable(Diagnostics::new(file.into(), text.as_str().into(), items))
        };
        let root = match root {
            Some(root) if problems.is_empty() => root,
            _ => return Err(unreadable(problems)),
        };
        text = apply(&text, &[edit(&text, &root, put)?]);
    }
    Ok(text)
}

fn edit(text: &str, root: &Node, put: &Put) -> Result<Edit, PutError> {
    let no_place = |because| PutError::NoPlace {
        pointer: put.keys.iter().map(|key| format!("/{key}")).collect(),
        because,
    };
    let mut node = root;
    let mut keys = put.keys.as_slice();
    while let [key, rest @ ..] = keys {
        if node.alias.is_some() {
            return Err(no_place("it is written by an alias, elsewhere in the file"));
        }
        let Kind::Map(entries) = &node.kind else {
            return Err(no_place("what holds it is not written as a map"));
        };
        let Some(entry) = entries.iter().find(|entry| entry.key == *key) else {
            return insert(text, node, entries, &nested(keys, &put.value))
                .ok_or_else(|| no_place("the map that holds it is written in an unusual way"));
        };
        if is_absent(&entry.value) {
            let value = match rest {
                [] => put.value.clone(),
                rest => format!("{{ {} }}", nested(rest, &put.value)),
            };
            return fill(text, entry, &value)
                .ok_or_else(|| no_place("its key is written in an unusual way"));
        }
        node = &entry.value;
        keys = rest;
    }
    if node.alias.is_some() {
        return Err(no_place("it is written by an alias, elsewhere in the file"));
    }
    let is_block =
        |node: &Node| matches!(node.kind, Kind::Map(_) | Kind::List(_)) && !is_flow(text, node);
    if is_block(node) || node.span.line != node.span.end_line {
        return Err(no_place("what is there takes several lines"));
    }
    Ok(Edit {
        span: node.span,
        text: put.value.clone(),
    })
}

/// `a: { b: value }`.
fn nested(keys: &[String], value: &str) -> String {
    let mut keys = keys.iter().rev();
    let innermost = keys
        .next()
        .map_or_else(String::new, |key| format!("{}: {value}", write::text(key)));
    keys.fold(innermost, |inner, key| {
        format!("{}: {{ {inner} }}", write::text(key))
    })
}

/// A value behind a key that has none.
fn fill(text: &str, entry: &Entry, value: &str) -> Option<Edit> {
    let behind = text.get(entry.key_span.end..)?;
    behind
        .starts_with(':')
        .then(|| at(entry.key_span.end + 1, format!(" {value}")))
}

/// An entry behind the last of a map.
fn insert(text: &str, map: &Node, entries: &[Entry], entry: &str) -> Option<Edit> {
    if is_flow(text, map) {
        let inside = text.get(map.span.start..map.span.end)?.strip_suffix('}')?;
        let kept = inside.trim_end();
        let lead = match kept.chars().last()? {
            '{' | ',' => " ",
            _ => ", ",
        };
        let span = Span {
            start: map.span.start + kept.len(),
            end: map.span.end - 1,
            ..map.span
        };
        let is_one_line = !inside.get(kept.len()..)?.contains('\n');
        return is_one_line.then(|| Edit {
            span,
            text: format!("{lead}{entry} "),
        });
    }
    let (first, last) = (entries.first()?, entries.last()?);
    let indent = text.get(..first.key_span.start)?;
    let indent = indent.get(indent.rfind('\n').map_or(0, |at| at + 1)..)?;
    if !indent
        .trim_start_matches('\u{feff}')
        .chars()
        .all(|c| c == ' ')
    {
        return None;
    }
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let value = last.value.site();
    let end = last.key_span.end.max(value.end);
    // A block scalar ends behind its last line, all others somewhere in theirs.
    let is_behind = value.end_column == 1 && value.end_line > value.line;
    let (at_byte, entry) = match (is_behind, text.get(end..)?.find('\n')) {
        (true, _) => (end, format!("{indent}{entry}{line_end}")),
        (false, Some(line)) => (end + line + 1, format!("{indent}{entry}{line_end}")),
        (false, None) => (text.len(), format!("{line_end}{indent}{entry}{line_end}")),
    };
    Some(at(at_byte, entry.replace('\u{feff}', "")))
}

fn at(byte: usize, text: String) -> Edit {
    let span = Span {
        start: byte,
        end: byte,
        ..Span::default()
    };
    Edit { span, text }
}

fn is_flow(text: &str, node: &Node) -> bool {
    let rest = text.get(node.span.start..);
    rest.is_some_and(|rest| rest.starts_with(['{', '[']))
}

/// Whether there is nothing, not even the word for it.
fn is_absent(node: &Node) -> bool {
    let is_null = matches!(&node.kind, Kind::Scalar(scalar) if scalar.core == Core::Null);
    is_null && node.alias.is_none() && node.span.start == node.span.end
}

#[cfg(test)]
mod tests;
