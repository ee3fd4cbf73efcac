//! From target shares to effective ones: target × health factor, each up to its capacity, with ramps for what returns,
//! normalised to exactly 10 000. Loss of endpoints moves shares to the other backends in proportion, at once, as
//! [`loss`](crate::loss) says; return moves them back by a ramp, which is a straight line and never overshoots. What is off
//! gets nothing, whatever else fails. Decides also what part is shed, and what happens to the service when nobody is up.
//!
//! What the backends with a target share cannot take goes to those that are up without one (a standby), in equal parts:
//! that is what they stand by for. Integers only; the factors are given as ratios for people to read, by [`factors`].

mod factors;

use bascule_model::BasisPoints;
use bascule_model::share::largest_remainder;

use crate::loss::{self, Base, LossRow};
use crate::snapshot::{Factors, Mode, Refusal};
use crate::spec::FailOpen;

/// One, in parts of a health factor.
const WHOLE: u64 = 1_000_000_000;

/// What decides about one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Its target share.
    pub target: BasisPoints,
    /// Whether it is off.
    pub off: bool,
    /// Endpoints that are up and that no admin state takes out.
    pub up: usize,
    /// The sum of the weights of those, in basis points; 10 000 for each that is not returning.
    pub up_weight: u64,
    /// Endpoints that no admin state takes out.
    pub open: usize,
    /// Endpoints that the row counts on: all.
    pub total: usize,
    /// Where its ramp stands; full when it is not returning.
    pub slow_start: BasisPoints,
    /// What all of its endpoints can take of what the service brings, in basis points; `None`: as much as comes.
    pub room: Option<u64>,
}

/// How endpoints that are returning are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    /// By their weight. Else the others of the backend would carry the share that comes back with an endpoint until that
    /// one takes its part: an overshoot.
    Risen,
    /// As any other.
    Up,
}

/// The effective row of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What happens to requests.
    pub mode: Mode,
    /// The effective share of each backend: they sum to exactly 10 000, or are all zero where the mode refuses.
    pub effective: Vec<BasisPoints>,
    /// How each came about.
    pub factors: Vec<Factors>,
    /// What of all requests each gets, and what part is refused.
    pub divided: LossRow,
}

/// The effective row of these backends.
#[must_use]
pub fn row(standings: &[Standing], fail_open: FailOpen) -> Row {
    let ended = divide(standings, nobody, |_| None);
    let divided = match &ended {
        row if standings.iter().any(Standing::may_serve) => ramped(standings, row),
        _ => return unserved(standings, fail_open),
    };
    let weights: Vec<u64> = divided.shares.iter().map(|s| u64::from(s.get())).collect();
    let effective = normalised(&weights).unwrap_or_else(|| {
        // All is shed, since nothing fits: what would get in is divided as if it did.
        let unlimited: Vec<Standing> = standings.iter().map(Standing::without_limit).collect();
        divide(&unlimited, nobody, |_| None).shares
    });
    Row {
        mode: Mode::Serve,
        effective,
        factors: factors::of(standings, &ended, &divided),
        divided,
    }
}

/// The row when the providers of some backends are lost as well, by the index of the standings. Ramps of backends are over
/// in it; endpoints count by the weights they have now. Where nobody is left all is shed.
#[must_use]
pub fn when_lost(standings: &[Standing], lost: impl Fn(usize) -> bool) -> LossRow {
    divide(standings, lost, |_| None)
}

/// Nobody is lost but those whose endpoints are down.
const fn nobody(_: usize) -> bool {
    false
}

/// The row where what returns has what its ramp allows of its share, and the others the rest. A ramp is measured by whoever
/// stands highest: where all are returning, those that came later wait for those that came first, who wait for nobody.
fn ramped(standings: &[Standing], ended: &LossRow) -> LossRow {
    let highest = highest(standings);
    if !standings.iter().any(|s| s.is_held_back(highest)) {
        return ended.clone();
    }
    divide(standings, nobody, |index| {
        let (standing, share) = (standings.get(index)?, ended.shares.get(index)?);
        if !standing.is_held_back(highest) {
            return None;
        }
        let part = u32::from(share.get()) * u32::from(standing.slow_start.get());
        let part = part / u32::from(highest.get()).max(1);
        Some(BasisPoints::saturating(
            u16::try_from(part).unwrap_or(u16::MAX),
        ))
    })
}

/// Where the ramp stands of whoever has come furthest of those that may serve.
fn highest(standings: &[Standing]) -> BasisPoints {
    let serving = standings.iter().filter(|s| s.may_serve());
    serving.map(|s| s.slow_start).max().unwrap_or_default()
}

/// Divides all that comes among those that are not lost, each held to its capacity and to what is allowed of it.
fn divide(
    standings: &[Standing],
    lost: impl Fn(usize) -> bool,
    allowed: impl Fn(usize) -> Option<BasisPoints>,
) -> LossRow {
    // An endpoint at the first moment of its ramp has no weight yet; it waits for others, where there are any.
    let mut indexed = standings.iter().enumerate();
    let any_risen = indexed.any(|(index, standing)| !lost(index) && standing.has_risen());
    let count = if any_risen { Count::Risen } else { Count::Up };
    let base: Vec<Base> = standings.iter().map(|s| s.base(count)).collect();
    let limit = |(index, standing): (usize, &Standing)| {
        let allowed = allowed(index).unwrap_or(BasisPoints::FULL);
        standing.limit(count).min(allowed)
    };
    let limits: Vec<BasisPoints> = standings.iter().enumerate().map(limit).collect();
    loss::shares(&base, lost, &limits)
}

fn normalised(weights: &[u64]) -> Option<Vec<BasisPoints>> {
    let parts = largest_remainder(weights, 10_000)?;
    Some(parts.into_iter().map(BasisPoints::saturating).collect())
}

/// Nobody is up.
fn unserved(standings: &[Standing], fail_open: FailOpen) -> Row {
    let open_by_target = |s: &Standing| u64::from(s.target.get()) * u64::from(s.may_fail_open());
    let any_open = |s: &Standing| u64::from(s.may_fail_open());
    let weights = |weight: &dyn Fn(&Standing) -> u64| {
        let weights: Vec<u64> = standings.iter().map(weight).collect();
        normalised(&weights)
    };
    let open = match fail_open {
        FailOpen::WhenNoBackendUp => weights(&open_by_target).or_else(|| weights(&any_open)),
        FailOpen::Never => None,
    };
    let (mode, effective) = open.map_or_else(|| refuse(standings), |row| (Mode::FailOpen, row));
    Row {
        mode,
        divided: LossRow {
            shares: effective.clone(),
            shed: BasisPoints::ZERO,
        },
        effective,
        factors: factors::alone(standings),
    }
}

fn refuse(standings: &[Standing]) -> (Mode, Vec<BasisPoints>) {
    let taken_out = |s: &Standing| s.off || (s.total > 0 && s.open == 0);
    let reason = if standings.iter().all(taken_out) {
        Refusal::AllOff
    } else {
        Refusal::NoBackendUp
    };
    (
        Mode::Refuse(reason),
        vec![BasisPoints::ZERO; standings.len()],
    )
}

impl Standing {
    const fn may_serve(&self) -> bool {
        !self.off && self.up > 0
    }

    /// Whether its ramp holds it back, where the highest stands so.
    fn is_held_back(&self, highest: BasisPoints) -> bool {
        self.may_serve() && self.slow_start < highest
    }

    const fn may_fail_open(&self) -> bool {
        !self.off && self.open > 0
    }

    const fn without_limit(&self) -> Self {
        Self {
            room: None,
            ..*self
        }
    }

    /// The part of its endpoints that is up, by weight; 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "endpoints are few")]
    pub(crate) fn up_ratio(&self) -> f64 {
        self.up_weight as f64 / weight_of(self.total).max(1) as f64
    }

    /// What it has to do with the row. The part is at most 10⁴ × 10⁹.
    fn base(&self, count: Count) -> Base {
        match (self.may_serve(), self.target.is_zero()) {
            (false, _) => Base::Off,
            (true, true) => Base::Spare,
            (true, false) => Base::Part(u64::from(self.target.get()) * self.health(count)),
        }
    }

    fn has_risen(&self) -> bool {
        self.may_serve() && self.health(Count::Risen) > 0
    }

    /// The weight of its endpoints that are up.
    fn weight(&self, count: Count) -> u64 {
        match count {
            Count::Risen => self.up_weight,
            Count::Up => weight_of(self.up),
        }
    }

    /// The most that its endpoints which are up can take, in basis points of what the service brings.
    fn limit(&self, count: Count) -> BasisPoints {
        let Some(room) = self.room else {
            return BasisPoints::FULL;
        };
        let all = u128::from(weight_of(self.total).max(1));
        let limit = u128::from(room) * u128::from(self.weight(count)) / all;
        BasisPoints::saturating(u16::try_from(limit).unwrap_or(u16::MAX))
    }

    /// The health factor in billionths: min(1, 1.4 × up/total), or by capacity where one is declared.
    fn health(&self, count: Count) -> u64 {
        // 1.4 allows for 30 % of the endpoints to be missing before the share follows: a fleet is built with spare room.
        const ALLOWED: u64 = 14 * WHOLE / (10 * 10_000);
        let up_weight = self.weight(count);
        let total = u64::try_from(self.total).unwrap_or(u64::MAX);
        let Some(room) = self.room else {
            let scaled = up_weight.saturating_mul(ALLOWED);
            return scaled.checked_div(total).unwrap_or(0).min(WHOLE);
        };
        // Where a capacity is declared it says how much may be missing.
        if up_weight == 0 || self.target.is_zero() {
            return if up_weight == 0 { 0 } else { WHOLE };
        }
        let room = u128::from(room) * u128::from(up_weight) * u128::from(WHOLE);
        let wanted = u128::from(weight_of(self.total).max(1)) * u128::from(self.target.get());
        u64::try_from(room / wanted).unwrap_or(WHOLE).min(WHOLE)
    }
}

/// The weight of so many endpoints.
fn weight_of(endpoints: usize) -> u64 {
    let endpoints = u64::try_from(endpoints).unwrap_or(u64::MAX);
    endpoints.saturating_mul(u64::from(BasisPoints::FULL.get()))
}

#[cfg(test)]
mod tests;
