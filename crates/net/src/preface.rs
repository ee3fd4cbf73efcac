//! Tells HTTP/2 by prior knowledge from HTTP/1 on a connection in clear: by the 24 bytes that an HTTP/2 client sends
//! first (RFC 9113 §3.4) and no HTTP/1 request can start with. What was read is given back in front of the stream, so
//! that no byte is lost. It does not wait longer than it must: the first byte that differs decides. The time limits are the
//! caller's: one until a client begins to speak, one until it has said enough.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What an HTTP/2 client sends first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The version of HTTP a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.0 or 1.1.
    One,
    /// HTTP/2.
    Two,
}

/// Waits for the first bytes of a connection; none: it has ended. Dropping the future loses nothing that was said.
///
/// # Errors
/// The connection's.
pub async fn first<S: AsyncRead + Unpin>(stream: S) -> io::Result<Rewind<S>> {
    let mut rewind = Rewind::nothing_read(stream);
    rewind.read_more().await?;
    Ok(rewind)
}

/// Reads as much behind the first bytes as tells the version. A connection that ends before counts as HTTP/1.
/// Dropping the future before its end loses the connection's first bytes: close the connection then.
///
/// # Errors
/// The connection's.
pub async fn tell<S: AsyncRead + Unpin>(mut rewind: Rewind<S>) -> io::Result<(Http, Rewind<S>)> {
    loop {
        let seen = rewind.bytes.get(..rewind.filled).unwrap_or_default();
        if seen == PREFACE {
            return Ok((Http::Two, rewind));
        }
        let may_be = !seen.is_empty() && PREFACE.starts_with(seen);
        if !may_be || rewind.read_more().await? == 0 {
            return Ok((Http::One, rewind));
        }
    }
}

/// A stream with the bytes that were read from it already put back in front.
#[derive(Debug)]
pub struct Rewind<S> {
    bytes: [u8; PREFACE.len()],
    position: usize,
    filled: usize,
    stream: S,
}

impl<S> Rewind<S> {
    /// A stream with nothing in front.
    pub const fn nothing_read(stream: S) -> Self {
        Self {
            bytes: [0; PREFACE.len()],
            position: 0,
            filled: 0,
            stream,
        }
    }

    /// The stream below.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// The stream below and the bytes that come before what it gives.
    pub fn into_parts(self) -> (S, Vec<u8>) {
        let bytes = self.bytes.get(self.position..self.filled);
        (self.stream, bytes.unwrap_or_default().to_vec())
    }
}

impl<S: AsyncRead + Unpin> Rewind<S> {
    /// Reads into what is free in front of the stream; how much came.
    async fn read_more(&mut self) -> io::Result<usize> {
        let free = self.bytes.get_mut(self.filled..).unwrap_or_default();
        let mut buffer = ReadBuf::new(free);
        poll_fn(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut buffer)).await?;
        let count = buffer.filled().len();
        self.filled += count;
        Ok(count)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewind<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.position < this.filled {
            let end = this.filled.min(this.position + buffer.remaining());
            buffer.put_slice(this.bytes.get(this.position..end).unwrap_or_default());
            this.position = end;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewind<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// Sends `bytes` through a pipe that holds `piece` of them, ends, and gives the version told and all bytes that came out again.
    fn through(bytes: &[u8], piece: usize) -> (Http, Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (mut client, server) = duplex(piece);
            let send = async {
                client.write_all(bytes).await.unwrap();
                drop(client);
            };
            let receive = async {
                let (version, mut stream) = tell(first(server).await.unwrap()).await.unwrap();
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                (version, all)
            };
            tokio::join!(send, receive).1
        })
    }

    #[tokio::test]
    async fn the_first_byte_that_differs_decides() {
        let (mut client, server) = duplex(64);
        client.write_all(b"PU").await.unwrap();
        let (version, _stream) = tell(first(server).await.unwrap()).await.unwrap();
        assert_eq!(version, Http::One);
    }

    #[test]
    fn an_empty_connection_is_http_1() {
        assert_eq!(through(b"", 1), (Http::One, vec![]));
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_and_only_the_preface_is_http_2(
            start in prop::sample::select(vec![&b""[..], b"GET ", b"PRI ", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]),
            rest in prop::collection::vec(any::<u8>(), 0..80),
            piece in 1_usize..40,
        ) {
            let bytes = [start, &rest].concat();
            let (version, out) = through(&bytes, piece);
            prop_assert_eq!(version == Http::Two, bytes.starts_with(PREFACE));
            prop_assert_eq!(out, bytes);
        }
    }
}
