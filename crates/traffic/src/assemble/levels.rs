//! The levels of an SRV name: its endpoints of one priority. Decides which level serves, as RFC 2782 has it: the lowest that
//! has an endpoint that is not down; the others stand in reserve, checked and ready. What has not been seen yet never takes
//! over from what is known to work, so that a record of a server that does not exist takes nothing away. A level that comes
//! back takes over by a ramp, and the one that served keeps the rest meanwhile. Pure: told the time.
//!
//! Why so: [decision 0021](../../../../docs/decisions/0021-srv-names.md).

use std::collections::BTreeMap;
use std::time::Duration;

use bascule_model::{BasisPoints, Instant, ObservedState};

use super::returns::{EndpointState, Ramp, Return};

/// What is remembered of the levels of one name.
#[derive(Debug, Default)]
pub(super) struct Levels {
    of: BTreeMap<u16, Level>,
    /// The one that serves, or takes over; of a name whose endpoints are all down the one that would.
    preferred: Option<u16>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Level {
    returned: Return,
    /// Endpoints that may get new work, and their weights by configuration.
    up: u64,
    weight: u64,
    /// One of these is known to work, or belonged to the level that served before.
    is_trusted: bool,
    /// One of its endpoints is taken out by nobody.
    is_open: bool,
}

impl Levels {
    /// Takes what is seen of all endpoints of the name: their priorities and states.
    pub(super) fn observe<'a>(
        &mut self,
        now: Instant,
        endpoints: impl Iterator<Item = (u16, &'a EndpointState)>,
    ) {
        let before = std::mem::take(&mut self.of);
        let mut members: BTreeMap<u16, Vec<&EndpointState>> = BTreeMap::new();
        for (priority, endpoint) in endpoints {
            members.entry(priority).or_default().push(endpoint);
        }
        for (priority, members) in members {
            let mut level = Level {
                returned: before
                    .get(&priority)
                    .map(|l| l.returned)
                    .unwrap_or_default(),
                ..Level::default()
            };
            members.iter().for_each(|endpoint| level.count(endpoint));
            level.returned.observe(now, members.into_iter());
            self.of.insert(priority, level);
        }
        let lowest = |fits: fn(&Level) -> bool| {
            let mut levels = self.of.iter();
            levels.find(|(_, level)| fits(level)).map(|(p, _)| *p)
        };
        self.preferred = lowest(|level| level.up > 0 && level.is_trusted)
            .or_else(|| lowest(|level| level.up > 0))
            .or_else(|| lowest(|level| level.is_open))
            .or_else(|| lowest(|_| true));
    }

    /// Whether this is the level that serves.
    pub(super) fn is_preferred(&self, priority: u16) -> bool {
        self.preferred == Some(priority)
    }

    /// When the level came back, where it was lost.
    pub(super) fn returned(&self, priority: u16) -> Option<Instant> {
        self.of.get(&priority)?.returned.at
    }

    /// What of its weight each endpoint of these levels may use now; nothing in all others. `backend`: when all of the
    /// backend came back, which has a ramp of its own. With it, when a ramp rises next.
    pub(super) fn parts(
        &self,
        backend: Option<Instant>,
        duration: Duration,
        now: Instant,
    ) -> (BTreeMap<u16, BasisPoints>, Option<Instant>) {
        let mut left = u64::from(BasisPoints::FULL.get());
        let mut step_at = None;
        let mut parts: Vec<(u16, &Level, u64)> = Vec::new();
        let from = self.preferred.unwrap_or_default();
        let able = |(priority, level): &(&u16, &Level)| {
            level.up > 0 && (level.is_trusted || self.is_preferred(**priority))
        };
        for (priority, level) in self.of.range(from..).filter(able) {
            let later = level.returned.at;
            let later = later.filter(|at| backend.is_none_or(|backend| *at > backend));
            let ramp = Ramp::at(later, duration, now);
            let part = left * u64::from(ramp.factor.get()) / u64::from(BasisPoints::FULL.get());
            parts.push((*priority, level, part));
            left -= part;
            if left == 0 {
                break;
            }
            step_at = step_at.into_iter().chain(ramp.step_at).min();
        }
        // Whoever comes last has nobody to wait for.
        if let Some((_, _, part)) = parts.last_mut() {
            *part += left;
        }
        let step_at = step_at.filter(|_| parts.len() > 1);
        let some = parts.iter().filter(|(_, _, part)| *part > 0);
        let lightest = some.map(|(_, level, _)| level.weight).min().unwrap_or(1);
        let of_each = |(priority, level, part): (u16, &Level, u64)| {
            // A level of many endpoints would drown one of few.
            let part = part * lightest / level.weight.max(1);
            let part = BasisPoints::saturating(u16::try_from(part).unwrap_or(u16::MAX));
            (priority, part)
        };
        (parts.into_iter().map(of_each).collect(), step_at)
    }
}

impl Level {
    fn count(&mut self, endpoint: &EndpointState) {
        self.is_open |= endpoint.admin.takes_new();
        if endpoint.is_up() {
            self.up += 1;
            self.weight += u64::from(endpoint.declared);
            self.is_trusted |= endpoint.observed != ObservedState::Unknown || endpoint.served;
        }
    }
}
