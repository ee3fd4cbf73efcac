//! The head of a request (RFC 9112 §3, §5): one request line of three parts with single spaces, then fields. Which forms a
//! target may have, which host it names, and how the body is framed are checked here and nowhere else.

use crate::Violation;
use crate::grammar::{is_host, is_target_byte, is_token_byte, percents_are_well};
use crate::http1::facts::{Body, Facts, Minor};
use crate::http1::fields::{Fields, Line, line_end};
use crate::http1::limits::Limits;

/// Empty lines before a request line that are skipped (RFC 9112 §2.2 asks for one; some clients send one after a body).
const EMPTY_LINES_MAX: usize = 2;
/// No method is called longer. So a method that is not complete can be read again from its start when more comes.
const METHOD_BYTES_MAX: usize = 64;

/// A head that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHead {
    /// Its bytes, the empty line that ends it included.
    pub length: usize,
    /// How its body ends.
    pub body: Body,
    /// Whether another request may follow.
    pub persists: bool,
    /// Whether its target is absolute and ends with the authority: engines make `/` of that, and with `OPTIONS` it means
    /// the whole server (RFC 9112 §3.2.4).
    pub is_without_path: bool,
}

/// Reads one head, which may come in pieces.
#[derive(Debug, Default)]
pub struct RequestReader {
    stage: Stage,
    facts: Facts,
    /// The authority of a target in absolute form.
    authority: Option<(usize, usize)>,
    is_without_path: bool,
    has_host: bool,
    minor: Minor,
}

#[derive(Debug)]
enum Stage {
    /// Before or in the first line.
    Start {
        /// Where it begins, behind empty lines.
        at: usize,
        /// Up to where its target was found to be well; 0: read it from its start.
        looked: usize,
    },
    Fields(Fields),
}

impl Default for Stage {
    fn default() -> Self {
        Self::Start { at: 0, looked: 0 }
    }
}

/// The first line.
#[derive(Debug)]
struct FirstLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
    minor: Minor,
    length: usize,
}

/// A first line, or how far one that is not complete was found to be well.
enum Partial<'a> {
    Whole(FirstLine<'a>),
    /// In the target: only what comes behind it need be looked at.
    InTarget,
    Again,
}

impl RequestReader {
    /// Reads on. `bytes` is all of the head that has come, from its beginning; `None`: it is not complete.
    ///
    /// # Errors
    /// What is wrong with it; nothing more can be read then.
    pub fn read(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Option<RequestHead>, Violation> {
        // Nothing behind the limit is looked at, so that what is found does not depend on how the bytes came.
        let seen = bytes.get(..limits.head_bytes).unwrap_or(bytes);
        let head = self.read_seen(seen, limits)?;
        if head.is_none() && seen.len() == limits.head_bytes {
            return Err(Violation::HeadTooLong);
        }
        Ok(head)
    }

    fn read_seen(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Option<RequestHead>, Violation> {
        if let Stage::Start { at, looked } = &mut self.stage {
            let Some(line) = start(bytes, at, looked, limits)? else {
                return Ok(None);
            };
            self.minor = line.minor;
            let authority = target(line.method, line.target)?;
            self.is_without_path = authority.is_some_and(|(_, to)| to == line.target.len());
            let begins = *at + line.method.len() + 1;
            self.authority = authority.map(|(from, to)| (begins + from, begins + to));
            self.stage = Stage::Fields(Fields::beginning(*at + line.length));
        }
        self.read_fields(bytes, limits)
    }

    fn read_fields(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Option<RequestHead>, Violation> {
        loop {
            let Stage::Fields(fields) = &mut self.stage else {
                return Ok(None);
            };
            match fields.next(bytes, limits.fields)? {
                Line::Incomplete => return Ok(None),
                Line::End(length) => return self.end(length).map(Some),
                Line::Field { name, value } if name.eq_ignore_ascii_case(b"host") => {
                    self.host(bytes, value)?;
                }
                Line::Field { name, value } => self.facts.note(name, value)?,
            }
        }
    }

    fn host(&mut self, bytes: &[u8], value: &[u8]) -> Result<(), Violation> {
        let named = self.authority.and_then(|(from, to)| bytes.get(from..to));
        // One that says two things routes differently at whoever believes the other.
        let differs = named.is_some_and(|named| !named.eq_ignore_ascii_case(value));
        if self.has_host || differs || !is_host(value) {
            return Err(Violation::Host);
        }
        self.has_host = true;
        Ok(())
    }

    fn end(&self, length: usize) -> Result<RequestHead, Violation> {
        if !self.has_host && self.minor == Minor::One {
            return Err(Violation::Host);
        }
        Ok(RequestHead {
            length,
            body: self.facts.body(self.minor)?.unwrap_or(Body::None),
            persists: self.facts.persists(self.minor),
            is_without_path: self.is_without_path,
        })
    }
}

/// The first line, behind empty ones.
fn start<'a>(
    bytes: &'a [u8],
    at: &mut usize,
    looked: &mut usize,
    limits: &Limits,
) -> Result<Option<FirstLine<'a>>, Violation> {
    while let Some(b'\r' | b'\n') = bytes.get(*at) {
        if *at == EMPTY_LINES_MAX * 2 {
            return Err(Violation::RequestLine);
        }
        match line_end(bytes.get(*at..).unwrap_or_default())? {
            Some(length) => *at += length,
            None => return Ok(None),
        }
    }
    if *looked > 0 {
        let new = bytes.get(*looked..).unwrap_or_default();
        let length = new.iter().take_while(|byte| is_target_byte(**byte)).count();
        // A method, a space and a target that is too long, whatever the method: the exact count is made below.
        let may_be_well = *looked + length - *at <= limits.target_bytes;
        if length == new.len() && may_be_well {
            *looked += length;
            return Ok(None);
        }
    }
    *looked = 0;
    match first_line(bytes.get(*at..).unwrap_or_default(), limits)? {
        Partial::Whole(line) => Ok(Some(line)),
        Partial::InTarget => {
            *looked = bytes.len();
            Ok(None)
        }
        Partial::Again => Ok(None),
    }
}

fn first_line<'a>(line: &'a [u8], limits: &Limits) -> Result<Partial<'a>, Violation> {
    let length = line.iter().take_while(|byte| is_token_byte(**byte)).count();
    if length > METHOD_BYTES_MAX {
        return Err(Violation::RequestLine);
    }
    let (method, behind) = line.split_at_checked(length).unwrap_or((line, &[]));
    let behind = match behind.split_first() {
        None => return Ok(Partial::Again),
        Some((b' ', behind)) if length > 0 => behind,
        Some((b'\r' | b'\n', _)) => return too_short(behind),
        Some(_) => return Err(Violation::RequestLine),
    };
    let length = behind
        .iter()
        .take_while(|byte| is_target_byte(**byte))
        .count();
    if length > limits.target_bytes {
        return Err(Violation::TargetTooLong);
    }
    let (target, behind) = behind.split_at_checked(length).unwrap_or((behind, &[]));
    let behind = match behind.split_first() {
        None => return Ok(Partial::InTarget),
        Some((b' ', behind)) if length > 0 => behind,
        // Two parts only: HTTP/0.9, or nothing at all.
        Some((b'\r' | b'\n', _)) => return too_short(behind),
        // Two spaces: a part that is empty.
        Some((b' ', _)) => return Err(Violation::RequestLine),
        Some(_) => return Err(Violation::Target),
    };
    let Some((minor, behind)) = version(behind)? else {
        return Ok(Partial::Again);
    };
    let end = match behind.first() {
        None => return Ok(Partial::Again),
        Some(b'\r' | b'\n') => line_end(behind)?,
        Some(_) => return Err(Violation::RequestLine),
    };
    Ok(end.map_or(Partial::Again, |end| {
        let length = method.len() + 1 + target.len() + 1 + VERSION_BYTES + end;
        Partial::Whole(FirstLine {
            method,
            target,
            minor,
            length,
        })
    }))
}

/// A line that ends before its third part, or seems to.
fn too_short(end: &[u8]) -> Result<Partial<'_>, Violation> {
    match line_end(end)? {
        None => Ok(Partial::Again),
        Some(_) => Err(Violation::RequestLine),
    }
}

pub(super) const VERSION_BYTES: usize = 8;

/// `HTTP/1.0` or `HTTP/1.1`, and what is behind it; `None`: not complete.
pub(super) fn version(text: &[u8]) -> Result<Option<(Minor, &[u8])>, Violation> {
    const NAME: &[u8] = b"HTTP/";
    let seen = text.get(..NAME.len()).unwrap_or(text);
    if !NAME.starts_with(seen) {
        return Err(Violation::RequestLine);
    }
    let Some((version, behind)) = text.split_at_checked(VERSION_BYTES) else {
        let so_far = text.get(NAME.len()..).unwrap_or_default();
        let fits = matches!(so_far, [] | [b'0'..=b'9'] | [b'0'..=b'9', b'.']);
        return if fits {
            Ok(None)
        } else {
            Err(Violation::RequestLine)
        };
    };
    match version.get(NAME.len()..).unwrap_or_default() {
        b"1.1" => Ok(Some((Minor::One, behind))),
        b"1.0" => Ok(Some((Minor::Zero, behind))),
        [b'0'..=b'9', b'.', b'0'..=b'9'] => Err(Violation::Version),
        _ => Err(Violation::RequestLine),
    }
}

/// Checks the form of a target (RFC 9112 §3.2), and gives where the authority of an absolute one lies in it.
fn target(method: &[u8], target: &[u8]) -> Result<Option<(usize, usize)>, Violation> {
    if method == b"CONNECT" {
        return Err(Violation::Connect);
    }
    if !percents_are_well(target) {
        return Err(Violation::Target);
    }
    if target.first() == Some(&b'/') {
        return Ok(None);
    }
    if target == b"*" {
        let is_options = method == b"OPTIONS";
        return if is_options {
            Ok(None)
        } else {
            Err(Violation::Target)
        };
    }
    let has_scheme = |scheme: &[u8]| {
        let start = target.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let from = match (has_scheme(b"http://"), has_scheme(b"https://")) {
        (true, _) => 7,
        (_, true) => 8,
        _ => return Err(Violation::Target),
    };
    let behind = target.get(from..).unwrap_or_default();
    let ends = |byte: &u8| matches!(byte, b'/' | b'?');
    let length = behind.iter().position(ends).unwrap_or(behind.len());
    let authority = behind.get(..length).unwrap_or_default();
    if is_host(authority) {
        Ok(Some((from, from + length)))
    } else {
        Err(Violation::Host)
    }
}
