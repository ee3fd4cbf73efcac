//! Where xtask speaks: one place, so that nothing else prints.

use std::io::Write;

/// A line for the reader, on standard output.
pub(crate) fn line(text: &str) {
    // A closed pipe is the reader's wish to hear no more.
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// A failure, on standard error.
pub(crate) fn error(text: &str) {
    drop(writeln!(std::io::stderr(), "error: {text}"));
}
