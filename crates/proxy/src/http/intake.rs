//! What a client's HTTP/1 connection has said, as the guard understands it: which heads passed, since when one is being
//! sent, and what was wrong. The stream ([`guarded`](crate::http::guarded)) writes here and the requests of the connection
//! read. A head that must not pass is replaced by a stand-in, so that the engine asks for an answer to it in its turn,
//! behind those that came before; the verdict waits here for it. Nothing behind such a head is read.

use std::cell::{Cell, RefCell};

use bascule_guard::Violation;
use bascule_guard::http1::{Limits, Passed, Requests, Then};
use bascule_model::Instant;
use bascule_telemetry::clock;

/// Why a head does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is not what HTTP allows, or what we allow.
    Violated(Violation),
    /// It did not come in time.
    Late,
}

/// What a target says that the engine does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Nothing.
    Usual,
    /// An authority and no path.
    WithoutPath,
}

/// One connection's way in.
#[derive(Debug)]
pub(crate) struct Intake {
    requests: RefCell<Requests>,
    /// Since when a head that is not complete is being sent.
    begun: Cell<Option<Instant>>,
    /// Heads that the engine was given, the stand-in included, and those whose verdict was asked for.
    given: Cell<u64>,
    judged: Cell<u64>,
    /// Of the last head that the engine was given, if it must not pass.
    verdict: Cell<Option<Verdict>>,
    /// What is wrong with the body that is being read.
    bad_body: Cell<Option<Violation>>,
    lingers: Cell<bool>,
}

impl Intake {
    /// Of a connection that has just come.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            requests: RefCell::new(Requests::new(limits)),
            begun: Cell::new(None),
            given: Cell::new(0),
            judged: Cell::new(0),
            verdict: Cell::new(None),
            bad_body: Cell::new(None),
            lingers: Cell::new(false),
        }
    }

    /// Has the guard look at bytes; how far they may pass.
    pub(crate) fn pass(&self, bytes: &[u8]) -> Passed {
        let passed = self.requests.borrow_mut().pass(bytes);
        self.given.set(self.given.get() + u64::from(passed.heads));
        match passed.then {
            Then::More | Then::Drop => self.begun.set(None),
            Then::Hold => {
                let rest = bytes.get(passed.bytes..).unwrap_or_default();
                let is_new = passed.heads > 0 || self.begun.get().is_none();
                // Empty lines between requests are no beginning of one.
                let has_begun = rest.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
                if !has_begun {
                    self.begun.set(None);
                } else if is_new {
                    self.begun.set(Some(clock::now()));
                }
            }
            Then::BadHead(violation) => self.condemn(Verdict::Violated(violation)),
            Then::BadBody(violation) => self.bad_body.set(Some(violation)),
        }
        passed
    }

    /// The next head must not pass: a stand-in will be given for it.
    fn condemn(&self, verdict: Verdict) {
        if self.verdict.replace(Some(verdict)).is_none() {
            self.given.set(self.given.get() + 1);
            self.begun.set(None);
        }
    }

    /// The client has closed its side in the middle of a head.
    pub(crate) fn cut(&self) {
        self.condemn(Verdict::Violated(Violation::HeadCut));
    }

    /// The head that is being sent is too late.
    pub(crate) fn give_up(&self) {
        self.condemn(Verdict::Late);
    }

    /// Whether nothing passes any more.
    pub(crate) fn is_condemned(&self) -> bool {
        self.verdict.get().is_some()
    }

    /// What is wrong with the body that is being read.
    pub(crate) fn bad_body(&self) -> Option<Violation> {
        self.bad_body.get()
    }

    /// The verdict on the next request, in the order in which the engine handles them.
    pub(crate) fn judge(&self) -> Result<Target, Verdict> {
        let judged = self.judged.get() + 1;
        self.judged.set(judged);
        let verdict = self.verdict.get().filter(|_| judged >= self.given.get());
        let is_without_path = self.requests.borrow_mut().was_without_path(judged);
        match verdict {
            Some(verdict) => Err(verdict),
            None if is_without_path => Ok(Target::WithoutPath),
            None => Ok(Target::Usual),
        }
    }

    /// A request has ended: what a head behind it takes, it takes from now on.
    pub(crate) fn expect_next(&self) {
        if self.begun.get().is_some() {
            self.begun.set(Some(clock::now()));
        }
    }

    /// Since when a head is being sent that is not complete.
    pub(crate) fn begun(&self) -> Option<Instant> {
        self.begun.get()
    }

    /// What the client still sends is not wanted, but it shall hear why.
    pub(crate) fn linger(&self) {
        self.lingers.set(true);
    }

    /// Whether the client may still be sending what nobody reads.
    pub(crate) fn shall_linger(&self) -> bool {
        self.lingers.get()
            || self.is_condemned()
            || self.begun.get().is_some()
            || self.bad_body.get().is_some()
            || self.requests.borrow().is_in_body()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    fn intake() -> Intake {
        Intake::new(Limits::of_requests(1000, 10))
    }

    #[test]
    fn the_verdict_is_for_the_head_that_got_it_and_not_for_those_before() {
        let intake = intake();
        intake.pass(&[GET, GET, b"GET / HTTP/1.1\r\n\r\n", GET].concat());
        let (good, bad) = (Ok(Target::Usual), Err(Verdict::Violated(Violation::Host)));
        assert_eq!(
            [intake.judge(), intake.judge(), intake.judge()],
            [good, good, bad]
        );
        intake.give_up();
        assert_eq!(intake.judge(), Err(Verdict::Late));
    }

    #[test]
    fn a_head_has_begun_with_its_first_byte_and_empty_lines_are_none() {
        let intake = intake();
        assert!(intake.pass(b"\r\n").bytes == 0 && intake.begun().is_none());
        intake.pass(b"\r\nG");
        let begun = intake.begun();
        assert!(begun.is_some());
        intake.pass(b"\r\nGET / HTTP/1.1\r\nHost: a");
        assert_eq!(intake.begun(), begun);
        intake.pass(&[b"\r\n", GET].concat());
        assert_eq!(intake.begun(), None);
    }

    #[test]
    fn a_client_in_the_middle_of_something_is_lingered_for() {
        let intake = intake();
        assert!(!intake.shall_linger());
        intake.pass(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na");
        assert!(intake.shall_linger());
        intake.pass(b"b");
        assert!(!intake.shall_linger());
        intake.pass(b"GET");
        assert!(intake.shall_linger());
    }
}
