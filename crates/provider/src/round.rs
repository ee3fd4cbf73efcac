//! Shares become an actuator's numbers: by largest remainder, over the total that says the row best, with the error that is
//! left. *Off* stays a state, and a share that is not zero never becomes a zero. Pure.

use std::collections::BTreeMap;

use bascule_model::share::largest_remainder;
use bascule_model::{BackendName, BasisPoints, TargetRow};

use crate::port::{Numbers, Setting};

/// Totals are tried up to so many times the largest number: beyond that a finer one says nothing better.
const TOTALS: u32 = 4;
/// The total that people read most easily; where it is as good as another it is taken.
const PERCENT: u32 = 100;
/// Errors are compared in hundredths of a basis point.
const FINE: u64 = 100;

/// A row in an actuator's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rounded {
    /// The number of each member.
    pub numbers: Numbers,
    /// By how much the share of a member is off at most, rounded up: of what the actuator's members have together.
    pub error: BasisPoints,
}

/// Why a row cannot be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoundError {
    /// All would be off, which some actuators take for equal.
    #[error("every member would be off")]
    AllOff,
    /// A backend has a share and no machine at the actuator.
    #[error("backend {0} has a share, and no machine at the actuator")]
    Empty(BackendName),
}

struct Part {
    name: BackendName,
    share: u64,
    size: u64,
}

/// The numbers of the members; `sizes`: how many machines each has at the actuator, each of which gets the number. Only the
/// members count: what other backends of the row have is not the actuator's to give.
///
/// # Errors
/// [`RoundError`] where no numbers say it.
pub fn round(
    row: &TargetRow,
    sizes: &BTreeMap<BackendName, u32>,
    max: u32,
) -> Result<Rounded, RoundError> {
    let share = |name: &BackendName| match row.off.contains(name) {
        true => 0,
        false => row
            .shares
            .get(name)
            .map_or(0, |share| u64::from(share.get())),
    };
    let members = sizes.iter().map(|(name, size)| Part {
        name: name.clone(),
        share: share(name),
        size: u64::from(*size),
    });
    let (on, off): (Vec<_>, Vec<_>) = members.partition(|part| part.share > 0);
    if on.is_empty() {
        return Err(RoundError::AllOff);
    }
    if let Some(empty) = on.iter().find(|part| part.size == 0) {
        return Err(RoundError::Empty(empty.name.clone()));
    }
    let totals = std::iter::once(PERCENT).chain(1..=max.saturating_mul(TOTALS));
    let each = totals.filter_map(|total| weights(&on, total, max));
    let best = each.min_by_key(|weights| error(&on, weights));
    let weights = best.unwrap_or_else(|| vec![1; on.len()]);
    let worst = error(&on, &weights).div_ceil(FINE);
    let on = on.into_iter().zip(&weights);
    let mut numbers: Numbers = on
        .map(|(part, weight)| (part.name, Setting::Weight(*weight)))
        .collect();
    numbers.extend(off.into_iter().map(|part| (part.name, Setting::Off)));
    let error = BasisPoints::saturating(u16::try_from(worst).unwrap_or(u16::MAX));
    Ok(Rounded { numbers, error })
}

/// What each machine gets of a total; `None`: more than an actuator's largest number.
fn weights(parts: &[Part], total: u32, max: u32) -> Option<Vec<u32>> {
    let weights: Vec<u32> = if parts.iter().all(|part| part.size == 1) {
        let shares: Vec<u64> = parts.iter().map(|part| part.share).collect();
        let divided = largest_remainder(&shares, total)?;
        divided.into_iter().map(|w| u32::from(w).max(1)).collect()
    } else {
        let sum: u64 = parts.iter().map(|part| part.share).sum();
        let near = |part: &Part| {
            let (of, by) = (part.share * u64::from(total), part.size * sum);
            u32::try_from((of + by / 2) / by).unwrap_or(u32::MAX).max(1)
        };
        parts.iter().map(near).collect()
    };
    weights.iter().all(|w| *w <= max).then_some(weights)
}

/// By how much a share is off at most, in hundredths of a basis point.
fn error(parts: &[Part], weights: &[u32]) -> u64 {
    let pairs = || parts.iter().zip(weights);
    let whole: u64 = pairs().map(|(part, w)| part.size * u64::from(*w)).sum();
    let shares: u64 = parts.iter().map(|part| part.share).sum();
    let full = u64::from(BasisPoints::FULL.get()) * FINE;
    let off = |(part, w): (&Part, &u32)| {
        let given = full * part.size * u64::from(*w);
        let wanted = full * part.share * whole / shares.max(1);
        given.abs_diff(wanted) / whole.max(1)
    };
    pairs().map(off).max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
