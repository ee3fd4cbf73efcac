//! Shares: how a row of backends divides what a service gets. A row sums to exactly 10 000 basis points, always: the
//! only ways to make one keep that law. A row says nothing about *off*; that is a state of its own (see
//! `targets`).

use std::fmt;

use crate::BackendName;

/// A hundredth of a percent, 0 to 10 000.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct BasisPoints(u16);

impl BasisPoints {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Everything: 100 %.
    pub const FULL: Self = Self(10_000);

    /// `Some` for 0 to 10 000.
    #[must_use]
    pub const fn new(value: u16) -> Option<Self> {
        if value <= 10_000 {
            Some(Self(value))
        } else {
            None
        }
    }

    /// As [`new`](Self::new), with what is above 10 000 cut to it.
    #[must_use]
    pub const fn saturating(value: u16) -> Self {
        if value <= 10_000 {
            Self(value)
        } else {
            Self::FULL
        }
    }

    /// The nearest basis point of a ratio; outside 0 to 1 it is cut, and not-a-number is 0.
    #[must_use]
    pub fn from_ratio(ratio: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 0..=10 000 before; a float cast maps NaN to 0"
        )]
        Self((ratio.clamp(0.0, 1.0) * 10_000.0).round() as u16)
    }

    /// The number of basis points.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// As a ratio, 0 to 1.
    #[must_use]
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }

    /// As percent, 0 to 100.
    #[must_use]
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// Whether this is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for BasisPoints {
    /// Percent with as many decimals as needed: `70`, `33.33`, `0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        let text = match rest {
            0 => whole.to_string(),
            r if r % 10 == 0 => format!("{whole}.{}", r / 10),
            r => format!("{whole}.{r:02}"),
        };
        f.pad(&text)
    }
}

impl fmt::Debug for BasisPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}%")
    }
}

/// Why shares cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// No backend, or every weight is zero.
    #[error("at least one weight must be above zero")]
    AllZero,
    /// A backend is named that the row does not have.
    #[error("there is no backend `{0}`")]
    Unknown(BackendName),
    /// The named backends ask for more than everything.
    #[error("the shares given add up to {0}, more than 100 %")]
    Above(Percent),
    /// Every backend is named, and they do not add up to everything.
    #[error("the shares given add up to {0}; all backends are named, so they must add up to 100 %")]
    Below(Percent),
    /// The backends that are not named hold no share in proportion to which the rest could be given.
    #[error("the shares given add up to {0}, and the backends not named hold no share to scale")]
    Unscalable(Percent),
}

/// A sum of shares in an error; can be above 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(pub u32);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} %", self.0 / 100, self.0 % 100)
    }
}

/// A row of shares, ordered by backend name. Invariant: names are distinct and the shares sum to exactly 10 000.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(
    try_from = "Vec<(BackendName, BasisPoints)>",
    into = "Vec<(BackendName, BasisPoints)>"
)]
pub struct Shares(Vec<(BackendName, BasisPoints)>);

impl Shares {
    /// Normalises weights by the largest remainder; a tie goes to the first name.
    ///
    /// # Errors
    /// [`ShareError::AllZero`] when the weights sum to zero.
    pub fn from_weights(
        weights: impl IntoIterator<Item = (BackendName, u64)>,
    ) -> Result<Self, ShareError> {
        let mut rows: Vec<(BackendName, u64)> = weights.into_iter().collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 = first.1.saturating_add(later.1);
            }
            same
        });
        let values: Vec<u64> = rows.iter().map(|(_, weight)| *weight).collect();
        let shares = largest_remainder(&values, 10_000).ok_or(ShareError::AllZero)?;
        let pair = |((name, _), share): ((BackendName, u64), u16)| (name, BasisPoints(share));
        Ok(Self(rows.into_iter().zip(shares).map(pair).collect()))
    }

    /// This row with some backends set: the others keep their proportion among each other.
    ///
    /// # Errors
    /// [`ShareError`] when a name is unknown or the sum cannot be 100 %.
    pub fn with(&self, set: &[(BackendName, BasisPoints)]) -> Result<Self, ShareError> {
        if let Some((name, _)) = set.iter().find(|(name, _)| self.get(name).is_none()) {
            return Err(ShareError::Unknown(name.clone()));
        }
        let named = |name: &BackendName| set.iter().rev().find(|(n, _)| n == name).map(|(_, s)| *s);
        let taken: u32 = self
            .0
            .iter()
            .filter_map(|(n, _)| named(n))
            .map(|s| u32::from(s.get()))
            .sum();
        let rest = 10_000_u32
            .checked_sub(taken)
            .ok_or(ShareError::Above(Percent(taken)))?;
        let others: Vec<u64> = self
            .0
            .iter()
            .map(|(n, s)| {
                if named(n).is_some() {
                    0
                } else {
                    u64::from(s.get())
                }
            })
            .collect();
        let all_named = self.0.iter().all(|(n, _)| named(n).is_some());
        let scaled = match (rest, largest_remainder(&others, rest)) {
            (0, _) => vec![0; self.0.len()],
            (_, Some(scaled)) => scaled,
            (_, None) if all_named => return Err(ShareError::Below(Percent(taken))),
            (_, None) => return Err(ShareError::Unscalable(Percent(taken))),
        };
        let row =
            self.0.iter().zip(scaled).map(|((name, _), share)| {
                (name.clone(), named(name).unwrap_or(BasisPoints(share)))
            });
        Ok(Self(row.collect()))
    }

    /// The share of a backend; `None` when the row does not have it.
    #[must_use]
    pub fn get(&self, backend: &BackendName) -> Option<BasisPoints> {
        let at = self
            .0
            .binary_search_by(|(name, _)| name.cmp(backend))
            .ok()?;
        self.0.get(at).map(|(_, share)| *share)
    }

    /// Every backend with its share, ordered by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&BackendName, BasisPoints)> + Clone {
        self.0.iter().map(|(name, share)| (name, *share))
    }

    /// How many backends the row has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: a row has at least one backend. Here because `len` is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much a change from this row to the other moves: half the sum of the differences, in basis points. A backend
    /// that one of the rows does not have counts as zero there.
    #[must_use]
    pub fn distance(&self, other: &Self) -> BasisPoints {
        let gains = other.iter().map(|(name, share)| {
            let before = self.get(name).unwrap_or_default().get();
            share.get().saturating_sub(before)
        });
        BasisPoints::saturating(gains.sum())
    }
}

impl fmt::Debug for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl fmt::Display for Shares {
    /// `aws=70 oci=30`: what the CLI takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (name, share)) in self.iter().enumerate() {
            let space = if n == 0 { "" } else { " " };
            write!(f, "{space}{name}={share}")?;
        }
        Ok(())
    }
}

impl TryFrom<Vec<(BackendName, BasisPoints)>> for Shares {
    type Error = ShareError;

    fn try_from(mut row: Vec<(BackendName, BasisPoints)>) -> Result<Self, ShareError> {
        row.sort_by(|a, b| a.0.cmp(&b.0));
        let sum: u32 = row.iter().map(|(_, share)| u32::from(share.get())).sum();
        let distinct = row
            .windows(2)
            .all(|pair| pair.first().map(|p| &p.0) != pair.last().map(|p| &p.0));
        match sum {
            10_000 if distinct && row.iter().all(|(_, s)| s.get() <= 10_000) => Ok(Self(row)),
            0..=10_000 => Err(ShareError::Below(Percent(sum))),
            _ => Err(ShareError::Above(Percent(sum))),
        }
    }
}

impl From<Shares> for Vec<(BackendName, BasisPoints)> {
    fn from(shares: Shares) -> Self {
        shares.0
    }
}

/// Divides `units` in proportion to `weights` with the largest remainder method: every part is the exact quota rounded
/// down or up, and the parts sum to `units`. A tie goes to the first. `None` when the weights sum to zero.
#[must_use]
pub fn largest_remainder(weights: &[u64], units: u32) -> Option<Vec<u16>> {
    let total: u128 = weights.iter().map(|w| u128::from(*w)).sum();
    if total == 0 || units > 10_000 {
        return None;
    }
    let quota = |w: &u64| u128::from(*w) * u128::from(units);
    // A quota divided by the total is at most `units`, which fits.
    let mut parts: Vec<u16> = weights
        .iter()
        .map(|w| u16::try_from(quota(w) / total).unwrap_or(u16::MAX))
        .collect();
    let given: u32 = parts.iter().map(|p| u32::from(*p)).sum();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(weights.get(*i).map_or(0, |w| quota(w) % total)));
    for i in order.into_iter().take(units.saturating_sub(given) as usize) {
        if let Some(part) = parts.get_mut(i) {
            *part += 1;
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> BackendName {
        BackendName::parse(text).unwrap()
    }

    fn row(weights: &[u64]) -> Shares {
        Shares::from_weights(
            weights
                .iter()
                .enumerate()
                .map(|(i, w)| (name(&format!("b{i:02}")), *w)),
        )
        .unwrap()
    }

    #[test]
    fn percent_is_printed_with_as_many_decimals_as_needed() {
        let text = |v| BasisPoints::new(v).unwrap().to_string();
        assert_eq!(
            [text(7000), text(3333), text(50), text(1)],
            ["70", "33.33", "0.5", "0.01"]
        );
    }

    #[test]
    fn backends_that_are_not_named_keep_their_proportion() {
        let changed = row(&[60, 30, 10])
            .with(&[(name("b00"), BasisPoints(2000))])
            .unwrap();
        assert_eq!(changed.to_string(), "b00=20 b01=60 b02=20");
    }

    #[test]
    fn shares_that_cannot_sum_are_refused_by_name() {
        let base = row(&[1, 1]);
        let set = |a, b| base.with(&[(name("b00"), BasisPoints(a)), (name("b01"), BasisPoints(b))]);
        assert_eq!(set(6000, 5000), Err(ShareError::Above(Percent(11_000))));
        assert_eq!(set(6000, 3000), Err(ShareError::Below(Percent(9_000))));
        assert_eq!(
            base.with(&[(name("x"), BasisPoints(1))]),
            Err(ShareError::Unknown(name("x")))
        );
        let one_sided = row(&[1, 0]);
        assert_eq!(
            one_sided.with(&[(name("b00"), BasisPoints(4000))]),
            Err(ShareError::Unscalable(Percent(4_000)))
        );
    }

    proptest! {
        #[test]
        fn a_row_sums_exactly_and_is_within_one_of_its_quota(
            weights in prop::collection::vec(0_u64..1_000_000, 1..40)
        ) {
            prop_assume!(weights.iter().any(|w| *w > 0));
            let total: u64 = weights.iter().sum();
            let shares = row(&weights);
            prop_assert_eq!(shares.iter().map(|(_, s)| u32::from(s.get())).sum::<u32>(), 10_000);
            for ((_, share), weight) in shares.iter().zip(&weights) {
                let quota = *weight as f64 * 10_000.0 / total as f64;
                prop_assert!((f64::from(share.get()) - quota).abs() < 1.0);
                prop_assert!(*weight > 0 || share.is_zero());
            }
        }

        #[test]
        fn setting_one_backend_keeps_the_sum(weights in prop::collection::vec(1_u64..1000, 2..12), set in 0_u16..=10_000) {
            let changed = row(&weights).with(&[(name("b00"), BasisPoints(set))]).unwrap();
            prop_assert_eq!(changed.iter().map(|(_, s)| u32::from(s.get())).sum::<u32>(), 10_000);
            prop_assert_eq!(changed.get(&name("b00")), BasisPoints::new(set));
        }

        #[test]
        fn distance_is_half_the_sum_of_differences(a in prop::collection::vec(1_u64..1000, 5), b in prop::collection::vec(1_u64..1000, 5)) {
            let (a, b) = (row(&a), row(&b));
            let sum: u32 = a.iter().zip(b.iter()).map(|((_, x), (_, y))| u32::from(x.get().abs_diff(y.get()))).sum();
            prop_assert_eq!(u32::from(a.distance(&b).get()) * 2, sum);
        }

        #[test]
        fn a_row_survives_the_wire(weights in prop::collection::vec(1_u64..1000, 1..12)) {
            let shares = row(&weights);
            let text = serde_json::to_string(&shares).unwrap();
            prop_assert_eq!(serde_json::from_str::<Shares>(&text).unwrap(), shares);
        }
    }
}
