//! The chunked coding (RFC 9112 §7.1), byte by byte but for the data, which is skipped. Sizes are hexadecimal digits and
//! nothing else, extensions follow the grammar, every line ends in CRLF, and the trailer section has fields only, none of
//! which frames the message or names its host. What was passed of a chunk cannot be taken back, so nothing is withheld: a
//! violation ends the body where it stands.

use crate::Violation;
use crate::grammar::{is_token_byte, is_value_byte};
use crate::http1::limits::Limits;

/// Digits of a size: as many as 64 bits have.
const DIGITS_MAX: u8 = 16;
/// Sizes above are no sizes.
const SIZE_MAX: u64 = u64::MAX >> 1;
/// The longest name of a field that must not be a trailer.
const NAME_BYTES: usize = 17;

/// Reads one body.
#[derive(Debug)]
pub(super) struct Reader {
    at: At,
    /// The size that is read, then what is left of the chunk.
    left: u64,
    extension_bytes: usize,
    trailer_bytes: usize,
    trailer_fields: usize,
    name: Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the size, behind so many digits.
    Size(u8),
    Extension(Extension),
    SizeLf,
    /// Behind a CR where no line may end yet.
    StrayCr,
    Data,
    DataCr,
    DataLf,
    /// At the start of a trailer line.
    Line,
    LineName,
    LineValue,
    LineLf,
    EndLf,
    Done,
}

/// Where in `*( BWS ";" BWS name [ BWS "=" BWS value ] )`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extension {
    /// A semicolon must come.
    Before,
    NameStart,
    Name,
    AfterName,
    ValueStart,
    Value,
    Quoted,
    Escaped,
    AfterQuoted,
}

/// The start of a trailer's name, in small letters.
#[derive(Debug, Default)]
struct Name {
    bytes: [u8; NAME_BYTES],
    length: usize,
}

impl Name {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte.to_ascii_lowercase();
        }
        self.length += 1;
    }

    /// Whether it is a field that says how the message is framed or where it goes.
    fn frames(&self) -> bool {
        let name = self.bytes.get(..self.length);
        name.is_some_and(|name| matches!(name, b"content-length" | b"transfer-encoding" | b"host"))
    }
}

impl Reader {
    pub(super) const fn new() -> Self {
        Self {
            at: At::Size(0),
            left: 0,
            extension_bytes: 0,
            trailer_bytes: 0,
            trailer_fields: 0,
            name: Name {
                bytes: [0; NAME_BYTES],
                length: 0,
            },
        }
    }

    /// How many bytes from the front are the body's, and whether it ends with them. Where there is a violation, the bytes
    /// before it are good.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
    ) -> (usize, Result<bool, Violation>) {
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            if self.at == At::Data {
                rest = rest.get(self.data(rest.len())..).unwrap_or_default();
                continue;
            }
            match self.step(*byte, limits) {
                Ok(at) => self.at = at,
                Err(violation) => return (bytes.len() - rest.len(), Err(violation)),
            }
            rest = behind;
            if self.at == At::Done {
                return (bytes.len() - rest.len(), Ok(true));
            }
        }
        (bytes.len(), Ok(false))
    }

    /// How many of so many bytes are data.
    fn data(&mut self, length: usize) -> usize {
        let length = usize::try_from(self.left).map_or(length, |left| left.min(length));
        self.left -= u64::try_from(length).unwrap_or(self.left);
        if self.left == 0 {
            self.at = At::DataCr;
        }
        length
    }

    fn step(&mut self, byte: u8, limits: &Limits) -> Result<At, Violation> {
        match self.at {
            At::Size(digits) => self.size(byte, digits),
            At::StrayCr => Err(if byte == b'\n' {
                Violation::Chunk
            } else {
                Violation::LineEnd
            }),
            At::Extension(place) => {
                self.extension_bytes += 1;
                if self.extension_bytes > limits.extension_bytes {
                    return Err(Violation::ExtensionsTooLong);
                }
                extension(place, byte)
            }
            At::SizeLf => {
                let next = if self.left == 0 { At::Line } else { At::Data };
                lf(byte, next)
            }
            At::DataCr => cr(byte, At::DataLf).unwrap_or(Err(Violation::Chunk)),
            At::DataLf => lf(byte, At::Size(0)),
            At::Line | At::LineName | At::LineValue | At::LineLf | At::EndLf => {
                self.trailer_bytes += 1;
                if self.trailer_bytes > limits.trailer_bytes {
                    return Err(Violation::TrailersTooLong);
                }
                self.trailer(byte, limits)
            }
            At::Data | At::Done => Ok(self.at),
        }
    }

    fn size(&mut self, byte: u8, digits: u8) -> Result<At, Violation> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ if digits == 0 => return Err(Violation::Chunk),
            b';' => return Ok(At::Extension(Extension::NameStart)),
            b' ' | b'\t' => return Ok(At::Extension(Extension::Before)),
            _ => return cr(byte, At::SizeLf).unwrap_or(Err(Violation::Chunk)),
        };
        if digits == 0 {
            self.left = 0;
        }
        let size = self
            .left
            .checked_mul(16)
            .map(|size| size | u64::from(digit));
        let size = size.filter(|size| *size <= SIZE_MAX && digits < DIGITS_MAX);
        self.left = size.ok_or(Violation::Chunk)?;
        Ok(At::Size(digits + 1))
    }

    fn trailer(&mut self, byte: u8, limits: &Limits) -> Result<At, Violation> {
        match (self.at, byte) {
            (At::Line, b'\r') => Ok(At::EndLf),
            (At::Line, byte) if is_token_byte(byte) => {
                self.trailer_fields += 1;
                if self.trailer_fields > limits.trailer_fields {
                    return Err(Violation::TrailersTooLong);
                }
                self.name = Name::default();
                self.name.push(byte);
                Ok(At::LineName)
            }
            (At::LineName, b':') if self.name.frames() => Err(Violation::Trailer),
            (At::LineName, b':') => Ok(At::LineValue),
            (At::LineName, byte) if is_token_byte(byte) => {
                self.name.push(byte);
                Ok(At::LineName)
            }
            (At::LineValue, byte) if is_value_byte(byte) => Ok(At::LineValue),
            (At::LineValue, byte) => cr(byte, At::LineLf).unwrap_or(Err(Violation::Trailer)),
            (At::LineLf, byte) => lf(byte, At::Line),
            (At::EndLf, byte) => lf(byte, At::Done),
            (_, b'\n') => Err(Violation::LineEnd),
            _ => Err(Violation::Trailer),
        }
    }
}

/// Goes on behind a CR; `None`: it is neither a CR nor a bare LF.
fn cr(byte: u8, next: At) -> Option<Result<At, Violation>> {
    match byte {
        b'\r' => Some(Ok(next)),
        b'\n' => Some(Err(Violation::LineEnd)),
        _ => None,
    }
}

/// Goes on behind the LF that must come.
const fn lf(byte: u8, next: At) -> Result<At, Violation> {
    if byte == b'\n' {
        Ok(next)
    } else {
        Err(Violation::LineEnd)
    }
}

fn extension(place: Extension, byte: u8) -> Result<At, Violation> {
    use Extension as E;
    let is_space = matches!(byte, b' ' | b'\t');
    let is_token = is_token_byte(byte);
    let next = match (place, byte) {
        (E::Before | E::AfterName | E::AfterQuoted | E::Name | E::Value, b';') => E::NameStart,
        (E::Name | E::AfterName, b'=') => E::ValueStart,
        (E::NameStart | E::Name, _) if is_token => E::Name,
        (E::ValueStart | E::Value, _) if is_token => E::Value,
        (E::ValueStart, b'"') => E::Quoted,
        (E::Quoted, b'"') => E::AfterQuoted,
        (E::Quoted, b'\\') => E::Escaped,
        (E::Quoted | E::Escaped, _) if is_value_byte(byte) => E::Quoted,
        (E::Name, _) if is_space => E::AfterName,
        (E::Value | E::AfterQuoted, _) if is_space => E::Before,
        (E::Before | E::NameStart | E::AfterName | E::ValueStart, _) if is_space => place,
        (E::Name | E::Value | E::AfterQuoted, _) => {
            return cr(byte, At::SizeLf).unwrap_or(Err(Violation::Chunk));
        }
        (_, b'\n') => return Err(Violation::LineEnd),
        (_, b'\r') => return Ok(At::StrayCr),
        _ => return Err(Violation::Chunk),
    };
    Ok(At::Extension(next))
}

#[cfg(test)]
mod tests;
