//! Who came back when: what the assembler must remember, since neither targets nor verdicts say it. A backend that had no
//! endpoint to give work to, and has one again, ramps as a whole; an endpoint that comes back to a backend with others
//! ramps inside it. What is seen for the first time does not ramp: a start is not a return.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{AdminState, BasisPoints, EndpointId, Instant, ObservedState, Scheme};

use super::known::Sight;
use super::levels::Levels;

/// How often a ramp rises. Between two steps it stands below the line, never above.
const STEP: Duration = Duration::from_millis(100);

/// An SRV name, and how its endpoints are spoken to.
type SrvName = (Scheme, Arc<str>);

/// What is remembered of a backend.
#[derive(Debug, Default)]
pub(super) struct BackendState {
    endpoints: BTreeMap<Arc<EndpointId>, EndpointState>,
    /// Of each SRV name.
    levels: BTreeMap<SrvName, Levels>,
    returned: Return,
}

/// What is remembered of some endpoints as one: a backend's, or those of one priority.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Return {
    /// When they last came back from being lost.
    pub(super) at: Option<Instant>,
    /// There are some, and none may get work.
    lost: bool,
    /// They have been looked at.
    seen: bool,
}

/// What is remembered of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EndpointState {
    /// What people want.
    pub(super) by_people: AdminState,
    /// The stricter of that and what its agent wants.
    pub(super) admin: AdminState,
    pub(super) observed: ObservedState,
    pub(super) declared: u32,
    /// Its priority among the endpoints of its SRV name.
    pub(super) priority: Option<u16>,
    /// It stands in reserve: another priority of its SRV name serves.
    pub(super) is_reserve: bool,
    /// It did not, when it was last looked at.
    pub(super) served: bool,
    pub(super) is_near: bool,
    /// How much of its part it can take, as its agent says.
    pub(super) weight: BasisPoints,
    /// When it last came back, by a verdict, a person or its agent.
    returned: Option<Instant>,
}

/// What of their weights the endpoints of each SRV name may use, by how it is spoken to and by priority; nothing where none
/// is said.
pub(super) type Parts<'a> = BTreeMap<(Scheme, &'a str), BTreeMap<u16, BasisPoints>>;

/// Where a ramp stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ramp {
    /// What it has come to.
    pub(super) factor: BasisPoints,
    /// When it rises next; `None` when it is full.
    pub(super) step_at: Option<Instant>,
}

impl EndpointState {
    /// Whether new work may go there.
    pub(super) const fn is_up(&self) -> bool {
        self.admin.takes_new() && self.observed.is_usable()
    }

    fn next(known: Option<&Self>, now: Instant, sight: &Sight) -> Self {
        let mut state = Self {
            by_people: sight.admin,
            admin: sight.admin.max(sight.health.agent),
            observed: sight.health.state,
            declared: sight.declared,
            priority: sight.priority,
            is_reserve: false,
            served: known.is_some_and(|known| !known.is_reserve),
            is_near: sight.is_near,
            weight: sight.health.weight,
            returned: known.and_then(|known| known.returned),
        };
        if !state.is_up() {
            return state;
        }
        state.returned = state.returned.max(sight.health.returned_at);
        if let Some(known) = known.filter(|known| !known.is_up()) {
            let by_admin = !known.admin.takes_new();
            // The verdict names its instant; where it does not, now is the best there is.
            if by_admin || sight.health.returned_at.is_none() {
                state.returned = Some(now);
            }
        }
        state
    }
}

impl BackendState {
    /// Takes what is wanted and seen of its endpoints now.
    pub(super) fn observe(&mut self, now: Instant, sights: Vec<Sight>) {
        let mut before = std::mem::take(&mut self.endpoints);
        for sight in sights {
            let known = before.remove_entry(&sight.id);
            let state = EndpointState::next(known.as_ref().map(|(_, state)| state), now, &sight);
            let id = known.map_or_else(|| Arc::new(sight.id), |(id, _)| id);
            self.endpoints.insert(id, state);
        }
        if self.endpoints.is_empty() {
            return;
        }
        self.returned.observe(now, self.endpoints.values());
        self.observe_levels(now);
    }

    /// Which priority of each SRV name serves.
    fn observe_levels(&mut self, now: Instant) {
        let mut names: BTreeMap<SrvName, Vec<(u16, &mut EndpointState)>> = BTreeMap::new();
        for (id, endpoint) in &mut self.endpoints {
            if let (Some(name), Some(priority)) = (&id.host, endpoint.priority) {
                let of_name = names.entry((id.scheme, Arc::clone(name))).or_default();
                of_name.push((priority, endpoint));
            }
        }
        self.levels.retain(|name, _| names.contains_key(name));
        for (name, mut endpoints) in names {
            let levels = self.levels.entry(name).or_default();
            levels.observe(now, endpoints.iter().map(|(priority, e)| (*priority, &**e)));
            for (priority, endpoint) in &mut endpoints {
                endpoint.is_reserve = !levels.is_preferred(*priority);
            }
        }
    }

    /// Its endpoints, ordered by id.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = (&Arc<EndpointId>, &EndpointState)> {
        self.endpoints.iter()
    }

    /// Those that the row counts on: all but those in reserve.
    pub(super) fn counted(&self) -> impl Iterator<Item = (&Arc<EndpointId>, &EndpointState)> {
        self.endpoints()
            .filter(|(_, endpoint)| !endpoint.is_reserve)
    }

    /// The weights of its endpoints that are up, in basis points.
    pub(super) fn up_weight(&self, duration: Duration, now: Instant) -> u64 {
        let up = self.counted().filter(|(_, endpoint)| endpoint.is_up());
        let ramps = up.map(|(id, endpoint)| self.ramp_of(id, endpoint, duration, now));
        ramps.map(|ramp| u64::from(ramp.factor.get())).sum()
    }

    /// What of their weights the endpoints of each SRV name may use now, by priority, and when that rises next.
    pub(super) fn parts(&self, duration: Duration, now: Instant) -> (Parts<'_>, Option<Instant>) {
        let mut parts = Parts::new();
        let mut step_at = None;
        for (name, levels) in &self.levels {
            let (of_name, step) = levels.parts(self.returned.at, duration, now);
            step_at = step_at.into_iter().chain(step).min();
            parts.insert((name.0, &*name.1), of_name);
        }
        (parts, step_at)
    }

    /// What part of their own its endpoints that are up can take, as their agents say; 0 to 1.
    pub(super) fn able(&self, duration: Duration, now: Instant) -> f64 {
        let up = self.counted().filter(|(_, endpoint)| endpoint.is_up());
        let (mut risen, mut able, mut plain, mut count) = (0.0, 0.0, 0.0, 0.0);
        for (id, endpoint) in up {
            let part = self.ramp_of(id, endpoint, duration, now).factor.ratio();
            risen += part;
            able += part * endpoint.weight.ratio();
            plain += endpoint.weight.ratio();
            count += 1.0;
        }
        // At the first moment of their ramps they have no weight yet.
        match (risen > 0.0, count > 0.0) {
            (true, _) => able / risen,
            (false, true) => plain / count,
            (false, false) => 1.0,
        }
    }

    /// Where the ramp of the backend stands.
    pub(super) fn ramp(&self, duration: Duration, now: Instant) -> Ramp {
        Ramp::at(self.returned.at, duration, now)
    }

    /// Where the ramp of one of its endpoints stands. One that brought the backend back, or the endpoints of its priority, does
    /// not ramp inside them.
    pub(super) fn ramp_of(
        &self,
        id: &EndpointId,
        endpoint: &EndpointState,
        duration: Duration,
        now: Instant,
    ) -> Ramp {
        let level = endpoint.priority.zip(id.host.as_ref());
        let level = level.and_then(|(priority, name)| {
            let levels = self.levels.get(&(id.scheme, Arc::clone(name)))?;
            levels.returned(priority)
        });
        let since = self.returned.at.max(level);
        let later = endpoint
            .returned
            .filter(|at| since.is_none_or(|since| *at > since));
        Ramp::at(later, duration, now)
    }
}

impl Return {
    /// Takes what is seen of the endpoints now.
    pub(super) fn observe<'a>(
        &mut self,
        now: Instant,
        endpoints: impl Iterator<Item = &'a EndpointState>,
    ) {
        let up = endpoints.filter(|state| state.is_up());
        let returned: Vec<Option<Instant>> = up.map(|state| state.returned).collect();
        let any_up = !returned.is_empty();
        if any_up && self.lost {
            self.at = returned.iter().map(|at| at.unwrap_or(now)).min();
        } else if any_up && !self.seen {
            // First seen with all that is up having returned: it was lost before we looked.
            let all: Option<Vec<Instant>> = returned.into_iter().collect();
            self.at = all.and_then(|instants| instants.into_iter().min());
        }
        self.lost = !any_up;
        self.seen = true;
    }
}

impl Ramp {
    const FULL: Self = Self {
        factor: BasisPoints::FULL,
        step_at: None,
    };

    /// A ramp that began at `start` and rises from nothing to full, in a straight line, for `duration`.
    pub(super) fn at(start: Option<Instant>, duration: Duration, now: Instant) -> Self {
        let Some(start) = start else {
            return Self::FULL;
        };
        let steps = now.since(start).as_millis() / STEP.as_millis();
        let risen = u32::try_from(steps).map_or(Duration::MAX, |steps| STEP.saturating_mul(steps));
        if risen >= duration {
            return Self::FULL;
        }
        let ratio = risen.as_nanos() * 10_000 / duration.as_nanos().max(1);
        Self {
            factor: BasisPoints::saturating(u16::try_from(ratio).unwrap_or(u16::MAX)),
            step_at: Some(start + risen + STEP),
        }
    }
}
