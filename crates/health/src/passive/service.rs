//! The endpoints of one service together, as whether one is taken out depends on the others. The order of a look: what is
//! new ([`take`](ServiceWatch::take)), then, for all of them, whether checks are believed ([`super::doubt`]), who is taken
//! out ([`super::eject`]), who is put back, that not too many are out, and which trials are due ([`super::course`]).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{EndpointId, EndpointTotals, Instant, ObservedState, ProviderName};

use super::course::Course;
use super::subject::{Checks, Subject};
use super::{Action, Ejection, OutlierPolicy, Sight, Watched};

/// How often answers are looked at for being slow.
const SLOW_EVERY: Duration = Duration::from_secs(1);

/// One service.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ServiceWatch {
    pub(super) members: BTreeMap<Arc<EndpointId>, Subject>,
    /// The trials of each provider's endpoints.
    pub(super) courses: BTreeMap<ProviderName, Course>,
    /// Its checks are not believed.
    pub(super) doubted: bool,
    /// Since when checks that were doubted pass one after the other.
    pub(super) mends_since: Option<Instant>,
    /// When answers are next looked at for being slow.
    slow_at: Instant,
}

impl ServiceWatch {
    pub(super) fn set_targets(
        &mut self,
        now: Instant,
        targets: Vec<Watched>,
        actions: &mut VecDeque<Action>,
    ) {
        let mut known = std::mem::take(&mut self.members);
        for watched in targets {
            let member = match known.remove(&watched.id) {
                Some(mut member) => {
                    member.watched = watched;
                    member
                }
                None => Subject::new(now, watched),
            };
            self.members.insert(Arc::clone(&member.id), member);
        }
        for member in self.members.values_mut() {
            // A person's word is a new beginning, whichever way.
            if !member.policy().enabled || !member.watched.takes_new {
                let course = self.courses.get(&member.watched.provider);
                put_back(member, course, now, actions);
            }
        }
        let members = &self.members;
        self.courses.retain(|provider, _| {
            let mut providers = members.values().map(|member| &member.watched.provider);
            providers.any(|known| known == provider)
        });
        self.believe(now, actions);
        self.keep_cap(now, actions);
        self.forget_trials();
    }

    /// What is out of date goes.
    pub(super) fn advance(&mut self, now: Instant) {
        for member in self.members.values_mut() {
            member.window.advance(now);
        }
    }

    /// Takes the totals of one endpoint.
    pub(super) fn take(
        &mut self,
        now: Instant,
        id: &EndpointId,
        totals: &EndpointTotals,
        actions: &mut VecDeque<Action>,
    ) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        let news = member.take(now, totals);
        for course in self.courses.values_mut() {
            course.seen(news.tries);
        }
        if let Some(course) = self.courses.get_mut(&member.watched.provider) {
            course.tried(now, member, &news.trials, actions);
        }
    }

    /// Takes what its checks say of an endpoint.
    pub(super) fn checked(
        &mut self,
        now: Instant,
        id: &EndpointId,
        state: ObservedState,
        began: Instant,
        actions: &mut VecDeque<Action>,
    ) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        let came_back = member.checks.state == ObservedState::Down && state.is_usable();
        member.checks = Checks {
            state,
            since: now,
            began,
        };
        // What failed before its checks brought it back is in their verdict, and says nothing of it now.
        if came_back && member.out.is_none() {
            member.forget_recent(now);
        }
        if let Some(out) = member.out.as_mut().filter(|_| came_back) {
            out.checks_came_back = true;
            out.hold_until = now;
            let provider = &member.watched.provider;
            self.courses.entry(provider.clone()).or_default().hurry(now);
        }
        self.believe(now, actions);
        self.keep_cap(now, actions);
        self.run_trials(now, actions);
    }

    /// Takes whether its agent takes an endpoint out. That undoes nothing that traffic did: it waits for its trials.
    pub(super) fn agent_takes_out(
        &mut self,
        now: Instant,
        id: &EndpointId,
        out: bool,
        actions: &mut VecDeque<Action>,
    ) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        if std::mem::replace(&mut member.out_by_agent, out) == out {
            return;
        }
        // What failed before its agent let it come back says nothing of it now.
        if !out && member.out.is_none() {
            member.forget_recent(now);
        }
        self.believe(now, actions);
        self.keep_cap(now, actions);
        self.run_trials(now, actions);
    }

    /// Decides, after all totals were taken.
    pub(super) fn decide(&mut self, now: Instant, actions: &mut VecDeque<Action>) {
        self.believe(now, actions);
        self.eject_failing(now, actions);
        if now >= self.slow_at {
            self.slow_at = now + SLOW_EVERY;
            self.eject_slow(now, actions);
        }
        self.put_back_those_that_passed(now, actions);
        self.keep_cap(now, actions);
        self.run_trials(now, actions);
    }

    fn put_back_those_that_passed(&mut self, now: Instant, actions: &mut VecDeque<Action>) {
        for member in self.members.values_mut() {
            let course = self.courses.get(&member.watched.provider);
            let (Some(out), Some(course)) = (&member.out, course) else {
                continue;
            };
            if course.is_passed(out, member.times) {
                put_back(member, Some(course), now, actions);
            }
        }
    }

    /// Puts endpoints back that the policy does not let be out, as others went: the most promising first.
    fn keep_cap(&mut self, now: Instant, actions: &mut VecDeque<Action>) {
        while self.out_now() > self.allowed() {
            let promise = |member: &&mut Subject| {
                let out = member.out.as_ref();
                let since = out.map(|out| out.since).unwrap_or_default();
                (out.map(|out| out.passed), std::cmp::Reverse(since))
            };
            let candidates = self.members.values_mut().filter(|m| m.is_candidate());
            let out = candidates.filter(|member| member.out.is_some());
            match out.max_by_key(promise) {
                Some(member) => {
                    let course = self.courses.get(&member.watched.provider);
                    put_back(member, course, now, actions);
                }
                None => return,
            }
        }
    }

    /// How many may be out at once.
    pub(super) fn allowed(&self) -> usize {
        let candidates = self.members.values().filter(|m| m.is_candidate());
        let policy = self.members.values().next().map(Subject::policy);
        policy.map_or(0, |policy| {
            OutlierPolicy::allowed(policy, candidates.count())
        })
    }

    /// How many of those that could get requests are out.
    pub(super) fn out_now(&self) -> usize {
        let candidates = self.members.values().filter(|m| m.is_candidate());
        candidates.filter(|member| member.out.is_some()).count()
    }

    pub(super) fn watches(&self) -> bool {
        self.members.values().any(|member| member.policy().enabled)
    }

    pub(super) fn sight(&self, id: &EndpointId) -> Sight {
        let Some(member) = self.members.get(id) else {
            return Sight::default();
        };
        Sight {
            ejection: ejection(member),
            held: member.held,
            returned_at: member.returned_at,
        }
    }

    pub(super) fn check_invariants(&self) {
        debug_assert!(self.out_now() <= self.allowed(), "more are out than may be");
        let held = || self.members.values().any(|member| member.held);
        debug_assert!(self.doubted || !held(), "held without doubt");
        debug_assert!(
            self.members
                .values()
                .all(|m| m.out.is_none() || m.policy().enabled),
            "out though traffic does not judge"
        );
    }
}

/// Puts an endpoint back, if it is out.
fn put_back(
    member: &mut Subject,
    course: Option<&Course>,
    now: Instant,
    actions: &mut VecDeque<Action>,
) {
    if let Some(out) = &member.out {
        let mended = course.and_then(|course| course.mended_since(out, member.policy()));
        actions.push_back(Action::Returned {
            id: Arc::clone(&member.id),
            after: now.since(out.since),
            trials: out.passed,
        });
        member.put_back(now, mended);
    }
}

/// How an endpoint that is out is told of.
pub(super) fn ejection(member: &Subject) -> Option<Ejection> {
    member.out.as_ref().map(|out| Ejection {
        offence: out.offence,
        with_provider: out.with_provider,
        since: out.since,
        times: member.times,
        trials_passed: out.passed,
    })
}
