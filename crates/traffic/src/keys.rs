//! Where a request belongs that has a key: key → bucket → backend; inside the backend `pick` follows the key. All of it
//! follows from the key and published state alone, so that every worker and every edge sends the same key to the same
//! place. The map is [`BucketMap`]'s; here it meets the backends of a snapshot.
//!
//! A key decides only where a request would go if nothing stands in the way: it never brings one to what is off, not
//! usable or full. What a client says of itself is never trusted further than that: [`source`] finds keys in requests
//! and says why it takes one for none; [`live`] remembers which keys are in use.

pub mod live;
pub mod source;

use bascule_model::{BUCKETS, BackendName, BucketMap, Shares};

use crate::hash::Key;
use crate::snapshot::Backend;

/// The bucket of a key, below [`BUCKETS`].
#[must_use]
pub fn bucket(key: Key) -> u16 {
    let wide = u128::from(key.value()) * u128::from(BUCKETS);
    u16::try_from(wide >> 64).unwrap_or(0)
}

/// Why what a client sent to be kept together by is not taken for it. The request is handled as one without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ignored {
    /// It is empty.
    Empty,
    /// It is longer than [`source::KEY_BYTES_MAX`].
    TooLong,
    /// It is there more than once.
    Ambiguous,
    /// A cookie that does not have the form of ours.
    Malformed,
    /// A cookie that no secret opens: made, changed or for another service.
    Forged,
    /// A cookie that is older than it may be.
    Expired,
    /// A cookie of a backend that the service does not have any more.
    Unknown,
}

impl Ignored {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Empty,
        Self::TooLong,
        Self::Ambiguous,
        Self::Malformed,
        Self::Forged,
        Self::Expired,
        Self::Unknown,
    ];

    /// The word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::Ambiguous => "ambiguous",
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::Expired => "expired",
            Self::Unknown => "unknown_backend",
        }
    }
}

/// What says where a request belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BondReason {
    /// The bucket map, for its key.
    Map,
    /// Its key is in use there, at the backend that the map says.
    InUse,
    /// Its key is in use there, at what is drained and keeps it.
    Drained,
    /// Its cookie.
    Cookie,
    /// Its cookie, whose endpoint takes nothing any more: another of the same backend.
    CookieBackend,
}

impl BondReason {
    /// The word used in logs and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::InUse => "in_use",
            Self::Drained => "drained",
            Self::Cookie => "cookie",
            Self::CookieBackend => "cookie_backend",
        }
    }
}

/// A bucket map as an edge uses it: with the backends of its snapshot, and with what the effective row changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// As it was published.
    map: BucketMap,
    /// Of that.
    hash: u64,
    /// By bucket, an index into the service's backends.
    owners: Box<[u16]>,
}

impl Placement {
    /// Of a published map. While the effective row is another than the map's own, buckets are with others; see
    /// [`BucketMap::overlaid`].
    #[must_use]
    pub fn new(map: &BucketMap, backends: &[Backend]) -> Self {
        let row = backends.iter().map(|b| (b.name.clone(), b.effective));
        // Where everything is refused there is no row, and the map stays as it is.
        let in_effect = match Shares::try_from(row.collect::<Vec<(BackendName, _)>>()) {
            Ok(row) => map.overlaid(&row),
            Err(_) => map.clone(),
        };
        Self {
            map: map.clone(),
            hash: map.hash(),
            owners: in_effect.indexes(backends.iter().map(|b| &b.name)),
        }
    }

    /// Whether it is of this published map.
    #[must_use]
    pub fn is_of(&self, map: &BucketMap) -> bool {
        self.map == *map
    }

    /// The hash of the map that was published: the same on every edge that has the same.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// The backend of a key now, an index into the service's backends.
    #[must_use]
    pub fn backend(&self, key: Key) -> Option<usize> {
        let owner = self.owners.get(usize::from(bucket(key)))?;
        Some(usize::from(*owner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{member, service};
    use crate::spec::Algorithm;

    /// Computed apart from this code.
    const VECTORS: [(&str, u64, u16); 5] = [
        ("", 0xc381_7c01_6ba4_ff30, 7636),
        ("a", 0x5f29_c2aa_dd9b_8527, 3717),
        ("room-42", 0x2585_77be_157f_30a5, 1465),
        ("10.0.0.1", 0xd19a_5d32_fbff_6d0a, 8187),
        ("Besprechung zürich", 0x6169_d64b_d20e_5fd5, 3805),
    ];

    #[test]
    fn keys_are_fixed_for_ever() {
        for (text, hash, wanted) in VECTORS {
            let key = Key::of(text.as_bytes());
            assert_eq!((key.value(), bucket(key)), (hash, wanted), "{text:?}");
        }
    }

    #[test]
    fn keys_fill_buckets_evenly() {
        let mut counts = [0_u32; 10];
        for n in 0..100_000 {
            let key = Key::of(format!("room-{n}").as_bytes());
            counts[usize::from(bucket(key) / 1_000)] += 1;
        }
        assert!(
            counts.iter().all(|count| (9_600..=10_400).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn a_backend_without_effective_share_gets_no_key() {
        let map = BucketMap::canonical(
            &service(
                Algorithm::Random,
                &[member("aws", 5_000, 1), member("oci", 5_000, 1)],
            )
            .spec
            .declared,
        );
        let all = service(
            Algorithm::Random,
            &[member("aws", 5_000, 1), member("oci", 5_000, 1)],
        );
        let lost = service(
            Algorithm::Random,
            &[member("aws", 0, 1), member("oci", 10_000, 1)],
        );
        let none = service(
            Algorithm::Random,
            &[member("aws", 0, 1), member("oci", 0, 1)],
        );
        let (all, lost) = (
            Placement::new(&map, &all.backends),
            Placement::new(&map, &lost.backends),
        );
        let none = Placement::new(&map, &none.backends);
        for n in 0..1_000 {
            let key = Key::of(format!("{n}").as_bytes());
            assert_eq!(lost.backend(key), Some(1));
            assert_eq!(none.backend(key), all.backend(key));
        }
        assert_eq!(all.hash(), lost.hash(), "the published map is the same");
    }
}
