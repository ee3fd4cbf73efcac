//! The endpoint that a key belongs to. Every key has an order of its own over a group's endpoints; the first that may
//! have it does. So what one endpoint loses is spread over all others, nothing else moves, and it all comes back to it.
//! Three things can make an endpoint pass a key on: its gate; its ramp, which lets in only some of its keys, more and more
//! of the same; and a bound on its load. Where all pass it on the bound is the first to be forgotten.
//!
//! The order is a table's ([`maglev`](crate::maglev)), looked up anew for each place in it, or by a score of every
//! endpoint with the key (rendezvous: Thaler and Ravishankar, 1998), which needs no table and looks at all.

use bascule_model::hash::mix;

use super::group::{Candidate, Group};
use super::{Gate, Look};
use crate::hash::Key;
use crate::maglev::Table;
use crate::spec::LoadBound;

/// So many places of a table are looked up before all endpoints are compared: with half of them down one key in a thousand
/// comes to that.
const LOOKUPS: u64 = 10;
/// What decides whether a returning endpoint takes a key is not what made the key its own.
const RAMP: u64 = 0x7261_6d70_0000_0000;

/// How a key is followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByKey<'a> {
    pub(super) key: Key,
    /// Without one: rendezvous.
    pub(super) table: Option<&'a Table>,
    pub(super) bound: Option<LoadBound>,
}

/// What one endpoint may have in flight, worked out for one pick.
#[derive(Debug, Clone, Copy)]
struct Limit {
    bound: LoadBound,
    /// In flight in the whole group, with this request.
    all: u64,
    weight_sum: u64,
}

impl Limit {
    /// Its part of all, by weight, times the bound, rounded up: never less than one.
    fn allows(self, candidate: &Candidate, in_flight: u32) -> bool {
        let percent = u128::from(self.bound.percent());
        let part = percent * u128::from(self.all) * u128::from(candidate.weight);
        let limit = part.div_ceil(100 * u128::from(self.weight_sum.max(1)));
        u128::from(in_flight) < limit
    }
}

impl ByKey<'_> {
    /// An index into the backend's endpoints, of one whose gate is `worst` or better.
    pub(super) fn pick(
        self,
        group: &Group,
        worst: Gate,
        look: impl Fn(usize) -> Look,
    ) -> Option<usize> {
        let limit = self.bound.map(|bound| {
            let in_flight = |c: &Candidate| u64::from(look(c.endpoint).in_flight);
            Limit {
                bound,
                all: group.candidates.iter().map(in_flight).sum::<u64>() + 1,
                weight_sum: group.weight_sum,
            }
        });
        let takes = |candidate: &Candidate| {
            let look = look(candidate.endpoint);
            look.gate <= worst
                && self.is_let_in(candidate)
                && limit.is_none_or(|limit| limit.allows(candidate, look.in_flight))
        };
        let may = |candidate: &Candidate| look(candidate.endpoint).gate <= worst;
        self.by_table(group, takes)
            .or_else(|| self.by_score(group, takes))
            .or_else(|| self.by_score(group, |c| may(c) && self.is_let_in(c)))
            .or_else(|| self.by_score(group, may))
            .map(|candidate| candidate.endpoint)
    }

    fn by_table(self, group: &Group, takes: impl Fn(&Candidate) -> bool) -> Option<&Candidate> {
        let table = self.table?;
        let named = |nth| {
            let endpoint = table.at(self.key, nth)?;
            let at = group.candidates.partition_point(|c| c.endpoint < endpoint);
            group.candidates.get(at).filter(|c| c.endpoint == endpoint)
        };
        (0..LOOKUPS).filter_map(named).find(|c| takes(c))
    }

    /// The best score of those that take it.
    fn by_score(self, group: &Group, takes: impl Fn(&Candidate) -> bool) -> Option<&Candidate> {
        let mut best: Option<(&Candidate, u64)> = None;
        for candidate in &group.candidates {
            let drawn = self.key.with(candidate.hash);
            let better = best.is_none_or(|(held, held_drawn)| {
                beats((drawn, candidate.declared), (held_drawn, held.declared))
            });
            if better && takes(candidate) {
                best = Some((candidate, drawn));
            }
        }
        best.map(|(candidate, _)| candidate)
    }

    /// Whether an endpoint's ramp lets this key in.
    fn is_let_in(self, candidate: &Candidate) -> bool {
        let turn = mix(self.key.with(candidate.hash) ^ RAMP) % 10_000;
        turn < u64::from(candidate.ramp.get())
    }
}

/// Whether the first of two draws, each with a weight, wins. The one whose draw is the larger root of its weight does; then
/// each wins in proportion to its weight, and one that is heavier than before only gains (weighted rendezvous).
fn beats((draw, weight): (u64, u64), (other, other_weight): (u64, u64)) -> bool {
    if weight == other_weight {
        return draw > other;
    }
    let scaled = |draw, weight| u128::from(below_one(draw)) * u128::from(weight);
    scaled(draw, other_weight) < scaled(other, weight)
}

/// How far a draw is below one, as a logarithm: −log₂(draw / 2⁶⁴), in parts of 2³². Bit by bit in whole numbers, so that it
/// is the same on every machine.
fn below_one(draw: u64) -> u64 {
    const BITS: u32 = 32;
    let draw = draw.max(1);
    let zeros = draw.leading_zeros();
    let mut mantissa = draw << zeros;
    let mut fraction = 0_u64;
    for _ in 0..BITS {
        let squared = u128::from(mantissa) * u128::from(mantissa);
        fraction <<= 1;
        let high = u64::try_from(squared >> 64).unwrap_or(u64::MAX);
        mantissa = if high >> 63 == 1 {
            fraction |= 1;
            high
        } else {
            u64::try_from(squared >> 63).unwrap_or(u64::MAX)
        };
    }
    (u64::from(zeros + 1) << BITS) - fraction
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_logarithm_is_the_one_of_the_library(draw in any::<u64>(), small in 0_u32..64) {
            let draw = (draw >> small).max(1);
            let wanted = 64.0 - (draw as f64).log2();
            let got = below_one(draw) as f64 / f64::from(u32::MAX);
            prop_assert!((got - wanted).abs() < 1e-6, "{got} for {wanted}");
        }

        #[test]
        fn of_two_draws_exactly_one_wins(draws in any::<(u64, u64)>(), weights in (1_u64..1000, 1_u64..1000)) {
            let (a, b) = ((draws.0, weights.0), (draws.1, weights.1));
            prop_assume!(draws.0 != draws.1);
            prop_assert!(beats(a, b) != beats(b, a) || below_one(draws.0) * weights.1 == below_one(draws.1) * weights.0);
        }
    }
}
