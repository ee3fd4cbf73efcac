//! Where in the user's file something was written: for diagnostics, `explain` and history. Knows nothing of meaning.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A piece of a text: where it starts and ends. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Byte offset of the first character.
    pub start: usize,
    /// Byte offset behind the last.
    pub end: usize,
    /// Line of the first character.
    pub line: u32,
    /// Column of the first character.
    pub column: u32,
    /// Line behind the last character.
    pub end_line: u32,
    /// Column behind the last character.
    pub end_column: u32,
}

/// A file and a line, as people read it: `meet.yaml:19`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named when loaded.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The place of each value, by JSON pointer: `/services/meet/backends/aws/weight`.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    pub(crate) file: Arc<str>,
    pub(crate) spans: BTreeMap<String, Span>,
}

impl Origins {
    /// Where the value with this pointer was written; `None`: nowhere, it is a default.
    #[must_use]
    pub fn place(&self, pointer: &str) -> Option<Place> {
        self.spans.get(pointer).map(|span| Place {
            file: Arc::clone(&self.file),
            line: span.line,
            column: span.column,
        })
    }

    /// The place of the value, or of the nearest thing around it that was written.
    #[must_use]
    pub fn nearest(&self, pointer: &str) -> Option<Place> {
        let mut at = pointer;
        loop {
            if let Some(place) = self.place(at) {
                return Some(place);
            }
            at = at.rsplit_once('/').map(|(parent, _)| parent)?;
        }
    }
}

impl Origins {
    /// The span of the value, or of the nearest thing around it that was written; the start of the file where there is
    /// none.
    pub(crate) fn nearest_span(&self, pointer: &str) -> Span {
        let mut at = pointer;
        loop {
            if let Some(span) = self.spans.get(at) {
                return *span;
            }
            match at.rsplit_once('/') {
                Some((parent, _)) => at = parent,
                None => {
                    return Span {
                        line: 1,
                        column: 1,
                        end_line: 1,
                        end_column: 1,
                        start: 0,
                        end: 0,
                    };
                }
            }
        }
    }
}

/// A pointer's step with `~` and `/` escaped, as RFC 6901 says.
pub(crate) fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// The empty span behind a text.
pub(crate) fn at_end_of(text: &str) -> Span {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let last = text.rsplit('\n').next().unwrap_or_default();
    let line = number(text.matches('\n').count()).saturating_add(1);
    let column = number(last.chars().count()).saturating_add(1);
    let at = text.len();
    Span {
        start: at,
        end: at,
        line,
        column,
        end_line: line,
        end_column: column,
    }
}
