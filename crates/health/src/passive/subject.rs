//! One endpoint as traffic sees it: what was counted, and whether it is out. It takes totals and gives what is new in them;
//! it takes no decision.

use std::sync::Arc;
use std::time::Duration;

use bascule_model::{EndpointId, EndpointTotals, Instant, ObservedState, TrialTotals};

use super::offence::{self, Case, Leniency, MOMENTS_MIN, Offence};
use super::window::{Seen, Window};
use super::{OutlierPolicy, Watched};

/// Failures closer together are one moment.
const MOMENT: Duration = Duration::from_millis(10);
/// A failure that nothing followed speaks against an endpoint for so long.
const FAILING_FRESH: Duration = Duration::from_secs(10);
/// An answer shows for so long that an endpoint works.
const ANSWER_FRESH: Duration = Duration::from_secs(2);
/// How long an endpoint that came back is on probation.
const PROBATION: Duration = Duration::from_secs(5);

/// What is known of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Subject {
    pub(super) id: Arc<EndpointId>,
    pub(super) watched: Watched,
    pub(super) window: Window,
    /// Failures since the last answer.
    pub(super) run: Seen,
    pub(super) checks: Checks,
    /// Its agent takes it out.
    pub(super) out_by_agent: bool,
    /// How often it was taken out, as far as that is not forgotten.
    pub(super) times: u32,
    /// When it was last put back.
    back_at: Option<Instant>,
    /// Where its ramp began then.
    pub(super) returned_at: Option<Instant>,
    pub(super) out: Option<Out>,
    /// How long its answers took before it was last taken out, as a class of length, as far as that was known; trials are in
    /// no other count, so that nothing tells it later.
    usual: Option<usize>,
    /// Its checks are not believed: it counts as up.
    pub(super) held: bool,
    totals: Option<EndpointTotals>,
    answered_at: Option<Instant>,
    failed_at: Option<Instant>,
}

/// What its checks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checks {
    pub(super) state: ObservedState,
    /// Since when.
    pub(super) since: Instant,
    /// When the results began that led there.
    pub(super) began: Instant,
}

/// It is out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Out {
    pub(super) since: Instant,
    pub(super) offence: Offence,
    /// Its provider's endpoints failed together.
    pub(super) with_provider: bool,
    /// It gets nothing before.
    pub(super) hold_until: Instant,
    /// Trials in a row that passed, and when the first of them did.
    pub(super) passed: u32,
    pub(super) passed_since: Option<Instant>,
    /// Its checks came to pass after it was taken out: something was mended.
    pub(super) checks_came_back: bool,
}

/// What is new in totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct News {
    pub(super) tries: u64,
    pub(super) trials: TrialTotals,
}

impl Subject {
    pub(super) fn new(now: Instant, watched: Watched) -> Self {
        Self {
            id: Arc::clone(&watched.id),
            watched,
            window: Window::default(),
            run: Seen::default(),
            out_by_agent: false,
            checks: Checks {
                state: ObservedState::Unknown,
                since: now,
                began: now,
            },
            times: 0,
            back_at: None,
            returned_at: None,
            out: None,
            usual: None,
            held: false,
            totals: None,
            answered_at: None,
            failed_at: None,
        }
    }

    pub(super) fn policy(&self) -> &OutlierPolicy {
        &self.watched.policy
    }

    /// Whether neither people nor its agent take it out.
    pub(super) fn is_wanted(&self) -> bool {
        self.watched.takes_new && !self.out_by_agent
    }

    /// Whether it would get requests if traffic had nothing against it.
    pub(super) fn is_candidate(&self) -> bool {
        self.is_wanted() && (self.held || self.checks.state != ObservedState::Down)
    }

    /// Whether it gets requests.
    pub(super) fn is_in(&self) -> bool {
        self.is_candidate() && self.out.is_none()
    }

    /// Takes totals; what is new. The window has been advanced to now. The first say only where counting begins; where they have
    /// become fewer it began anew, and all of them is new.
    pub(super) fn take(&mut self, now: Instant, totals: &EndpointTotals) -> News {
        let before = self.totals.replace(*totals);
        let Some(before) = before else {
            return News::default();
        };
        let fewer =
            totals.answers < before.answers || totals.failures_sum() < before.failures_sum();
        let before = if fewer {
            EndpointTotals::default()
        } else {
            before
        };
        let mut seen = difference(totals, &before);
        if seen.failed() > 0 {
            let is_new = self.failed_at.is_none_or(|at| now.since(at) >= MOMENT);
            seen.moments = u64::from(is_new || self.run.moments == 0);
            self.failed_at = Some(now);
        }
        if seen.answers > 0 {
            // In which order they came is not known; with an answer among them they are not in a row.
            self.run = Seen::default();
            self.answered_at = Some(now);
        } else {
            self.run.add(&seen);
        }
        self.window.add(&seen);
        News {
            tries: seen.tries(),
            trials: TrialTotals {
                begun: totals.trials.begun.saturating_sub(before.trials.begun),
                passed: totals.trials.passed.saturating_sub(before.trials.passed),
                failed: totals.trials.failed.saturating_sub(before.trials.failed),
                latency_nanos: totals
                    .trials
                    .latency_nanos
                    .saturating_sub(before.trials.latency_nanos),
            },
        }
    }

    /// What the rules look at.
    pub(super) fn case(&self, now: Instant) -> Case<'_> {
        Case {
            window: &self.window,
            run: &self.run,
            leniency: if self.is_on_probation(now) {
                Leniency::Probation
            } else {
                Leniency::Usual
            },
            policy: self.policy(),
        }
    }

    fn is_on_probation(&self, now: Instant) -> bool {
        self.back_at.is_some_and(|at| now.since(at) < PROBATION)
    }

    /// Whether others may be measured by it: it gets requests, and has not come back only a moment ago.
    pub(super) fn is_measure(&self, now: Instant) -> bool {
        self.is_in() && !self.is_on_probation(now)
    }

    /// Whether its last try failed, and not long ago.
    pub(super) fn is_failing(&self, now: Instant) -> bool {
        let fresh = |at: Instant| now.since(at) < FAILING_FRESH;
        self.run.failed() > 0 && self.failed_at.is_some_and(fresh)
    }

    /// Whether it has failed so often since its last answer as takes one out, and not in one moment only; however long ago.
    pub(super) fn fails_in_a_row(&self) -> bool {
        self.run.failed() >= u64::from(self.policy().consecutive) && self.run.moments >= MOMENTS_MIN
    }

    /// Whether traffic shows that it works, though its checks fail: it answered after they had begun to, and just now.
    pub(super) fn answers_against_checks(&self, now: Instant) -> bool {
        let shows = |at: Instant| at > self.checks.began && now.since(at) < ANSWER_FRESH;
        self.run.failed() == 0 && self.answered_at.is_some_and(shows)
    }

    /// Takes it out.
    pub(super) fn eject(&mut self, now: Instant, offence: Offence, with_provider: bool) {
        let good = self.back_at.map(|at| now.since(at));
        let forget = self.policy().forget.as_nanos().max(1);
        let forgotten = good.map_or(0, |good| good.as_nanos() / forget);
        let forgotten = u32::try_from(forgotten).unwrap_or(u32::MAX);
        self.times = self.times.saturating_sub(forgotten).saturating_add(1);
        // One that is taken out again at once has shown nothing new.
        self.usual = offence::usual_latency(&self.window).or(self.usual);
        self.out = Some(Out {
            since: now,
            offence,
            with_provider,
            hold_until: now + self.policy().hold_of(self.times),
            passed: 0,
            passed_since: None,
            checks_came_back: false,
        });
        // What it did just now is in the offence; it is not what is usual.
        self.forget_recent(now);
    }

    /// Puts it back; its ramp began when it is said to have been mended.
    pub(super) fn put_back(&mut self, now: Instant, mended: Option<Instant>) {
        if self.out.take().is_some() {
            self.returned_at = Some(mended.unwrap_or(now));
            self.back_at = Some(now);
            self.forget_recent(now);
        }
    }

    /// Forgets what it did in the last seconds.
    pub(super) fn forget_recent(&mut self, now: Instant) {
        self.run = Seen::default();
        self.failed_at = None;
        self.window.advance(now);
        self.window.forget_recent();
    }

    /// How long a trial of it may go without an answer.
    pub(super) fn patience(&self) -> Duration {
        offence::patience(self.usual, self.policy())
    }

    /// How trials of it went; whether they passed.
    pub(super) fn tried(&mut self, now: Instant, trials: &TrialTotals) -> bool {
        let mean = Duration::from_nanos(trials.latency_nanos / trials.passed.max(1));
        let passed = trials.failed == 0
            && trials.passed > 0
            && offence::is_fast(mean, self.usual, self.policy());
        if let Some(out) = &mut self.out {
            if passed {
                out.passed = out.passed.saturating_add(1);
                out.passed_since.get_or_insert(now);
            } else {
                out.passed = 0;
                out.passed_since = None;
            }
        }
        passed
    }
}

fn difference(now: &EndpointTotals, before: &EndpointTotals) -> Seen {
    let mut seen = Seen {
        answers: now.answers.saturating_sub(before.answers),
        ..Seen::default()
    };
    let failures = now.failures.iter().zip(&before.failures);
    for (new, (now, before)) in seen.failures.iter_mut().zip(failures) {
        *new = now.saturating_sub(*before);
    }
    let latency = now.latency.iter().zip(&before.latency);
    for (new, (now, before)) in seen.latency.iter_mut().zip(latency) {
        *new = now.saturating_sub(*before);
    }
    seen
}
