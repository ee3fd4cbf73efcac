//! Diagnostics as text, in the look of compilers: what, where, the lines with a caret, help and notes. Decides layout
//! only. Colour is decoration: without it nothing is lost. Control characters of the file never reach the terminal.

use std::fmt::Write as _;

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::origin::Span;

/// Whether colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// None.
    #[default]
    Plain,
    /// ANSI escapes.
    Ansi,
}

/// The widest line that is shown whole, in characters; of a wider one the part around the caret is shown.
const WIDTH_MAX: usize = 140;
/// How many lines above the caret are looked at for the map that the line is in.
const CONTEXT_LINES: u32 = 2;

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Ansi if !text.is_empty() => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            _ => text.to_owned(),
        }
    }

    fn severity(self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
        };
        self.paint(code, text)
    }
}

/// All diagnostics, a blank line behind each.
#[must_use]
pub fn render(diagnostics: &Diagnostics, style: Style) -> String {
    let lines: Vec<&str> = diagnostics.text.lines().collect();
    let mut out = String::new();
    for d in &diagnostics.items {
        Block {
            file: &diagnostics.file,
            lines: &lines,
            style,
            d,
        }
        .write(&mut out);
        out.push('\n');
    }
    out
}

struct Block<'a> {
    file: &'a str,
    lines: &'a [&'a str],
    style: Style,
    d: &'a Diagnostic,
}

/// One underlined piece.
struct Mark<'a> {
    span: Span,
    label: &'a str,
    is_primary: bool,
}

/// A `write!` to a `String` cannot fail; this says so in one place.
fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(line).and_then(|()| out.write_char('\n'));
    debug_assert!(written.is_ok(), "a string takes everything");
}

impl Block<'_> {
    fn write(&self, out: &mut String) {
        let d = self.d;
        let head = format!("{}[{}]", d.severity.as_str(), d.code);
        let head = self.style.severity(d.severity, &head);
        let message = self.style.paint("1", &visible(&d.message));
        put(out, format_args!("{head}: {message}"));
        let marks = self.marks();
        let shown = self.shown(&marks);
        let width = shown.iter().max().map_or(1, |line| line.to_string().len());
        let gutter = " ".repeat(width);
        let arrow = self.style.paint("1;34", "-->");
        let (line, column) = (d.span.line, d.span.column);
        put(
            out,
            format_args!("{gutter}{arrow} {}:{line}:{column}", visible(self.file)),
        );
        let bar = self.style.paint("1;34", &format!("{gutter} |"));
        if !shown.is_empty() {
            put(out, format_args!("{bar}"));
            self.excerpt(out, &shown, &marks, width);
        }
        let fixable = if d.fix.is_some() {
            "  (bascule config validate --fix applies this)"
        } else {
            ""
        };
        let help = d
            .help
            .iter()
            .map(|help| format!("help: {}{fixable}", visible(help)));
        let notes = d
            .notes
            .iter()
            .map(|note| format!("note: {}", visible(note)));
        let remarks: Vec<String> = help.chain(notes).collect();
        if !remarks.is_empty() {
            put(out, format_args!("{bar}"));
        }
        for remark in remarks {
            put(
                out,
                format_args!("{gutter} {} {remark}", self.style.paint("1;34", "=")),
            );
        }
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        let primary = Mark {
            span: self.d.span,
            label: &self.d.label,
            is_primary: true,
        };
        let others = self.d.related.iter().map(|r| Mark {
            span: r.span,
            label: &r.label,
            is_primary: false,
        });
        let mut marks: Vec<Mark<'_>> = std::iter::once(primary).chain(others).collect();
        marks.sort_by_key(|mark| (mark.span.line, std::cmp::Reverse(mark.span.column)));
        marks
    }

    fn line(&self, number: u32) -> Option<&str> {
        self.lines.get((number as usize).checked_sub(1)?).copied()
    }

    /// The lines to show, ordered: those with marks, and above the primary one the map it is in when that is near.
    fn shown(&self, marks: &[Mark<'_>]) -> Vec<u32> {
        let mut shown: Vec<u32> = marks
            .iter()
            .map(|m| m.span.line)
            .filter(|l| self.line(*l).is_some())
            .collect();
        let at = self.d.span.line;
        let indent = |number: u32| {
            let line = self.line(number)?;
            let text = line.trim_start_matches([' ', '-']);
            let counts = !text.is_empty() && !text.starts_with('#');
            counts.then(|| line.len() - text.len())
        };
        if let Some(own) = indent(at) {
            let above = (at.saturating_sub(CONTEXT_LINES).max(1)..at).rev();
            let holder = above
                .into_iter()
                .find(|n| indent(*n).is_some_and(|indent| indent < own));
            shown.extend(holder.into_iter().flat_map(|holder| holder..at));
        }
        shown.sort_unstable();
        shown.dedup();
        shown
    }

    fn excerpt(&self, out: &mut String, shown: &[u32], marks: &[Mark<'_>], width: usize) {
        let mut before: Option<u32> = None;
        for &number in shown {
            if before.is_some_and(|before| before + 1 < number) {
                put(out, format_args!("{}", self.style.paint("1;34", "...")));
            }
            before = Some(number);
            let here: Vec<&Mark<'_>> = marks.iter().filter(|m| m.span.line == number).collect();
            let line = visible(self.line(number).unwrap_or_default());
            let start = window(&line, here.iter().map(|m| m.span.column).min());
            let cut: String = line.chars().skip(start).take(WIDTH_MAX).collect();
            let gutter = self.style.paint("1;34", &format!("{number:>width$} |"));
            put(out, format_args!("{gutter} {}", cut.trim_end()));
            let length = line.chars().count();
            for mark in here {
                self.underline(out, mark, (start, length), width);
            }
        }
    }

    fn underline(&self, out: &mut String, mark: &Mark<'_>, line: (usize, usize), width: usize) {
        let (start, length) = line;
        let column = mark.span.column as usize;
        let end = match mark.span.end_line == mark.span.line {
            true => mark.span.end_column as usize,
            false => length + 1,
        };
        let count = end.saturating_sub(column).clamp(1, WIDTH_MAX);
        let sign = if mark.is_primary { "^" } else { "-" };
        let text = format!("{} {}", sign.repeat(count), visible(mark.label));
        let text = match mark.is_primary {
            true => self.style.severity(self.d.severity, text.trim_end()),
            false => self.style.paint("1;34", text.trim_end()),
        };
        let bar = self
            .style
            .paint("1;34", &format!("{} |", " ".repeat(width)));
        let space = " ".repeat(column.saturating_sub(1 + start));
        put(out, format_args!("{bar} {space}{text}"));
    }
}

/// How many characters of a wide line are left out at its start, so that the caret is seen.
fn window(line: &str, column: Option<u32>) -> usize {
    let column = column.unwrap_or_default() as usize;
    if line.chars().count() <= WIDTH_MAX || column < WIDTH_MAX / 2 {
        0
    } else {
        column - WIDTH_MAX / 2
    }
}

/// The text with every control character as one that can be seen; a tab is one space wide, so that carets fit.
fn visible(text: &str) -> String {
    let show = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
            '\u{fffd}'
        }
        c => c,
    };
    text.chars().map(show).collect()
}
