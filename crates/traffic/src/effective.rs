//! From target shares to effective ones: target × health factor × slow start, normalised to exactly 10 000. Loss of
//! endpoints moves shares to the other backends in proportion, at once; return moves them back by a ramp, which never
//! overshoots. What is off gets nothing, whatever else fails. Decides also what happens to the service when nobody is up.
//!
//! Where every backend with a target share is down, those that are up without one (a standby) take all in equal parts:
//! losing the whole row is what they stand by for. Integers only; the factors are given as ratios for people to read.

use bascule_model::BasisPoints;
use bascule_model::share::largest_remainder;

use crate::snapshot::{Factors, Mode, Refusal};
use crate::spec::FailOpen;

/// One, in parts of a health factor.
const WHOLE: u64 = 1_000_000_000;

/// What decides about one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// The effective row of these backends.
#[must_use]
pub fn row(standings: &[Standing], fail_open: FailOpen) -> Row {
    let by_factors = |s: &Standing| s.weight(s.health_risen(), s.slow_start);
    // At the first moment of a ramp its factor is zero; where nobody else is up there is nobody to wait for.
    let at_once = |s: &Standing| s.weight(s.health(), BasisPoints::FULL);
    let any_up = |s: &Standing| u64::from(s.may_serve());
    let open_by_target = |s: &Standing| u64::from(s.target.get()) * u64::from(s.may_fail_open());
    let any_open = |s: &Standing| u64::from(s.may_fail_open());

    let serve = divide(standings, by_factors)
        .or_else(|| divide(standings, at_once))
        .or_else(|| divide(standings, any_up));
    let (mode, effective) = match (serve, fail_open) {
        (Some(effective), _) => (Mode::Serve, effective),
        (None, FailOpen::WhenNoBackendUp) => {
            let open = divide(standings, open_by_target).or_else(|| divide(standings, any_open));
            open.map_or_else(|| refuse(standings), |row| (Mode::FailOpen, row))
        }
        (None, FailOpen::Never) => refuse(standings),
    };
    Row {
        mode,
        effective,
        factors: standings.iter().map(Standing::factors).collect(),
    }
}

fn divide(standings: &[Standing], weight: impl Fn(&Standing) -> u64) -> Option<Vec<BasisPoints>> {
    let weights: Vec<u64> = standings.iter().map(weight).collect();
    let parts = largest_remainder(&weights, 10_000)?;
    Some(parts.into_iter().map(BasisPoints::saturating).collect())
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

    const fn may_fail_open(&self) -> bool {
        !self.off && self.open > 0
    }

    /// min(1, 1.4 × up/total) in billionths.
    fn health(&self) -> u64 {
        let up = u64::try_from(self.up).unwrap_or(u64::MAX);
        self.health_by(up.saturating_mul(u64::from(BasisPoints::FULL.get())))
    }

    /// The same with endpoints that are returning counted by their weight. Else the others of the backend would carry the
    /// share that comes back with an endpoint until that one takes its part: an overshoot.
    fn health_risen(&self) -> u64 {
        self.health_by(self.up_weight)
    }

    fn health_by(&self, up_weight: u64) -> u64 {
        // 1.4 allows for 30 % of the endpoints to be missing before the share follows: a fleet is built with spare room.
        const ALLOWED: u64 = 14 * WHOLE / (10 * 10_000);
        let total = u64::try_from(self.total).unwrap_or(u64::MAX);
        let scaled = up_weight.saturating_mul(ALLOWED);
        scaled.checked_div(total).unwrap_or(0).min(WHOLE)
    }

    /// The product of the factors: at most 10⁴ × 10⁹ × 10⁴.
    fn weight(&self, health: u64, slow_start: BasisPoints) -> u64 {
        if self.may_serve() {
            u64::from(self.target.get()) * health * u64::from(slow_start.get())
        } else {
            0
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "healths are at most a billion")]
    fn factors(&self) -> Factors {
        let health = self.health() as f64 / WHOLE as f64;
        let endpoints = match self.health() {
            0 => 1.0,
            health => self.health_risen() as f64 / health as f64,
        };
        let slow_start = self.slow_start.ratio() * endpoints;
        let product = if self.may_serve() {
            self.target.ratio() * health * slow_start
        } else {
            0.0
        };
        Factors {
            target: self.target,
            health,
            slow_start,
            product,
            up: self.up,
            total: self.total,
        }
    }
}

#[cfg(test)]
mod tests;
