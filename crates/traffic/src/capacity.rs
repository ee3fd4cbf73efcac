//! What a backend can take and what a service brings, in three units: requests a second, sessions (requests in flight),
//! bits a second to clients. Decides how much of a service's demand fits: the tightest unit counts. Where nothing is
//! declared nothing is limited, and a unit that nothing is known of yet limits nothing. Judgements are in decision 0014;
//! [`demand`](crate::demand) measures, [`loss`](crate::loss) divides.

use bascule_model::BasisPoints;

/// How important a service's traffic is: where not all of it fits, what stands last is refused first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Class {
    /// What people notice within a second: refused last.
    Media,
    /// What starts and steers it. The default, so that one service can be marked above all others, or below.
    #[default]
    Signalling,
    /// What can wait: refused first.
    Bulk,
}

impl Class {
    /// The word in files, status and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::Signalling => "signalling",
            Self::Bulk => "bulk",
        }
    }

    /// How many times longer than the soonest possible return a client that was refused is asked to stay away.
    #[must_use]
    pub const fn patience(self) -> u32 {
        match self {
            Self::Media => 1,
            Self::Signalling => 2,
            Self::Bulk => 10,
        }
    }
}

/// A unit of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Requests a second.
    Requests,
    /// Requests in flight.
    Sessions,
    /// Bits a second to clients.
    Egress,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Requests, Self::Sessions, Self::Egress];

    /// The key in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Sessions => "sessions",
            Self::Egress => "egress",
        }
    }
}

/// What a backend can take from this edge, as declared. Edges do not know of each other: of N before the same backends each
/// has an Nth of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// Requests a second.
    pub requests: Option<u64>,
    /// Requests in flight.
    pub sessions: Option<u64>,
    /// Bits a second to clients.
    pub egress: Option<u64>,
}

impl Capacity {
    /// In one unit.
    #[must_use]
    pub const fn of(&self, unit: Unit) -> Option<u64> {
        match unit {
            Unit::Requests => self.requests,
            Unit::Sessions => self.sessions,
            Unit::Egress => self.egress,
        }
    }

    /// Whether there is any.
    #[must_use]
    pub fn is_declared(&self) -> bool {
        Unit::ALL.iter().any(|unit| self.of(*unit).is_some())
    }

    /// Of two declarations for the same machines the lesser, unit by unit.
    #[must_use]
    pub fn least(self, other: Self) -> Self {
        let least = |unit| self.of(unit).into_iter().chain(other.of(unit)).min();
        Self {
            requests: least(Unit::Requests),
            sessions: least(Unit::Sessions),
            egress: least(Unit::Egress),
        }
    }
}

/// What a service brings, or what of it goes to one place: what clients ask for, also where it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Demand {
    /// Requests a second.
    pub requests: f64,
    /// Requests in flight.
    pub sessions: f64,
    /// Bits a second to clients.
    pub egress: f64,
}

impl Demand {
    /// In one unit.
    #[must_use]
    pub const fn of(&self, unit: Unit) -> f64 {
        match unit {
            Unit::Requests => self.requests,
            Unit::Sessions => self.sessions,
            Unit::Egress => self.egress,
        }
    }

    /// A part of it.
    #[must_use]
    pub fn part(&self, share: BasisPoints) -> Self {
        self.each(|load| load * share.ratio())
    }

    /// The same with every unit changed.
    #[must_use]
    pub fn each(&self, change: impl Fn(f64) -> f64) -> Self {
        Self {
            requests: change(self.requests),
            sessions: change(self.sessions),
            egress: change(self.egress),
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            sessions: self.sessions + other.sessions,
            egress: self.egress + other.egress,
        }
    }

    /// What it comes to of a capacity, in the tightest unit, and which that is; `None` where none is declared.
    #[must_use]
    pub fn utilization(&self, capacity: &Capacity) -> Option<(Unit, f64)> {
        let of = |unit: Unit| {
            #[expect(clippy::cast_precision_loss, reason = "capacities are far below 2^52")]
            let capacity = capacity.of(unit)? as f64;
            Some((unit, self.of(unit) / capacity.max(1.0)))
        };
        let all = Unit::ALL.into_iter().filter_map(of);
        all.max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// How much of a demand fits into what is free, in basis points of the demand and rounded down; it can be far above
/// 10 000. `None` where nothing limits it.
#[must_use]
pub fn room(free: &[(Unit, f64)], demand: &Demand) -> Option<u64> {
    let fits = |(unit, free): &(Unit, f64)| {
        let demand = demand.of(*unit);
        (demand > 0.0).then(|| (free.max(0.0) / demand * 10_000.0).min(1e12))
    };
    let tightest = free.iter().filter_map(fits).min_by(f64::total_cmp)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 10^12"
    )]
    Some(tightest as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMAND: Demand = Demand {
        requests: 100.0,
        sessions: 50.0,
        egress: 1000.0,
    };

    #[test]
    fn the_tightest_unit_says_how_much_fits() {
        let free = [(Unit::Requests, 150.0), (Unit::Sessions, 20.0)];
        assert_eq!(room(&free, &DEMAND), Some(4_000));
        assert_eq!(room(&free[..1], &DEMAND), Some(15_000));
    }

    #[test]
    fn what_is_not_declared_or_not_known_yet_limits_nothing() {
        assert_eq!(room(&[], &DEMAND), None);
        assert_eq!(room(&[(Unit::Requests, 150.0)], &Demand::default()), None);
    }

    #[test]
    fn what_is_used_up_leaves_no_room() {
        assert_eq!(room(&[(Unit::Egress, -5.0)], &DEMAND), Some(0));
    }

    #[test]
    fn of_two_declarations_the_lesser_counts() {
        let a = Capacity {
            requests: Some(10),
            sessions: Some(7),
            egress: None,
        };
        let b = Capacity {
            requests: Some(20),
            sessions: None,
            egress: Some(3),
        };
        let least = Capacity {
            requests: Some(10),
            sessions: Some(7),
            egress: Some(3),
        };
        assert_eq!((a.least(b), b.least(a)), (least, least));
    }

    #[test]
    fn utilization_is_that_of_the_tightest_unit() {
        let capacity = Capacity {
            requests: Some(200),
            sessions: Some(60),
            egress: None,
        };
        let (unit, ratio) = DEMAND.utilization(&capacity).unwrap();
        assert_eq!(unit, Unit::Sessions);
        assert!((ratio - 50.0 / 60.0).abs() < 1e-9);
        assert_eq!(DEMAND.utilization(&Capacity::default()), None);
    }
}
