//! Which backend owns which of a service's 10 000 buckets: what shares are for requests without a key, a bucket map is for
//! those with one. It is state: a new row moves buckets from the map before, exactly as many as the row moves basis
//! points, and no other. Built from a row alone only where there is no map before. It never holds a backend without a
//! bucket, and a row gives the same map on every machine.
//!
//! How a key finds its bucket is `traffic::keys`'s.

use std::fmt;
use std::sync::Arc;

use crate::hash::Fnv;
use crate::{BackendName, Shares};

/// How many buckets a service has: one a basis point, so that a row says exactly how many each backend owns.
pub const BUCKETS: u16 = 10_000;

/// Spreads numbers evenly however many there are: 2³² ÷ the golden ratio.
const GOLDEN: u32 = 0x9e37_79b9;

/// Which backend owns which bucket. Every bucket has an owner; cheap to clone.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct BucketMap {
    /// The owners, ordered by name; each owns at least one bucket.
    backends: Arc<[BackendName]>,
    /// How many buckets each owns.
    counts: Arc<[u16]>,
    /// By bucket: an index into `backends`.
    owners: Arc<[u16]>,
}

impl BucketMap {
    /// The map of a row where there was none before: backends in the order of their names, each with as many buckets as it
    /// has basis points.
    #[must_use]
    pub fn canonical(row: &Shares) -> Self {
        let owning = owning(row);
        let runs = (0..).zip(&owning);
        let owners = runs.flat_map(|(owner, (_, count))| (0..*count).map(move |_| owner));
        Self {
            owners: owners.collect(),
            counts: owning.iter().map(|(_, count)| *count).collect(),
            backends: owning.into_iter().map(|(name, _)| name).collect(),
        }
    }

    /// The map after this one, for a new row. Of every backend whose share falls exactly what it loses moves, to those whose
    /// share rises: first what the canonical map of the row would give them. So from a canonical map a change and its
    /// reverse come back to it; from another, as many buckets move back, and some of them may be others.
    #[must_use]
    pub fn follow(&self, row: &Shares) -> Self {
        if self.is_of(row) {
            return self.clone();
        }
        let mut moving = Moving::new(self, row);
        for (bucket, owner) in (0..BUCKETS).zip(Self::canonical(row).iter()) {
            moving.offer(bucket, owner);
        }
        let spare = moving.spare();
        moving.settle(&spare)
    }

    /// This map while a row other than its own is in effect, since backends are down or rise again. As many move as the
    /// rows differ by. What a backend gives is the same with every row in which it has the same share, and less of it when
    /// it has more; what it gives is spread over the receivers. Kept nowhere: with its own row in effect this map is back.
    #[must_use]
    pub fn overlaid(&self, row: &Shares) -> Self {
        if self.is_of(row) {
            return self.clone();
        }
        let mut moving = Moving::new(self, row);
        let mut spare = moving.spare();
        // Each receiver takes a range of what is spread: a row that changes a little moves the ends of the ranges a little.
        spare.sort_by_key(|bucket| u32::from(*bucket).wrapping_mul(GOLDEN));
        moving.settle(&spare)
    }

    /// Whether it is a map of this row: each backend owns as many buckets as it has basis points.
    #[must_use]
    pub fn is_of(&self, row: &Shares) -> bool {
        let owning = row.iter().filter(|(_, share)| !share.is_zero());
        let owned = self.backends.iter().zip(self.counts.iter().copied());
        owned.eq(owning.map(|(name, share)| (name, share.get())))
    }

    /// The owner of each bucket, in order.
    pub fn iter(&self) -> impl Iterator<Item = &BackendName> {
        let owners = self.owners.iter();
        owners.filter_map(|owner| self.backends.get(usize::from(*owner)))
    }

    /// The owner of each bucket as its place among these names; `u16::MAX` for one that is not among them.
    #[must_use]
    pub fn indexes<'a>(&self, names: impl Iterator<Item = &'a BackendName>) -> Box<[u16]> {
        let mut places: Vec<u16> = vec![u16::MAX; self.backends.len()];
        for (at, name) in (0..).zip(names) {
            if let Ok(index) = self.backends.binary_search(name)
                && let Some(place) = places.get_mut(index)
            {
                *place = at;
            }
        }
        let place = |owner: &u16| places.get(usize::from(*owner)).copied();
        let places = self.owners.iter().map(place);
        places.map(|place| place.unwrap_or(u16::MAX)).collect()
    }

    /// A number that two maps share only if they are the same, on every machine and in every version: FNV-1a over name and
    /// length of each run of buckets with one owner. The upper 48 bits, which a metric holds exactly.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let run = |hash: Fnv, (owner, length): &(u16, u16)| {
            let name = self.backends.get(usize::from(*owner));
            let name = name.map_or("", BackendName::as_str).as_bytes();
            // A zero byte ends the name: no name holds one.
            hash.write(name).write(&[0]).write(&length.to_le_bytes())
        };
        self.runs().iter().fold(Fnv::new(), run).value() >> 16
    }

    /// Buckets in a row with the same owner: index and length.
    fn runs(&self) -> Vec<(u16, u16)> {
        let mut runs: Vec<(u16, u16)> = Vec::new();
        for owner in self.owners.iter() {
            match runs.last_mut() {
                Some((last, length)) if last == owner => *length += 1,
                _ => runs.push((*owner, 1)),
            }
        }
        runs
    }
}

impl fmt::Debug for BucketMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x} over {:?}", self.hash(), self.backends)
    }
}

fn owning(row: &Shares) -> Vec<(BackendName, u16)> {
    let owning = row.iter().filter(|(_, share)| !share.is_zero());
    owning
        .map(|(name, share)| (name.clone(), share.get()))
        .collect()
}

/// A map on its way to a row.
struct Moving {
    backends: Arc<[BackendName]>,
    counts: Arc<[u16]>,
    /// By bucket, its owner in `backends`, or none where the owner before has no share any more.
    owners: Vec<Option<u16>>,
    /// By owner, what it has too much (above zero) or lacks.
    excess: Vec<i32>,
}

impl Moving {
    fn new(map: &BucketMap, row: &Shares) -> Self {
        let owning = owning(row);
        let index = |name: &BackendName| {
            let at = owning.binary_search_by(|(owner, _)| owner.cmp(name)).ok()?;
            u16::try_from(at).ok()
        };
        let known: Vec<Option<u16>> = map.backends.iter().map(index).collect();
        let owner = |before: &u16| known.get(usize::from(*before)).copied().flatten();
        let owners: Vec<Option<u16>> = map.owners.iter().map(owner).collect();
        let mut excess: Vec<i32> = owning.iter().map(|(_, n)| -i32::from(*n)).collect();
        for owner in owners.iter().flatten() {
            if let Some(excess) = excess.get_mut(usize::from(*owner)) {
                *excess += 1;
            }
        }
        Self {
            counts: owning.iter().map(|(_, count)| *count).collect(),
            backends: owning.into_iter().map(|(name, _)| name).collect(),
            owners,
            excess,
        }
    }

    /// Gives a bucket to a backend that lacks some, if its owner has too many.
    fn offer(&mut self, bucket: u16, to: &BackendName) {
        let Ok(to) = self.backends.binary_search(to) else {
            return;
        };
        let Some(owner) = self.owners.get_mut(usize::from(bucket)) else {
            return;
        };
        let has_too_many = owner.is_none_or(|owner| {
            let excess = self.excess.get(usize::from(owner));
            excess.is_some_and(|excess| *excess > 0)
        });
        if !has_too_many || self.excess.get(to).is_none_or(|excess| *excess >= 0) {
            return;
        }
        if let Some(owner) = *owner
            && let Some(excess) = self.excess.get_mut(usize::from(owner))
        {
            *excess -= 1;
        }
        *owner = u16::try_from(to).ok();
        if let Some(excess) = self.excess.get_mut(to) {
            *excess += 1;
        }
    }

    /// Takes away what is too much, of each owner its last buckets; in order.
    fn spare(&mut self) -> Vec<u16> {
        let mut spare = Vec::new();
        for (bucket, owner) in (0..BUCKETS).zip(&mut self.owners).rev() {
            if let Some(index) = *owner {
                match self.excess.get_mut(usize::from(index)) {
                    Some(excess) if *excess > 0 => *excess -= 1,
                    _ => continue,
                }
            }
            *owner = None;
            spare.push(bucket);
        }
        spare.reverse();
        spare
    }

    /// Gives what was taken to those that lack some, one after the other in the order of their names.
    fn settle(mut self, spare: &[u16]) -> BucketMap {
        let receivers = (0..).zip(&self.excess).flat_map(|(index, excess)| {
            let lacks = usize::try_from(-excess).unwrap_or(0);
            std::iter::repeat_n(index, lacks)
        });
        for (bucket, receiver) in spare.iter().zip(receivers) {
            if let Some(owner) = self.owners.get_mut(usize::from(*bucket)) {
                *owner = Some(receiver);
            }
        }
        let owners: Vec<u16> = self.owners.into_iter().flatten().collect();
        debug_assert_eq!(owners.len(), usize::from(BUCKETS), "a bucket has no owner");
        BucketMap {
            backends: self.backends,
            counts: self.counts,
            owners: owners.into(),
        }
    }
}

/// A map as it is written: short while few changes made it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Written {
    backends: Vec<BackendName>,
    /// Index into `backends`, and how many buckets in a row.
    runs: Vec<(u16, u16)>,
}

/// A text that is no bucket map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BucketMapError {
    /// The runs are not as many buckets as there are.
    #[error("the runs have {0} buckets, not {BUCKETS}")]
    Count(u32),
    /// Owners are not distinct and ordered, or one owns nothing, or a bucket's is not among them.
    #[error("the owners do not fit their runs")]
    Owners,
}

impl From<BucketMap> for Written {
    fn from(map: BucketMap) -> Self {
        Self {
            runs: map.runs(),
            backends: map.backends.to_vec(),
        }
    }
}

impl TryFrom<Written> for BucketMap {
    type Error = BucketMapError;

    fn try_from(written: Written) -> Result<Self, BucketMapError> {
        let count: u32 = written.runs.iter().map(|(_, n)| u32::from(*n)).sum();
        if count != u32::from(BUCKETS) {
            return Err(BucketMapError::Count(count));
        }
        let mut counts: Vec<u16> = vec![0; written.backends.len()];
        for (owner, length) in &written.runs {
            // The runs together are no more than there are buckets.
            let count = counts.get_mut(usize::from(*owner));
            *count.ok_or(BucketMapError::Owners)? += length;
        }
        let ordered = written.backends.is_sorted_by(|a, b| a < b);
        if !ordered || counts.contains(&0) {
            return Err(BucketMapError::Owners);
        }
        let run = |(owner, length): (u16, u16)| (0..length).map(move |_| owner);
        Ok(Self {
            counts: counts.into(),
            owners: written.runs.into_iter().flat_map(run).collect(),
            backends: written.backends.into(),
        })
    }
}

#[cfg(test)]
mod tests;
