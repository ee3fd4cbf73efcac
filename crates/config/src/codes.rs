//! The table of diagnostic codes: stable, one paragraph each, for `bascule help CODE` and the errors reference. A code is
//! never given a second meaning.

/// One code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `E0104`, `W0311`.
    pub code: &'static str,
    /// One line.
    pub title: &'static str,
    /// One paragraph: what it means and what to do.
    pub explanation: &'static str,
}

/// All codes, ordered.
pub const CODES: &[Code] = &[];

/// The code with this name, in any case.
#[must_use]
pub fn code(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|c| c.code.eq_ignore_ascii_case(name))
}
