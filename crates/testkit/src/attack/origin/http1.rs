//! What an ill origin says over HTTP/1.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Ill;

/// An illness over HTTP/1: once a request's head is there, `first` is said, and then `again` without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ailment {
    /// A head whose fields never end.
    EndlessHead,
    /// A head with one field that never ends.
    HugeField,
    /// A status line that never ends.
    HugeStatusLine,
    /// 103 (Early Hints), and another, and another.
    EndlessHints,
    /// 100 (Continue), and another, and another.
    EndlessContinue,
    /// A chunk's size with an extension that never ends.
    EndlessExtension,
    /// Trailers that never end.
    EndlessTrailers,
    /// Chunks of one byte without end.
    TinyChunks,
    /// A whole answer, and at once another that nobody asked for.
    MoreAnswers,
    /// A whole answer with a length, and then bytes that belong to nothing.
    MoreBytes,
    /// Random-looking bytes instead of a head.
    Garbage,
    /// Connections accepted, and not a word.
    Silence,
    /// A head that comes a byte at a time.
    DrippingHead,
    /// A body that comes a byte at a time.
    DrippingBody,
    /// A body that stands still.
    StalledBody,
    /// A body shorter than its length says.
    CutBody,
    /// Each connection is closed as soon as it is asked something.
    Closing,
}

/// How an ailment is said.
enum Say {
    /// Once, then the connection closes.
    Once(&'static str),
    /// The first text, then the second without end.
    Again(&'static str, &'static str),
    /// The first text, then the second a byte at a time.
    Drip(&'static str, &'static str),
    /// The text, then nothing.
    Stop(&'static str),
}

impl Ailment {
    const fn say(self) -> Say {
        const OK: &str = "HTTP/1.1 200 OK\r\n";
        const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        const WHOLE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        const MORE: &str = concat!(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 299 Unasked\r\nContent-Length: 2\r\n\r\nno"
        );
        match self {
            Self::EndlessHead => Say::Again(OK, "X-Endless: 1\r\n"),
            Self::HugeField => Say::Again("HTTP/1.1 200 OK\r\nX-Huge: ", "hhhhhhhhhhhhhhhh"),
            Self::HugeStatusLine => Say::Again("HTTP/1.1 200 ", "okokokokokokokok"),
            Self::EndlessHints => {
                Say::Again("", "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
            }
            Self::EndlessContinue => Say::Again("", "HTTP/1.1 100 Continue\r\n\r\n"),
            Self::EndlessExtension => Say::Again(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
                "extension=",
            ),
            Self::EndlessTrailers => Say::Again(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
                "X-Trailer: 1\r\n",
            ),
            Self::TinyChunks => Say::Again(CHUNKED, "1\r\nx\r\n"),
            Self::MoreAnswers => Say::Stop(MORE),
            Self::MoreBytes => Say::Again(WHOLE, "more"),
            Self::Garbage => Say::Again("\0\x01\x7fNOT-HTTP\r\r\r", "\x02\x03 garbage\n"),
            Self::Silence => Say::Stop(""),
            Self::DrippingHead => Say::Drip(OK, "X-Slow: 1\r\n"),
            Self::DrippingBody => Say::Drip(CHUNKED, "1\r\nx\r\n"),
            Self::StalledBody => {
                Say::Stop("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning")
            }
            Self::CutBody => {
                Say::Once("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning")
            }
            Self::Closing => Say::Once(""),
        }
    }
}

impl Ill for Ailment {
    fn name(&self) -> &'static str {
        match self {
            Self::EndlessHead => "origin: endless head",
            Self::HugeField => "origin: huge field",
            Self::HugeStatusLine => "origin: huge status line",
            Self::EndlessHints => "origin: endless hints",
            Self::EndlessContinue => "origin: endless 100",
            Self::EndlessExtension => "origin: endless extension",
            Self::EndlessTrailers => "origin: endless trailers",
            Self::TinyChunks => "origin: tiny chunks",
            Self::MoreAnswers => "origin: unasked answers",
            Self::MoreBytes => "origin: unasked bytes",
            Self::Garbage => "origin: garbage",
            Self::Silence => "origin: silence",
            Self::DrippingHead => "origin: dripping head",
            Self::DrippingBody => "origin: dripping body",
            Self::StalledBody => "origin: stalled body",
            Self::CutBody => "origin: cut body",
            Self::Closing => "origin: closing",
        }
    }

    fn run<'a>(
        &'a self,
        mut stream: TcpStream,
        said: &'a AtomicU64,
    ) -> LocalBoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            read_head(&mut stream).await?;
            said.fetch_add(1, Relaxed);
            self.say().aloud(&mut stream).await
        })
    }
}

impl Say {
    async fn aloud(self, stream: &mut TcpStream) -> io::Result<()> {
        match self {
            Self::Once(text) => stream.write_all(text.as_bytes()).await,
            Self::Again(first, again) => {
                stream.write_all(first.as_bytes()).await?;
                let piece = again.repeat(4096_usize.div_ceil(again.len()));
                loop {
                    stream.write_all(piece.as_bytes()).await?;
                }
            }
            Self::Drip(first, again) => {
                stream.write_all(first.as_bytes()).await?;
                for byte in again.as_bytes().iter().cycle() {
                    stream.write_all(&[*byte]).await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Ok(())
            }
            Self::Stop(text) => {
                stream.write_all(text.as_bytes()).await?;
                deaf(stream).await
            }
        }
    }
}

/// Reads to the end without a thought.
pub(super) async fn deaf(mut stream: impl AsyncRead + Unpin) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Reads until the empty line.
async fn read_head(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    Ok(())
}
