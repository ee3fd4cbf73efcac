//! Reads a chunked body (RFC 9112 §7.1), extensions and trailers with it.

use super::message::Field;
use super::{grammar, head};

/// What must not come after a body: what decides where messages end, where they go or whether they may (RFC 9110 §6.5.1).
const NO_TRAILERS: [&str; 7] = [
    "content-length",
    "transfer-encoding",
    "host",
    "trailer",
    "connection",
    "te",
    "authorization",
];

/// The chunks that came.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// The data of all of them.
    pub(super) body: Vec<u8>,
    /// After the last one.
    pub(super) trailers: Vec<Field>,
    /// In words.
    pub(super) faults: Vec<String>,
    /// In bytes, framing and trailers included; `None`: the end has not come.
    pub(super) length: Option<usize>,
    /// What follows cannot be understood.
    pub(super) is_broken: bool,
}

impl Chunks {
    fn broken(mut self, what: &str, line: &[u8]) -> Self {
        self.faults.push(format!("{what}: {}", line.escape_ascii()));
        self.is_broken = true;
        self
    }
}

/// Reads the chunks that these bytes begin with.
pub(super) fn read(bytes: &[u8]) -> Chunks {
    let mut chunks = Chunks::default();
    let mut rest = bytes;
    loop {
        let Some(line) = line(&mut rest, &mut chunks.faults) else {
            return chunks;
        };
        let mut parts = line.splitn(2, |byte| *byte == b';');
        let Some(size) = parts.next().and_then(grammar::hexadecimal) else {
            return chunks.broken("a chunk size that is no number", line);
        };
        if parts.next().is_some() {
            chunks
                .faults
                .push("a chunk extension, which no gateway forwards".to_owned());
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size == 0 {
            break;
        }
        let Some((data, after)) = rest.split_at_checked(size) else {
            chunks.body.extend_from_slice(rest);
            return chunks;
        };
        chunks.body.extend_from_slice(data);
        rest = match after {
            [b'\r', b'\n', more @ ..] => more,
            [] | [b'\r'] => return chunks,
            _ => return chunks.broken("a chunk that its line end does not follow", b""),
        };
    }
    while let Some(line) = line(&mut rest, &mut chunks.faults) {
        if line.is_empty() {
            chunks.length = Some(bytes.len() - rest.len());
            return chunks;
        }
        if let Some(field) = head::field(line, &mut chunks.faults) {
            if NO_TRAILERS.iter().any(|name| field.is(name)) {
                chunks.faults.push(format!(
                    "a trailer that must not be one: {}",
                    line.escape_ascii()
                ));
            }
            chunks.trailers.push(field);
        }
    }
    chunks
}

/// Takes the next line.
fn line<'a>(rest: &mut &'a [u8], faults: &mut Vec<String>) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (line, after) = rest.split_at_checked(end + 1)?;
    *rest = after;
    head::ended(line, faults)
}
