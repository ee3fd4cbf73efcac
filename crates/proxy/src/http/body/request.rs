//! The body of a request on its way to a backend, as an engine gets it: none, the client's as it comes, or the client's of
//! which some is kept; open, or behind a gate until the backend asks for it.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::replay::{Cursor, Kept, Replay};
use super::{BodyError, Pump};
use crate::http::expect::Gate;

/// The body of a request on its way to a backend.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// None.
    Empty,
    /// As it comes.
    Open(Feed),
    /// Not read before the backend asks for it: `Expect: 100-continue`.
    Gated(Gate, Feed),
}

/// Where it comes from.
#[derive(Debug)]
pub(crate) enum Feed {
    /// The client, and nothing is kept.
    Pump(Pump),
    /// What is kept, and then the client.
    Cursor(Cursor),
}

impl RequestBody {
    /// A client's as it comes.
    pub(crate) const fn of(pump: Pump) -> Self {
        Self::Open(Feed::Pump(pump))
    }

    /// From now on what is read of it is kept, up to a limit.
    pub(crate) fn keep(&mut self, bytes_max: usize, kept: &Rc<Kept>) -> Option<Rc<Replay>> {
        match std::mem::replace(self, Self::Empty) {
            Self::Open(Feed::Pump(pump)) => {
                let replay = Replay::of(pump, bytes_max, Rc::clone(kept));
                *self = Self::again(&replay);
                Some(replay)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// What is kept, from its beginning, for another try.
    pub(crate) fn again(replay: &Rc<Replay>) -> Self {
        Self::Open(Feed::Cursor(Replay::cursor(replay)))
    }

    /// Holds the body back until the gate opens.
    pub(crate) fn gated(self, gate: Gate) -> Self {
        match self {
            Self::Open(feed) => Self::Gated(gate, feed),
            other => other,
        }
    }

    /// Without a gate.
    pub(crate) fn opened(self) -> Self {
        match self {
            Self::Gated(_, feed) => Self::Open(feed),
            other => other,
        }
    }
}

impl Feed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::Pump(pump) => pump.poll(cx),
            Self::Cursor(cursor) => cursor.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Pump(pump) => pump.incoming.is_end_stream(),
            Self::Cursor(cursor) => cursor.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Pump(pump) => pump.incoming.size_hint(),
            Self::Cursor(cursor) => cursor.size_hint(),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Open(feed) => feed.poll(cx),
            Self::Gated(gate, feed) => {
                ready!(gate.poll_open(cx));
                feed.poll(cx)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Open(feed) | Self::Gated(_, feed) => feed.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Open(feed) | Self::Gated(_, feed) => feed.size_hint(),
        }
    }
}
