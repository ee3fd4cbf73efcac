//! One connection of an attacker: it counts what it sends, and reads what comes only as far as the attack wants to know.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{End, Seen};
use crate::frames::reader::Reader;
use crate::frames::{Frame, error_name, kind};

/// A connection, and where its deeds are counted.
#[derive(Debug)]
pub struct Line<'a> {
    /// The connection.
    pub stream: TcpStream,
    /// The counts of the whole attack.
    pub seen: &'a Seen,
    ear: Ear,
}

/// Whether an attacker reads what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ears {
    /// It does.
    Open,
    /// It does not: whatever is answered has to wait somewhere.
    Deaf,
}

/// How what comes is heard.
#[derive(Debug)]
enum Ear {
    /// As HTTP/1: status lines are counted. Holds the end of what came, in case one is cut in two.
    Http1(Vec<u8>),
    /// As HTTP/2: frames are noted, see [`note`].
    Http2(Reader),
}

impl<'a> Line<'a> {
    /// Takes over a connection.
    #[must_use]
    pub const fn new(stream: TcpStream, seen: &'a Seen) -> Self {
        Self {
            stream,
            seen,
            ear: Ear::Http1(Vec::new()),
        }
    }

    /// What comes from now on is HTTP/2.
    #[must_use]
    pub fn hearing_http2(mut self) -> Self {
        self.ear = Ear::Http2(Reader::default());
        self
    }

    /// Sends bytes, without a look at what comes back.
    ///
    /// # Errors
    /// When the other side has ended the connection.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.seen.count_bytes(bytes.len());
        Ok(())
    }

    /// Sends bytes and reads meanwhile whatever comes, so that no full buffer of the other side holds us up.
    ///
    /// # Errors
    /// When the other side has ended the connection.
    pub async fn send_reading(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut left = bytes;
        let mut buffer = [0; 4096];
        while !left.is_empty() {
            let (mut reader, mut writer) = self.stream.split();
            // Neither half loses bytes when the other one is ready first: each is one system call.
            tokio::select! {
                wrote = writer.write(left) => {
                    let wrote = wrote?;
                    self.seen.count_bytes(wrote);
                    left = left.get(wrote..).unwrap_or_default();
                }
                read = reader.read(&mut buffer) => {
                    let read = read?;
                    if read == 0 {
                        return Err(io::ErrorKind::ConnectionAborted.into());
                    }
                    self.look(buffer.get(..read).unwrap_or_default());
                }
            }
        }
        Ok(())
    }

    /// Sends bytes, with or without an ear for what comes back.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn shout(&mut self, bytes: &[u8], ears: Ears) -> io::Result<()> {
        match ears {
            Ears::Open => self.send_reading(bytes).await,
            Ears::Deaf => self.send(bytes).await,
        }
    }

    /// Sends bytes one at a time with a pause after each. Ends early when the other side ends the connection.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn drip(&mut self, bytes: &[u8], pause: Duration) -> io::Result<()> {
        for byte in bytes {
            self.send(std::slice::from_ref(byte)).await?;
            self.seen.count(1);
            self.wait(pause).await?;
        }
        Ok(())
    }

    /// Does nothing for a while but read what comes.
    ///
    /// # Errors
    /// When the other side has ended the connection meanwhile.
    pub async fn wait(&mut self, pause: Duration) -> io::Result<()> {
        match tokio::time::timeout(pause, self.read_until_end()).await {
            Ok(_) => Err(io::ErrorKind::ConnectionAborted.into()),
            Err(_) => Ok(()),
        }
    }

    /// Reads until the other side ends the connection; answers are counted by their status.
    ///
    /// # Errors
    /// Never for an end by reset: that is an end too.
    pub async fn read_until_end(&mut self) -> io::Result<End> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return Ok(End::Ended),
                Ok(read) => {
                    self.look(buffer.get(..read).unwrap_or_default());
                }
            }
        }
    }

    /// Reads until this many answers have come in all.
    ///
    /// # Errors
    /// When the other side ends the connection first.
    pub async fn read_answers(&mut self, wanted: u64) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let mut come = 0;
        while come < wanted {
            match self.stream.read(&mut buffer).await? {
                0 => return Err(io::ErrorKind::ConnectionAborted.into()),
                read => come += self.look(buffer.get(..read).unwrap_or_default()),
            }
        }
        Ok(())
    }

    /// Holds the connection without reading from it, for as long as the attack goes on.
    pub async fn hold(self) -> io::Result<End> {
        std::future::pending::<()>().await;
        Ok(End::Spent)
    }

    /// Hears what came; how many answers began in it.
    fn look(&mut self, bytes: &[u8]) -> u64 {
        match &mut self.ear {
            Ear::Http1(tail) => {
                tail.extend_from_slice(bytes);
                count_status_lines(tail, self.seen)
            }
            Ear::Http2(reader) => {
                reader.push(bytes);
                let frames = std::iter::from_fn(|| reader.next_frame());
                frames.map(|frame| note(&frame, self.seen)).sum()
            }
        }
    }
}

/// Counts the status lines in the text and keeps what may be the start of another.
fn count_status_lines(tail: &mut Vec<u8>, seen: &Seen) -> u64 {
    const MARK: &[u8] = b"HTTP/1.1 ";
    const STATUS_LINE: usize = MARK.len() + 3;
    let mut found = 0;
    let mut used = 0;
    for (at, window) in tail.windows(STATUS_LINE).enumerate() {
        let status = window
            .strip_prefix(MARK)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse().ok());
        if let Some(status) = status {
            seen.answered(status);
            found += 1;
            used = at + STATUS_LINE;
        }
    }
    let keep_from = used.max(tail.len().saturating_sub(STATUS_LINE - 1));
    tail.drain(..keep_from);
    found
}

/// Notes `headers`, `reset`, and `goaway` with the name of its code; HEADERS count as an answer.
fn note(frame: &Frame, seen: &Seen) -> u64 {
    match frame.kind {
        kind::HEADERS => seen.note("headers"),
        kind::RST_STREAM => seen.note("reset"),
        kind::GOAWAY => {
            let code = frame
                .payload
                .get(4..8)
                .and_then(|code| code.try_into().ok());
            let code = code.map_or(u32::MAX, u32::from_be_bytes);
            seen.note("goaway");
            seen.note(&format!("goaway {}", error_name(code)));
        }
        _ => {}
    }
    u64::from(frame.kind == kind::HEADERS)
}
