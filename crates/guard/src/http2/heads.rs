//! Which requests the engine refused by itself, before anyone else saw them: their heads were wrong, too long, or one
//! stream too many. They are told by the frames alone: a stream that was opened, not heard by the service, and answered or
//! reset. Nothing is decided by it; it is for counting each refusal once.

use std::collections::VecDeque;

/// Streams opened and not yet heard that are kept in mind. More than a client may have open; what is forgotten is not
/// counted.
const KEPT_MAX: usize = 1024;

/// Why the engine refused a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unheard {
    /// Its head breaks the rules of HTTP/2.
    Malformed,
    /// Its head is longer than the engine decodes: answered with 431.
    HeadTooLong,
    /// The client has as many streams open as it may.
    TooManyStreams,
}

impl Unheard {
    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed_head",
            Self::HeadTooLong => "head_too_long",
            Self::TooManyStreams => "too_many_streams",
        }
    }
}

const REFUSED_STREAM: u32 = 7;

/// The streams whose requests have not been heard.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Heads {
    last: u32,
    opened: VecDeque<u32>,
    unheard: VecDeque<Unheard>,
}

impl Heads {
    /// The last stream that was opened.
    pub(super) const fn last(&self) -> u32 {
        self.last
    }

    /// HEADERS came. Whether they opened a stream.
    pub(super) fn came(&mut self, stream: u32) -> bool {
        let is_new = stream > self.last && stream % 2 == 1;
        if is_new {
            self.last = stream;
            self.opened.push_back(stream);
            if self.opened.len() > KEPT_MAX {
                self.opened.pop_front();
            }
        }
        is_new
    }

    /// A request was heard: the engine gives them in order.
    pub(super) fn heard(&mut self) {
        self.opened.pop_front();
    }

    /// The client gave up a stream by itself.
    pub(super) fn left(&mut self, stream: u32) {
        self.forget(stream);
    }

    /// We answered on a stream.
    pub(super) fn answered(&mut self, stream: u32) {
        if self.forget(stream) {
            self.note(Unheard::HeadTooLong);
        }
    }

    /// We reset a stream with this code.
    pub(super) fn reset(&mut self, stream: u32, code: u32) {
        if self.forget(stream) {
            self.note(match code {
                REFUSED_STREAM => Unheard::TooManyStreams,
                _ => Unheard::Malformed,
            });
        }
    }

    /// The next request that was refused without being heard.
    pub(super) fn take(&mut self) -> Option<Unheard> {
        self.unheard.pop_front()
    }

    fn note(&mut self, unheard: Unheard) {
        if self.unheard.len() < KEPT_MAX {
            self.unheard.push_back(unheard);
        }
    }

    fn forget(&mut self, stream: u32) -> bool {
        let at = self.opened.iter().position(|opened| *opened == stream);
        at.and_then(|at| self.opened.remove(at)).is_some()
    }
}
