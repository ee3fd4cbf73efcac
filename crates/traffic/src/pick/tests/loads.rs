//! Laws of choosing by load, by latency and by turn, with weights and with zones.

use proptest::prelude::*;

use super::idle;
use crate::fixtures::{member, points, service};
use crate::pick::{Gate, Look, Picker};
use crate::snapshot::Service;
use crate::spec::Algorithm;

const MILLI: u64 = 1_000_000;

/// One backend whose endpoints have these weights by configuration.
fn weighted(algorithm: Algorithm, weights: &[u32]) -> Service {
    let mut service = service(algorithm, &[member("aws", 10_000, weights.len())]);
    let endpoints = &mut service.backends[0].endpoints;
    for (endpoint, weight) in endpoints.iter_mut().zip(weights) {
        endpoint.declared = weight * 10_000;
    }
    service
}

/// One backend with so many endpoints near and far, of whose picks the near ones get this part.
fn zoned(algorithm: Algorithm, near: usize, far: usize, part: u16) -> Service {
    let mut service = service(algorithm, &[member("aws", 10_000, near + far)]);
    let backend = &mut service.backends[0];
    backend.near = points(part);
    for endpoint in &mut backend.endpoints[near..] {
        endpoint.is_near = false;
    }
    service
}

/// How often each endpoint is picked while requests stay for `stay` picks.
fn spread(service: &Service, picks: usize, stay: usize) -> Vec<u32> {
    let mut picker = Picker::new(1, service);
    let count = service.backends[0].endpoints.len();
    let (mut in_flight, mut counts) = (vec![0; count], vec![0; count]);
    let mut running = std::collections::VecDeque::new();
    for _ in 0..picks {
        if running.len() > stay {
            in_flight[running.pop_front().unwrap_or_default()] -= 1;
        }
        let look = |_: usize, endpoint: usize| Look {
            latency: Some(5 * MILLI),
            ..Look::open(in_flight[endpoint])
        };
        let endpoint = picker.first(service, look).unwrap().endpoint;
        in_flight[endpoint] += 1;
        counts[endpoint] += 1;
        running.push_back(endpoint);
    }
    counts
}

#[test]
fn endpoints_get_picks_in_proportion_to_their_weights_idle_and_busy() {
    for weights in [
        vec![1, 3],
        vec![4, 2, 1],
        [vec![5; 10], vec![10; 10]].concat(),
    ] {
        let sum: u32 = weights.iter().sum();
        let part = |weight: &u32| 20_000.0 * f64::from(*weight) / f64::from(sum);
        for (algorithm, stay) in super::ALGORITHMS.iter().flat_map(|a| [(*a, 0), (*a, 200)]) {
            let counts = spread(&weighted(algorithm, &weights), 20_000, stay);
            let fits = |(count, weight): (&u32, &u32)| {
                (0.7..1.3).contains(&(f64::from(*count) / part(weight)))
            };
            assert!(
                counts.iter().zip(&weights).all(fits),
                "{algorithm:?}, {weights:?}, {stay} running: {counts:?}"
            );
        }
    }
}

#[test]
fn by_latency_the_fast_one_is_picked_until_its_queue_is_as_slow() {
    let service = service(Algorithm::PeakEwma, &[member("aws", 10_000, 2)]);
    let mut picker = Picker::new(0, &service);
    let mut pick = |fast_queue| {
        let look = |_: usize, endpoint: usize| Look {
            latency: Some(if endpoint == 0 {
                10 * MILLI
            } else {
                100 * MILLI
            }),
            ..Look::open(if endpoint == 0 { fast_queue } else { 0 })
        };
        picker.first(&service, look).unwrap().endpoint
    };
    // 10 ms × 9 is less than 100 ms × 1, and 10 ms × 11 is more.
    assert_eq!((pick(0), pick(8), pick(10)), (0, 0, 1));
}

#[test]
fn an_endpoint_that_is_new_among_fast_ones_is_tried_at_once_and_among_slow_ones_counts_as_30_ms() {
    for endpoints in [3, 20] {
        let service = service(Algorithm::PeakEwma, &[member("aws", 10_000, endpoints)]);
        let mut picker = Picker::new(0, &service);
        for known in [MILLI, 400 * MILLI] {
            let look = |_: usize, endpoint: usize| Look {
                latency: (endpoint != 1).then_some(known),
                ..Look::open(0)
            };
            let picked = (0..200).filter(|_| picker.first(&service, look).unwrap().endpoint == 1);
            assert!(picked.count() > 0, "{endpoints} {known}");
        }
        let look = |_: usize, endpoint: usize| Look {
            latency: (endpoint != 1).then_some(20 * MILLI),
            // 20 ms, the least that is known, × 3, which is more than 20 ms × 2.
            ..Look::open(if endpoint == 1 { 2 } else { 1 })
        };
        assert!((0..200).all(|_| picker.first(&service, look).unwrap().endpoint != 1));
    }
}

#[test]
fn the_near_side_gets_exactly_its_part() {
    for algorithm in super::ALGORITHMS {
        let service = zoned(algorithm, 3, 5, 7_000);
        let mut picker = Picker::new(0, &service);
        let near = (0..1000)
            .filter(|_| picker.first(&service, idle).unwrap().endpoint < 3)
            .count();
        assert_eq!(near, 700, "{algorithm:?}");
        let service = zoned(algorithm, 3, 5, 10_000);
        let mut picker = Picker::carry(picker, &service);
        assert!((0..100).all(|_| picker.first(&service, idle).unwrap().endpoint < 3));
    }
}

#[test]
fn where_one_side_has_nothing_open_the_other_is_asked() {
    for (part, closed) in [(10_000, 0..3), (0, 3..8)] {
        let service = zoned(Algorithm::LeastRequest, 3, 5, part);
        let mut picker = Picker::new(0, &service);
        let look = |_: usize, endpoint: usize| {
            Look::open(0).with_gate(if closed.contains(&endpoint) {
                Gate::Suspect
            } else {
                Gate::Open
            })
        };
        assert!(
            (0..100).all(|_| !closed.contains(&picker.first(&service, look).unwrap().endpoint))
        );
    }
}

#[test]
fn a_second_try_stays_near_while_something_near_was_not_tried() {
    let service = zoned(Algorithm::LeastRequest, 3, 5, 10_000);
    let mut picker = Picker::new(0, &service);
    let mut tried = vec![picker.first(&service, idle).unwrap()];
    while let Some(choice) = picker.other(&service, &tried, idle) {
        tried.push(choice);
    }
    assert!(
        tried[..3].iter().all(|c| c.endpoint < 3) && tried[3..].iter().all(|c| c.endpoint >= 3)
    );
    assert_eq!(tried.len(), 8);
}

/// The definition: the least in flight and one more, times latency, by weight; the unknown as fast as the fastest, at most
/// 30 ms.
fn cost(look: &Look, weight: u32, unseen: u64) -> f64 {
    let latency = look.latency.unwrap_or(unseen) as f64;
    latency * (f64::from(look.in_flight) + 1.0) / f64::from(weight)
}

proptest! {
    #[test]
    fn up_to_eight_endpoints_the_pick_by_latency_is_the_cheapest(
        endpoints in prop::collection::vec((0_u32..50, prop::option::of(1_u64..500)), 1..=8)
    ) {
        let looks: Vec<Look> = endpoints
            .iter()
            .map(|(in_flight, millis)| Look {
                latency: millis.map(|millis| millis * MILLI),
                ..Look::open(*in_flight)
            })
            .collect();
        let service = weighted(Algorithm::PeakEwma, &vec![1; looks.len()]);
        let picked = Picker::new(0, &service).first(&service, |_, e| looks[e]).unwrap().endpoint;
        let unseen = looks.iter().filter_map(|look| look.latency).min().unwrap_or(u64::MAX).min(30 * MILLI);
        let least = looks.iter().map(|look| cost(look, 1, unseen)).fold(f64::MAX, f64::min);
        prop_assert!(cost(&looks[picked], 1, unseen) <= least * 1.000_001, "{picked} of {looks:?}");
    }
}
