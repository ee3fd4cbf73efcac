//! Laws of picking: shares belong to backends, a second try goes elsewhere, and neither gives what must not be given.

mod gates;
mod keys;
mod loads;
mod places;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::fixtures::{Member, member, service};
use crate::spec::Algorithm;

/// All; those that follow a key get requests without one here.
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::LeastRequest,
    Algorithm::PeakEwma,
    Algorithm::RoundRobin,
    Algorithm::Random,
    Algorithm::Maglev,
    Algorithm::Rendezvous,
];

fn idle(_: usize, _: usize) -> Look {
    Look::open(0)
}

/// How often each endpoint of the only backend is picked.
fn counts(algorithm: Algorithm, weights: &[u16], picks: usize) -> Vec<usize> {
    let mut only = member("aws", 10_000, 0);
    only.endpoints = weights.iter().map(|weight| Some(*weight)).collect();
    let service = service(algorithm, &[only]);
    let mut picker = Picker::new(0, &service);
    let mut counts = vec![0; weights.len()];
    for _ in 0..picks {
        counts[picker.first(&service, idle).unwrap().endpoint] += 1;
    }
    counts
}

#[test]
fn idle_endpoints_of_equal_weight_get_equal_parts() {
    for endpoints in [2, 5, 8] {
        for algorithm in [Algorithm::LeastRequest, Algorithm::RoundRobin] {
            let counts = counts(algorithm, &vec![10_000; endpoints], 100 * endpoints);
            assert_eq!(counts, vec![100; endpoints], "{algorithm:?}");
        }
    }
    for algorithm in ALGORITHMS {
        let counts = counts(algorithm, &[10_000; 20], 20_000);
        assert!(
            counts.iter().all(|n| (800..1200).contains(n)),
            "{algorithm:?}: {counts:?}"
        );
    }
}

#[test]
fn a_returning_endpoint_gets_its_weight_of_what_the_others_get() {
    for others in [1, 3, 30] {
        for algorithm in ALGORITHMS {
            let mut weights = vec![10_000; others];
            weights.push(2_500);
            let counts = counts(algorithm, &weights, 40_000);
            let expected = 40_000.0 * 0.25 / (others as f64 + 0.25);
            let ratio = counts[others] as f64 / expected;
            // Two choices among many: the light one is drawn in proportion, and never the loser of a tie.
            assert!(
                (0.75..1.25).contains(&ratio),
                "{algorithm:?}, {others} others: {ratio}"
            );
        }
    }
}

#[test]
fn up_to_eight_endpoints_the_one_with_the_fewest_requests_is_picked() {
    let service = service(Algorithm::LeastRequest, &[member("aws", 10_000, 8)]);
    let mut picker = Picker::new(0, &service);
    for fewest in 0..8 {
        let load = |_: usize, endpoint: usize| Look::open(if endpoint == fewest { 3 } else { 4 });
        for _ in 0..20 {
            assert_eq!(picker.first(&service, load).unwrap().endpoint, fewest);
        }
    }
}

#[test]
fn of_many_endpoints_the_busiest_is_never_picked_and_all_others_are() {
    let service = service(Algorithm::LeastRequest, &[member("aws", 10_000, 30)]);
    let mut picker = Picker::new(0, &service);
    let load = |_: usize, endpoint: usize| Look::open(u32::from(endpoint == 17));
    let picked: BTreeSet<usize> = (0..3000)
        .map(|_| picker.first(&service, load).unwrap().endpoint)
        .collect();
    assert_eq!(picked, (0..30).filter(|endpoint| *endpoint != 17).collect());
}

#[test]
fn round_robin_goes_on_at_its_place_when_endpoints_come_and_go() {
    let before = service(Algorithm::RoundRobin, &[member("aws", 10_000, 6)]);
    let mut picker = Picker::new(0, &before);
    while picker.first(&before, idle).unwrap().endpoint != 2 {}
    let mut fewer = member("aws", 10_000, 6);
    fewer.endpoints[0] = None;
    fewer.endpoints[3] = None;
    let after = service(Algorithm::RoundRobin, &[fewer]);
    let mut picker = Picker::carry(picker, &after);
    let order: Vec<usize> = (0..5)
        .map(|_| picker.first(&after, idle).unwrap().endpoint)
        .collect();
    assert_eq!(order, [4, 5, 1, 2, 4]);
}

#[test]
fn round_robin_leaves_nobody_out_when_the_state_is_carried_over_between_picks() {
    let service = service(Algorithm::RoundRobin, &[member("aws", 10_000, 6)]);
    let mut picker = Picker::new(0, &service);
    let mut counts = [0; 6];
    for _ in 0..60 {
        picker = Picker::carry(picker, &service);
        counts[picker.first(&service, idle).unwrap().endpoint] += 1;
    }
    assert_eq!(counts, [10; 6]);
}

#[test]
fn a_second_try_goes_to_another_provider_then_another_backend_then_another_endpoint() {
    let members = [
        member("aws", 4000, 2),
        member("aws", 3000, 1),
        member("oci", 3000, 1),
    ];
    let service = service(Algorithm::LeastRequest, &members);
    let mut picker = Picker::new(0, &service);
    let at = |backend, endpoint| Choice {
        backend,
        endpoint,
        why: PickReason::Weight,
    };
    let mut tried = vec![at(0, 1)];
    let mut order = Vec::new();
    while let Some(choice) = picker.other(&service, &tried, idle) {
        assert_eq!(choice.why, PickReason::Retry);
        order.push((choice.backend, choice.endpoint));
        tried.push(choice);
    }
    assert_eq!(order, [(2, 0), (1, 0), (0, 0)]);
}

#[test]
fn a_service_that_does_not_want_another_provider_tries_near_first() {
    let members = [
        member("aws", 4000, 2),
        member("aws", 3000, 1),
        member("oci", 3000, 1),
    ];
    let mut service = service(Algorithm::LeastRequest, &members);
    let mut spec = (*service.spec).clone();
    spec.retry.other_provider = false;
    service.spec = std::sync::Arc::new(spec);
    let mut picker = Picker::new(0, &service);
    let mut tried = vec![Choice {
        backend: 0,
        endpoint: 1,
        why: PickReason::Weight,
    }];
    let mut order = Vec::new();
    while let Some(choice) = picker.other(&service, &tried, idle) {
        order.push((choice.backend, choice.endpoint));
        tried.push(choice);
    }
    assert_eq!(order, [(0, 0), (1, 0), (2, 0)]);
}

#[test]
fn what_one_provider_loses_is_divided_over_the_others_by_their_shares() {
    let members = [
        member("a", 5000, 1),
        member("b", 4000, 1),
        member("c", 1000, 1),
    ];
    let service = service(Algorithm::LeastRequest, &members);
    let mut picker = Picker::new(0, &service);
    let tried = [Choice {
        backend: 0,
        endpoint: 0,
        why: PickReason::Weight,
    }];
    let to_c = (0..10_000)
        .filter(|_| picker.other(&service, &tried, idle).unwrap().backend == 2)
        .count();
    assert!((1800..2200).contains(&to_c), "{to_c} of 2000");
}

#[test]
fn a_standby_helps_with_a_second_try_where_no_other_provider_has_a_share() {
    let members = [member("aws", 10_000, 2), member("oci", 0, 1)];
    let service = service(Algorithm::LeastRequest, &members);
    let mut picker = Picker::new(0, &service);
    let first = picker.first(&service, idle).unwrap();
    assert_eq!(picker.other(&service, &[first], idle).unwrap().backend, 1);
}

#[test]
fn a_service_that_refuses_gives_nothing_and_one_that_fails_open_says_so() {
    use crate::snapshot::Refusal;
    let mut service = service(Algorithm::LeastRequest, &[member("aws", 10_000, 2)]);
    service.mode = Mode::FailOpen;
    let mut picker = Picker::new(0, &service);
    let first = picker.first(&service, idle).unwrap();
    assert_eq!(first.why, PickReason::FailOpen);
    assert_ne!(
        picker.other(&service, &[first], idle).unwrap().endpoint,
        first.endpoint
    );
    service.mode = Mode::Refuse(Refusal::AllOff);
    assert_eq!(picker.first(&service, idle), Err(PickRefused::Nothing));
    assert_eq!(picker.other(&service, &[], idle), None);
}

/// Backends of three providers; some off, some endpoints not usable. Shares only where they may be.
fn members() -> impl Strategy<Value = Vec<Member>> {
    let endpoint = prop_oneof![
        Just(None),
        Just(Some(10_000)),
        (1_u16..=10_000).prop_map(Some)
    ];
    let endpoints = prop_oneof![
        prop::collection::vec(endpoint.clone(), 0..4),
        prop::collection::vec(endpoint, 0..40)
    ];
    let one = (
        prop::sample::select(vec!["aws", "oci", "gcp"]),
        0_u64..50,
        0_u8..5,
        endpoints,
    );
    let member = |(provider, weight, off, endpoints): (&str, u64, u8, Vec<Option<u16>>)| {
        let off = off == 0;
        let may = !off && endpoints.iter().any(Option::is_some);
        let member = Member {
            provider: provider.to_owned(),
            effective: 0,
            off,
            endpoints,
        };
        (member, if may { weight } else { 0 })
    };
    let row = |members: Vec<(Member, u64)>| {
        let weights: Vec<u64> = members.iter().map(|(_, weight)| *weight).collect();
        let shares = bascule_model::share::largest_remainder(&weights, 10_000)?;
        let with = |((member, _), effective)| Member {
            effective,
            ..member
        };
        Some(members.into_iter().zip(shares).map(with).collect())
    };
    prop::collection::vec(one.prop_map(member), 2..=12).prop_filter_map("a share", row)
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(ALGORITHMS.to_vec())
}

fn is_allowed(service: &Service, choice: Choice) -> bool {
    let backend = &service.backends[choice.backend];
    !backend.off && backend.endpoints[choice.endpoint].usable
}

proptest! {
    #[test]
    fn a_backends_share_is_the_same_however_many_endpoints_it_has(
        members in members(), algorithm in algorithm(), worker in 0_usize..64, picks in 1_usize..1500
    ) {
        let service = service(algorithm, &members);
        let mut picker = Picker::new(worker, &service);
        let mut counts = vec![0_i64; members.len()];
        for n in 0..picks {
            let load = |backend: usize, endpoint: usize| {
                Look::open(u32::from((backend * 7 + endpoint * 13 + n) % 5 > 2))
            };
            let choice = picker.first(&service, load).unwrap();
            prop_assert!(is_allowed(&service, choice));
            counts[choice.backend] += 1;
        }
        for (count, member) in counts.iter().zip(&members) {
            let lag = count * 10_000 - picks as i64 * i64::from(member.effective);
            let limit = if worker == 0 { 10_000 } else { 20_000 };
            prop_assert!(lag.abs() < limit, "{:?} {:?}", counts, members);
            prop_assert!(member.effective > 0 || *count == 0);
        }
    }

    #[test]
    fn further_tries_reach_everything_allowed_once_and_the_farthest_first(
        members in members(), algorithm in algorithm()
    ) {
        let service = service(algorithm, &members);
        let mut picker = Picker::new(0, &service);
        let mut tried = vec![picker.first(&service, idle).unwrap()];
        while let Some(choice) = picker.other(&service, &tried, idle) {
            prop_assert!(is_allowed(&service, choice));
            let same = |t: &Choice| t.backend == choice.backend && t.endpoint == choice.endpoint;
            prop_assert!(!tried.iter().any(same));
            let provider = |choice: &Choice| &service.backends[choice.backend].provider;
            let fresh = |b: &Backend| {
                let usable = b.endpoints.iter().any(|e| e.usable);
                !b.off && usable && !tried.iter().any(|t| provider(t) == &b.provider)
            };
            let to_fresh = !tried.iter().any(|t| provider(t) == provider(&choice));
            prop_assert_eq!(to_fresh, service.backends.iter().any(fresh));
            tried.push(choice);
        }
        let allowed = service.backends.iter().filter(|b| !b.off).flat_map(|b| &b.endpoints);
        prop_assert_eq!(tried.len(), allowed.filter(|e| e.usable).count());
    }

    #[test]
    fn further_tries_consume_no_pick(members in members(), algorithm in algorithm(), picks in 1_usize..300) {
        let service = service(algorithm, &members);
        let (mut quiet, mut busy) = (Picker::new(5, &service), Picker::new(5, &service));
        for _ in 0..picks {
            let expected = quiet.first(&service, idle).map(|choice| choice.backend);
            let choice = busy.first(&service, idle);
            prop_assert_eq!(choice.map(|choice| choice.backend), expected);
            let tried: Vec<Choice> = choice.into_iter().collect();
            busy.other(&service, &tried, idle);
        }
    }

    #[test]
    fn carrying_over_to_the_same_state_changes_no_backend_picked(
        members in members(), picks in prop::collection::vec(1_usize..40, 1..10)
    ) {
        let service = service(Algorithm::LeastRequest, &members);
        let (mut kept, mut carried) = (Picker::new(7, &service), Picker::new(7, &service));
        for part in picks {
            carried = Picker::carry(carried, &service);
            for _ in 0..part {
                let backend = |choice: Result<Choice, _>| choice.map(|choice| choice.backend);
                prop_assert_eq!(backend(kept.first(&service, idle)), backend(carried.first(&service, idle)));
            }
        }
    }
}

#[test]
fn who_stands_in_reserve_gets_a_further_try_where_nobody_else_is_left_and_nothing_before() {
    let mut service = service(Algorithm::LeastRequest, &[member("aws", 10_000, 4)]);
    let endpoints = &mut service.backends[0].endpoints;
    for endpoint in &mut endpoints[2..] {
        (endpoint.usable, endpoint.is_reserve) = (false, true);
    }
    endpoints[3].observed = bascule_model::ObservedState::Down;
    let mut picker = Picker::new(1, &service);
    for _ in 0..100 {
        let first = picker.first(&service, idle).unwrap();
        assert!(first.endpoint < 2);
        let second = picker.other(&service, &[first], idle).unwrap();
        assert_eq!(second.endpoint, 1 - first.endpoint);
        let third = picker.other(&service, &[first, second], idle).unwrap();
        assert_eq!(third.endpoint, 2);
        assert_eq!(picker.other(&service, &[first, second, third], idle), None);
    }
    service.backends[0].off = true;
    let first = Choice {
        backend: 0,
        endpoint: 0,
        why: PickReason::Retry,
    };
    let second = Choice {
        endpoint: 1,
        ..first
    };
    assert_eq!(
        Picker::new(1, &service).other(&service, &[first, second], idle),
        None
    );
}
