//! The field lines of a head, one by one (RFC 9112 §5): `name: value CRLF`, nothing folded, no space before the colon, no
//! line that ends in anything but CRLF. Can stop anywhere and go on when more has come, looking at no byte of a long value
//! twice: a head that drips in byte by byte costs what one that comes at once does.

use crate::Violation;
use crate::grammar::{is_token_byte, value_length};

/// No field is called longer. So a name that is not complete can be read again from its start when more comes.
const NAME_BYTES_MAX: usize = 256;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A field; the value is without the spaces around it.
    Field { name: &'a [u8], value: &'a [u8] },
    /// The empty line that ends the fields; where what is behind it begins.
    End(usize),
    /// Not complete.
    Incomplete,
}

/// Where reading stands.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Where the line that is read begins.
    at: usize,
    /// Up to where its value was found to be well; 0: read the line from its start.
    looked: usize,
    count: usize,
}

impl Fields {
    /// Fields that begin here.
    pub(super) fn beginning(at: usize) -> Self {
        Self {
            at,
            ..Self::default()
        }
    }

    /// The next line of a head, of which `bytes` is what has come.
    pub(super) fn next<'a>(
        &mut self,
        bytes: &'a [u8],
        count_max: usize,
    ) -> Result<Line<'a>, Violation> {
        if self.looked > self.at {
            let new = bytes.get(self.looked..).unwrap_or_default();
            let run = value_length(new);
            if run == new.len() {
                self.looked += run;
                return Ok(Line::Incomplete);
            }
        }
        self.looked = 0;
        let line = bytes.get(self.at..).unwrap_or_default();
        match line.first() {
            None => return Ok(Line::Incomplete),
            Some(b' ' | b'\t') => return Err(Violation::ObsFold),
            Some(b'\r' | b'\n') => {
                let end = line_end(line)?.map(|length| Line::End(self.at + length));
                return Ok(end.unwrap_or(Line::Incomplete));
            }
            Some(_) => {}
        }
        let Some((name, behind)) = name(line)? else {
            return Ok(Line::Incomplete);
        };
        let length = value_length(behind);
        let (value, end) = behind.split_at_checked(length).unwrap_or((behind, &[]));
        match end.first() {
            None => {
                self.looked = bytes.len();
                return Ok(Line::Incomplete);
            }
            Some(b'\r' | b'\n') => {}
            Some(_) => return Err(Violation::FieldValue),
        }
        let Some(end_length) = line_end(end)? else {
            return Ok(Line::Incomplete);
        };
        // Only what comes behind the line says that it is one: a value may go on there.
        match end.get(end_length) {
            None => return Ok(Line::Incomplete),
            Some(b' ' | b'\t') => return Err(Violation::ObsFold),
            Some(_) => {}
        }
        self.count += 1;
        if self.count > count_max {
            return Err(Violation::TooManyFields);
        }
        self.at += name.len() + 1 + value.len() + end_length;
        Ok(Line::Field {
            name,
            value: trim(value),
        })
    }
}

/// The name, and what is behind its colon.
type Named<'a> = (&'a [u8], &'a [u8]);

/// Splits a line behind its name; `None`: not complete.
fn name(line: &[u8]) -> Result<Option<Named<'_>>, Violation> {
    let length = line.iter().take_while(|byte| is_token_byte(**byte)).count();
    if length > NAME_BYTES_MAX {
        return Err(Violation::FieldName);
    }
    let (name, behind) = line.split_at_checked(length).unwrap_or((line, &[]));
    match behind.split_first() {
        None => Ok(None),
        Some((b':', behind)) if length > 0 => Ok(Some((name, behind))),
        Some(_) => Err(Violation::FieldName),
    }
}

/// How long the CRLF is that must be here; `None`: not complete.
pub(super) fn line_end(bytes: &[u8]) -> Result<Option<usize>, Violation> {
    match (bytes.first(), bytes.get(1)) {
        (Some(b'\r'), Some(b'\n')) => Ok(Some(2)),
        (Some(b'\r'), None) => Ok(None),
        _ => Err(Violation::LineEnd),
    }
}

/// Without the spaces and tabs around it (RFC 9110 §5.6.3).
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mut text = text;
    while let Some((first, rest)) = text.split_first()
        && is_space(first)
    {
        text = rest;
    }
    while let Some((last, rest)) = text.split_last()
        && is_space(last)
    {
        text = rest;
    }
    text
}
