//! Which backend the next pick goes to, so that a worker's counts follow the shares exactly: Tijdeman's schedule ("The
//! chairman assignment problem", Discrete Mathematics 32, 1980). Among the backends whose quota is due, the one with the
//! earliest deadline. From phase 0 no count is ever a whole pick from its quota; smooth weighted round robin, which takes
//! the backend that is furthest behind, exceeds that from four backends on.
//!
//! What a backend is owed is its *credit*: quota so far − picks so far, kept in ten-thousandths of a pick, so everything
//! is exact. Credits of backends that have a share sum to zero. They survive a new row: a row that changes every few
//! picks must not make a light backend wait for ever. A backend without a share gets no pick and keeps its credit for its
//! return; the others carry the difference in proportion to their shares.
//!
//! Workers count alone. All starting at phase 0 they would all reach a light backend at the same late moment; so worker
//! `w` starts at phase frac(w × 0.618…) of the schedule, and a backend that gets its first share begins there too.

use bascule_model::{BackendName, BasisPoints};

/// A whole pick, in credits.
const PICK: i64 = 10_000;
/// 2³² ÷ the golden ratio: multiples of it, cut to 32 bits, spread evenly however many there are.
const GOLDEN: u32 = 0x9e37_79b9;

/// The schedule of one worker for one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Where this worker starts, in 2⁻³² of a turn.
    phase: u32,
    slots: Vec<Slot>,
    /// Slots with a share.
    active: i64,
    /// The sum of the credits of slots without one.
    parked: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    name: BackendName,
    share: i64,
    credit: i64,
    /// Whether it has had a share since it is known; before, its credit means nothing.
    entered: bool,
}

impl Schedule {
    /// An empty schedule for worker `worker`, counted from 0; it has a row after [`rebind`](Self::rebind).
    #[must_use]
    pub fn new(worker: usize) -> Self {
        let [a, b, c, d, ..] = worker.to_le_bytes();
        Self {
            phase: u32::from_le_bytes([a, b, c, d]).wrapping_mul(GOLDEN),
            slots: Vec::new(),
            active: 0,
            parked: 0,
        }
    }

    /// Takes a new row: backends by name, with shares that sum to 10 000 or are all zero. Credits stay with their names;
    /// those of backends that are gone are spread over the others.
    pub fn rebind<'a>(&mut self, row: impl IntoIterator<Item = (&'a BackendName, BasisPoints)>) {
        let before = std::mem::take(&mut self.slots);
        let slot = |(name, share): (&BackendName, BasisPoints)| {
            let known = before.iter().find(|slot| slot.name == *name);
            Slot {
                name: name.clone(),
                share: i64::from(share.get()),
                credit: known.map_or(0, |slot| slot.credit),
                entered: known.is_some_and(|slot| slot.entered),
            }
        };
        self.slots = row.into_iter().map(slot).collect();
        self.active = count_active(&self.slots);
        self.enter();
        self.settle();
        self.check_invariants();
    }

    /// The backend of the next pick, as an index into the row; `None` when no backend has a share.
    pub fn pick(&mut self) -> Option<usize> {
        let picked = choose(&self.slots, self.active, self.parked)?;
        charge(&mut self.slots, picked);
        Some(picked)
    }

    /// What a backend is owed, in ten-thousandths of a pick; negative when it is ahead.
    #[must_use]
    pub fn credit(&self, index: usize) -> i64 {
        self.slots.get(index).map_or(0, |slot| slot.credit)
    }

    /// Gives backends that get their first share the credit they would have at this worker's phase of the new row, a turn
    /// being as long as the lightest of them waits.
    fn enter(&mut self) {
        let entering = |slot: &&Slot| slot.share > 0 && !slot.entered;
        let Some(lightest) = self.slots.iter().filter(entering).map(|s| s.share).min() else {
            return;
        };
        let turn = PICK / lightest;
        let picks = (turn * i64::from(self.phase)) >> 32;
        let mut rehearsal = self.slots.clone();
        rehearsal.iter_mut().for_each(|slot| slot.credit = 0);
        for _ in 0..picks {
            if let Some(picked) = choose(&rehearsal, self.active, 0) {
                charge(&mut rehearsal, picked);
            }
        }
        for (slot, rehearsed) in self.slots.iter_mut().zip(rehearsal) {
            if slot.share > 0 && !slot.entered {
                slot.credit = rehearsed.credit;
                slot.entered = true;
            }
        }
    }

    /// Makes all credits sum to zero again: what is missing or too much, because backends are new or gone for ever, is
    /// spread over those with a share, in proportion.
    fn settle(&mut self) {
        if self.active == 0 {
            return;
        }
        let owed: i64 = -self.slots.iter().map(|slot| slot.credit).sum::<i64>();
        let mut left = owed;
        for slot in &mut self.slots {
            let part = owed * slot.share / PICK;
            slot.credit += part;
            left -= part;
        }
        // What rounding left is less than a ten-thousandth of a pick a backend: the heaviest takes it.
        if let Some(heaviest) = self.slots.iter_mut().max_by_key(|slot| slot.share) {
            heaviest.credit += left;
        }
        let parked = self.slots.iter().filter(|slot| slot.share == 0);
        self.parked = parked.map(|slot| slot.credit).sum();
    }

    fn check_invariants(&self) {
        let shares: i64 = self.slots.iter().map(|slot| slot.share).sum();
        let credits: i64 = self.slots.iter().map(|slot| slot.credit).sum();
        debug_assert!(shares == PICK || shares == 0, "shares sum to {shares}");
        debug_assert!(credits == 0 || self.active == 0, "credits sum to {credits}");
    }
}

fn count_active(slots: &[Slot]) -> i64 {
    let active = slots.iter().filter(|slot| slot.share > 0).count();
    i64::try_from(active).unwrap_or(i64::MAX)
}

/// Among backends whose quota is due, the one with the earliest deadline; the first of equals. With k backends a quota is
/// due once the credit, this pick's share added, reaches 1/(2k−2) of a pick, and late when it would pass 1 − 1/(2k−2).
fn choose(slots: &[Slot], active: i64, parked: i64) -> Option<usize> {
    let parts = (2 * active - 2).max(1);
    let mut best: Option<(i64, i64, usize)> = None;
    for (index, slot) in slots.iter().enumerate().filter(|(_, slot)| slot.share > 0) {
        // In ten-thousandths of a credit, so that its part of the parked credits is exact.
        let credit = slot.credit * PICK + parked * slot.share;
        let due = (credit + slot.share * PICK) * parts >= PICK * PICK || active == 1;
        // The deadline is `left / share` picks away; two are compared without dividing.
        let left = PICK * PICK * (parts - 1) - credit * parts;
        let earlier = best
            .is_none_or(|(best_left, best_share, _)| left * best_share < best_left * slot.share);
        if due && earlier {
            best = Some((left, slot.share, index));
        }
    }
    best.map(|(_, _, index)| index)
}

/// A pick has passed: every quota grows by its share, and the backend that was picked pays for it.
fn charge(slots: &mut [Slot], picked: usize) {
    for (index, slot) in slots
        .iter_mut()
        .enumerate()
        .filter(|(_, slot)| slot.share > 0)
    {
        slot.credit += slot.share;
        if index == picked {
            slot.credit -= PICK;
        }
    }
}

#[cfg(test)]
mod tests;
