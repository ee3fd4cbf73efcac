//! HTTP/1 as bytes (RFC 9112), for both directions of a connection. [`Requests`] reads what a client sends and [`Responses`]
//! what an origin sends: head, body, head, … Each is shown the bytes as they come and says how many of them may be passed
//! on; what it has not passed must be shown again, at the front. Nothing is copied, and nothing is decided but whether the
//! bytes are what the RFC says, within [`Limits`].
//!
//! ```text
//!  bytes ─▶ Requests ─┬─ request: first line ─┐
//!                     │                       ├─ fields: line by line ─▶ facts: framing, persistence
//!  bytes ─▶ Responses ┴─ response: first line ┘
//!                     └─ chunk: sizes, extensions, trailers
//! ```

mod chunk;
mod facts;
mod fields;
mod limits;
mod request;
mod requests;
mod response;
mod responses;

pub use facts::Body;
pub use limits::Limits;
pub use request::{RequestHead, RequestReader};
pub use requests::Requests;
pub use response::{Asked, ResponseHead, ResponseReader};
pub use responses::Responses;

use crate::Violation;

/// How far bytes may be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// So many from the front.
    pub bytes: usize,
    /// So many heads that were completed end within them.
    pub heads: u32,
    /// What is to become of the rest.
    pub then: Then,
}

/// What is to become of the bytes that may not be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// There are none.
    More,
    /// They begin a head that is not complete: show them again with what comes behind.
    Hold,
    /// They come after the last message of the connection, and mean nothing.
    Drop,
    /// They are a head that must not pass, and nothing behind it can be read.
    BadHead(Violation),
    /// They are a body that must not pass, and nothing behind it can be read.
    BadBody(Violation),
}

/// What was read in one step: so many bytes from the front, and whether the message ends with them.
type Step = (usize, Result<bool, Then>);

/// How a message's body stands while it is read.
#[derive(Debug)]
enum Rest {
    Length(u64),
    Chunked(chunk::Reader),
    UntilClose,
}

impl Rest {
    /// What is left of a body that begins; `None`: there is none.
    const fn of(body: Body) -> Option<Self> {
        match body {
            Body::None | Body::Length(0) => None,
            Body::Length(length) => Some(Self::Length(length)),
            Body::Chunked => Some(Self::Chunked(chunk::Reader::new())),
            Body::UntilClose => Some(Self::UntilClose),
        }
    }

    /// How many bytes from the front are the body's, and whether it ends with them.
    fn pass(&mut self, bytes: &[u8], limits: &Limits) -> Step {
        match self {
            Self::Length(left) => {
                let taken =
                    usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= u64::try_from(taken).unwrap_or(*left);
                (taken, Ok(*left == 0))
            }
            Self::Chunked(reader) => {
                let (taken, read) = reader.read(bytes, limits);
                (taken, read.map_err(Then::BadBody))
            }
            Self::UntilClose => (bytes.len(), Ok(false)),
        }
    }
}
