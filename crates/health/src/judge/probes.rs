//! What is checked when. A probe is one check that is made again and again, for all endpoints that it says something about:
//! those with the same address, name, roots and policy are one target, however many services use it, and are asked once.
//! An agent beside an endpoint is asked by a probe of its own, in the same way.
//! It decides nothing about verdicts. It must never have two checks of one probe under way, and be in the queue exactly
//! when it is due.
//!
//! Who belongs to which probe is told as a whole, by [`regroup`](Probes::regroup). A probe whose policy changed goes on: what
//! is due or under way stays so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bascule_model::{EndpointId, Instant, Rng};

use super::probe::Probe;
use super::task::{ProbeKey, Sharers, Task};
use super::{CheckNumber, START_SPACING_MAX};
use crate::CheckResult;

/// The number of a probe, as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProbeNumber(u64);

/// All probes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Probes {
    rng: Rng,
    by_key: BTreeMap<ProbeKey, ProbeNumber>,
    pub(super) probes: BTreeMap<ProbeNumber, Probe>,
    /// The checks of endpoints.
    checks: BTreeMap<Arc<EndpointId>, ProbeNumber>,
    /// The questions to their agents.
    agents: BTreeMap<Arc<EndpointId>, ProbeNumber>,
    /// Which probe is due when, the next first.
    queue: BTreeSet<(Instant, ProbeNumber)>,
    under_way: BTreeMap<CheckNumber, ProbeNumber>,
    probes_ever: u64,
    checks_ever: u64,
}

/// A check to start.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Start {
    pub(super) check: CheckNumber,
    pub(super) id: Arc<EndpointId>,
    pub(super) task: Task,
}

impl Probes {
    pub(super) const fn new(rng: Rng) -> Self {
        Self {
            rng,
            by_key: BTreeMap::new(),
            probes: BTreeMap::new(),
            checks: BTreeMap::new(),
            agents: BTreeMap::new(),
            queue: BTreeSet::new(),
            under_way: BTreeMap::new(),
            probes_ever: 0,
            checks_ever: 0,
        }
    }

    /// Makes these the probes, with these groups. `hurried` says whether an endpoint wants the fast interval.
    pub(super) fn regroup(
        &mut self,
        now: Instant,
        groups: BTreeMap<ProbeKey, Sharers>,
        hurried: impl Fn(&EndpointId) -> bool,
    ) {
        let mut before = std::mem::take(&mut self.by_key);
        let (mut heirless, mut starting) = (Vec::new(), Vec::new());
        for (key, group) in groups {
            match before.remove(&key) {
                Some(number) => starting.extend(self.keep(key, number, group)),
                None => heirless.push((key, group)),
            }
        }
        // What is left has no group by its old key; it goes on under the first new key with one of its members.
        let mut left: BTreeSet<ProbeNumber> = before.into_values().collect();
        for (key, group) in heirless {
            let task = key.task();
            let of = self.of(&task);
            let was = |id: &Arc<EndpointId>| of.get(id).copied();
            let heir = group.all().filter_map(was).find(|n| left.contains(n));
            match heir {
                Some(number) => {
                    left.remove(&number);
                    let hurry = group.members.iter().any(|id| hurried(id));
                    starting.extend(self.keep(key, number, group));
                    self.change(now, number, task, hurry);
                }
                None => starting.extend(self.add(key, group)),
            }
        }
        left.into_iter().for_each(|number| self.remove(number));
        self.checks.clear();
        self.agents.clear();
        for (number, probe) in &self.probes {
            let of = match probe.task {
                Task::Check(_) => &mut self.checks,
                Task::Agent(_) => &mut self.agents,
            };
            let ids = probe.members.iter().chain(&probe.resting);
            of.extend(ids.map(|id| (Arc::clone(id), *number)));
        }
        self.start(now, &starting);
    }

    /// Whose probes of this kind are which.
    const fn of(&self, task: &Task) -> &BTreeMap<Arc<EndpointId>, ProbeNumber> {
        match task {
            Task::Check(_) => &self.checks,
            Task::Agent(_) => &self.agents,
        }
    }

    /// Traffic failed at a member: brings the next check forward to now, or to when traffic may next cause one.
    pub(super) fn traffic_failed(&mut self, now: Instant, id: &EndpointId) {
        if let Some(number) = self.checks.get(id).copied() {
            self.hasten(now, number);
        }
    }

    /// Traffic got no answer from a member: as [`traffic_failed`](Self::traffic_failed), and that check has little time.
    pub(super) fn traffic_silent(&mut self, now: Instant, id: &EndpointId) {
        let number = self.checks.get(id);
        if let Some(probe) = number.and_then(|number| self.probes.get_mut(number)) {
            probe.hurried = true;
        }
        self.traffic_failed(now, id);
    }

    fn hasten(&mut self, now: Instant, number: ProbeNumber) {
        let Some(probe) = self.probes.get_mut(&number) else {
            return;
        };
        let Some(due) = probe.due else {
            probe.suspected = true;
            return;
        };
        let fast = probe.interval_fast();
        let allowed = probe.traffic_check_at.map_or(now, |at| now.max(at + fast));
        if allowed < due {
            self.schedule(number, allowed, true);
        }
    }

    /// The members of the probe that this check belongs to; none when it belongs to nobody any more.
    pub(super) fn members(&self, check: CheckNumber) -> &[Arc<EndpointId>] {
        let number = self.under_way.get(&check);
        let probe = number.and_then(|number| self.probes.get(number));
        probe.map_or(&[], |probe| &probe.members)
    }

    /// Whether a result of this check is still waited for, be it by nobody for the moment.
    pub(super) fn is_awaited(&self, check: CheckNumber) -> bool {
        self.under_way.contains_key(&check)
    }

    /// A check or a question ended, and its members have its result: the next is due.
    pub(super) fn ended(
        &mut self,
        now: Instant,
        check: CheckNumber,
        result: Option<CheckResult>,
        hurry: bool,
    ) {
        let Some(number) = self.under_way.remove(&check) else {
            return;
        };
        let Some(probe) = self.probes.get_mut(&number) else {
            return;
        };
        let started = probe.ended(now, result);
        if probe.members.is_empty() {
            return;
        }
        let next = started + probe.wait(hurry);
        let suspected = std::mem::take(&mut probe.suspected);
        self.schedule(number, next.max(now), false);
        if suspected {
            self.hasten(now, number);
        }
    }

    /// The next check that is due; it is under way from now on.
    pub(super) fn fire(&mut self, now: Instant) -> Option<Start> {
        let (_, number) = self.queue.first().copied().filter(|(due, _)| *due <= now)?;
        self.queue.pop_first();
        let probe = self.probes.get_mut(&number)?;
        probe.due = None;
        if std::mem::take(&mut probe.due_by_traffic) {
            probe.traffic_check_at = Some(now);
        }
        self.checks_ever += 1;
        let check = CheckNumber(self.checks_ever);
        probe.under_way = Some((check, now));
        self.under_way.insert(check, number);
        Some(Start {
            check,
            id: Arc::clone(probe.members.first()?),
            task: probe.task_now(),
        })
    }

    pub(super) fn due_next(&self) -> Option<Instant> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// A probe goes on with this group; its number if its checks must be started again.
    fn keep(&mut self, key: ProbeKey, number: ProbeNumber, group: Sharers) -> Option<ProbeNumber> {
        let probe = self.probes.get_mut(&number)?;
        (probe.members, probe.resting) = (group.members, group.resting);
        self.by_key.insert(key, number);
        if !probe.members.is_empty() {
            return (probe.due.is_none() && probe.under_way.is_none()).then_some(number);
        }
        (probe.suspected, probe.hurried) = (false, false);
        if let Some(due) = probe.due.take() {
            self.queue.remove(&(due, number));
        }
        None
    }

    /// A probe goes on with another policy: its next check is as soon as either wants it.
    fn change(&mut self, now: Instant, number: ProbeNumber, task: Task, hurry: bool) {
        let Some(probe) = self.probes.get_mut(&number) else {
            return;
        };
        if probe.task == task {
            return;
        }
        probe.adapt(task);
        let soonest = now + probe.wait(hurry);
        if let Some(due) = probe.due {
            let by_traffic = probe.due_by_traffic && due <= soonest;
            self.schedule(number, due.min(soonest), by_traffic);
        }
    }

    /// A new probe; its number if there is anybody to check.
    fn add(&mut self, key: ProbeKey, group: Sharers) -> Option<ProbeNumber> {
        let starts = !group.members.is_empty();
        self.probes_ever += 1;
        let number = ProbeNumber(self.probes_ever);
        let rng = self.rng.fork(&format!("{key:?}"));
        let probe = Probe::new(&key, group, rng);
        self.probes.insert(number, probe);
        self.by_key.insert(key, number);
        starts.then_some(number)
    }

    fn remove(&mut self, number: ProbeNumber) {
        let Some(probe) = self.probes.remove(&number) else {
            return;
        };
        if let Some(due) = probe.due {
            self.queue.remove(&(due, number));
        }
        if let Some((check, _)) = probe.under_way {
            self.under_way.remove(&check);
        }
    }

    /// Gives new probes the times of their first checks: evenly over the interval, or closer.
    fn start(&mut self, now: Instant, numbers: &[ProbeNumber]) {
        let count = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        for (place, number) in (0_u32..).zip(numbers) {
            if let Some(probe) = self.probes.get(number) {
                let spacing = (probe.task.interval() / count.max(1)).min(START_SPACING_MAX);
                self.schedule(*number, now + spacing * place, false);
            }
        }
    }

    fn schedule(&mut self, number: ProbeNumber, due: Instant, by_traffic: bool) {
        if let Some(probe) = self.probes.get_mut(&number) {
            if let Some(before) = probe.due.replace(due) {
                self.queue.remove(&(before, number));
            }
            probe.due_by_traffic = by_traffic;
            self.queue.insert((due, number));
        }
    }

    /// Fails in debug builds when it contradicts itself.
    pub(super) fn check_invariants(&self) {
        for (number, probe) in &self.probes {
            let is_resting = probe.members.is_empty();
            debug_assert!(
                (probe.due.is_some() != probe.under_way.is_some())
                    || (is_resting && probe.due.is_none()),
                "either one check is under way or one is due, if anybody is checked"
            );
            debug_assert!(
                probe
                    .due
                    .is_none_or(|due| self.queue.contains(&(due, *number))),
                "due and not queued"
            );
        }
        let due = self.probes.values().filter(|p| p.due.is_some()).count();
        let sizes = self.probes.values();
        let members: usize = sizes.map(|p| p.members.len() + p.resting.len()).sum();
        debug_assert!(due == self.queue.len(), "the queue holds what is not due");
        let told = self.checks.len() + self.agents.len();
        debug_assert!(members == told, "an endpoint has two probes of a kind");
        debug_assert!(self.by_key.len() == self.probes.len());
        let open = self.probes.values().filter(|p| p.under_way.is_some());
        debug_assert!(open.count() == self.under_way.len());
    }
}
