//! The one place that writes to standard output and standard error, and the table formatter. Standard output carries
//! what was asked for and nothing else; remarks, questions and errors go to standard error.

use std::io::{self, BufRead as _, IsTerminal as _, Write};

use serde::Serialize;

use super::args::{Format, Global};
use super::exit::CliError;

/// Where a command writes.
pub(crate) struct Output {
    /// How to print.
    pub(crate) format: Format,
    /// No remarks.
    pub(crate) quiet: bool,
    /// Say what is asked of the admin API.
    pub(crate) verbose: bool,
    /// Whether standard output is a terminal.
    pub(crate) terminal: bool,
    /// Whether somebody can be asked.
    pub(crate) interactive: bool,
    colour: bool,
    /// Whether a line is on the screen that will be redrawn.
    live: bool,
    out: Box<dyn Write>,
    err: Box<dyn Write>,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Output {
    /// The process's own streams.
    pub(crate) fn of_process(global: &Global) -> Self {
        let no_colour =
            global.no_color || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self {
            format: global.output,
            quiet: global.quiet,
            verbose: global.verbose,
            terminal: io::stdout().is_terminal(),
            interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
            colour: !no_colour && io::stderr().is_terminal(),
            live: false,
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
        }
    }

    /// Other streams, for tests: nobody to ask, no colour.
    #[cfg(test)]
    pub(crate) fn of(format: Format, out: Box<dyn Write>, err: Box<dyn Write>) -> Self {
        Self {
            format,
            quiet: false,
            verbose: false,
            terminal: false,
            interactive: false,
            colour: false,
            live: false,
            out,
            err,
        }
    }

    /// Nowhere: for a question whose answer is only a remark.
    pub(crate) fn silent() -> Self {
        Self {
            format: Format::Table,
            quiet: true,
            verbose: false,
            terminal: false,
            interactive: false,
            colour: false,
            live: false,
            out: Box::new(io::sink()),
            err: Box::new(io::sink()),
        }
    }

    /// Whether colour is wanted.
    pub(crate) const fn colour(&self) -> bool {
        self.colour
    }

    /// Prints a text that was asked for, ended by a line feed.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), CliError> {
        if text.is_empty() {
            return Ok(());
        }
        let end = if text.ends_with('\n') { "" } else { "\n" };
        write!(self.out, "{text}{end}")?;
        self.out.flush()?;
        Ok(())
    }

    /// Prints data in its envelope.
    pub(crate) fn data(&mut self, kind: &str, data: &impl Serialize) -> Result<(), CliError> {
        let envelope = Envelope {
            api: "v1",
            kind,
            data,
        };
        let text = match self.format {
            Format::Jsonl => serde_json::to_string(&envelope),
            _ => serde_json::to_string_pretty(&envelope),
        };
        let text = text.map_err(|error| io::Error::other(error.to_string()))?;
        self.text(&text)
    }

    /// Prints data in its envelope on one line, whatever the format: for streams, which have no end to wait for.
    pub(crate) fn line(&mut self, kind: &str, data: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string(&Envelope {
            api: "v1",
            kind,
            data,
        });
        let text = text.map_err(|error| io::Error::other(error.to_string()))?;
        self.text(&text)
    }

    /// Prints data in its envelope for programs, or the text made of it for people.
    pub(crate) fn answer<T: Serialize>(
        &mut self,
        kind: &str,
        data: &T,
        render: impl FnOnce(&T) -> String,
    ) -> Result<(), CliError> {
        if self.format.is_json() {
            self.data(kind, data)
        } else {
            self.text(&render(data))
        }
    }

    /// Draws one line in the place of the last one drawn. Only on a terminal; elsewhere a line that changes is noise.
    pub(crate) fn live(&mut self, line: &str) -> Result<(), CliError> {
        if !self.terminal || self.quiet {
            return Ok(());
        }
        // A terminal that does not know its width says 0.
        let columns = crossterm::terminal::size().map_or(0, |(columns, _)| usize::from(columns));
        let columns = if columns == 0 { 80 } else { columns };
        let line: String = line.chars().take(columns.saturating_sub(1)).collect();
        write!(self.out, "\r\x1b[K{line}")?;
        self.out.flush()?;
        self.live = true;
        Ok(())
    }

    /// Takes the redrawn line away.
    pub(crate) fn end_live(&mut self) {
        if std::mem::take(&mut self.live) {
            // Only decoration: what cannot be wiped stays.
            drop(write!(self.out, "\r\x1b[K"));
            drop(self.out.flush());
        }
    }

    /// Prints a text that stays, above the redrawn line.
    pub(crate) fn text_above_live(&mut self, text: &str) -> Result<(), CliError> {
        self.end_live();
        self.text(text)
    }

    /// Says something on standard error, unless asked to be quiet.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.quiet {
            self.stderr(&format!("{text}\n"));
        }
    }

    /// Says what is done, when asked to.
    pub(crate) fn trace(&mut self, text: &str) {
        if self.verbose {
            self.stderr(&format!("{text}\n"));
        }
    }

    /// Prints an error; for programs also as data on standard output.
    pub(crate) fn error(&mut self, error: &CliError) {
        self.end_live();
        let (on, off) = if self.colour {
            ("\x1b[1;31m", "\x1b[0m")
        } else {
            ("", "")
        };
        self.stderr(&format!("{on}error:{off} {error}\n"));
        if self.format.is_json() {
            // The error itself is already told on standard error: a second failure adds nothing.
            drop(self.data("Error", &error.as_json()));
        }
    }

    /// Asks; the answer without surrounding white space, empty at the end of input.
    pub(crate) fn ask(&mut self, question: &str) -> Result<String, CliError> {
        self.stderr(question);
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Standard error is the last resort: when it cannot be written there is nobody left to tell.
    fn stderr(&mut self, text: &str) {
        drop(self.err.write_all(text.as_bytes()));
        drop(self.err.flush());
    }
}

/// What `-o json` prints.
#[derive(Serialize)]
struct Envelope<'a, T> {
    api: &'static str,
    kind: &'a str,
    data: &'a T,
}

/// Which side a column's text is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows under headings, in columns as wide as needed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    head: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new<'a>(head: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        let head = head
            .into_iter()
            .map(|(text, align)| (text.to_owned(), align))
            .collect();
        Self {
            head,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text: two spaces between columns, none at the end of a line.
    pub(crate) fn render(&self) -> String {
        let head: Vec<String> = self.head.iter().map(|(text, _)| text.clone()).collect();
        let lines = || std::iter::once(&head).chain(&self.rows);
        let width = |column: usize| {
            lines()
                .filter_map(|cells| cells.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = String::new();
        for cells in lines() {
            let line: Vec<String> = cells
                .iter()
                .zip(&self.head)
                .zip(&widths)
                .map(|((cell, (_, align)), &width)| match align {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                })
                .collect();
            text.push_str(line.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// Bytes that a test can read back.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

#[cfg(test)]
impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl Shared {
    /// What was written.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_columns_as_wide_as_needed() {
        let mut table = Table::new([
            ("PROVIDER", Align::Left),
            ("ERR", Align::Right),
            ("WHY", Align::Left),
        ]);
        table.row(["aws".to_owned(), "0.021 %".to_owned(), String::new()]);
        table.row([
            "a-long-name".to_owned(),
            "–".to_owned(),
            "override".to_owned(),
        ]);
        assert_eq!(
            table.render(),
            "PROVIDER         ERR  WHY\naws          0.021 %\na-long-name        –  override\n"
        );
    }
}
