//! One connection of an attacker: it counts what it sends, and reads what comes only as far as the attack wants to know.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{End, Seen};

/// A connection, and where its deeds are counted.
#[derive(Debug)]
pub struct Line<'a> {
    /// The connection.
    pub stream: TcpStream,
    /// The counts of the whole attack.
    pub seen: &'a Seen,
    /// The end of what came, in case a status line is cut in two.
    tail: Vec<u8>,
}

impl<'a> Line<'a> {
    /// Takes over a connection.
    #[must_use]
    pub const fn new(stream: TcpStream, seen: &'a Seen) -> Self {
        Self {
            stream,
            seen,
            tail: Vec::new(),
        }
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

    /// Counts the status lines in what came.
    fn look(&mut self, bytes: &[u8]) -> u64 {
        const MARK: &[u8] = b"HTTP/1.1 ";
        const STATUS_LINE: usize = MARK.len() + 3;
        self.tail.extend_from_slice(bytes);
        let mut found = 0;
        let mut used = 0;
        for (at, window) in self.tail.windows(STATUS_LINE).enumerate() {
            let status = window
                .strip_prefix(MARK)
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .and_then(|digits| digits.parse().ok());
            if let Some(status) = status {
                self.seen.answered(status);
                found += 1;
                used = at + STATUS_LINE;
            }
        }
        let keep_from = used.max(self.tail.len().saturating_sub(STATUS_LINE - 1));
        self.tail.drain(..keep_from);
        found
    }
}
