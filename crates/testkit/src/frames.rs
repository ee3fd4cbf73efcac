//! HTTP/2 by hand (RFC 9113), for tests that must be able to say wrong things: any frame of any type, flags, length and
//! stream, right or not, and header blocks byte by byte ([`hpack`]). [`client::Client`] speaks it to a server over TCP with
//! prior knowledge, [`origin::Origin`] answers as a server does by a script; both keep what they saw as [`seen::Seen`].
//! Nothing here checks what is sent; what is received is read strictly.
//!
//! A request that is not one, and what the server makes of it:
//!
//! ```no_run
//! use bascule_testkit::frames::{Frame, END_HEADERS, END_STREAM, client::Client, hpack::Block};
//! # fn main() -> anyhow::Result<()> {
//! let mut client = Client::connect("127.0.0.1:8080".parse()?)?;
//! client.hello(&[])?;
//! let block = Block::new().field(":method", "GET").field(":path", "/a b").field(":scheme", "http");
//! client.send(&Frame::headers(1, END_HEADERS | END_STREAM, block))?;
//! client.until("an end of stream 1", |seen| seen.has_ended(1))?;
//! assert_eq!(client.seen().status(1), Some(400));
//! # Ok(()) }
//! ```

pub mod client;
pub mod hpack;
pub mod origin;
pub mod reader;
mod request;
pub mod seen;

/// What a client sends first.
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames (RFC 9113 §6).
pub mod kind {
    #![expect(missing_docs, reason = "the names are the RFC's")]
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Identifiers of settings (RFC 9113 §6.5.2).
pub mod setting {
    #![expect(missing_docs, reason = "the names are the RFC's")]
    pub const HEADER_TABLE_SIZE: u16 = 1;
    pub const ENABLE_PUSH: u16 = 2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const MAX_FRAME_SIZE: u16 = 5;
    pub const MAX_HEADER_LIST_SIZE: u16 = 6;
}

/// Flag of HEADERS and DATA: nothing follows on this stream.
pub const END_STREAM: u8 = 0x1;
/// Flag of SETTINGS and PING: an answer.
pub const ACK: u8 = 0x1;
/// Flag of HEADERS, PUSH_PROMISE and CONTINUATION: the header block is complete.
pub const END_HEADERS: u8 = 0x4;
/// Flag of DATA, HEADERS and PUSH_PROMISE: the first byte says how much padding ends the frame.
pub const PADDED: u8 = 0x8;
/// Flag of HEADERS: five bytes of priority stand before the block.
pub const PRIORITY: u8 = 0x20;

/// Names of error codes, by their number (RFC 9113 §7).
pub const ERRORS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// The name of an error code.
#[must_use]
pub fn error_name(code: u32) -> &'static str {
    let index = usize::try_from(code).unwrap_or(usize::MAX);
    ERRORS.get(index).copied().unwrap_or("unknown")
}

/// A frame as it is written: the header says the payload's length unless [`bytes_that_say`](Self::bytes_that_say) lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The type, see [`kind`]; any byte.
    pub kind: u8,
    /// The flags; any byte.
    pub flags: u8,
    /// All 32 bits of the stream field, the reserved one too.
    pub stream: u32,
    /// What follows the header.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Any frame.
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        let payload = payload.into();
        Self {
            kind,
            flags,
            stream,
            payload,
        }
    }

    /// HEADERS with this block.
    pub fn headers(stream: u32, flags: u8, block: impl Into<Vec<u8>>) -> Self {
        Self::new(kind::HEADERS, flags, stream, block)
    }

    /// CONTINUATION with this part of a block.
    pub fn continuation(stream: u32, flags: u8, block: impl Into<Vec<u8>>) -> Self {
        Self::new(kind::CONTINUATION, flags, stream, block)
    }

    /// DATA.
    pub fn data(stream: u32, flags: u8, bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(kind::DATA, flags, stream, bytes)
    }

    /// SETTINGS with these values.
    #[must_use]
    pub fn settings(values: &[(u16, u32)]) -> Self {
        let pair =
            |(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
        let payload: Vec<u8> = values.iter().flat_map(pair).collect();
        Self::new(kind::SETTINGS, 0, 0, payload)
    }

    /// The answer to SETTINGS.
    #[must_use]
    pub fn settings_ack() -> Self {
        Self::new(kind::SETTINGS, ACK, 0, [])
    }

    /// RST_STREAM.
    #[must_use]
    pub fn reset(stream: u32, code: u32) -> Self {
        Self::new(kind::RST_STREAM, 0, stream, code.to_be_bytes())
    }

    /// PING.
    #[must_use]
    pub fn ping(flags: u8, opaque: [u8; 8]) -> Self {
        Self::new(kind::PING, flags, 0, opaque)
    }

    /// GOAWAY.
    #[must_use]
    pub fn goaway(last: u32, code: u32) -> Self {
        let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
        Self::new(kind::GOAWAY, 0, 0, payload)
    }

    /// WINDOW_UPDATE; stream 0 is the connection.
    #[must_use]
    pub fn window_update(stream: u32, increment: u32) -> Self {
        Self::new(kind::WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
    }

    /// PRIORITY: depends on `parent`, weight 16.
    #[must_use]
    pub fn priority(stream: u32, parent: u32) -> Self {
        let payload = [&parent.to_be_bytes()[..], &[15]].concat();
        Self::new(kind::PRIORITY, 0, stream, payload)
    }

    /// What a polite peer says to this frame: an acknowledgement, an answer, or the window it took.
    #[must_use]
    pub fn replies(&self) -> Vec<Self> {
        match self.kind {
            kind::SETTINGS if !self.has(ACK) => vec![Self::settings_ack()],
            kind::PING if !self.has(ACK) => {
                vec![Self::new(kind::PING, ACK, 0, self.payload.clone())]
            }
            kind::DATA if !self.payload.is_empty() => {
                let bytes = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
                let streams = [0, self.stream];
                streams.map(|id| Self::window_update(id, bytes)).into()
            }
            _ => Vec::new(),
        }
    }

    /// Whether a flag is set.
    #[must_use]
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The frame as it goes over the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        self.bytes_that_say(length)
    }

    /// The same with another length in its header (24 bits of it).
    #[must_use]
    pub fn bytes_that_say(&self, length: u32) -> Vec<u8> {
        let [_, high, middle, low] = length.to_be_bytes();
        let head = [high, middle, low, self.kind, self.flags];
        [&head[..], &self.stream.to_be_bytes(), &self.payload].concat()
    }
}
