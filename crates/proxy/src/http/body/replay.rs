//! What is kept of a request's body for another try, up to a limit, of this body and of all in the worker. Each try reads by
//! a [`Cursor`] of its own: first what is kept ([`tape`]), then what still comes from the client, which only the newest try
//! may take. Beyond the limit nothing is kept any more, and there is no other try. It never holds more than the limits, and
//! once an answer goes to the client only what the try that is answered has still to send.

mod tape;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};

use super::{BodyError, Pump};
pub(crate) use tape::Kept;
use tape::{Place, Tape};

/// A body of which what has been read is kept.
#[derive(Debug)]
pub(crate) struct Replay {
    pump: RefCell<Pump>,
    /// What was known of its length before any of it was read.
    size: SizeHint,
    tape: RefCell<Tape>,
    /// No more will come.
    ended: Cell<bool>,
    /// The try that may read what still comes.
    newest: Cell<u32>,
}

/// Where one try stands in a body.
#[derive(Debug)]
pub(crate) struct Cursor {
    replay: Rc<Replay>,
    turn: u32,
    place: Place,
}

impl Replay {
    /// Keeps up to `bytes_max` of what the pump brings.
    pub(crate) fn of(pump: Pump, bytes_max: usize, kept: Rc<Kept>) -> Rc<Self> {
        Rc::new(Self {
            size: pump.incoming.size_hint(),
            pump: RefCell::new(pump),
            tape: RefCell::new(Tape::new(bytes_max, kept)),
            ended: Cell::new(false),
            newest: Cell::new(0),
        })
    }

    /// The body from its beginning, for another try; the one before may read no more from the client.
    pub(crate) fn cursor(replay: &Rc<Self>) -> Cursor {
        let turn = replay.newest.get().saturating_add(1);
        replay.newest.set(turn);
        Cursor {
            turn,
            place: replay.tape.borrow_mut().begin(),
            replay: Rc::clone(replay),
        }
    }

    /// Whether another try can have all of it.
    pub(crate) fn is_whole(&self) -> bool {
        self.tape.borrow().is_whole()
    }

    /// Whether all of it is here, so that two tries can send it at once.
    pub(crate) fn has_all(&self) -> bool {
        self.is_whole() && self.ended.get()
    }

    /// There will be no other try: nothing is kept any more but for one that is on its way.
    pub(crate) fn release(&self) {
        self.tape.borrow_mut().release();
    }

    fn is_end_stream(&self) -> bool {
        self.ended.get() || self.pump.borrow().incoming.is_end_stream()
    }

    /// What comes next from the client, for the one who stands at the end of what came.
    fn poll_next(
        &self,
        place: &mut Place,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended.get() {
            return Poll::Ready(None);
        }
        let next = ready!(self.pump.borrow_mut().poll(cx));
        match &next {
            Some(Ok(frame)) => self.tape.borrow_mut().add(frame, place),
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

impl Cursor {
    /// The next piece.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let replay = &self.replay;
        let kept = replay.tape.borrow_mut().read(&mut self.place);
        if let Some(frame) = kept {
            return Poll::Ready(Some(Ok(frame)));
        }
        let is_at_end = replay.tape.borrow().is_at_end(&self.place);
        let may_go_on = self.turn == replay.newest.get() || replay.ended.get();
        if !is_at_end || !may_go_on {
            return Poll::Ready(Some(Err(BodyError::TakenOver)));
        }
        replay.poll_next(&mut self.place, cx)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let is_at_end = self.replay.tape.borrow().is_at_end(&self.place);
        is_at_end && self.replay.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let left = |size: u64| size.saturating_sub(self.place.at());
        let mut hint = SizeHint::new();
        hint.set_lower(left(self.replay.size.lower()));
        if let Some(upper) = self.replay.size.upper() {
            hint.set_upper(left(upper));
        }
        hint
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.replay.tape.borrow_mut().leave(&mut self.place);
    }
}
