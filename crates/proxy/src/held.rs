//! Bytes that were read and are kept back from an engine: the beginning of a head that is not complete yet, and in front of
//! it what has been checked and did not fit into the engine's buffer. Empty, and without memory, on a connection whose
//! heads come whole. Both sides use it: `http::guarded` for clients, `upstream::guarded` for origins.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bascule_guard::http1::Passed;
use tokio::io::{AsyncRead, ReadBuf};

/// Read at once while something is kept back.
const READ_BYTES: usize = 4 * 1024;

/// What is kept back.
#[derive(Debug, Default)]
pub(crate) struct Held {
    bytes: Vec<u8>,
    /// So many from the front have been checked and are the engine's.
    checked: usize,
    /// So many of these it has been given.
    given: usize,
}

impl Held {
    /// Whether nothing is kept back.
    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What has not been checked, or not been found complete.
    pub(crate) fn rest(&self) -> &[u8] {
        self.bytes.get(self.checked..).unwrap_or_default()
    }

    /// Keeps back what was read.
    pub(crate) fn keep(&mut self, read: &[u8]) {
        self.bytes.extend_from_slice(read);
    }

    /// So many of the rest have been checked.
    pub(crate) fn check(&mut self, passed: &Passed) {
        self.checked += passed.bytes;
    }

    /// Throws the rest away and puts this in its place, checked.
    pub(crate) fn replace_rest(&mut self, with: &[u8]) {
        self.bytes.truncate(self.checked);
        self.bytes.extend_from_slice(with);
        self.checked = self.bytes.len();
    }

    /// Gives the engine what has been checked, as far as there is room; whether there was any.
    pub(crate) fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let checked = self.bytes.get(self.given..self.checked);
        let ready = checked.unwrap_or_default();
        if ready.is_empty() {
            return false;
        }
        let fits = ready.get(..buf.remaining()).unwrap_or(ready);
        buf.put_slice(fits);
        self.given += fits.len();
        if self.given == self.bytes.len() {
            // Back to no memory at all: heads that come in pieces are rare.
            *self = Self::default();
        } else if self.given == self.checked {
            self.bytes.drain(..self.given);
            (self.checked, self.given) = (0, 0);
        }
        true
    }

    /// Reads more behind what is kept; how much, nothing at the end of the stream.
    pub(crate) fn poll_more<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<usize>> {
        let mut bytes = [0; READ_BYTES];
        let mut buf = ReadBuf::new(&mut bytes);
        ready!(Pin::new(stream).poll_read(cx, &mut buf))?;
        self.keep(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }
}
