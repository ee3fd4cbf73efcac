//! Applying fixes: every safe one, last place first, so that no edit moves another. Of two that overlap only the first in
//! the file is applied.

use crate::diagnostic::{Diagnostics, Edit};

/// The text with every safe fix applied. `text` must be the text that the diagnostics speak of.
#[must_use]
pub fn fix(text: &str, diagnostics: &Diagnostics) -> String {
    let fixes = diagnostics.items.iter().filter_map(|d| d.fix.as_ref());
    let edits: Vec<Edit> = fixes.map(|fix| fix.edit.clone()).collect();
    apply(text, &edits)
}

/// The text with these edits, whatever their order.
pub(crate) fn apply(text: &str, edits: &[Edit]) -> String {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits
        .into_iter()
        .filter(|edit| text.get(edit.span.start..edit.span.end).is_some())
    {
        let Some(kept) = text.get(at..edit.span.start) else {
            continue;
        };
        out.push_str(kept);
        out.push_str(&edit.text);
        at = edit.span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}
