//! The factors of a row, for people: how each target share became its part. Read off the row that was made, never used to
//! make one. Multiplied with the target and normalised they give the effective share again.

use bascule_model::BasisPoints;

use super::{Count, Standing, WHOLE};
use crate::loss::LossRow;
use crate::snapshot::Factors;

/// Of the row with all ramps over, and of that in use.
pub(super) fn of(standings: &[Standing], ended: &LossRow, divided: &LossRow) -> Vec<Factors> {
    let level = Level::of(standings, ended, |_| false);
    let ramping = |s: &Standing| s.slow_start < BasisPoints::FULL;
    let level_now = if ended == divided {
        level
    } else {
        Level::of(standings, divided, ramping)
    };
    let shares = ended.shares.iter().zip(&divided.shares);
    let factors = standings
        .iter()
        .zip(shares)
        .map(|(standing, (ended, now))| {
            let part = standing.part();
            let returns = ramping(standing) && now < ended;
            // What it would have with its ramp over is held by its capacity alone.
            let capacity = if returns {
                level.part_of(part, *ended)
            } else {
                level_now.part_of(part, *now)
            };
            let ramp = match level_now.part_of(part, *now) {
                now if returns && capacity > 0.0 => (now / capacity).min(1.0),
                _ => 1.0,
            };
            standing.factors(capacity, ramp)
        });
    factors.collect()
}

/// Of backends none of which is up: each by itself.
pub(super) fn alone(standings: &[Standing]) -> Vec<Factors> {
    standings.iter().map(|s| s.factors(1.0, 1.0)).collect()
}

/// How much share comes to a part, at those whom nothing holds back.
#[derive(Debug, Clone, Copy)]
struct Level(f64);

impl Level {
    fn of(standings: &[Standing], row: &LossRow, held: impl Fn(&Standing) -> bool) -> Self {
        let free = standings
            .iter()
            .zip(&row.shares)
            .filter(|(standing, share)| {
                !held(standing) && **share < standing.limit(Count::Risen) && standing.part() > 0.0
            });
        let (part, share) = free.fold((0.0, 0.0), |(part, all), (standing, share)| {
            (part + standing.part(), all + share.ratio())
        });
        if part > 0.0 {
            return Self(share / part);
        }
        // All are full: the one that is furthest above its part counts as free.
        let ratio = |(standing, share): (&Standing, &BasisPoints)| match standing.part() {
            part if part > 0.0 => share.ratio() / part,
            _ => 0.0,
        };
        let ratios = standings.iter().zip(&row.shares).map(ratio);
        Self(ratios.fold(0.0, f64::max))
    }

    /// What part of what it would get at this level a share is; within the rounding of a share it is all.
    fn part_of(self, part: f64, share: BasisPoints) -> f64 {
        let whole = part * self.0;
        let rounding = BasisPoints::saturating(1).ratio() * 1.5;
        if whole <= share.ratio() + rounding {
            1.0
        } else {
            share.ratio() / whole
        }
    }
}

impl Standing {
    /// target × health, endpoints that return counted by their weight; a ratio.
    fn part(&self) -> f64 {
        if !self.may_serve() {
            return 0.0;
        }
        self.target.ratio() * self.health_ratio() * self.endpoints_ratio()
    }

    #[expect(clippy::cast_precision_loss, reason = "healths are at most a billion")]
    fn health_ratio(&self) -> f64 {
        self.health(Count::Up) as f64 / WHOLE as f64
    }

    /// What endpoints that return make of the health factor.
    #[expect(clippy::cast_precision_loss, reason = "healths are at most a billion")]
    fn endpoints_ratio(&self) -> f64 {
        match (self.health(Count::Up), self.health(Count::Risen)) {
            (0, _) | (_, 0) => 1.0,
            (health, risen) => risen as f64 / health as f64,
        }
    }

    fn factors(&self, capacity: f64, ramp: f64) -> Factors {
        Factors {
            target: self.target,
            health: self.health_ratio(),
            slow_start: ramp * self.endpoints_ratio(),
            capacity,
            product: self.part() * ramp * capacity,
            up: self.up,
            total: self.total,
            room: self.room,
        }
    }
}
