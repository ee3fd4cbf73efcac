//! A client over plain TCP. It sends what it is told, right or wrong, and keeps what came back. By default it is polite:
//! it acknowledges SETTINGS, answers PING and gives the window back as it reads; [`Manners::Silent`] does nothing of that.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::reader::Reader;
use super::seen::{Closed, Seen};
use super::{Frame, PREFACE};
use crate::wait;

/// Whether a client does by itself what every connection needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// It does.
    Polite,
    /// It says only what it is told.
    Silent,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    manners: Manners,
    reader: Reader,
    seen: Seen,
}

impl Client {
    /// Connects, and says nothing yet.
    ///
    /// # Errors
    /// When there is nobody.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(wait::PATIENCE))?;
        stream.set_write_timeout(Some(wait::PATIENCE))?;
        Ok(Self {
            stream,
            manners: Manners::Polite,
            reader: Reader::default(),
            seen: Seen::default(),
        })
    }

    /// Changes its manners.
    #[must_use]
    pub const fn with(mut self, manners: Manners) -> Self {
        self.manners = manners;
        self
    }

    /// Waits this long for a byte, instead of [`wait::PATIENCE`].
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn be_patient_for(&mut self, patience: Duration) -> Result<()> {
        Ok(self.stream.set_read_timeout(Some(patience))?)
    }

    /// Sends the preface and SETTINGS with these values.
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes).
    pub fn hello(&mut self, settings: &[(u16, u32)]) -> Result<()> {
        self.send_bytes(&[&PREFACE[..], &Frame::settings(settings).bytes()].concat())
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// As [`send_bytes`](Self::send_bytes).
    pub fn send(&mut self, frame: &Frame) -> Result<()> {
        self.send_bytes(&frame.bytes())
    }

    /// Sends bytes. A peer that has closed is no error: [`seen`](Self::seen) says so.
    ///
    /// # Errors
    /// When the peer does not take them in time.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        match self.stream.write_all(bytes) {
            Ok(()) => Ok(()),
            Err(error) if is_end(error.kind()) => Ok(()),
            Err(error) => Err(error).context("send"),
        }
    }

    /// Ends our side of the connection.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn finish(&mut self) -> Result<()> {
        self.stream.shutdown(Shutdown::Write).context("shutdown")
    }

    /// Reads until this holds.
    ///
    /// # Errors
    /// When the connection ended, or stood still, before it did; `what` says what was waited for.
    pub fn until(&mut self, what: &str, holds: impl Fn(&Seen) -> bool) -> Result<()> {
        while !holds(&self.seen) {
            if let Some(closed) = self.seen.closed {
                bail!("closed ({closed:?}) before {what}; seen: {:?}", self.seen);
            }
            self.read()
                .with_context(|| format!("waiting for {what}; seen: {:?}", self.seen))?;
        }
        Ok(())
    }

    /// Reads what is there and waits for nothing.
    ///
    /// # Errors
    /// When the connection breaks in another way than by its end.
    pub fn read_available(&mut self) -> Result<()> {
        self.stream.set_nonblocking(true)?;
        let read = loop {
            match self.read() {
                Ok(()) if self.seen.closed.is_some() => break Ok(()),
                Ok(()) => {}
                Err(error) if is_quiet(&error) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.stream.set_nonblocking(false)?;
        read
    }

    /// What came so far.
    #[must_use]
    pub const fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Closes the connection and keeps what came.
    #[must_use]
    pub fn into_seen(self) -> Seen {
        self.seen
    }

    fn read(&mut self) -> Result<()> {
        let mut bytes = [0; 16 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => self.seen.closed = Some(Closed::Clean),
            Ok(count) => self.reader.push(bytes.get(..count).unwrap_or_default()),
            Err(error) if is_end(error.kind()) => self.seen.closed = Some(Closed::Reset),
            Err(error) => return Err(error.into()),
        }
        while let Some(frame) = self.reader.next_frame() {
            self.take(&frame)?;
        }
        Ok(())
    }

    fn take(&mut self, frame: &Frame) -> Result<()> {
        self.seen.note(frame);
        if self.manners == Manners::Silent {
            return Ok(());
        }
        let replies = frame.replies();
        replies.iter().try_for_each(|reply| self.send(reply))
    }
}

/// Whether an error says that the peer is gone.
fn is_end(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(
        kind,
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected
    )
}

/// Whether there was just nothing to read.
fn is_quiet(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::{END_HEADERS, END_STREAM, hpack::Block};
    use super::*;

    #[test]
    fn a_polite_client_acknowledges_and_keeps_the_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = Client::connect(listener.local_addr().unwrap()).unwrap();
        client.hello(&[(4, 100)]).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let answer = Frame::headers(
            1,
            END_HEADERS | END_STREAM,
            Block::new().field(":status", "204"),
        );
        let bytes = [Frame::settings(&[]).bytes(), answer.bytes()].concat();
        server.write_all(&bytes).unwrap();
        client
            .until("the answer", |seen| seen.has_ended(1))
            .unwrap();
        assert_eq!(client.seen().status(1), Some(204));
        client.finish().unwrap();
        let mut sent = Vec::new();
        server.read_to_end(&mut sent).unwrap();
        let expected = [
            &PREFACE[..],
            &Frame::settings(&[(4, 100)]).bytes(),
            &Frame::settings_ack().bytes(),
        ]
        .concat();
        assert_eq!(sent, expected);
        drop(server);
        client
            .until("the end", |seen| seen.closed == Some(Closed::Clean))
            .unwrap();
    }
}
