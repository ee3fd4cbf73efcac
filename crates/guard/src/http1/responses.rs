//! What an origin sends: for each request some interim responses, a final head and its body; and between them nothing. It
//! must be told of each request before it is sent, and when the first byte of it has been: an answer that nobody asked
//! for, or that came before it could be one, would be taken for the answer to the next request.

use crate::Violation;
use crate::http1::limits::Limits;
use crate::http1::response::{Asked, ResponseHead, ResponseReader};
use crate::http1::{Passed, Rest, Step, Then};

/// Interim responses to one request. Source: nobody sends more than a few.
const INTERIM_MAX: u32 = 16;

/// Reads the responses of one connection.
#[derive(Debug)]
pub struct Responses {
    limits: Limits,
    state: State,
    asked: Option<Asked>,
    is_sent: bool,
    interim: u32,
    persists: bool,
}

#[derive(Debug)]
enum State {
    Head(ResponseReader),
    Body(Rest),
    Bad(Then),
}

impl Responses {
    /// Of a connection that has just been made.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Head(ResponseReader::default()),
            asked: None,
            is_sent: false,
            interim: 0,
            persists: true,
        }
    }

    /// A request will be sent.
    pub fn ask(&mut self, asked: Asked) {
        self.asked = Some(asked);
        self.is_sent = false;
        self.interim = 0;
    }

    /// The first bytes of the request have been sent.
    pub const fn sent(&mut self) {
        self.is_sent = true;
    }

    /// Whether a request is about to be sent of which not a byte has been: whatever comes now answers something else.
    #[must_use]
    pub const fn is_asking(&self) -> bool {
        self.asked.is_some() && !self.is_sent
    }

    /// Says how far bytes may be passed on.
    pub fn pass(&mut self, bytes: &[u8]) -> Passed {
        let mut rest = bytes;
        let mut heads: u32 = 0;
        let then = loop {
            let step = match &mut self.state {
                State::Bad(then) => break *then,
                _ if rest.is_empty() => break Then::More,
                State::Body(body) => Some(body.pass(rest, &self.limits)),
                State::Head(_) => self.head(rest, &mut heads),
            };
            let Some((taken, read)) = step else {
                break Then::Hold;
            };
            rest = rest.get(taken..).unwrap_or_default();
            match read {
                Ok(false) => {}
                Ok(true) => {
                    self.state = State::Head(ResponseReader::default());
                    self.asked = None;
                }
                Err(then) => self.state = State::Bad(then),
            }
        };
        Passed {
            bytes: bytes.len() - rest.len(),
            heads,
            then,
        }
    }

    /// Reads a head; `None`: it is not complete.
    fn head(&mut self, bytes: &[u8], heads: &mut u32) -> Option<Step> {
        let State::Head(reader) = &mut self.state else {
            return None;
        };
        let refused = |violation| Some((0, Err(Then::BadHead(violation))));
        let Some(asked) = self.asked.filter(|_| self.is_sent) else {
            return refused(Violation::Unasked);
        };
        let head = match reader.read(bytes, asked, &self.limits) {
            Ok(head) => head?,
            Err(violation) => return refused(violation),
        };
        match self.begin(&head) {
            Ok(is_over) => {
                *heads += 1;
                Some((head.length, Ok(is_over)))
            }
            Err(violation) => refused(violation),
        }
    }

    /// Goes on behind a head; whether the response ends with it.
    fn begin(&mut self, head: &ResponseHead) -> Result<bool, Violation> {
        match head.code {
            // Nothing is ever offered to upgrade to.
            101 => return Err(Violation::Upgrade),
            100..=199 => {
                self.interim += 1;
                self.state = State::Head(ResponseReader::default());
                return if self.interim > INTERIM_MAX {
                    Err(Violation::TooManyInterim)
                } else {
                    Ok(false)
                };
            }
            _ => self.persists = head.persists,
        }
        Ok(Rest::of(head.body).is_none_or(|body| {
            self.state = State::Body(body);
            false
        }))
    }

    /// Whether another request may be sent: the last response has ended, said nothing against it, and nothing came behind.
    #[must_use]
    pub const fn may_be_reused(&self) -> bool {
        self.persists && self.asked.is_none() && matches!(self.state, State::Head(_))
    }
}

#[cfg(test)]
mod tests;
