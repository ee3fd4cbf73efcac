//! Trials of the endpoints of one provider in one service: one request at a time, so that a client hardly ever meets one
//! that fails. After one that failed the next comes a whole `trial_every` later, after one that passed half of that. They
//! cost a part of the traffic, never most of it. They go in turn through the endpoints that are out.

use std::collections::VecDeque;
use std::sync::Arc;

use bascule_model::{EndpointId, Instant, ProviderName, TrialTotals};

use super::service::ServiceWatch;
use super::subject::{Out, Subject};
use super::{Action, OutlierPolicy};

/// Requests of the service for each trial of a provider: with few requests a trial a second would be all of them.
const TRIES_PER_TRIAL: u64 = 5;
/// A ramp begins no more than so many `trial_every` before the first trial that passed.
const RAMP_BEFORE_FIRST: u32 = 2;
/// Trials in a row that must pass: where half of all tries fail, so many do once in 32 times.
const PASSES: u32 = 5;
/// So many more for each time it came back in vain.
const PASSES_MORE: u32 = 1;
/// No more than these: at one in half a second that is four seconds.
const PASSES_MAX: u32 = 8;

/// The trials of one provider's endpoints.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Course {
    /// No trial before.
    next: Instant,
    /// The endpoint that was tried last.
    last: Option<Arc<EndpointId>>,
    sent: Option<Sent>,
    /// Trials in a row that passed, whichever endpoint's.
    passed: u32,
    /// When one was last seen to fail.
    failed_at: Option<Instant>,
    /// Requests of the service since the last trial.
    tries: u64,
}

/// A trial that was granted and has not ended.
#[derive(Debug, Clone, PartialEq)]
struct Sent {
    id: Arc<EndpointId>,
    /// When a request took it.
    begun: Option<Instant>,
}

impl Course {
    /// The service had so many requests.
    pub(super) fn seen(&mut self, tries: u64) {
        self.tries = self.tries.saturating_add(tries);
    }

    /// One of its endpoints was taken out: what trials showed before says nothing now.
    pub(super) fn start_over(&mut self) {
        self.passed = 0;
    }

    /// Something was mended: the next trial is due at once.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.next = self.next.min(now);
        self.tries = self.tries.max(TRIES_PER_TRIAL);
    }

    /// Takes how trials of an endpoint went.
    pub(super) fn tried(
        &mut self,
        now: Instant,
        member: &mut Subject,
        trials: &TrialTotals,
        actions: &mut VecDeque<Action>,
    ) {
        let Some(sent) = self.sent.as_mut().filter(|sent| sent.id == member.id) else {
            return;
        };
        if trials.begun > 0 {
            sent.begun = Some(now);
        }
        if trials.passed > 0 || trials.failed > 0 {
            let passed = member.tried(now, trials);
            self.settle(now, passed, member.policy(), actions);
        }
    }

    fn settle(
        &mut self,
        now: Instant,
        passed: bool,
        policy: &OutlierPolicy,
        actions: &mut VecDeque<Action>,
    ) {
        let Some(sent) = self.sent.take() else {
            return;
        };
        let wait = if passed {
            self.passed = self.passed.saturating_add(1);
            policy.trial_every / 2
        } else {
            self.passed = 0;
            self.failed_at = Some(now);
            policy.trial_every
        };
        self.next = now + wait;
        actions.push_back(Action::Tried {
            id: sent.id,
            passed,
        });
    }

    /// When the trial that has begun fails if nothing comes of it; it is one of this endpoint.
    fn fails_at(&self, member: &Subject) -> Option<Instant> {
        let begun = self.sent.as_ref()?.begun?;
        Some(begun + member.patience())
    }

    /// Whether an endpoint has shown that it works: by its own trials, or, of several that failed together, by trials of
    /// them all of which one was its own.
    pub(super) fn is_passed(&self, out: &Out, times: u32) -> bool {
        let needed = passes_needed(out, times);
        let together = out.with_provider && out.passed > 0 && self.passed >= needed;
        out.passed >= needed || together
    }

    /// From when on the ramp of an endpoint rises whose trials passed: it was mended at some time after the last that failed,
    /// whoever's of its provider, and looked at by trials alone for as long as those took. `None`: none of its own passed.
    pub(super) fn mended_since(&self, out: &Out, policy: &OutlierPolicy) -> Option<Instant> {
        let first = out.passed_since?;
        if out.checks_came_back {
            return Some(first);
        }
        let longest = policy.trial_every.saturating_mul(RAMP_BEFORE_FIRST);
        let failed = self.failed_at.map_or(out.since, |at| at.max(out.since));
        Some(first.min(failed + first.since(failed).saturating_sub(longest)))
    }
}

/// Trials in a row that must pass. Where checks that had failed pass again, one: something was mended, and it works.
fn passes_needed(out: &Out, times: u32) -> u32 {
    if out.checks_came_back {
        return 1;
    }
    let more = PASSES_MORE.saturating_mul(times.saturating_sub(1));
    PASSES.saturating_add(more).min(PASSES_MAX)
}

impl ServiceWatch {
    /// Forgets the trials of endpoints that are to have none any more.
    pub(super) fn forget_trials(&mut self) {
        for course in self.courses.values_mut() {
            let member = course.sent.as_ref().and_then(|s| self.members.get(&s.id));
            if member.and_then(triable_at).is_none() {
                course.sent = None;
            }
        }
    }

    /// Gives up the trials that hang, and grants those that are due.
    pub(super) fn run_trials(&mut self, now: Instant, actions: &mut VecDeque<Action>) {
        self.forget_trials();
        for (provider, course) in &mut self.courses {
            let sent = course.sent.as_ref().map(|sent| Arc::clone(&sent.id));
            let member = sent.and_then(|id| self.members.get_mut(&id));
            let hangs = |member: &&mut Subject| course.fails_at(member).is_some_and(|at| at <= now);
            if let Some(member) = member.filter(hangs) {
                let failed = TrialTotals {
                    failed: 1,
                    ..TrialTotals::default()
                };
                member.tried(now, &failed);
                course.settle(now, false, member.policy(), actions);
            }
            let may_be_tried = |member: &&Subject| {
                member.watched.provider == *provider
                    && triable_at(member).is_some_and(|at| at <= now)
            };
            if course.sent.is_some() || course.next > now || course.tries < TRIES_PER_TRIAL {
                continue;
            }
            let mut those = self.members.values().filter(may_be_tried);
            let first = those.next();
            let after =
                |member: &&Subject| course.last.as_ref().is_none_or(|last| member.id > *last);
            let next = first.into_iter().chain(those).find(after).or(first);
            if let Some(member) = next {
                course.last = Some(Arc::clone(&member.id));
                course.sent = Some(Sent {
                    id: Arc::clone(&member.id),
                    begun: None,
                });
                course.tries = 0;
                actions.push_back(Action::Trial {
                    id: Arc::clone(&member.id),
                });
            }
        }
    }

    /// When the next trial is due, or hangs for too long.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = |(provider, course): (&ProviderName, &Course)| {
            if let Some(sent) = &course.sent {
                let member = self.members.get(&sent.id);
                return member.and_then(|member| course.fails_at(member));
            }
            let those = self
                .members
                .values()
                .filter(|member| member.watched.provider == *provider);
            let soonest = those.filter_map(triable_at).min()?;
            (course.tries >= TRIES_PER_TRIAL).then(|| soonest.max(course.next))
        };
        self.courses.iter().filter_map(due).min()
    }
}

/// From when on an endpoint may be tried; `None`: not now, whenever.
fn triable_at(member: &Subject) -> Option<Instant> {
    let out = member.out.as_ref().filter(|_| member.is_candidate())?;
    Some(out.hold_until)
}
