//! What the fields of a head say of the message's length and of the connection (RFC 9112 §6.3, §9.3). A message whose
//! length is said twice, even twice the same, is how requests are smuggled: it is refused.

use crate::Violation;
use crate::http1::fields::trim;

/// How a message's body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    None,
    /// After so many bytes.
    Length(u64),
    /// With the last chunk and its trailers.
    Chunked,
    /// With the connection; responses only.
    UntilClose,
}

/// The minor version of HTTP/1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Minor {
    Zero,
    #[default]
    One,
}

/// Lengths above are no lengths: there is no such body, and sums with them would overflow somewhere.
const LENGTH_MAX: u64 = u64::MAX >> 1;

/// What the fields have said so far.
#[derive(Debug, Default)]
pub(super) struct Facts {
    length: Option<u64>,
    is_chunked: bool,
    says_close: bool,
    says_keep_alive: bool,
}

impl Facts {
    /// One more field.
    pub(super) fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        match name.len() {
            10 if name.eq_ignore_ascii_case(b"connection") => self.connection(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(Violation::Framing);
                }
                self.length = Some(length(value).ok_or(Violation::Framing)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.is_chunked {
                    return Err(Violation::Framing);
                }
                coding(value)?;
                self.is_chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for item in value.split(|byte| *byte == b',').map(trim) {
            self.says_close |= item.eq_ignore_ascii_case(b"close");
            self.says_keep_alive |= item.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// How the body ends, by the fields alone; `None`: they do not say.
    pub(super) const fn body(&self, minor: Minor) -> Result<Option<Body>, Violation> {
        match (self.length, self.is_chunked, minor) {
            // HTTP/1.0 has no transfer codings: whoever sends one there counts on two readers (RFC 9112 §6.1).
            (Some(_), true, _) | (_, true, Minor::Zero) => Err(Violation::Framing),
            (None, true, Minor::One) => Ok(Some(Body::Chunked)),
            (Some(length), false, _) => Ok(Some(Body::Length(length))),
            (None, false, _) => Ok(None),
        }
    }

    /// Whether the connection carries another message after this one.
    pub(super) const fn persists(&self, minor: Minor) -> bool {
        match minor {
            Minor::One => !self.says_close,
            Minor::Zero => self.says_keep_alive && !self.says_close,
        }
    }
}

/// Digits and nothing else.
fn length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    let add = |length: u64, byte: &u8| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        length.checked_mul(10)?.checked_add(u64::from(digit))
    };
    let length = value.iter().try_fold(0, add)?;
    Some(length).filter(|length| *length <= LENGTH_MAX)
}

/// `chunked`, once. Where it comes last behind a coding that we would have to undo, that is not implemented; where it does
/// not come last the length cannot be known (RFC 9112 §6.3).
fn coding(value: &[u8]) -> Result<(), Violation> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let is_chunked = |item: &&[u8]| item.eq_ignore_ascii_case(b"chunked");
    let mut codings = value.rsplit(|byte| *byte == b',').map(trim);
    let ends_chunked = codings.next().as_ref().is_some_and(is_chunked);
    let is_chunked_twice = codings
        .by_ref()
        .any(|item| item.is_empty() || is_chunked(&item));
    if ends_chunked && !is_chunked_twice {
        Err(Violation::TransferCoding)
    } else {
        Err(Violation::Framing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(lines: &[(&str, &str)]) -> Result<Facts, Violation> {
        let mut facts = Facts::default();
        for (name, value) in lines {
            facts.note(name.as_bytes(), value.as_bytes())?;
        }
        Ok(facts)
    }

    fn body(lines: &[(&str, &str)]) -> Result<Option<Body>, Violation> {
        facts(lines)?.body(Minor::One)
    }

    #[test]
    fn a_length_is_digits_said_once() {
        assert_eq!(body(&[("Content-Length", "5")]), Ok(Some(Body::Length(5))));
        assert_eq!(
            body(&[("content-LENGTH", "007")]),
            Ok(Some(Body::Length(7)))
        );
        let largest = [("content-length", "9223372036854775807")];
        assert_eq!(body(&largest), Ok(Some(Body::Length(LENGTH_MAX))));
        for value in [
            "",
            "+5",
            "-5",
            "5 ",
            "5,5",
            "5, 5",
            "0x5",
            "5.0",
            "9223372036854775808",
            "18446744073709551616",
            "99999999999999999999999999",
            "five",
            "5\t",
        ] {
            assert_eq!(
                body(&[("content-length", value)]),
                Err(Violation::Framing),
                "{value:?}"
            );
        }
        let twice = [("content-length", "5"), ("content-length", "5")];
        assert_eq!(body(&twice), Err(Violation::Framing));
    }

    #[test]
    fn the_only_coding_is_chunked_and_it_comes_alone() {
        let coded = |value| body(&[("transfer-encoding", value)]);
        assert_eq!(coded("chunked"), Ok(Some(Body::Chunked)));
        assert_eq!(coded("Chunked"), Ok(Some(Body::Chunked)));
        for value in [
            "gzip, chunked",
            "gzip,deflate ,chunked",
            "identity, chunked",
        ] {
            assert_eq!(coded(value), Err(Violation::TransferCoding), "{value:?}");
        }
        for value in [
            "",
            "gzip",
            "identity",
            "chunked, gzip",
            "chunked, chunked",
            "xchunked",
            "chunked;q=1",
            "\"chunked\"",
            "chunked,",
            ", chunked",
            "chunked, identity",
        ] {
            assert_eq!(coded(value), Err(Violation::Framing), "{value:?}");
        }
        let twice = [
            ("transfer-encoding", "chunked"),
            ("transfer-encoding", "chunked"),
        ];
        assert_eq!(body(&twice), Err(Violation::Framing));
    }

    #[test]
    fn a_length_beside_a_coding_and_a_coding_in_http_1_0_are_refused() {
        let both = [("transfer-encoding", "chunked"), ("content-length", "5")];
        assert_eq!(body(&both), Err(Violation::Framing));
        let coded = facts(&both[..1]).unwrap();
        assert_eq!(coded.body(Minor::Zero), Err(Violation::Framing));
    }

    #[test]
    fn close_wins_and_http_1_0_stays_only_when_it_says_so() {
        let persists = |minor, value| facts(&[("Connection", value)]).unwrap().persists(minor);
        assert!(persists(Minor::One, "x") && persists(Minor::One, "keep-alive"));
        assert!(!persists(Minor::One, "x, Close") && !persists(Minor::One, "close,keep-alive"));
        assert!(!persists(Minor::Zero, "x") && persists(Minor::Zero, "Keep-Alive"));
        assert!(!persists(Minor::Zero, "keep-alive, close") && persists(Minor::One, "closed"));
    }
}
