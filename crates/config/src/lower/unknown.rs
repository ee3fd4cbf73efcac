//! Keys that a map does not have: not there yet, at home elsewhere, a slip of the fingers, or a stranger.

use super::foreign;
use crate::diagnostic::Diagnostic;
use crate::node::{Entry, Kind, Node};
use crate::origin::Span;
use crate::similar;
use crate::table::{Key, Shape, Type};

/// The keys of a shape, in words.
pub(super) fn accepted(shape: &Shape) -> String {
    let mut names: Vec<&str> = shape.keys.iter().map(|key| key.name).collect();
    names.sort_unstable();
    format!("accepted here: {}", names.join(", "))
}

/// A key that will be there.
pub(super) fn later(span: Span, pointer: &str, name: &str, feature: &str) -> Diagnostic {
    Diagnostic::error(
        "E0190",
        span,
        pointer,
        format!("`{name}` is not available yet: {feature}"),
    )
    .label("will be accepted by a later version")
    .help("leave it out")
}

/// Whether a value has the shape that a key holds.
fn fits(holds: &Type, value: &Node) -> bool {
    match holds {
        Type::Map(_) | Type::Names(..) => !matches!(value.kind, Kind::List(_) | Kind::Scalar(_)),
        Type::List(..) => !matches!(value.kind, Kind::Map(_)),
        Type::Value(_) => !matches!(value.kind, Kind::Map(_) | Kind::List(_)),
        Type::Either(..) => !matches!(value.kind, Kind::List(_)),
    }
}

/// A key that the shape does not have: what is said of it, and the key that was meant where that is clear.
pub(super) fn unknown(
    entry: &Entry,
    entries: &[Entry],
    shape: &'static Shape,
    pointer: &str,
) -> (Diagnostic, Option<&'static Key>) {
    let (key, span) = (entry.key.as_str(), entry.key_span);
    if let Some(known) = shape.later.iter().find(|later| later.name == key) {
        return (later(span, pointer, key, known.feature), None);
    }
    if let Some((_, place)) = shape.elsewhere.iter().find(|(name, _)| *name == key) {
        let message = format!("`{key}` is not a key of {}", shape.what);
        return (
            Diagnostic::error("E0110", span, pointer, message).label(*place),
            None,
        );
    }
    let problem = Diagnostic::error("E0104", span, pointer, format!("unknown key `{key}`"))
        .label(format!("not a key of {}", shape.what))
        .note(accepted(shape));
    if let Some(advice) = foreign::advice(shape.id, key) {
        return (problem.help(advice), None);
    }
    let names = shape.keys.iter().map(|key| key.name);
    let near =
        similar::nearest(key, names).and_then(|near| shape.keys.iter().find(|k| k.name == near));
    if let Some(near) = near {
        let problem = problem.help(format!("did you mean `{}`?", near.name));
        if entries.iter().any(|other| other.key == near.name) {
            return (problem, None);
        }
        // Of another shape it is another thing, and mending the name would only move the error.
        if !fits(&near.holds, &entry.value) {
            return (problem, None);
        }
        return (problem.fix(span, near.name), Some(near));
    }
    let inside = |holder: &&Key| match &holder.holds {
        Type::Map(shape) | Type::Either(_, shape) => {
            shape.keys.iter().any(|inner| inner.name == key)
        }
        _ => false,
    };
    match shape.keys.iter().find(inside) {
        Some(holder) => (
            problem.help(format!("`{key}` is a key of `{}`", holder.name)),
            None,
        ),
        None => (problem, None),
    }
}
