//! From endpoints to backends and providers: one state for each, with counts and reasons, for status and people. What
//! an edge does with requests is not decided here (`traffic::effective` counts endpoints itself). It must never let a
//! worse endpoint make its group look better.

use std::collections::BTreeMap;
use std::fmt;

use bascule_model::{
    AdminState, BackendName, EndpointId, ObservedState, ProviderName, ServiceName,
};

use crate::{Reason, Report};

/// Endpoints down from which on "many" is said of a provider: one is an accident of that endpoint.
pub const MANY_DOWN_MIN: usize = 2;

/// One endpoint and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Which.
    pub id: EndpointId,
    /// Who runs it.
    pub provider: ProviderName,
    /// What people want of it: the strictest of its own state, its backend's and its provider's.
    pub admin: AdminState,
}

/// The verdicts on all groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fused {
    /// By backend.
    pub backends: BTreeMap<(ServiceName, BackendName), Group>,
    /// By provider, over all services.
    pub providers: BTreeMap<ProviderName, Group>,
}

/// The verdict on a backend or a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Of the endpoints that are checked: up when all are; degraded when some are; else unknown while one is; else down.
    /// Unknown when none is checked.
    pub state: ObservedState,
    /// Its endpoints, each counted once.
    pub counts: Counts,
    /// Why endpoints are down, with how many say so: most first, then by reason.
    pub reasons: Vec<(Reason, usize)>,
    /// What stands out; said of providers only.
    pub finding: Option<Finding>,
}

/// How many endpoints are in which state. One that a person took out counts there, whatever is seen of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ready and up.
    pub up: usize,
    /// Ready and down.
    pub down: usize,
    /// Ready and not yet known.
    pub unknown: usize,
    /// Set to drain.
    pub drain: usize,
    /// Set to maint.
    pub maint: usize,
    /// Set to offline.
    pub offline: usize,
}

/// Something about a provider that single endpoints do not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// At least half of a provider's checked endpoints, and at least [`MANY_DOWN_MIN`], are down: suspect the provider.
    ManyDown {
        /// How many.
        down: usize,
        /// Of how many that are checked.
        checked: usize,
        /// What most of them say.
        reason: Option<Reason>,
    },
}

impl fmt::Display for Finding {
    /// `4 of 5 endpoints down (timeout)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::ManyDown {
            down,
            checked,
            reason,
        } = self;
        write!(f, "{down} of {checked} endpoints down")?;
        match reason {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}

impl Counts {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.up + self.down + self.unknown + self.drain + self.maint + self.offline
    }

    /// Each state's word and count, as metrics and tables list them.
    #[must_use]
    pub const fn by_state(&self) -> [(&'static str, usize); 6] {
        [
            (ObservedState::Up.as_str(), self.up),
            (ObservedState::Down.as_str(), self.down),
            (ObservedState::Unknown.as_str(), self.unknown),
            (AdminState::Drain.as_str(), self.drain),
            (AdminState::Maint.as_str(), self.maint),
            (AdminState::Offline.as_str(), self.offline),
        ]
    }
}

/// Gathers while endpoints are seen.
#[derive(Debug, Default)]
struct Tally {
    counts: Counts,
    /// Of the checked ones (ready or drain).
    up: usize,
    down: usize,
    unknown: usize,
    reasons: BTreeMap<Reason, usize>,
}

impl Tally {
    fn add(&mut self, admin: AdminState, state: ObservedState, reason: Option<Reason>) {
        let counted = match (admin, state) {
            (AdminState::Drain, _) => &mut self.counts.drain,
            (AdminState::Maint, _) => &mut self.counts.maint,
            (AdminState::Offline, _) => &mut self.counts.offline,
            (AdminState::Ready, ObservedState::Up | ObservedState::Degraded) => &mut self.counts.up,
            (AdminState::Ready, ObservedState::Unknown) => &mut self.counts.unknown,
            (AdminState::Ready, ObservedState::Down) => &mut self.counts.down,
        };
        *counted += 1;
        if !admin.is_checked() {
            return;
        }
        match state {
            ObservedState::Up | ObservedState::Degraded => self.up += 1,
            ObservedState::Unknown => self.unknown += 1,
            ObservedState::Down => {
                self.down += 1;
                if let Some(reason) = reason {
                    *self.reasons.entry(reason).or_default() += 1;
                }
            }
        }
    }

    fn state(&self) -> ObservedState {
        match (self.up, self.unknown, self.down) {
            (0, 0, 0) => ObservedState::Unknown,
            (0, 0, _) => ObservedState::Down,
            (0, _, _) => ObservedState::Unknown,
            (_, 0, 0) => ObservedState::Up,
            (_, _, _) => ObservedState::Degraded,
        }
    }

    fn group(self) -> Group {
        let state = self.state();
        let mut reasons: Vec<(Reason, usize)> = self.reasons.into_iter().collect();
        reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
        Group {
            state,
            counts: self.counts,
            reasons,
            finding: None,
        }
    }

    fn provider_group(self) -> Group {
        let (down, checked) = (self.down, self.up + self.unknown + self.down);
        let mut group = self.group();
        if down >= MANY_DOWN_MIN && down * 2 >= checked {
            group.finding = Some(Finding::ManyDown {
                down,
                checked,
                reason: group.reasons.first().map(|(reason, _)| *reason),
            });
        }
        group
    }
}

/// The verdicts on all backends and providers that have an endpoint in `endpoints`. One that the report does not know is
/// unknown.
#[must_use]
pub fn fuse(endpoints: &[Placed], report: &Report) -> Fused {
    let mut backends: BTreeMap<(ServiceName, BackendName), Tally> = BTreeMap::new();
    let mut providers: BTreeMap<ProviderName, Tally> = BTreeMap::new();
    for placed in endpoints {
        let verdict = report.endpoints.get(&placed.id);
        let state = verdict.map_or(ObservedState::Unknown, |verdict| verdict.state);
        let reason = verdict.and_then(|verdict| verdict.reasons.first().copied());
        let backend = (placed.id.service.clone(), placed.id.backend.clone());
        for tally in [
            backends.entry(backend).or_default(),
            providers.entry(placed.provider.clone()).or_default(),
        ] {
            tally.add(placed.admin, state, reason);
        }
    }
    Fused {
        backends: backends
            .into_iter()
            .map(|(name, tally)| (name, tally.group()))
            .collect(),
        providers: providers
            .into_iter()
            .map(|(name, tally)| (name, tally.provider_group()))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
