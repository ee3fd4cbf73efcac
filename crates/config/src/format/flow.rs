//! Maps and lists on one line: evenly spaced, keys in order. Where anything but commas, colons, spaces and anchors stands
//! between the values, the text is kept as it is.

use super::{holds_of, rank};
use crate::node::{Entry, Kind, Node};
use crate::table::Type;

/// The text of a value that stands on one line.
pub(super) fn show(text: &str, node: &Node, holds: Option<&'static Type>) -> String {
    let site = node.site();
    let slice = text.get(site.start..site.end).unwrap_or_default();
    even(text, node, holds).unwrap_or_else(|| slice.to_owned())
}

/// `None` when the text cannot be taken apart without risk.
fn even(text: &str, node: &Node, holds: Option<&'static Type>) -> Option<String> {
    let site = node.site();
    let slice = text.get(site.start..site.end)?;
    if node.alias.is_some() || site.line != site.end_line {
        return Some(slice.to_owned());
    }
    match &node.kind {
        Kind::Map(entries) if slice.starts_with('{') => map(text, node, entries, holds),
        Kind::List(nodes) if slice.starts_with('[') => list(text, node, nodes, holds),
        Kind::Scalar(_) if !slice.is_empty() => Some(slice.to_owned()),
        _ => None,
    }
}

fn map(text: &str, node: &Node, entries: &[Entry], holds: Option<&'static Type>) -> Option<String> {
    let mut parts = Vec::new();
    let mut at = node.span.start + 1;
    for (index, entry) in entries.iter().enumerate() {
        separated(text.get(at..entry.key_span.start)?, index)?;
        let key = text.get(entry.key_span.start..entry.key_span.end)?;
        let value = entry.value.site();
        let between = text.get(entry.key_span.end..value.start)?.trim();
        let anchor = anchor(between.strip_prefix(':')?)?;
        let shown = even(text, &entry.value, holds_of(&entry.key, holds))?;
        parts.push((rank(&entry.key, holds), format!("{key}: {anchor}{shown}")));
        at = value.end;
    }
    let behind = text.get(at..node.span.end)?;
    let plain = behind.trim() == "}";
    parts.sort_by_key(|(rank, _)| *rank);
    let parts: Vec<String> = parts.into_iter().map(|(_, part)| part).collect();
    plain.then(|| {
        if parts.is_empty() {
            "{}".to_owned()
        } else {
            format!("{{ {} }}", parts.join(", "))
        }
    })
}

fn list(text: &str, node: &Node, nodes: &[Node], holds: Option<&'static Type>) -> Option<String> {
    let holds = match holds {
        Some(Type::List(holds, _)) => Some(*holds),
        _ => None,
    };
    let mut parts = Vec::new();
    let mut at = node.span.start + 1;
    for (index, item) in nodes.iter().enumerate() {
        let site = item.site();
        separated(text.get(at..site.start)?, index)?;
        parts.push(even(text, item, holds)?);
        at = site.end;
    }
    let plain = text.get(at..node.span.end)?.trim() == "]";
    plain.then(|| format!("[{}]", parts.join(", ")))
}

/// Between two values stands one comma, before the first nothing.
fn separated(between: &str, index: usize) -> Option<()> {
    let wanted = if index == 0 { "" } else { "," };
    (between.trim() == wanted).then_some(())
}

/// Behind a colon stands nothing, or an anchor.
fn anchor(behind: &str) -> Option<String> {
    let behind = behind.trim();
    if behind.is_empty() {
        return Some(String::new());
    }
    let one = behind.starts_with('&') && !behind.contains(char::is_whitespace);
    one.then(|| format!("{behind} "))
}
