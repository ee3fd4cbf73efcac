//! An HTTP/2 client of prebuilt frames: several streams at once on one connection, each a GET whose header block is six
//! bytes of table indexes once the first has filled the table. It reads frame heads, the status and lengths, and answers
//! SETTINGS and PING; it is no HTTP/2 implementation.

use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Fault, Tally};
use crate::runtime;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What a stream may receive unasked, in bytes: more than any answer asked for over HTTP/2.
const STREAM_WINDOW: u32 = 1 << 20;
/// What the connection may receive ahead, in bytes; given back when half is used.
const CONNECTION_WINDOW: u32 = 1 << 28;
const READ_BYTES: usize = 256 << 10;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
/// Flag of DATA and HEADERS: the stream's last frame.
const END_STREAM: u8 = 1;
/// Flag of SETTINGS and PING.
const ACK: u8 = 1;
/// `:method: GET`, an index of the static table.
const GET: u8 = 0x82;
/// Flags of a request without a body: `END_STREAM`, `END_HEADERS`.
const WHOLE_REQUEST: u8 = 5;

/// What a request says of how it came, as its index in the static table.
#[derive(Debug, Clone, Copy)]
pub enum Scheme {
    /// In clear.
    Http = 0x86,
    /// Over TLS.
    Https = 0x87,
}

/// One request that runs.
#[derive(Debug)]
struct Running {
    id: u32,
    began: Instant,
    answered: bool,
    received: usize,
}

/// A connection.
#[derive(Debug)]
pub struct Http2<S> {
    stream: S,
    scheme: Scheme,
    /// Bytes to send with the next write.
    out: Vec<u8>,
    input: Vec<u8>,
    next_id: u32,
    /// Received since the connection's window was topped up.
    received: u32,
    running: Vec<Running>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http2<S> {
    /// On a stream that is connected; says the preface with the first request.
    #[must_use]
    pub fn new(stream: S, scheme: Scheme) -> Self {
        let mut out = PREFACE.to_vec();
        let mut settings = Vec::new();
        for (id, value) in [(2_u16, 0_u32), (4, STREAM_WINDOW)] {
            settings.extend(id.to_be_bytes());
            settings.extend(value.to_be_bytes());
        }
        frame(&mut out, SETTINGS, 0, 0, &settings);
        frame(
            &mut out,
            WINDOW_UPDATE,
            0,
            0,
            &CONNECTION_WINDOW.to_be_bytes(),
        );
        Self {
            stream,
            scheme,
            out,
            input: Vec::with_capacity(READ_BYTES),
            next_id: 1,
            received: 0,
            running: Vec::new(),
        }
    }

    /// Keeps so many streams running as long as the tally allows, then waits for those that run.
    ///
    /// # Errors
    /// The first thing that is not as it should be.
    pub async fn run(
        &mut self,
        path: &str,
        body: usize,
        streams: usize,
        tally: &Tally,
    ) -> Result<(), Fault> {
        loop {
            while self.running.len() < streams && tally.begin() {
                self.ask(path);
            }
            if self.running.is_empty() {
                return Ok(());
            }
            if !self.out.is_empty() {
                self.stream.write_all(&self.out).await?;
                self.stream.flush().await?;
                self.out.clear();
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(Fault::Cut);
            }
            self.take_frames(body, tally)?;
        }
    }

    /// Puts one request into the bytes to send.
    fn ask(&mut self, path: &str) {
        let id = self.next_id;
        self.next_id += 2;
        let block = match id {
            1 => first_block(self.scheme, path),
            _ => next_block(self.scheme).to_vec(),
        };
        frame(&mut self.out, HEADERS, WHOLE_REQUEST, id, &block);
        self.running.push(Running {
            id,
            began: runtime::now(),
            answered: false,
            received: 0,
        });
    }

    /// Takes all whole frames that have come.
    fn take_frames(&mut self, body: usize, tally: &Tally) -> Result<(), Fault> {
        let mut input = std::mem::take(&mut self.input);
        let mut rest = input.as_slice();
        while let Some((head, payload, after)) = split_frame(rest) {
            self.take(&head, payload, body, tally)?;
            rest = after;
        }
        let taken = input.len() - rest.len();
        drop(input.drain(..taken));
        self.input = input;
        if self.received > CONNECTION_WINDOW / 2 {
            frame(
                &mut self.out,
                WINDOW_UPDATE,
                0,
                0,
                &self.received.to_be_bytes(),
            );
            self.received = 0;
        }
        Ok(())
    }

    fn take(
        &mut self,
        head: &Head,
        payload: &[u8],
        body: usize,
        tally: &Tally,
    ) -> Result<(), Fault> {
        match head.kind {
            DATA => {
                self.received += u32::try_from(payload.len()).unwrap_or(0);
                self.note(head.id, |running| running.received += payload.len())?;
            }
            HEADERS if is_200(payload) => self.note(head.id, |running| running.answered = true)?,
            HEADERS => return Err(Fault::Status("an answer over HTTP/2".to_owned())),
            SETTINGS if head.flags & ACK == 0 => frame(&mut self.out, SETTINGS, ACK, 0, &[]),
            PING if head.flags & ACK == 0 => frame(&mut self.out, PING, ACK, 0, payload),
            RST_STREAM => return Err(Fault::Unexpected("a stream was reset")),
            GOAWAY => return Err(Fault::Unexpected("the proxy said GOAWAY")),
            CONTINUATION => return Err(Fault::Unexpected("an answer with CONTINUATION")),
            _ => {}
        }
        if matches!(head.kind, DATA | HEADERS) && head.flags & END_STREAM != 0 {
            self.finish(head.id, body, tally)?;
        }
        Ok(())
    }

    fn note(&mut self, id: u32, what: impl FnOnce(&mut Running)) -> Result<(), Fault> {
        let running = self.running.iter_mut().find(|running| running.id == id);
        running
            .map(what)
            .ok_or(Fault::Unexpected("a frame of a stream that is not open"))
    }

    fn finish(&mut self, id: u32, body: usize, tally: &Tally) -> Result<(), Fault> {
        let at = self.running.iter().position(|running| running.id == id);
        let at = at.ok_or(Fault::Unexpected("the end of a stream that is not open"))?;
        let ended = self.running.swap_remove(at);
        if !ended.answered || ended.received != body {
            return Err(Fault::Unexpected("another length than the origin's"));
        }
        tally.end(ended.began);
        Ok(())
    }
}

/// The first request's header block (RFC 7541): fields that are not in the static table go into the dynamic one.
fn first_block(scheme: Scheme, path: &str) -> Vec<u8> {
    let mut block = vec![GET, scheme as u8];
    // A literal with indexing, its name by number: `:path`, `:authority`, `user-agent`, `accept`.
    for (name, value) in [
        (4, path),
        (1, "meet.example.org"),
        (58, "load"),
        (19, "*/*"),
    ] {
        block.push(0x40 | name);
        // Shorter than 127 bytes, so the length is one byte; without Huffman coding.
        block.push(u8::try_from(value.len()).unwrap_or(0) & 0x7f);
        block.extend(value.as_bytes());
    }
    block
}

/// The same fields once they are in the tables; the last one added is 62.
const fn next_block(scheme: Scheme) -> [u8; 6] {
    [
        GET,
        scheme as u8,
        0x80 | 65,
        0x80 | 64,
        0x80 | 63,
        0x80 | 62,
    ]
}

/// Whether a header block begins with `:status: 200`, an index of the static table, after changes of the table's size.
fn is_200(block: &[u8]) -> bool {
    let first = block.iter().find(|byte| **byte & 0xe0 != 0x20);
    first == Some(&0x88)
}

#[derive(Debug)]
struct Head {
    kind: u8,
    flags: u8,
    id: u32,
}

/// The first frame, if all of it is there, and what follows.
fn split_frame(bytes: &[u8]) -> Option<(Head, &[u8], &[u8])> {
    let ([a, b, c, kind, flags, id @ ..], rest) = bytes.split_first_chunk::<9>()?;
    let length = u32::from_be_bytes([0, *a, *b, *c]);
    let (payload, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let head = Head {
        kind: *kind,
        flags: *flags,
        id: u32::from_be_bytes(*id) & 0x7fff_ffff,
    };
    Some((head, payload, after))
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, id: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    out.extend(length.get(1..).unwrap_or_default());
    out.extend([kind, flags]);
    out.extend(id.to_be_bytes());
    out.extend(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_as_it_was_written_and_only_when_whole() {
        let mut bytes = Vec::new();
        frame(&mut bytes, PING, ACK, 7, b"12345678");
        assert!(split_frame(&bytes[..bytes.len() - 1]).is_none());
        bytes.push(b'+');
        let (head, payload, after) = split_frame(&bytes).unwrap();
        assert_eq!((head.kind, head.flags, head.id), (PING, ACK, 7));
        assert_eq!((payload, after), (&b"12345678"[..], &b"+"[..]));
    }

    #[test]
    fn a_status_is_seen_behind_a_change_of_the_tables_size() {
        assert!(is_200(&[0x88, 0x5f]));
        assert!(is_200(&[0x20, 0x88]));
        assert!(!is_200(&[0x8d]));
        assert!(!is_200(&[]));
    }

    #[test]
    fn a_reset_a_short_body_and_a_goodbye_are_faults() {
        let outcome = |frames: &[(u8, u8, u32, &[u8])]| {
            let mut client = Http2::new(tokio::io::empty(), Scheme::Https);
            client.ask("/small");
            for (kind, flags, id, payload) in frames {
                frame(&mut client.input, *kind, *flags, *id, payload);
            }
            let tally = Tally::endless();
            client.take_frames(2, &tally).map(|()| tally.done())
        };
        let answer = (HEADERS, 4, 1, &[0x88][..]);
        assert_eq!(outcome(&[answer, (DATA, END_STREAM, 1, b"ab")]).unwrap(), 1);
        assert!(outcome(&[answer, (DATA, END_STREAM, 1, b"a")]).is_err());
        assert!(outcome(&[answer, (RST_STREAM, 0, 1, &[0; 4])]).is_err());
        assert!(outcome(&[(GOAWAY, 0, 0, &[0; 8])]).is_err());
        assert!(outcome(&[(DATA, 0, 9, b"ab")]).is_err());
    }
}
