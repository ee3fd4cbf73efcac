//! What is kept of a request's body for another try: its pieces as they came, up to a limit, of this body and of all in the
//! worker. Each try reads by a [`Cursor`] of its own: first what is kept, then what still comes from the client, which only
//! the newest try may take. Beyond the limit nothing is kept any more, and there is no other try. It never holds more than
//! the limits, and nothing once an answer goes to the client.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};

use super::{BodyError, Pump};
use crate::http::limits;

/// What a worker keeps of all bodies.
#[derive(Debug, Default)]
pub(crate) struct Kept(Cell<usize>);

/// A body of which what has been read is kept.
#[derive(Debug)]
pub(crate) struct Replay {
    pump: RefCell<Pump>,
    /// What was known of its length before any of it was read.
    size: SizeHint,
    pieces: RefCell<Vec<Piece>>,
    /// Pieces that came; those not kept are counted too.
    came: Cell<usize>,
    bytes: Cell<usize>,
    bytes_max: usize,
    state: Cell<State>,
    /// No more will come.
    ended: Cell<bool>,
    /// The try that may read what still comes.
    newest: Cell<u32>,
    kept: Rc<Kept>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Keeping,
    /// Some of it was given away and is not kept.
    Gone,
}

#[derive(Debug, Clone)]
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// Where one try stands in a body.
#[derive(Debug)]
pub(crate) struct Cursor {
    replay: Rc<Replay>,
    turn: u32,
    at: usize,
    given: u64,
}

impl Replay {
    /// Keeps up to `bytes_max` of what the pump brings.
    pub(crate) fn of(pump: Pump, bytes_max: usize, kept: Rc<Kept>) -> Rc<Self> {
        Rc::new(Self {
            size: pump.incoming.size_hint(),
            pump: RefCell::new(pump),
            pieces: RefCell::default(),
            came: Cell::new(0),
            bytes: Cell::new(0),
            bytes_max,
            state: Cell::new(State::Keeping),
            ended: Cell::new(false),
            newest: Cell::new(0),
            kept,
        })
    }

    /// The body from its beginning, for another try; the one before may read no more from the client.
    pub(crate) fn cursor(replay: &Rc<Self>) -> Cursor {
        let turn = replay.newest.get().saturating_add(1);
        replay.newest.set(turn);
        Cursor {
            replay: Rc::clone(replay),
            turn,
            at: 0,
            given: 0,
        }
    }

    /// Whether another try can have all of it.
    pub(crate) fn is_whole(&self) -> bool {
        self.state.get() == State::Keeping
    }

    /// Whether all of it is here, so that two tries can send it at once.
    pub(crate) fn has_all(&self) -> bool {
        self.is_whole() && self.ended.get()
    }

    /// There will be no other try: nothing is kept any more.
    pub(crate) fn release(&self) {
        self.state.set(State::Gone);
        self.pieces.borrow_mut().clear();
        let bytes = self.bytes.replace(0);
        self.kept.0.set(self.kept.0.get().saturating_sub(bytes));
    }

    fn keep(&self, frame: &Frame<Bytes>) {
        self.came.set(self.came.get().saturating_add(1));
        if !self.is_whole() {
            return;
        }
        let piece = match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => Piece::Data(data.clone()),
            (None, Some(trailers)) => Piece::Trailers(trailers.clone()),
            (None, None) => return,
        };
        let length = match &piece {
            Piece::Data(data) => data.len(),
            Piece::Trailers(trailers) => trailers.len().saturating_mul(64),
        };
        let bytes = self.bytes.get().saturating_add(length);
        let of_all = self.kept.0.get().saturating_add(length);
        if bytes > self.bytes_max || of_all > limits::KEPT_BYTES {
            self.release();
            return;
        }
        self.bytes.set(bytes);
        self.kept.0.set(of_all);
        self.pieces.borrow_mut().push(piece);
    }

    fn is_end_stream(&self) -> bool {
        self.ended.get() || self.pump.borrow().incoming.is_end_stream()
    }

    /// What comes next from the client.
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended.get() {
            return Poll::Ready(None);
        }
        let next = ready!(self.pump.borrow_mut().poll(cx));
        match &next {
            Some(Ok(frame)) => self.keep(frame),
            Some(Err(_)) => self.release(),
            None => {}
        }
        let pump = self.pump.borrow();
        self.ended
            .set(next.is_none() || pump.incoming.is_end_stream());
        // The engine lets go of its cursor then, not of this pump.
        pump.note_end();
        Poll::Ready(next)
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.release();
    }
}

impl Cursor {
    /// The next piece.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = match self.kept() {
            Some(frame) => frame,
            None if self.at < self.replay.came.get() || self.turn != self.replay.newest.get() => {
                return Poll::Ready(Some(Err(BodyError::TakenOver)));
            }
            None => match ready!(self.replay.poll_next(cx)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            },
        };
        self.at = self.at.saturating_add(1);
        let length = next.data_ref().map_or(0, Bytes::len);
        self.given = self
            .given
            .saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        Poll::Ready(Some(Ok(next)))
    }

    /// The piece it stands before, if that is kept.
    fn kept(&self) -> Option<Frame<Bytes>> {
        if !self.replay.is_whole() {
            return None;
        }
        let pieces = self.replay.pieces.borrow();
        Some(match pieces.get(self.at)?.clone() {
            Piece::Data(data) => Frame::data(data),
            Piece::Trailers(trailers) => Frame::trailers(trailers),
        })
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.at == self.replay.came.get() && self.replay.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let left = |size: u64| size.saturating_sub(self.given);
        let mut hint = SizeHint::new();
        hint.set_lower(left(self.replay.size.lower()));
        if let Some(upper) = self.replay.size.upper() {
            hint.set_upper(left(upper));
        }
        hint
    }
}
