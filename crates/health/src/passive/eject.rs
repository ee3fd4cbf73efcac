//! Who is taken out. An offence alone is not enough: there must be a place that does better and stays in, and room under the
//! cap. First the providers, whose endpoints fail together, then single endpoints, the worst first.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bascule_model::{EndpointId, Instant, ProviderName};

use super::offence::{Bar, Leniency, Offence, is_better, is_much};
use super::service::{ServiceWatch, ejection};
use super::subject::{Out, Subject};
use super::window::{Horizon, Seen};
use super::{Action, OutlierPolicy, ProviderFails};

/// Endpoints of a provider that must fail before it is said of the provider.
const TOGETHER_MIN: usize = 2;

/// What those that others may be measured by do together, over each horizon.
#[derive(Debug, Default)]
struct Measure([Seen; Horizon::ALL.len()]);

impl Measure {
    fn over(&self, horizon: Horizon) -> Seen {
        self.0.get(horizon as usize).copied().unwrap_or_default()
    }

    /// Without these members.
    fn without<'a>(&self, now: Instant, members: impl Iterator<Item = &'a Subject>) -> Self {
        let mut rest = Self(self.0);
        for member in members.filter(|member| member.is_measure(now)) {
            for (sum, horizon) in rest.0.iter_mut().zip(Horizon::ALL) {
                *sum = sum.without(&member.window.over(horizon));
            }
        }
        rest
    }
}

impl ServiceWatch {
    /// Takes out what fails.
    pub(super) fn eject_failing(&mut self, now: Instant, actions: &mut VecDeque<Action>) {
        if !self.members.values().any(is_accused) {
            return;
        }
        let accused = self.members.values().filter(|member| is_accused(member));
        let provider = |member: &Subject| member.watched.provider.clone();
        let providers: BTreeSet<ProviderName> = accused.map(provider).collect();
        let all = self.measure(now);
        for provider in &providers {
            self.eject_provider(now, &all, provider, actions);
        }
        // Whoever went by that is no measure any more.
        let all = self.measure(now);
        let accused = self.members.values().filter(|member| is_accused(member));
        let case = |member: &Subject| {
            let offence = self.failing(now, &all, member)?;
            Some((Arc::clone(&member.id), offence))
        };
        let mut cases: Vec<(Arc<EndpointId>, Offence)> = accused.filter_map(case).collect();
        cases.sort_by_key(|(_, offence)| std::cmp::Reverse(gravity(*offence)));
        for (id, offence) in cases {
            self.eject(now, &id, offence, false, actions);
        }
        for provider in &providers {
            self.join(provider, actions);
        }
    }

    /// Endpoints of a provider that went one after the other for failing, but at least half of it by now, are one thing to say
    /// as well, and come back by each other's trials.
    fn join(&mut self, provider: &ProviderName, actions: &mut VecDeque<Action>) {
        let is_of = |member: &Subject| member.watched.provider == *provider;
        let of = self.members.values().filter(|member| is_of(member)).count();
        let mut failing: Vec<(&Arc<EndpointId>, &mut Out)> = Vec::new();
        for member in self.members.values_mut().filter(|member| is_of(member)) {
            let out = member.out.as_mut();
            if let Some(out) = out.filter(|out| matches!(out.offence, Offence::Failing { .. })) {
                failing.push((&member.id, out));
            }
        }
        let together = failing.iter().all(|(_, out)| out.with_provider);
        if together || failing.len() < TOGETHER_MIN || failing.len() * 2 < of {
            return;
        }
        let (mut worst, mut failed_sum, mut tries_sum) = (None, 0, 0);
        for (_, out) in &mut failing {
            out.with_provider = true;
            if let Offence::Failing {
                class,
                failed,
                tries,
            } = out.offence
            {
                worst = worst.max(Some((failed, class)));
                failed_sum += failed;
                tries_sum += tries;
            }
        }
        let endpoints: Vec<_> = failing.iter().map(|(id, _)| Arc::clone(id)).collect();
        if let (Some((_, class)), Some(first)) = (worst, endpoints.first()) {
            actions.push_back(Action::ProviderFails(ProviderFails {
                service: first.service.clone(),
                provider: provider.clone(),
                offence: Offence::Failing {
                    class,
                    failed: failed_sum,
                    tries: tries_sum,
                },
                endpoints,
                of,
            }));
        }
    }

    /// Takes out what is slow.
    pub(super) fn eject_slow(&mut self, now: Instant, actions: &mut VecDeque<Action>) {
        let all = self.measure(now);
        let slow = |member: &Subject| {
            let peers = all.without(now, std::iter::once(member));
            let case = member.case(now);
            let mut horizons = [Horizon::Second, Horizon::Ten].into_iter();
            let offence = horizons.find_map(|h| case.slow(h, &peers.over(h)))?;
            let mut others = self.members.values().filter(|other| other.id != member.id);
            let is_better = |other: &Subject| other.is_measure(now) && !other.is_failing(now);
            let found = others.any(is_better);
            found.then(|| (Arc::clone(&member.id), offence))
        };
        let judged = |member: &&Subject| member.is_in() && member.policy().enabled;
        let members = self.members.values().filter(judged);
        let cases: Vec<_> = members.filter_map(slow).collect();
        for (id, offence) in cases {
            self.eject(now, &id, offence, false, actions);
        }
    }

    fn measure(&self, now: Instant) -> Measure {
        let mut all = Measure::default();
        for member in self.members.values().filter(|m| m.is_measure(now)) {
            for (sum, horizon) in all.0.iter_mut().zip(Horizon::ALL) {
                sum.add(&member.window.over(horizon));
            }
        }
        all
    }

    /// What speaks for taking one endpoint out, where another does better.
    fn failing(&self, now: Instant, all: &Measure, member: &Subject) -> Option<Offence> {
        if !member.policy().enabled {
            return None;
        }
        let case = member.case(now);
        let peers = all.without(now, std::iter::once(member));
        let others = |other: &Subject| other.id != member.id;
        let better = |horizon, seen: &Seen| self.has_better(now, horizon, seen, others);
        let run = case.run(&peers.over(Horizon::Ten));
        let run = run.filter(|_| better(Horizon::Second, &member.run));
        run.or_else(|| {
            Horizon::ALL.into_iter().find_map(|horizon| {
                let offence = case.rate(horizon, &peers.over(horizon));
                offence.filter(|_| better(horizon, &member.window.over(horizon)))
            })
        })
    }

    /// Whether an endpoint that stays in does better than what was seen: it fails at most a third as often, and does not
    /// fail just now. One that had no requests may.
    fn has_better(
        &self,
        now: Instant,
        horizon: Horizon,
        seen: &Seen,
        among: impl Fn(&Subject) -> bool,
    ) -> bool {
        let is_better = |other: &Subject| {
            among(other)
                && other.is_measure(now)
                && !other.is_failing(now)
                && is_better(&other.window.over(horizon), seen)
        };
        self.members.values().any(is_better)
    }

    /// Takes out the endpoints of a provider that fail together, each with fewer failures than it would need alone.
    fn eject_provider(
        &mut self,
        now: Instant,
        all: &Measure,
        provider: &ProviderName,
        actions: &mut VecDeque<Action>,
    ) {
        let is_of = |member: &Subject| member.watched.provider == *provider;
        let Some((offence, guilty)) = self.failing_together(now, all, provider) else {
            return;
        };
        let of = self.members.values().filter(|member| is_of(member)).count();
        let mut endpoints = Vec::with_capacity(guilty.len());
        for id in guilty {
            if self.eject(now, &id, offence, true, actions) {
                endpoints.push(id);
            }
        }
        let Some(service) = endpoints.first().map(|id| id.service.clone()) else {
            return;
        };
        actions.push_back(Action::ProviderFails(ProviderFails {
            service,
            provider: provider.clone(),
            offence,
            endpoints,
            of,
        }));
    }

    /// Endpoints of a provider that fail together, at least half of it, while another provider does better.
    fn failing_together(
        &self,
        now: Instant,
        all: &Measure,
        provider: &ProviderName,
    ) -> Option<(Offence, Vec<Arc<EndpointId>>)> {
        let elsewhere = |other: &Subject| other.watched.provider != *provider;
        let members = || self.members.values().filter(|m| !elsewhere(m) && m.is_in());
        let policy: OutlierPolicy = *members().next()?.policy();
        if !policy.enabled {
            return None;
        }
        let bar = Bar::of(Leniency::Usual, &policy);
        let own = self.members.values().filter(|m| !elsewhere(m));
        let peers = all.without(now, own);
        let better = |horizon, seen: &Seen| self.has_better(now, horizon, seen, elsewhere);
        let is_many = |guilty: &[&Subject]| {
            guilty.len() >= TOGETHER_MIN && guilty.len() * 2 >= members().count()
        };
        let found = |offence, guilty: &[&Subject]| {
            let ids = guilty.iter().map(|member| Arc::clone(&member.id));
            Some((offence, ids.collect()))
        };

        let in_a_row: Vec<&Subject> = members().filter(|m| m.run.failed() > 0).collect();
        let idle = |m: &Subject| m.window.over(Horizon::Second).tries() == 0;
        if is_many(&in_a_row) && members().all(|m| m.run.failed() > 0 || idle(m)) {
            let run = sum_of(&in_a_row, |m| m.run);
            let usual = sum_of(&in_a_row, |m| {
                m.window.over(Horizon::Minute).without(&m.run)
            });
            let peers = peers.over(Horizon::Ten);
            if bar.is_run(&run, &usual, &peers) && better(Horizon::Second, &run) {
                return found(Offence::failing(&run), &in_a_row);
            }
        }
        let mut horizons = [Horizon::Second, Horizon::Ten].into_iter();
        horizons.find_map(|horizon| {
            let is_guilty = |m: &&Subject| is_much(&m.window.over(horizon), &policy);
            let guilty: Vec<&Subject> = members().filter(is_guilty).collect();
            let seen = sum_of(&guilty, |m| m.window.over(horizon));
            let usual = sum_of(&guilty, |m| m.window.before(horizon));
            if is_many(&guilty)
                && bar.is_rate(&seen, &usual, &peers.over(horizon))
                && better(horizon, &seen)
            {
                return found(Offence::failing(&seen), &guilty);
            }
            None
        })
    }

    /// Takes an endpoint out, if there is room for it; whether it did.
    fn eject(
        &mut self,
        now: Instant,
        id: &EndpointId,
        offence: Offence,
        with_provider: bool,
        actions: &mut VecDeque<Action>,
    ) -> bool {
        if self.out_now() >= self.allowed() {
            return false;
        }
        let Some(member) = self.members.get_mut(id).filter(|member| member.is_in()) else {
            return false;
        };
        member.eject(now, offence, with_provider);
        let provider = member.watched.provider.clone();
        if let Some(ejection) = ejection(member) {
            let id = Arc::clone(&member.id);
            actions.push_back(Action::Ejected { id, ejection });
        }
        self.courses.entry(provider).or_default().start_over();
        true
    }
}

fn sum_of(members: &[&Subject], seen: impl Fn(&Subject) -> Seen) -> Seen {
    let mut sum = Seen::default();
    members.iter().for_each(|member| sum.add(&seen(member)));
    sum
}

/// Whether something failed that may speak against it.
fn is_accused(member: &Subject) -> bool {
    let failed_now = member.window.over(Horizon::Second).failed() > 0;
    member.is_in() && (failed_now || member.run.failed() > 0)
}

/// The larger the part that failed the worse; of equals, the more.
fn gravity(offence: Offence) -> (u64, u64) {
    match offence {
        Offence::Failing { failed, tries, .. } => {
            (failed.saturating_mul(10_000) / tries.max(1), failed)
        }
        Offence::Slow { millis, .. } => (0, millis),
    }
}
