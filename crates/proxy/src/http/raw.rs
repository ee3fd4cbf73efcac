//! The head of an HTTP/1 request as it came, kept aside while it is read. hyper settles a message that has both a length
//! and a transfer coding, or two equal lengths, in silence (and safely: the coding wins and the connection closes); such
//! a message is an attempt to make two parsers disagree, so it is refused instead. Looked at only where a request says
//! that it has a body. What was read together with a body before it is not kept; hyper's rule is what holds there.
//!
//! Also here, because it is the client's stream: after an answer that refuses what the client still sends, the rest is
//! read and thrown away for a moment. A socket that is closed with bytes unread resets the connection, and the reset
//! takes the answer with it.

use std::cell::{Cell, RefCell};
use std::future::Future as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bascule_model::Instant;
use bascule_telemetry::clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Memory kept by a connection that waits for its next request.
const KEPT_IDLE_BYTES: usize = 1024;

/// How long what a refused client still sends is read. Long enough for a client that stops when it hears the answer.
const LINGER: Duration = Duration::from_secs(2);
/// As much of it at once.
const LINGER_BYTES: usize = 8 * 1024;

/// The bytes of the head that is being read, and of heads behind it.
#[derive(Debug)]
pub(crate) struct RawHead {
    bytes: RefCell<Vec<u8>>,
    bytes_max: usize,
    reading: Cell<bool>,
    /// More was read than is kept: nothing is added, lest two heads look like one.
    full: Cell<bool>,
    begun: Cell<Option<Instant>>,
    lingers: Cell<bool>,
}

impl RawHead {
    /// Keeps at most `bytes_max`, the longest head that is accepted.
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self {
            bytes: RefCell::new(Vec::new()),
            bytes_max,
            reading: Cell::new(true),
            full: Cell::new(false),
            begun: Cell::new(None),
            lingers: Cell::new(false),
        }
    }

    /// The next request may come. Its head may have been read already, unless a body was before it.
    pub(crate) fn expect_next(&self) {
        if !self.reading.replace(true) {
            self.forget();
        }
        let mut bytes = self.bytes.borrow_mut();
        bytes.shrink_to(KEPT_IDLE_BYTES);
        let has_begun = !bytes.is_empty();
        self.begun.set(has_begun.then(clock::now));
    }

    /// What the client still sends is not wanted, but it shall hear why.
    pub(crate) fn linger(&self) {
        self.lingers.set(true);
    }

    /// When the first byte of a head that is not complete was read.
    pub(crate) fn begun(&self) -> Option<Instant> {
        self.begun.get().filter(|_| self.reading.get())
    }

    /// The head is complete. Whether it frames its body in more than one way.
    pub(crate) fn is_framed_twice(&self, has_body: bool) -> bool {
        if has_body {
            self.reading.set(false);
            return framings(&self.bytes.borrow()) > 1;
        }
        // What comes after the head of a request without a body is the next head.
        let mut bytes = self.bytes.borrow_mut();
        let end = head_end(&bytes);
        bytes.drain(..end.unwrap_or(0));
        let is_whole = !self.full.get() || head_end(&bytes).is_some();
        drop(bytes);
        if end.is_none() || !is_whole {
            self.forget();
        }
        false
    }

    fn forget(&self) {
        self.bytes.borrow_mut().clear();
        self.full.set(false);
    }

    fn keep(&self, read: &[u8]) {
        if self.reading.get() && !read.is_empty() {
            if self.begun.get().is_none() {
                self.begun.set(Some(clock::now()));
            }
            if self.full.get() {
                return;
            }
            let mut bytes = self.bytes.borrow_mut();
            let room = self.bytes_max.saturating_sub(bytes.len());
            bytes.extend_from_slice(read.get(..room).unwrap_or(read));
            self.full.set(read.len() > room);
        }
    }
}

/// Where the first head ends: behind the empty line that follows its lines.
fn head_end(bytes: &[u8]) -> Option<usize> {
    let mut end = 0;
    let mut has_lines = false;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        let is_empty = matches!(line, b"\n" | b"\r\n");
        if is_empty && has_lines {
            return Some(end);
        }
        has_lines |= !is_empty;
    }
    None
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
    /// Set once our side is shut and the rest is being read.
    lingering: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl<S> Watched<S> {
    /// Shows what is read from `stream`.
    pub(crate) const fn new(stream: S, raw: Rc<RawHead>) -> Self {
        let lingering = None;
        Self {
            stream,
            raw,
            lingering,
        }
    }
}

impl<S: AsyncRead + Unpin> Watched<S> {
    /// Reads and throws away until the client has closed, or the time for it is over.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = || Box::pin(clock::sleep_until(clock::now() + LINGER));
        let over = self.lingering.get_or_insert_with(until);
        if over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut bytes = [0; LINGER_BYTES];
        loop {
            let mut buf = ReadBuf::new(&mut bytes);
            // The runtime's budget for a task ends the loop where the client sends without end.
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                return Poll::Ready(());
            }
        }
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
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
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        // So too where the engine gives up in the middle of a head: it has answered what was no request.
        if self.raw.lingers.get() || self.raw.begun().is_some() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
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
    fn a_head_behind_one_without_a_body_is_looked_at_in_its_turn() {
        let raw = RawHead::new(1000);
        let post = "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc";
        raw.keep(format!("\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\n\n{post}").as_bytes());
        for has_body in [false, false] {
            assert!(!raw.is_framed_twice(has_body));
            raw.expect_next();
            assert!(raw.begun().is_some());
        }
        assert!(raw.is_framed_twice(true));
        raw.expect_next();
        assert!(raw.begun().is_none() && raw.bytes.borrow().is_empty());
    }

    #[test]
    fn two_heads_with_something_missing_between_them_are_not_taken_for_one() {
        let raw = RawHead::new(40);
        let post = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        raw.keep(b"GET / HTTP/1.1\r\n\r\n");
        raw.keep(post);
        raw.keep(b"Content-Length: 3\r\n\r\n");
        assert!(!raw.is_framed_twice(false));
        raw.expect_next();
        raw.keep(b"Content-Length: 3\r\n\r\n");
        assert!(!raw.is_framed_twice(true));
    }

    #[test]
    fn no_more_is_kept_than_the_longest_head() {
        let raw = RawHead::new(10);
        raw.keep(&[b'x'; 64]);
        raw.keep(&[b'x'; 64]);
        assert_eq!(raw.bytes.borrow().len(), 10);
        assert!(raw.begun().is_some());
        assert!(!raw.is_framed_twice(false));
        raw.expect_next();
        assert!(raw.begun().is_none());
    }
}
