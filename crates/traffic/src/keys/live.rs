//! Which keys are in use, and at which endpoint: so that one whose endpoint is drained stays there until it ends, and all
//! who come with the same key meet there. All workers share one table a service: what one has seen, the next must know.
//!
//! A fixed number of slots in sets of eight, each slot one word: reading is one look at a cache line, and a key that is
//! used often is written once in a while. No lock, nothing allocated after the start. Where a set is full the key that was
//! used longest ago goes; it is then found by the map alone. Two workers that write one slot at once may lose one of the
//! two keys; never does a key get another's endpoint but by 45 equal bits of two hashes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bascule_model::Instant;

use crate::hash::Key;

/// Keys that are remembered of a service. Half a megabyte; a thousand meetings a second for a minute.
const LIVE_KEYS_MAX: usize = 65_536;
/// Endpoints that keys can be remembered at: what fits a slot. Those beyond have keys that follow the map at once.
const SEATS_MAX: u16 = (1 << SEAT_BITS) - 1;

/// Slots that a key can be in.
const WAYS: usize = 8;
const SETS: usize = LIVE_KEYS_MAX / WAYS;
const SEAT_BITS: u32 = 14;
const TIME_BITS: u32 = 18;
/// Units in the time that a key lives: it ends late by one of them at most.
const UNITS: u64 = 256;
/// Fewer than these would end a key much too late.
const UNITS_MIN: u64 = 16;
/// With more than these what was used long ago would soon seem new, as the count of time begins anew.
const UNITS_MAX: u64 = 1 << (TIME_BITS - 3);

/// The number of an endpoint in the table, from 1 to 16 383.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat(u16);

impl Seat {
    /// `None` for 0 and above 16 383.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number > 0 && number <= SEATS_MAX {
            Some(Self(number))
        } else {
            None
        }
    }
}

/// The keys of one service that are in use.
#[derive(Debug)]
pub struct LiveKeys {
    slots: Box<[AtomicU64]>,
    /// What time is counted in, in milliseconds. It stays when the time that keys live changes, so that they can be compared.
    unit: u64,
}

/// A slot: the upper half of the key, the seat, and when it was used last. All zero is empty, as no seat is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    tag: u32,
    seat: u16,
    /// In the table's units; begins anew after 2¹⁸ of them.
    used: u64,
}

impl Slot {
    fn read(word: u64) -> Option<Self> {
        let part = |shift: u32, bits: u32| (word >> shift) & ((1 << bits) - 1);
        let slot = Self {
            tag: u32::try_from(word >> (SEAT_BITS + TIME_BITS)).unwrap_or(0),
            seat: u16::try_from(part(TIME_BITS, SEAT_BITS)).unwrap_or(0),
            used: part(0, TIME_BITS),
        };
        (slot.seat > 0).then_some(slot)
    }

    fn word(self) -> u64 {
        (u64::from(self.tag) << (SEAT_BITS + TIME_BITS))
            | (u64::from(self.seat) << TIME_BITS)
            | self.used
    }

    /// How long ago it was used, in units.
    const fn age(self, now: u64) -> u64 {
        now.wrapping_sub(self.used) & ((1 << TIME_BITS) - 1)
    }
}

impl LiveKeys {
    /// A table for keys that live so long.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        Self {
            slots: (0..LIVE_KEYS_MAX).map(|_| AtomicU64::new(0)).collect(),
            unit: (millis(ttl) / UNITS).max(1),
        }
    }

    /// Whether it can also be one for keys that live so long: from a sixteenth to 128 times of what it was made for.
    #[must_use]
    pub const fn suits(&self, ttl: Duration) -> bool {
        let units = self.units(ttl);
        units >= UNITS_MIN && units <= UNITS_MAX
    }

    /// Where a key is in use; it has been within its time to live, which the table [`suits`](Self::suits).
    #[must_use]
    pub fn find(&self, key: Key, now: Instant, ttl: Duration) -> Option<Seat> {
        let (now, lives) = (self.at(now), self.units(ttl));
        let tag = tag(key);
        let mut slots = self
            .set(key)
            .iter()
            .filter_map(|s| Slot::read(s.load(Relaxed)));
        let slot = slots.find(|slot| slot.tag == tag && slot.age(now) <= lives)?;
        Some(Seat(slot.seat))
    }

    /// A key is used at this endpoint.
    pub fn keep(&self, key: Key, seat: Seat, now: Instant) {
        let now = self.at(now);
        let new = Slot {
            tag: tag(key),
            seat: seat.0,
            used: now,
        };
        let mut oldest: Option<(u64, &AtomicU64)> = None;
        for slot in self.set(key) {
            let age = match Slot::read(slot.load(Relaxed)) {
                Some(held) if held == new => return,
                Some(held) if held.tag == new.tag => {
                    slot.store(new.word(), Relaxed);
                    return;
                }
                Some(held) => held.age(now),
                None => u64::MAX,
            };
            if oldest.is_none_or(|(most, _)| age > most) {
                oldest = Some((age, slot));
            }
        }
        if let Some((_, slot)) = oldest {
            slot.store(new.word(), Relaxed);
        }
    }

    /// A time to live in units, rounded down.
    const fn units(&self, ttl: Duration) -> u64 {
        millis(ttl) / self.unit
    }

    fn at(&self, now: Instant) -> u64 {
        (millis(now.since(Instant::ZERO)) / self.unit) & ((1 << TIME_BITS) - 1)
    }

    fn set(&self, key: Key) -> &[AtomicU64] {
        let sets = u64::try_from(SETS).unwrap_or(1);
        let at = usize::try_from(key.value() % sets).unwrap_or(0) * WAYS;
        self.slots.get(at..at + WAYS).unwrap_or_default()
    }
}

fn tag(key: Key) -> u32 {
    u32::try_from(key.value() >> 32).unwrap_or(0)
}

/// Whole milliseconds.
const fn millis(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000) + time.subsec_millis() as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const TTL: Duration = Duration::from_secs(256);

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn seat(number: u16) -> Seat {
        Seat::new(number).unwrap()
    }

    /// A key in set 0 that differs from the others there.
    fn in_first_set(number: u64) -> Key {
        Key::from_value(number << 32)
    }

    #[test]
    fn a_key_stays_while_it_is_used_and_for_its_time_after_that() {
        let live = LiveKeys::new(TTL);
        live.keep(in_first_set(1), seat(7), at(10));
        live.keep(in_first_set(1), seat(7), at(200));
        assert_eq!(live.find(in_first_set(1), at(455), TTL), Some(seat(7)));
        assert_eq!(live.find(in_first_set(1), at(457), TTL), None);
        assert_eq!(live.find(in_first_set(2), at(200), TTL), None);
    }

    #[test]
    fn where_a_set_is_full_the_key_used_longest_ago_goes() {
        let live = LiveKeys::new(TTL);
        for number in 1..=8 {
            live.keep(in_first_set(number), seat(1), at(number));
        }
        live.keep(in_first_set(1), seat(1), at(9));
        live.keep(in_first_set(9), seat(1), at(10));
        let is_there = |number| live.find(in_first_set(number), at(10), TTL).is_some();
        assert!(is_there(1) && is_there(9) && !is_there(2) && is_there(3));
    }

    #[test]
    fn a_key_is_still_in_use_when_keys_live_longer_or_shorter_than_before() {
        let live = LiveKeys::new(TTL);
        live.keep(in_first_set(1), seat(7), at(100));
        let found = |after: u64, lives: Duration| {
            assert!(live.suits(lives), "{lives:?}");
            live.find(in_first_set(1), at(100 + after), lives).is_some()
        };
        for lives in [TTL / 16, TTL / 2, TTL * 2, TTL * 128] {
            let seconds = lives.as_secs();
            assert!(found(1, lives) && found(seconds, lives), "{lives:?}");
            assert!(!found(seconds + 1, lives), "{lives:?}");
        }
        assert!(!live.suits(TTL / 17) && !live.suits(TTL * 129));
    }

    #[test]
    fn a_table_suits_what_it_is_made_for() {
        for seconds in [1, 60, 43_200, 2_592_000] {
            let ttl = Duration::from_secs(seconds);
            assert!(LiveKeys::new(ttl).suits(ttl), "{seconds}");
        }
    }

    #[test]
    fn only_so_many_endpoints_have_a_number() {
        assert_eq!(Seat::new(0), None);
        assert!(Seat::new(SEATS_MAX).is_some());
        assert_eq!(Seat::new(SEATS_MAX + 1), None);
    }

    proptest! {
        /// The model remembers everything for ever; what the table has is what the model has, and it has the eight that
        /// were used last of a set.
        #[test]
        fn the_table_has_what_was_used_last(
            uses in prop::collection::vec((1_u64..20, 1_u16..500, 0_u64..40), 1..200)
        ) {
            let live = LiveKeys::new(TTL);
            let mut model: BTreeMap<u64, (u64, u16)> = BTreeMap::new();
            let mut now = 0;
            for (number, place, wait) in uses {
                now += wait + 1;
                live.keep(in_first_set(number), seat(place), at(now));
                model.insert(number, (now, place));
                let mut newest: Vec<(u64, u64, u16)> =
                    model.iter().map(|(number, (used, place))| (*used, *number, *place)).collect();
                newest.sort_unstable();
                for (used, number, place) in newest.into_iter().rev().take(8) {
                    let found = live.find(in_first_set(number), at(now), TTL);
                    prop_assert_eq!(found, (now - used <= 256).then_some(seat(place)));
                }
            }
        }
    }
}
