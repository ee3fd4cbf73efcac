//! The head of a response (RFC 9112 §4, §5). How its body ends depends on the request it answers (§6.3), so the reader is
//! told what was asked.

use crate::Violation;
use crate::grammar::value_length;
use crate::http1::facts::{Body, Facts, Minor};
use crate::http1::fields::{Fields, Line, line_end};
use crate::http1::limits::Limits;
use crate::http1::request::{VERSION_BYTES, version};

/// A reason phrase is for people; nobody needs more of it.
const REASON_BYTES_MAX: usize = 1024;

/// What was asked, as far as it matters to the answer's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// `HEAD`: the answer has no body, whatever it says.
    Head,
    /// Anything else.
    Other,
}

/// A head that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHead {
    /// Its bytes, the empty line that ends it included.
    pub length: usize,
    /// Its status code, 100 to 599.
    pub code: u16,
    /// How its body ends.
    pub body: Body,
    /// Whether another response may follow.
    pub persists: bool,
}

/// Reads one head, which may come in pieces.
#[derive(Debug, Default)]
pub struct ResponseReader {
    fields: Option<Fields>,
    facts: Facts,
    minor: Minor,
    code: u16,
}

impl ResponseReader {
    /// Reads on. `bytes` is all of the head that has come, from its beginning; `None`: it is not complete.
    ///
    /// # Errors
    /// What is wrong with it; nothing more can be read then.
    pub fn read(
        &mut self,
        bytes: &[u8],
        asked: Asked,
        limits: &Limits,
    ) -> Result<Option<ResponseHead>, Violation> {
        let seen = bytes.get(..limits.head_bytes).unwrap_or(bytes);
        let head = self.read_seen(seen, asked, limits)?;
        if head.is_none() && seen.len() == limits.head_bytes {
            return Err(Violation::HeadTooLong);
        }
        Ok(head)
    }

    fn read_seen(
        &mut self,
        bytes: &[u8],
        asked: Asked,
        limits: &Limits,
    ) -> Result<Option<ResponseHead>, Violation> {
        let fields = match &mut self.fields {
            Some(fields) => fields,
            none => {
                let Some((minor, code, length)) = status_line(bytes)? else {
                    return Ok(None);
                };
                (self.minor, self.code) = (minor, code);
                none.insert(Fields::beginning(length))
            }
        };
        loop {
            match fields.next(bytes, limits.fields)? {
                Line::Incomplete => return Ok(None),
                Line::Field { name, value } => self.facts.note(name, value)?,
                Line::End(length) => return self.end(length, asked).map(Some),
            }
        }
    }

    fn end(&self, length: usize, asked: Asked) -> Result<ResponseHead, Violation> {
        let said = self.facts.body(self.minor)?.unwrap_or(Body::UntilClose);
        let has_none = asked == Asked::Head || matches!(self.code, 100..=199 | 204 | 304);
        let body = if has_none { Body::None } else { said };
        Ok(ResponseHead {
            length,
            code: self.code,
            body,
            persists: self.facts.persists(self.minor) && body != Body::UntilClose,
        })
    }
}

/// `HTTP/1.x SP 3DIGIT [SP reason] CRLF`: the version, the code, and the line's length; `None`: not complete.
fn status_line(line: &[u8]) -> Result<Option<(Minor, u16, usize)>, Violation> {
    let Some((minor, behind)) = version(line).map_err(|_| Violation::StatusLine)? else {
        return Ok(None);
    };
    let Some((code, behind)) = code(behind)? else {
        return Ok(None);
    };
    let reason = match behind.split_first() {
        None => return Ok(None),
        Some((b' ', reason)) => reason,
        Some((b'\r' | b'\n', _)) => behind,
        Some(_) => return Err(Violation::StatusLine),
    };
    let length = value_length(reason);
    if length > REASON_BYTES_MAX {
        return Err(Violation::StatusLine);
    }
    let end = reason.get(length..).unwrap_or_default();
    match end.first() {
        None => return Ok(None),
        Some(b'\r' | b'\n') => {}
        Some(_) => return Err(Violation::StatusLine),
    }
    let space = behind.len() - reason.len();
    let end = line_end(end)?;
    Ok(end.map(|end| {
        (
            minor,
            code,
            VERSION_BYTES + CODE_BYTES + space + length + end,
        )
    }))
}

/// The space before the code, and the code.
const CODE_BYTES: usize = 4;

/// The code, and what is behind it; `None`: not complete.
fn code(text: &[u8]) -> Result<Option<(u16, &[u8])>, Violation> {
    let Some((code, behind)) = text.split_at_checked(CODE_BYTES) else {
        let fits = match text.split_first() {
            None => true,
            Some((space, digits)) => *space == b' ' && digits.iter().all(u8::is_ascii_digit),
        };
        return if fits {
            Ok(None)
        } else {
            Err(Violation::StatusLine)
        };
    };
    let &[
        b' ',
        hundreds @ b'1'..=b'5',
        tens @ b'0'..=b'9',
        ones @ b'0'..=b'9',
    ] = code
    else {
        return Err(Violation::StatusLine);
    };
    let digit = |byte: u8| u16::from(byte - b'0');
    Ok(Some((
        digit(hundreds) * 100 + digit(tens) * 10 + digit(ones),
        behind,
    )))
}
