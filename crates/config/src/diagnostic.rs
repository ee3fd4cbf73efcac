//! One thing that is wrong, as evidence: code, place, what was meant, and how to mend it. Turned into text by
//! [`text`](crate::text) and into JSON here; whether something was applied is the caller's to say.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::origin::{Origins, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is accepted, and somebody should look.
    Warning,
}

impl Severity {
    /// The word in text and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One replacement in the text. An empty span inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced.
    pub span: Span,
    /// By what.
    pub text: String,
}

/// A change that mends it without changing what anybody can have meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What to do.
    pub edit: Edit,
}

/// Another place that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Where.
    pub span: Span,
    /// What is there.
    pub label: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its stable code: `E0104`, `W0311`. Explained by [`codes`](crate::codes).
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where in the user's file.
    pub span: Span,
    /// The JSON pointer of what it speaks of; empty for the whole file.
    pub pointer: String,
    /// What is wrong, one line.
    pub message: String,
    /// What stands at the caret; may be empty.
    pub label: String,
    /// Other places.
    pub related: Vec<Related>,
    /// One suggestion.
    pub help: Option<String>,
    /// What is accepted, and why.
    pub notes: Vec<String>,
    /// The suggestion as a change, where it is safe.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    pub(crate) fn error(
        code: &'static str,
        span: Span,
        pointer: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: Severity::Error,
            span,
            pointer: pointer.to_owned(),
            message: message.into(),
            label: String::new(),
            related: Vec::new(),
            help: None,
            notes: Vec::new(),
            fix: None,
        }
    }

    pub(crate) fn warning(
        code: &'static str,
        span: Span,
        pointer: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, pointer, message)
        }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub(crate) fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        let label = label.into();
        self.related.push(Related { span, label });
        self
    }

    pub(crate) fn fix(mut self, span: Span, text: impl Into<String>) -> Self {
        let text = text.into();
        self.fix = Some(Fix {
            edit: Edit { span, text },
        });
        self
    }
}

/// What was found to be wrong when a configuration that reads well was put to use: a port that is taken, a certificate
/// that does not fit its key. A code with `W` is a warning. It stands where `pointer`, or the nearest thing around it, was written.
#[must_use]
pub fn found(
    origins: &Origins,
    code: &'static str,
    pointer: &str,
    message: &str,
    help: &str,
) -> Diagnostic {
    let severity = if code.starts_with('W') {
        Severity::Warning
    } else {
        Severity::Error
    };
    let found = Diagnostic::error(code, origins.nearest_span(pointer), pointer, message);
    let help = Some(help).filter(|help| !help.is_empty());
    Diagnostic {
        severity,
        help: help.map(str::to_owned),
        ..found
    }
}

/// All that is wrong in one file, in the order of the file, with what is needed to show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Diagnostics {
    /// The file as it was named.
    pub file: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
    /// At least one when this is an `Err`.
    pub items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// What was found otherwise than by reading the file: each from [`found`].
    #[must_use]
    pub fn of(file: &str, text: &str, items: Vec<Diagnostic>) -> Self {
        Self::new(Arc::from(file), Arc::from(text), items)
    }

    /// Errors first, each in the order of the file, none twice: an alias can show the same mistake at each use.
    pub(crate) fn new(file: Arc<str>, text: Arc<str>, mut items: Vec<Diagnostic>) -> Self {
        items.sort_by(|a, b| {
            let order = |d: &Diagnostic| (d.severity, d.span, d.code);
            order(a).cmp(&order(b))
        });
        items.dedup_by(|a, b| a.code == b.code && a.span == b.span && a.message == b.message);
        Self { file, text, items }
    }

    /// A refusal without a reason would be a defect of this crate; it is said as such, never hidden.
    pub(crate) fn never_silent(mut self) -> Self {
        if self.count(Severity::Error) == 0 {
            let message = "the configuration could not be built, and no reason was recorded";
            self.items
                .push(Diagnostic::error("E0199", Span::default(), "", message));
        }
        self
    }

    /// How many of each severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.items.iter().filter(|d| d.severity == severity).count()
    }

    /// `2 errors, 1 warning`.
    #[must_use]
    pub fn summary(&self) -> String {
        let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let errors = self.count(Severity::Error);
        let warnings = self.count(Severity::Warning);
        match (errors, warnings) {
            (e, 0) => plural(e, "error"),
            (0, w) => plural(w, "warning"),
            (e, w) => format!("{}, {}", plural(e, "error"), plural(w, "warning")),
        }
    }

    /// One JSON object for each, as `bascule config validate -o json` prints them.
    #[must_use]
    pub fn to_json(&self) -> Vec<Value> {
        self.items.iter().map(|d| self.object(d)).collect()
    }

    fn object(&self, d: &Diagnostic) -> Value {
        let related: Vec<Value> = d
            .related
            .iter()
            .map(|r| json!({"line": r.span.line, "column": r.span.column, "label": r.label}))
            .collect();
        let fix = d.fix.as_ref().map(|fix| {
            let at = fix.edit.span;
            json!({"text": fix.edit.text, "line": at.line, "column": at.column,
                "end_line": at.end_line, "end_column": at.end_column})
        });
        json!({
            "code": d.code,
            "severity": d.severity.as_str(),
            "file": &*self.file,
            "line": d.span.line,
            "column": d.span.column,
            "end_line": d.span.end_line,
            "end_column": d.span.end_column,
            "pointer": d.pointer,
            "message": d.message,
            "label": d.label,
            "help": d.help,
            "notes": d.notes,
            "related": related,
            "fix": fix,
            "docs": format!("docs/reference/errors.md#{}", d.code.to_lowercase()),
        })
    }
}

impl fmt::Display for Diagnostics {
    /// The text for a terminal, without colour and without the closing lines: those say what was applied.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::render(self, crate::text::Style::Plain))
    }
}

impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Diagnostics {}
