//! Diagnostics as text, in the look of compilers: what, where, the lines with a caret, help and notes. Decides layout
//! only. Colour is decoration: without it nothing is lost.

use crate::diagnostic::Diagnostics;

/// Whether colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// None.
    #[default]
    Plain,
    /// ANSI escapes.
    Ansi,
}

/// All diagnostics, a blank line between them.
#[must_use]
pub fn render(diagnostics: &Diagnostics, style: Style) -> String {
    let _ = style;
    let mut out = String::new();
    for d in &diagnostics.items {
        let (severity, code, message) = (d.severity.as_str(), d.code, &d.message);
        let (file, line, column) = (&diagnostics.file, d.span.line, d.span.column);
        out.push_str(&format!(
            "{severity}[{code}]: {message}\n  --> {file}:{line}:{column}\n\n"
        ));
    }
    out
}
