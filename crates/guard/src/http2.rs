//! What a peer may do with HTTP/2 frames (RFC 9113 §10.5). Frames that cost us work and bring no request on are paid from
//! budgets that refill by the second; a peer that has spent one is to be left. [`Watch`] reads the nine bytes of each
//! frame's header in both directions, a few bytes of payloads, and the fields of what the peer says; it holds nothing else.
//! Whether a frame is right is the engine's to decide; only what the engine drops in silence, or answers with another word
//! than the RFC's, is decided here. Numbers and reasons: `docs/limits.md`.

mod block;
mod bucket;
mod frames;
mod heads;
mod hpack;
mod watch;

#[cfg(test)]
mod tests;

pub use bucket::Bucket;
pub use heads::Unheard;
pub use watch::Watch;

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A client: it opens streams, and may be anyone.
    Client,
    /// An endpoint: it answers streams that we open.
    Origin,
}

/// What a peer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Streams a second that it may reset, and as many that its errors may make us reset; ten times that at once.
    pub resets: u32,
    /// Frames a second that bring nothing on; ten times that at once.
    pub control_frames: u32,
    /// The longest head, in bytes. It bounds the CONTINUATION frames of one.
    pub head_bytes: usize,
}

/// Why a connection is to be ended. The words are labels of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[error("{}", self.as_str())]
pub enum Abuse {
    /// The peer resets streams faster than anyone has use for.
    Resets,
    /// Its errors make us reset streams.
    ResetsCaused,
    /// SETTINGS, PING, PRIORITY, or frames of no known kind.
    ControlFrames,
    /// DATA, HEADERS or CONTINUATION frames with nothing in them.
    EmptyFrames,
    /// A head in more CONTINUATION frames than the longest head needs.
    Continuation,
    /// WINDOW_UPDATE frames that nothing we sent explains.
    WindowUpdates,
    /// The engine ended the connection: what came is no HTTP/2.
    Protocol,
    /// The engine ended the connection: it came too thick.
    Flood,
    /// A frame of a length that its kind does not have (RFC 9113 §4.2).
    FrameSize,
    /// A connection that does not begin with SETTINGS (RFC 9113 §3.4).
    Sequence,
    /// More of a message that has ended (RFC 9113 §5.1).
    StreamClosed,
    /// A window larger than there are (RFC 9113 §6.5.2).
    WindowSize,
    /// A header block that cannot be decoded (RFC 9113 §4.3).
    Compression,
    /// Trailers longer than a head may be.
    TrailersTooLong,
    /// A head or trailers with what must not be there, and that the engine would drop in silence (RFC 9113 §8.1.1).
    Malformed,
}

impl Abuse {
    /// Every one, for tables and tests.
    pub const ALL: [Self; 15] = [
        Self::Resets,
        Self::ResetsCaused,
        Self::ControlFrames,
        Self::EmptyFrames,
        Self::Continuation,
        Self::WindowUpdates,
        Self::Protocol,
        Self::Flood,
        Self::FrameSize,
        Self::Sequence,
        Self::StreamClosed,
        Self::WindowSize,
        Self::Compression,
        Self::TrailersTooLong,
        Self::Malformed,
    ];

    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resets => "resets",
            Self::ResetsCaused => "resets_caused",
            Self::ControlFrames => "control_frames",
            Self::EmptyFrames => "empty_frames",
            Self::Continuation => "continuation",
            Self::WindowUpdates => "window_updates",
            Self::Protocol
            | Self::FrameSize
            | Self::Sequence
            | Self::StreamClosed
            | Self::WindowSize
            | Self::Compression => "protocol",
            Self::Flood => "flood",
            Self::TrailersTooLong => "trailers_too_long",
            Self::Malformed => "malformed",
        }
    }

    /// The error code that tells the peer (RFC 9113 §7).
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Protocol | Self::Sequence | Self::Malformed => 1,
            Self::WindowSize => 3,
            Self::StreamClosed => 5,
            Self::FrameSize => 6,
            Self::Compression => 9,
            Self::Resets
            | Self::ResetsCaused
            | Self::ControlFrames
            | Self::EmptyFrames
            | Self::Continuation
            | Self::WindowUpdates
            | Self::TrailersTooLong
            | Self::Flood => 11,
        }
    }
}

/// The frame that tells a peer to go: GOAWAY with the code for what it did, and the last of its streams that was looked at.
#[must_use]
pub const fn goaway(last_stream: u32, abuse: Abuse) -> [u8; 17] {
    let [a, b, c, d] = last_stream.to_be_bytes();
    [0, 0, 8, 7, 0, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, abuse.code()]
}
