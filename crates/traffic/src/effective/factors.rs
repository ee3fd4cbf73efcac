//! The factors of a row, for people: how each target share became its part. Read off the row that was made, never used to
//! make one. Multiplied with the target and normalised they give the effective share again.

use bascule_model::BasisPoints;

use super::{Count, Standing, WHOLE};
use crate::loss::LossRow;
use crate::snapshot::Factors;

/// Of the row with all ramps over, and of that in use.
pub(super) fn of(standings: &[Standing], ended: &LossRow, divided: &LossRow) -> Vec<Factors> {
    let level = Level::of(standings, ended, |_| false, |_| 1.0);
    let highest = super::highest(standings);
    let ramping = |s: &Standing| s.is_held_back(highest);
    let shares = || ended.shares.iter().zip(&divided.shares);
    // What a backend would have with its ramp over is held by its capacity alone.
    let returning = |(standing, (ended, now)): (&Standing, (&BasisPoints, &BasisPoints))| {
        (ramping(standing) && now < ended).then(|| level.part_of(standing.part(), *ended))
    };
    let held: Vec<Option<f64>> = standings.iter().zip(shares()).map(returning).collect();
    let level_now = if ended == divided {
        level
    } else {
        let capacity = |index: usize| held.get(index).copied().flatten().unwrap_or(1.0);
        Level::of(standings, divided, ramping, capacity)
    };
    let factors = standings.iter().zip(&held).zip(&divided.shares);
    let factors = factors.map(|((standing, held), share)| {
        let now = level_now.part_of(standing.part(), *share);
        match held {
            Some(capacity) if *capacity > 0.0 => {
                standing.factors(*capacity, (now / capacity).min(1.0))
            }
            Some(capacity) => standing.factors(*capacity, 1.0),
            None => standing.factors(now, 1.0),
        }
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
    /// `held` are those whom a ramp holds back, `capacity` says how far theirs alone would.
    fn of(
        standings: &[Standing],
        row: &LossRow,
        held: impl Fn(&Standing) -> bool,
        capacity: impl Fn(usize) -> f64,
    ) -> Self {
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
        // All are full: the one that is furthest above what it may have of its part counts as free.
        let ratio = |(index, (standing, share)): (usize, (&Standing, &BasisPoints))| match standing
            .part()
            * capacity(index)
        {
            part if part > 0.0 => share.ratio() / part,
            _ => 0.0,
        };
        let ratios = standings.iter().zip(&row.shares).enumerate().map(ratio);
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
