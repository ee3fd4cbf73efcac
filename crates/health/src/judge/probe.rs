//! One probe: whom it is made for, and how and how soon. It decides nothing about when it is its turn: that is
//! [`probes`](super::probes).

use std::sync::Arc;
use std::time::Duration;

use bascule_model::{EndpointId, Instant, Rng};

use super::CheckNumber;
use super::task::{ProbeKey, Sharers, Task};
use crate::{CheckPolicy, CheckResult};

/// The shortest time between the starts of two regular checks of one endpoint, whatever the policy says: below it,
/// checks are load.
pub const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// The time-out of a check that is made because traffic got no answer: as long as an endpoint may be silent at least before
/// that is strange (`docs/decisions/0013-suspicion-and-retries.md`).
const HURRIED: Duration = Duration::from_millis(300);
/// A check that takes longer as a rule has so many times as long as the last that passed: one request that got no answer is no
/// reason to fail the checks of what is slow by nature, or far away.
const HURRIED_TIMES: u32 = 3;

/// One probe.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Probe {
    pub(super) task: Task,
    /// The endpoints that it says something about. With none it rests: nothing is due, and what is under way ends.
    pub(super) members: Vec<Arc<EndpointId>>,
    /// Those that are not checked now. They keep the probe, so that whoever comes back finds its check under way.
    pub(super) resting: Vec<Arc<EndpointId>>,
    rng: Rng,
    /// When the next check starts; also in `Probes::queue`. `None` while one is under way.
    pub(super) due: Option<Instant>,
    /// Whether traffic brought `due` forward.
    pub(super) due_by_traffic: bool,
    /// The check under way, and when it started.
    pub(super) under_way: Option<(CheckNumber, Instant)>,
    /// Whether traffic failed while a check was under way, which may have looked before the failure.
    pub(super) suspected: bool,
    /// When traffic last caused a check.
    pub(super) traffic_check_at: Option<Instant>,
    /// Whether traffic got no answer, so that the next check is one with little time.
    pub(super) hurried: bool,
    /// How long the last check that passed took, its wait for its turn in it.
    passed_in: Option<Duration>,
}

impl Probe {
    /// One that nothing is known of.
    pub(super) fn new(key: &ProbeKey, group: Sharers, rng: Rng) -> Self {
        Self {
            task: key.task(),
            members: group.members,
            resting: group.resting,
            rng,
            due: None,
            due_by_traffic: false,
            under_way: None,
            suspected: false,
            traffic_check_at: None,
            hurried: false,
            passed_in: None,
        }
    }

    /// Takes another task. How long its checks take is not known.
    pub(super) fn adapt(&mut self, task: Task) {
        self.task = task;
        self.passed_in = None;
    }

    /// What is done that starts now. A check in a hurry has less time, where it is known that checks do not take it.
    pub(super) fn task_now(&mut self) -> Task {
        let hurried = std::mem::take(&mut self.hurried);
        let passed_in = self.passed_in.filter(|_| hurried);
        let timeout = passed_in.map(|took| HURRIED.max(took.saturating_mul(HURRIED_TIMES)));
        match (&self.task, timeout) {
            (Task::Check(policy), Some(timeout)) if timeout < policy.timeout => {
                let policy = CheckPolicy::clone(policy);
                Task::Check(Arc::new(CheckPolicy { timeout, ..policy }))
            }
            (task, _) => task.clone(),
        }
    }

    /// The check under way has ended, with this result if it was a health check; when it started.
    pub(super) fn ended(&mut self, now: Instant, result: Option<CheckResult>) -> Instant {
        let started = self.under_way.take().map_or(now, |(_, at)| at);
        if result == Some(CheckResult::Passed) {
            self.passed_in = Some(now.since(started));
        }
        started
    }

    pub(super) fn interval_fast(&self) -> Duration {
        self.task.interval_fast().max(INTERVAL_MIN)
    }

    /// From the start of a check to the start of the next, jitter in it.
    pub(super) fn wait(&mut self, hurry: bool) -> Duration {
        let wait = if hurry {
            self.interval_fast()
        } else {
            self.task.interval().max(INTERVAL_MIN)
        };
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        let part = u128::from(nanos) * u128::from(self.task.jitter().get()) / 10_000;
        let part = u64::try_from(part).unwrap_or(nanos);
        let shift = self.rng.below(part.saturating_mul(2).saturating_add(1));
        let jittered = Duration::from_nanos(nanos.saturating_sub(part).saturating_add(shift));
        jittered.max(INTERVAL_MIN)
    }
}
