//! What a client sends: head, body, head, … After a head that must not pass, or the last request of the connection,
//! nothing is passed any more: what comes there was not understood.

use std::collections::VecDeque;

use crate::Violation;
use crate::http1::limits::Limits;
use crate::http1::request::{RequestHead, RequestReader};
use crate::http1::{Passed, Rest, Then};

/// Reads the requests of one connection.
#[derive(Debug)]
pub struct Requests {
    limits: Limits,
    state: State,
    /// Whether a request follows the one that is read.
    persists: bool,
    heads: u64,
    /// The numbers of heads whose target has no path. There are hardly ever any.
    without_path: VecDeque<u64>,
}

#[derive(Debug)]
enum State {
    Head(RequestReader),
    Body(Rest),
    /// The last request has been read.
    Over,
    Bad(Then),
}

impl Requests {
    /// Of a connection that has just come.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Head(RequestReader::default()),
            persists: true,
            heads: 0,
            without_path: VecDeque::new(),
        }
    }

    /// Says how far bytes may be passed on.
    pub fn pass(&mut self, bytes: &[u8]) -> Passed {
        let mut rest = bytes;
        let mut heads: u32 = 0;
        let then = loop {
            let (taken, read) = match &mut self.state {
                State::Bad(then) => break *then,
                _ if rest.is_empty() => break Then::More,
                State::Over => break Then::Drop,
                State::Body(body) => body.pass(rest, &self.limits),
                State::Head(reader) => match reader.read(rest, &self.limits) {
                    Ok(None) => break Then::Hold,
                    Ok(Some(head)) => {
                        heads += 1;
                        (head.length, Ok(self.begin(&head)))
                    }
                    Err(violation) => (0, Err(Then::BadHead(violation))),
                },
            };
            rest = rest.get(taken..).unwrap_or_default();
            match read {
                Ok(false) => {}
                Ok(true) if self.persists => self.state = State::Head(RequestReader::default()),
                Ok(true) => self.state = State::Over,
                Err(then) => self.state = State::Bad(then),
            }
        };
        Passed {
            bytes: bytes.len() - rest.len(),
            heads,
            then,
        }
    }

    /// Goes on behind a head; whether the request ends with it.
    fn begin(&mut self, head: &RequestHead) -> bool {
        self.persists = head.persists;
        self.heads += 1;
        if head.is_without_path {
            self.without_path.push_back(self.heads);
        }
        Rest::of(head.body).is_none_or(|body| {
            self.state = State::Body(body);
            false
        })
    }

    /// The connection is given up: nothing passes any more.
    pub fn give_up(&mut self, violation: Violation) {
        self.state = State::Bad(Then::BadHead(violation));
    }

    /// Whether the target of this head, of those that passed (the first is 1), has no path. Asked in order.
    pub fn was_without_path(&mut self, head: u64) -> bool {
        let found = self.without_path.front() == Some(&head);
        if found {
            self.without_path.pop_front();
        }
        found
    }

    /// Whether the body of the last request that passed is still to come, or part of it.
    #[must_use]
    pub const fn is_in_body(&self) -> bool {
        matches!(self.state, State::Body(_))
    }
}

#[cfg(test)]
mod tests;
