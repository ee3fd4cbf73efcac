//! Keys that a map does not have: not there yet, at home elsewhere, a slip of the fingers, or a stranger.

use crate::diagnostic::Diagnostic;
use crate::node::Entry;
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
    let names = shape.keys.iter().map(|key| key.name);
    let near =
        similar::nearest(key, names).and_then(|near| shape.keys.iter().find(|k| k.name == near));
    if let Some(near) = near {
        let problem = problem.help(format!("did you mean `{}`?", near.name));
        if entries.iter().any(|other| other.key == near.name) {
            return (problem, None);
        }
        return (problem.fix(span, near.name), Some(near));
    }
    let inside = |holder: &&Key| match &holder.holds {
        Type::Map(shape) => shape.keys.iter().any(|inner| inner.name == key),
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
