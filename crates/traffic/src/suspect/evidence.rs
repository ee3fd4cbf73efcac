//! What speaks against an endpoint: the last answers it gave to one worker, some by number and some by time. Two rules. An
//! endpoint *fails* when it cannot be reached, or two tries in a row went badly, and no good answer has come for 20 ms: at a
//! thousand answers a second two errors in a row are chance, a silence of 20 ms is not. It is *doubtful* when of the last
//! answers (at least eight and at least 100 ms of them, if there were so many) two fifths were bad, and three in number.
//! So one error among many good answers never means anything, at any rate.

use std::time::Duration;

use bascule_model::Instant;

/// How long no good answer must have come before the failures since then count as *failing*.
const GOOD_WITHIN: Duration = Duration::from_millis(20);
/// The last answers are kept in two halves; each is so long and so many, at least.
const HALF: Duration = Duration::from_millis(50);
const HALF_ANSWERS: u32 = 4;
/// What is older says nothing about now.
const FORGET: Duration = Duration::from_secs(10);
/// How many bad ones make doubt, at least.
const BAD_MIN: u32 = 3;
/// What part of all: two fifths.
const BAD_PART: (u32, u32) = (2, 5);
/// What part of all must be refusals for want of room before the endpoint gets less: a quarter, and as many.
const PUSHBACK_PART: (u32, u32) = (1, 4);

/// What the evidence shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing goes well.
    Failing,
    /// Too much goes badly.
    Doubtful,
}

/// The answers of a while.
#[derive(Debug, Clone, Copy, Default)]
struct Half {
    answers: u32,
    bad: u32,
    pushbacks: u32,
}

/// The last answers of an endpoint.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Evidence {
    began: Instant,
    newer: Half,
    older: Half,
    /// Bad answers since the last good one, which came then.
    run: u32,
    good_at: Option<Instant>,
    answers: u32,
}

impl Evidence {
    /// How many answers it was, all in all.
    pub(super) const fn answers(&self) -> u32 {
        self.answers
    }

    /// A good answer.
    pub(super) fn good(&mut self, now: Instant) {
        self.count(now);
        self.run = 0;
        self.good_at = Some(now);
    }

    /// No connection could be made: that alone is enough where no good answer has just come.
    pub(super) fn refused(&mut self, now: Instant) -> Option<Finding> {
        self.bad(now, 1)
    }

    /// A try went badly.
    pub(super) fn failed(&mut self, now: Instant) -> Option<Finding> {
        self.bad(now, 2)
    }

    fn bad(&mut self, now: Instant, run_min: u32) -> Option<Finding> {
        self.count(now);
        self.newer.bad = self.newer.bad.saturating_add(1);
        self.run = self.run.saturating_add(1);
        let recently_good = self.good_at.is_some_and(|at| now.since(at) < GOOD_WITHIN);
        if self.run >= run_min && !recently_good {
            return Some(Finding::Failing);
        }
        let bad = self.newer.bad.saturating_add(self.older.bad);
        (bad >= BAD_MIN && self.is_part(bad, BAD_PART)).then_some(Finding::Doubtful)
    }

    /// It was too much for the endpoint. Whether that is so often that it should get less.
    pub(super) fn pushback(&mut self, now: Instant) -> bool {
        self.count(now);
        self.run = 0;
        self.newer.pushbacks = self.newer.pushbacks.saturating_add(1);
        let pushbacks = self.newer.pushbacks.saturating_add(self.older.pushbacks);
        pushbacks >= BAD_MIN && self.is_part(pushbacks, PUSHBACK_PART)
    }

    fn is_part(&self, count: u32, (part, of): (u32, u32)) -> bool {
        let answers = self.newer.answers.saturating_add(self.older.answers);
        u64::from(count) * u64::from(of) >= u64::from(answers) * u64::from(part)
    }

    /// One more answer, of whatever kind; the newer half becomes the older one when it is long enough.
    fn count(&mut self, now: Instant) {
        let age = now.since(self.began);
        if age >= HALF && self.newer.answers >= HALF_ANSWERS || age >= FORGET {
            self.older = if age < FORGET {
                self.newer
            } else {
                Half::default()
            };
            self.newer = Half::default();
            self.began = now;
        }
        self.newer.answers = self.newer.answers.saturating_add(1);
        self.answers = self.answers.saturating_add(1);
    }
}
