//! The head of an HTTP/1 request as it came, kept aside while it is read. hyper settles a message that has both a length
//! and a transfer coding, or two equal lengths, in silence (and safely: the coding wins and the connection closes); such
//! a message is an attempt to make two parsers disagree, so it is refused instead. Looked at only where a request says
//! that it has a body. A request that was pipelined behind a body is not kept; hyper's rule is what holds there.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bascule_model::Instant;
use bascule_telemetry::clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Memory kept by a connection that waits for its next request.
const KEPT_IDLE_BYTES: usize = 1024;

/// The bytes of the head that is being read.
#[derive(Debug)]
pub(crate) struct RawHead {
    bytes: RefCell<Vec<u8>>,
    bytes_max: usize,
    reading: Cell<bool>,
    begun: Cell<Option<Instant>>,
}

impl RawHead {
    /// Keeps at most `bytes_max`, the longest head that is accepted.
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self {
            bytes: RefCell::new(Vec::new()),
            bytes_max,
            reading: Cell::new(true),
            begun: Cell::new(None),
        }
    }

    /// The next request may come: what was kept is of no use any more.
    pub(crate) fn expect_next(&self) {
        let mut bytes = self.bytes.borrow_mut();
        bytes.clear();
        bytes.shrink_to(KEPT_IDLE_BYTES);
        self.reading.set(true);
        self.begun.set(None);
    }

    /// When the first byte of a head that is not complete was read.
    pub(crate) fn begun(&self) -> Option<Instant> {
        self.begun.get().filter(|_| self.reading.get())
    }

    /// The head is complete. Whether it frames its body in more than one way.
    pub(crate) fn is_framed_twice(&self, has_body: bool) -> bool {
        self.reading.set(false);
        has_body && framings(&self.bytes.borrow()) > 1
    }

    fn keep(&self, read: &[u8]) {
        if self.reading.get() && !read.is_empty() {
            if self.begun.get().is_none() {
                self.begun.set(Some(clock::now()));
            }
            let mut bytes = self.bytes.borrow_mut();
            let room = self.bytes_max.saturating_sub(bytes.len());
            bytes.extend_from_slice(read.get(..room).unwrap_or(read));
        }
    }
}

/// How many lines of the first head say how long the body is.
fn framings(head: &[u8]) -> usize {
    let lines = head.split(|byte| *byte == b'\n');
    // Empty lines before the request line are allowed (RFC 9112 §2.2); the one after it ends the head.
    let lines = lines
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .skip_while(|line| line.is_empty());
    let names = lines.take_while(|line| !line.is_empty()).map(|line| {
        let name = line.split(|byte| *byte == b':').next();
        name.unwrap_or(line).trim_ascii()
    });
    let frames = |name: &[u8]| {
        name.eq_ignore_ascii_case(b"content-length")
            || name.eq_ignore_ascii_case(b"transfer-encoding")
    };
    names.filter(|name| frames(name)).count()
}

/// A client's stream that shows what it reads to a [`RawHead`].
#[derive(Debug)]
pub(crate) struct Watched<S> {
    stream: S,
    raw: Rc<RawHead>,
}

impl<S> Watched<S> {
    /// Shows what is read from `stream`.
    pub(crate) const fn new(stream: S, raw: Rc<RawHead>) -> Self {
        Self { stream, raw }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(read) = buf.filled().get(before..) {
            self.raw.keep(read);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_frames_its_body_twice_is_found() {
        let count = |text: &str| framings(text.as_bytes());
        assert_eq!(count("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"), 1);
        let both = "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(count(both), 2);
        let twice = "\r\nPOST / HTTP/1.1\ncontent-length:3\nCONTENT-LENGTH : 3\n\n";
        assert_eq!(count(twice), 2);
    }

    #[test]
    fn what_a_body_looks_like_does_not_matter() {
        let text = "POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\n\r\nContent-Length: 3\r\n";
        assert_eq!(framings(text.as_bytes()), 1);
    }

    #[test]
    fn no_more_is_kept_than_the_longest_head() {
        let raw = RawHead::new(10);
        raw.keep(&[b'x'; 64]);
        raw.keep(&[b'x'; 64]);
        assert_eq!(raw.bytes.borrow().len(), 10);
        assert!(raw.begun().is_some());
        raw.expect_next();
        assert!(raw.begun().is_none());
    }
}
