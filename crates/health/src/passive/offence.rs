//! What speaks for taking an endpoint out: the pure rules. They look at what was seen of the endpoint, of what is usual
//! for it and of its peers, and give the offence or none. Worse counts never give a better answer. Whether it is then
//! taken out is the machine's to decide ([`super::eject`]): there must be a better place.

use std::fmt;
use std::time::Duration;

use bascule_model::FailureClass;
use bascule_model::signal::{LATENCY_BUCKETS, latency_of_bucket};

use super::OutlierPolicy;
use super::chance::{Level, is_news};
use super::window::{Horizon, Seen, Window};
use crate::Reason;

/// Answers that must have been seen before they can be called slow.
const SLOW_ANSWERS: u64 = 10;
/// Answers that say what is usual.
const USUAL_ANSWERS: u64 = 20;
/// Classes of time (each twice the one before) that slow answers are above the usual ones: more than four times as long.
const SLOW_CLASSES: usize = 3;
/// Moments in which something failed, at least: what fails in one can be one broken connection.
pub(super) const MOMENTS_MIN: u64 = 2;
/// Failures that are enough of an endpoint that is on probation.
const PROBATION_FAILURES: u64 = 2;
/// A trial without an answer for so long has failed, where answers are not usually slower. The request itself goes on for as
/// long as its limits let it.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same of an endpoint of which is not known how long its answers take.
const PATIENCE_UNKNOWN: Duration = Duration::from_secs(5);
/// The same where an answer takes seconds as a rule: how many is not counted. Most requests have a shorter limit.
const PATIENCE_LONG: Duration = Duration::from_secs(60);

/// What traffic holds against an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Offence {
    /// So many of the tries failed.
    Failing {
        /// As most of them did.
        class: FailureClass,
        /// How many.
        failed: u64,
        /// Of how many.
        tries: u64,
    },
    /// Half of the answers took longer than is usual, by far.
    Slow {
        /// How long, in milliseconds.
        millis: u64,
        /// How long usually.
        usual_millis: u64,
    },
}

impl Offence {
    /// The word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failing { class, .. } => class.as_str(),
            Self::Slow { .. } => "slow",
        }
    }

    /// As a reason.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Failing { class, .. } => Reason::Failing { class },
            Self::Slow { .. } => Reason::Slow,
        }
    }

    /// What so many tries make of it.
    pub(super) fn failing(seen: &Seen) -> Self {
        Self::Failing {
            class: seen.worst_class(),
            failed: seen.failed(),
            tries: seen.tries(),
        }
    }
}

impl fmt::Display for Offence {
    /// `12 of 20 tries failed (unavailable)`, `half of the answers took around 537 ms, usually 67 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failing {
                class,
                failed,
                tries,
            } => {
                write!(f, "{failed} of {tries} tries failed ({})", class.as_str())
            }
            Self::Slow {
                millis,
                usual_millis,
            } => {
                write!(
                    f,
                    "half of the answers took around {millis} ms, usually {usual_millis} ms"
                )
            }
        }
    }
}

/// How an endpoint stands with the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leniency {
    /// Its failures must be no chance at all.
    Usual,
    /// It came back a moment ago: two failures are enough where they are hardly chance.
    Probation,
}

/// What must be shown of failures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar {
    failures_min: u64,
    moments_min: u64,
    level: Level,
}

impl Bar {
    pub(super) fn of(leniency: Leniency, policy: &OutlierPolicy) -> Self {
        match leniency {
            Leniency::Usual => Self {
                failures_min: u64::from(policy.consecutive),
                moments_min: MOMENTS_MIN,
                level: Level::Millionth,
            },
            Leniency::Probation => Self {
                failures_min: PROBATION_FAILURES,
                moments_min: 1,
                level: Level::Hundredth,
            },
        }
    }

    fn is_reached(self, seen: &Seen, beside: &Seen) -> bool {
        let (failed, tries) = (seen.failed(), seen.tries());
        failed >= self.failures_min
            && seen.moments >= self.moments_min
            && is_news(failed, tries, beside, self.level)
    }

    /// Whether failures in a row, with nothing between, are enough: more than is usual, and more than `peers` have.
    pub(super) fn is_run(self, run: &Seen, usual: &Seen, peers: &Seen) -> bool {
        self.is_reached(run, usual) && (peers.tries() == 0 || self.is_reached(run, peers))
    }

    /// Whether failures among answers are enough: more than `peers` have, or, where those have no tries, more than is usual.
    /// So one that never did better than it does is measured by its peers.
    pub(super) fn is_rate(self, seen: &Seen, usual: &Seen, peers: &Seen) -> bool {
        self.is_reached(seen, if peers.tries() > 0 { peers } else { usual })
    }
}

/// What the rules look at.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) window: &'a Window,
    /// The failures since the last answer.
    pub(super) run: &'a Seen,
    pub(super) leniency: Leniency,
    pub(super) policy: &'a OutlierPolicy,
}

impl Case<'_> {
    /// Failures in a row, beside what is usual for it and what `peers` did in the last ten seconds.
    pub(super) fn run(&self, peers: &Seen) -> Option<Offence> {
        let usual = self.window.over(Horizon::Minute).without(self.run);
        let bar = Bar::of(self.leniency, self.policy);
        let found = bar.is_run(self.run, &usual, peers);
        found.then(|| Offence::failing(self.run))
    }

    /// Too many failures among the tries of a horizon, beside what `peers` do in that time.
    pub(super) fn rate(&self, horizon: Horizon, peers: &Seen) -> Option<Offence> {
        let seen = self.window.over(horizon);
        let bar = Bar::of(self.leniency, self.policy);
        let usual = self.window.before(horizon);
        let found = is_much(&seen, self.policy) && bar.is_rate(&seen, &usual, peers);
        found.then(|| Offence::failing(&seen))
    }

    /// Answers that take far longer than is usual for it, and than those of its peers do.
    pub(super) fn slow(&self, horizon: Horizon, peers: &Seen) -> Option<Offence> {
        let seen = self.window.over(horizon);
        let usual = self.window.before(horizon);
        if seen.answers < SLOW_ANSWERS
            || usual.answers < USUAL_ANSWERS
            || peers.answers < SLOW_ANSWERS
        {
            return None;
        }
        let median = seen.median()?;
        let (own, others) = (usual.median()?, peers.median()?);
        let bar = own.max(others) + SLOW_CLASSES;
        // What was slow and is quick again is not to be taken out for it.
        let latest = self.window.over(Horizon::Second).median();
        let is_slow = median >= bar
            && latest.is_some_and(|latest| latest >= bar)
            && latency_of_bucket(median.saturating_sub(1)) >= self.policy.slow_min;
        is_slow.then(|| Offence::Slow {
            millis: millis(latency_of_bucket(median)),
            usual_millis: millis(latency_of_bucket(own)),
        })
    }
}

/// Whether so large a part failed as to be worth anything.
pub(super) fn is_much(seen: &Seen, policy: &OutlierPolicy) -> bool {
    let part = u128::from(policy.error_ratio.get());
    let (failed, tries) = (u128::from(seen.failed()), u128::from(seen.tries()));
    failed > 0 && failed * 10_000 >= tries * part
}

/// Whether `other` fails at most a third as often as `seen`.
pub(super) fn is_better(other: &Seen, seen: &Seen) -> bool {
    let (other_failed, other_tries) = (u128::from(other.failed()), u128::from(other.tries()));
    let (failed, tries) = (u128::from(seen.failed()), u128::from(seen.tries()));
    other_failed == 0 || 3 * other_failed * tries <= failed * other_tries
}

/// How long answers of an endpoint take that is taken out now: the class of length of half of them, without those of the last
/// seconds where enough are older. `None`: too few to say.
pub(super) fn usual_latency(window: &Window) -> Option<usize> {
    let spans = [
        window.before(Horizon::Ten),
        window.before(Horizon::Second),
        window.over(Horizon::Minute),
    ];
    let enough = |seen: &&Seen| seen.answers >= USUAL_ANSWERS;
    spans.iter().find(enough).and_then(Seen::median)
}

/// From when on an answer is slow beside what is usual for an endpoint. `None`: none is, as nothing is known of it, or as there
/// are no classes of length that are so far above.
fn slow_from(usual: Option<usize>, policy: &OutlierPolicy) -> Option<Duration> {
    let class = usual.map(|usual| usual + SLOW_CLASSES - 1)?;
    (class < LATENCY_BUCKETS - 1).then(|| policy.slow_min.max(latency_of_bucket(class)))
}

/// Whether a trial answered as fast as is usual for the endpoint, as far as that is known.
pub(super) fn is_fast(took: Duration, usual: Option<usize>, policy: &OutlierPolicy) -> bool {
    slow_from(usual, policy).is_none_or(|slow| took < slow)
}

/// How long a trial may go without an answer: at least as long as it may take to answer.
pub(super) fn patience(usual: Option<usize>, policy: &OutlierPolicy) -> Duration {
    match (slow_from(usual, policy), usual) {
        (Some(slow), _) => PATIENCE.max(slow),
        (None, None) => PATIENCE_UNKNOWN,
        (None, Some(_)) => PATIENCE_LONG,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
