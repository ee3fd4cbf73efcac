//! From the records of an SRV name to endpoints: each address with its priority and its weight. A record has its weight among
//! those of its priority, and its addresses share it. A weight of 0 is a hundredth of the lightest other: little, not none,
//! as RFC 2782 wants it; where all are 0 all are equal. Pure.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bascule_model::SrvRecord;

/// What an endpoint of weight 1 has, in ten-thousandths.
const ONE: u128 = 10_000;
/// A weight in parts of the least that there can be.
const PARTS: u128 = 100;

/// What the records say of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) priority: u16,
    /// Its weight in ten-thousandths, above zero. Those of one priority have together what is written of the name, or as
    /// much as there are of them.
    pub(super) declared: u32,
}

/// The endpoints of a name with these records; `weight` is what is written of the name.
pub(super) fn place(records: &[SrvRecord], weight: Option<u32>) -> BTreeMap<SocketAddr, Placed> {
    let mut levels: BTreeMap<u16, Vec<&SrvRecord>> = BTreeMap::new();
    for record in records.iter().filter(|r| !r.addresses.is_empty()) {
        levels.entry(record.priority).or_default().push(record);
    }
    let mut placed: BTreeMap<SocketAddr, Placed> = BTreeMap::new();
    // The lowest priority last, as it is the one that counts for an address with several.
    for (priority, records) in levels.into_iter().rev() {
        placed.extend(level(priority, &records, weight));
    }
    placed
}

fn level(
    priority: u16,
    records: &[&SrvRecord],
    weight: Option<u32>,
) -> impl Iterator<Item = (SocketAddr, Placed)> {
    let lightest = records.iter().map(|r| r.weight).filter(|w| *w > 0).min();
    let of_record = |record: &SrvRecord| match (record.weight, lightest) {
        (0, Some(lightest)) => u128::from(lightest),
        (0, None) => PARTS,
        (weight, _) => u128::from(weight) * PARTS,
    };
    let sum: u128 = records.iter().map(|record| of_record(record)).sum();
    // In millionths of the whole, so that a hundred addresses of a light record still have a part each.
    let mut parts: BTreeMap<SocketAddr, u128> = BTreeMap::new();
    for record in records {
        let count = u128::try_from(record.addresses.len()).unwrap_or(1).max(1);
        let part = of_record(record) * ONE.pow(4) / (sum.max(1) * count);
        for ip in &record.addresses {
            *parts.entry(SocketAddr::new(*ip, record.port)).or_default() += part;
        }
    }
    let count = u128::try_from(parts.len()).unwrap_or(1);
    let whole = weight.map_or(count, u128::from) * ONE;
    parts.into_iter().map(move |(address, part)| {
        // Half a unit more, so that equal parts come out as written.
        let declared = (part * whole + ONE.pow(4) / 2) / ONE.pow(4);
        let declared = u32::try_from(declared).unwrap_or(u32::MAX).max(1);
        (address, Placed { priority, declared })
    })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    fn record(priority: u16, weight: u16, port: u16, last: &[u8]) -> SrvRecord {
        let addresses = last.iter().map(|n| IpAddr::from([10, 0, 0, *n])).collect();
        SrvRecord {
            priority,
            weight,
            port,
            addresses,
        }
    }

    /// Last part of the address, port, priority, weight.
    fn placed(records: &[SrvRecord], weight: Option<u32>) -> Vec<(u8, u16, u16, u32)> {
        let of_each = |(address, placed): (SocketAddr, Placed)| {
            let SocketAddr::V4(v4) = address else {
                panic!("only IPv4 here");
            };
            (
                v4.ip().octets()[3],
                v4.port(),
                placed.priority,
                placed.declared,
            )
        };
        place(records, weight).into_iter().map(of_each).collect()
    }

    #[test]
    fn weights_are_shared_by_record_and_then_by_address() {
        let records = [record(1, 3, 80, &[1]), record(1, 1, 80, &[2, 3])];
        let expected = [(1, 80, 1, 22_500), (2, 80, 1, 3_750), (3, 80, 1, 3_750)];
        assert_eq!(placed(&records, None), expected);
        let expected = [(1, 80, 1, 75_000), (2, 80, 1, 12_500), (3, 80, 1, 12_500)];
        assert_eq!(placed(&records, Some(10)), expected);
    }

    #[test]
    fn a_weight_of_zero_is_little_and_all_zero_are_equal() {
        let records = [record(1, 10, 80, &[1]), record(1, 0, 80, &[2])];
        assert_eq!(
            placed(&records, None),
            [(1, 80, 1, 19_802), (2, 80, 1, 198)]
        );
        let equal = [record(1, 0, 80, &[1]), record(1, 0, 81, &[2])];
        assert_eq!(
            placed(&equal, None),
            [(1, 80, 1, 10_000), (2, 81, 1, 10_000)]
        );
    }

    #[test]
    fn one_address_in_two_records_is_one_endpoint_of_the_lower_priority() {
        let records = [
            record(2, 1, 80, &[1, 2]),
            record(1, 1, 80, &[1]),
            record(1, 1, 80, &[1]),
            record(1, 1, 81, &[1]),
        ];
        let expected = [(1, 80, 1, 13_333), (1, 81, 1, 6_667), (2, 80, 2, 10_000)];
        assert_eq!(placed(&records, None), expected);
    }

    proptest! {
        #[test]
        fn the_order_of_records_changes_nothing_and_a_level_has_what_is_written(
            given in prop::collection::vec((0_u16..3, 0_u16..=u16::MAX, 1_u16..4, prop::collection::btree_set(0_u8..40, 1..8)), 1..20),
            weight in prop::option::of(1_u32..=1_000),
        ) {
            let one = |(priority, weight, port, last): &(u16, u16, u16, std::collections::BTreeSet<u8>)| {
                record(*priority, *weight, *port, &last.iter().copied().collect::<Vec<_>>())
            };
            let records: Vec<SrvRecord> = given.iter().map(one).collect();
            let backward: Vec<SrvRecord> = given.iter().rev().map(one).collect();
            let all = place(&records, weight);
            prop_assert_eq!(&all, &place(&backward, weight));
            let lowest = records.iter().map(|r| r.priority).min().unwrap();
            let of_lowest = || all.values().filter(|p| p.priority == lowest);
            prop_assert!(all.values().all(|p| p.declared > 0));
            let sum: u64 = of_lowest().map(|p| u64::from(p.declared)).sum();
            let count = of_lowest().count() as u64;
            let wanted = weight.map_or(count, u64::from) * 10_000;
            // Each part is rounded, and none to nothing.
            prop_assert!(sum.abs_diff(wanted) <= count * 2, "{} of {}", sum, wanted);
        }
    }
}
