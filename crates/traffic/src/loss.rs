//! What becomes of a row when backends are lost: [`shares`]. Those that are left take over in proportion to their base, each
//! up to its capacity; what does not fit goes to those that stand by, in equal parts; what fits nowhere is shed, not poured
//! on the survivors. What is off gets nothing, here too. One function for every combination of losses: the rows for the
//! loss of each single provider, which a snapshot holds, are its cache.
//!
//! Integers only: a row is divided in basis points of what clients ask for, and shares and shed sum to exactly 10 000.

use bascule_model::BasisPoints;
use bascule_model::share::largest_remainder;

/// What a backend has to do with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// It has a part of it, relative to the others; above 0.
    Part(u64),
    /// It has none, and takes what fits nowhere else.
    Spare,
    /// It gets nothing, whatever else fails.
    Off,
}

/// The answer to a loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LossRow {
    /// What each backend gets of all that clients ask for.
    pub shares: Vec<BasisPoints>,
    /// What is refused. With the shares it sums to exactly 10 000.
    pub shed: BasisPoints,
}

/// The row when some backends are lost. `lost` and `limits` are by the index of `base`; a limit is the most that a backend
/// can take, in basis points of what clients ask for: all, where no capacity is declared. With n backends it takes at most
/// 2n + 2 divisions of the row.
#[must_use]
pub fn shares(base: &[Base], lost: impl Fn(usize) -> bool, limits: &[BasisPoints]) -> LossRow {
    let mut row = Pouring::new(base.len());
    let left = |index: usize| !lost(index);
    let limit = |index: usize| limits.get(index).map_or(0, |limit| limit.get());
    row.pour(limit, |index| match base.get(index) {
        Some(Base::Part(weight)) if left(index) => *weight,
        _ => 0,
    });
    row.pour(limit, |index| {
        u64::from(base.get(index) == Some(&Base::Spare) && left(index))
    });
    LossRow {
        shares: row.given.into_iter().map(BasisPoints::saturating).collect(),
        shed: BasisPoints::saturating(row.left),
    }
}

/// A row that is being filled.
#[derive(Debug)]
struct Pouring {
    given: Vec<u16>,
    left: u16,
    /// Divisions so far: what it costs.
    rounds: usize,
}

impl Pouring {
    fn new(backends: usize) -> Self {
        Self {
            given: vec![0; backends],
            left: BasisPoints::FULL.get(),
            rounds: 0,
        }
    }

    /// Divides what is left in proportion to the weights. Who would get more than fits gets what fits and is out; the
    /// others can only get more by that, so nobody who is out comes back in, and each round but the last puts one out.
    fn pour(&mut self, limit: impl Fn(usize) -> u16, weight: impl Fn(usize) -> u64) {
        let mut open: Vec<u64> = (0..self.given.len()).map(weight).collect();
        while self.left > 0 {
            self.rounds += 1;
            let Some(parts) = largest_remainder(&open, u32::from(self.left)) else {
                return;
            };
            if self.fill(&mut open, &parts, &limit) {
                continue;
            }
            for (given, part) in self.given.iter_mut().zip(parts) {
                *given += part;
            }
            self.left = 0;
        }
    }

    /// Gives what fits to those whose part is more than that, and puts them out; whether there was one.
    fn fill(&mut self, open: &mut [u64], parts: &[u16], limit: impl Fn(usize) -> u16) -> bool {
        let mut any = false;
        let slots = self.given.iter_mut().zip(open).zip(parts).enumerate();
        for (index, ((given, open), part)) in slots {
            let limit = limit(index);
            if *open > 0 && *part > limit {
                (*given, *open) = (limit, 0);
                self.left -= limit;
                any = true;
            }
        }
        any
    }
}

#[cfg(test)]
mod tests;
