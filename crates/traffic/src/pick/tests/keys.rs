//! Laws of choosing by key: one key, one endpoint; what an endpoint loses comes back to it and moves nothing else; and a
//! bound on load that holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::{idle, is_allowed};
use crate::fixtures::{Member, member, points, service};
use crate::hash::{self, Key};
use crate::maglev::Table;
use crate::pick::{Gate, Look, Picker};
use crate::snapshot::Service;
use crate::spec::{Algorithm, LoadBound};

const BY_KEY: [Algorithm; 2] = [Algorithm::Maglev, Algorithm::Rendezvous];

/// One backend with endpoints of these weights by configuration.
fn of_weights(algorithm: Algorithm, weights: &[u32]) -> Service {
    let mut service = service(algorithm, &[member("aws", 10_000, weights.len())]);
    let endpoints = &mut service.backends[0].endpoints;
    for (endpoint, weight) in endpoints.iter_mut().zip(weights) {
        endpoint.declared = weight * 10_000;
    }
    with_table(service)
}

fn with_table(mut service: Service) -> Service {
    if service.spec.balance.algorithm == Algorithm::Maglev {
        for backend in &mut service.backends {
            let member = |e: &crate::snapshot::Endpoint| (hash::of_endpoint(&e.id), e.declared);
            backend.table = Some(Arc::new(Table::new(
                backend.endpoints.iter().map(member).collect(),
            )));
        }
    }
    service
}

fn bounded(mut service: Service, percent: u16) -> Service {
    let mut spec = (*service.spec).clone();
    spec.balance.bound = LoadBound::new(percent);
    service.spec = Arc::new(spec);
    service
}

fn full_where(is_full: bool, in_flight: u32) -> Look {
    Look::open(in_flight).with_gate(if is_full { Gate::Full } else { Gate::Open })
}

fn key(n: u64) -> Key {
    Key::of(&n.to_le_bytes())
}

/// Where each of many keys goes.
fn places(service: &Service, look: impl Fn(usize, usize) -> Look + Copy) -> Vec<usize> {
    places_of(4000, service, look)
}

fn places_of(
    keys: u64,
    service: &Service,
    look: impl Fn(usize, usize) -> Look + Copy,
) -> Vec<usize> {
    let mut picker = Picker::new(0, service);
    let place = |n| {
        picker
            .first_by(service, Some(key(n)), look)
            .unwrap()
            .endpoint
    };
    (0..keys).map(place).collect()
}

/// From a second program: the order in which three endpoints are asked for some keys.
#[test]
fn the_order_of_rendezvous_is_fixed_for_ever() {
    for (weights, orders) in [
        (
            [1, 1, 1],
            [
                ("", [0, 1, 2]),
                ("a", [0, 1, 2]),
                ("room-42", [1, 2, 0]),
                ("10.0.0.1", [1, 2, 0]),
                ("user=7", [0, 2, 1]),
            ],
        ),
        (
            [1, 2, 3],
            [
                ("", [0, 2, 1]),
                ("a", [0, 1, 2]),
                ("room-42", [1, 2, 0]),
                ("10.0.0.1", [2, 1, 0]),
                ("user=7", [2, 0, 1]),
            ],
        ),
    ] {
        let service = of_weights(Algorithm::Rendezvous, &weights);
        let mut picker = Picker::new(0, &service);
        for (text, order) in orders {
            let mut closed: Vec<usize> = Vec::new();
            for expected in order {
                let look = |_: usize, e: usize| full_where(closed.contains(&e), 0);
                let key = Some(Key::of(text.as_bytes()));
                assert_eq!(
                    picker.first_by(&service, key, look).unwrap().endpoint,
                    expected,
                    "{text}"
                );
                closed.push(expected);
            }
        }
    }
}

#[test]
fn a_key_goes_to_one_endpoint_on_every_worker_and_however_busy_that_is() {
    for algorithm in BY_KEY {
        let service = of_weights(algorithm, &[1; 12]);
        let expected = places(&service, idle);
        for worker in 1..4 {
            let mut picker = Picker::new(worker, &service);
            for (n, expected) in (0..).zip(&expected) {
                let look =
                    |_: usize, endpoint: usize| Look::open(u32::from(endpoint == *expected) * 900);
                let got = picker
                    .first_by(&service, Some(key(n)), look)
                    .unwrap()
                    .endpoint;
                assert_eq!(got, *expected);
            }
        }
    }
}

#[test]
fn keys_are_in_proportion_to_weights() {
    for algorithm in BY_KEY {
        for weights in [vec![1; 5], vec![1, 2, 5], vec![1; 40]] {
            let sum: u32 = weights.iter().sum();
            let mut counts = vec![0; weights.len()];
            places(&of_weights(algorithm, &weights), idle)
                .into_iter()
                .for_each(|e| counts[e] += 1);
            for (count, weight) in counts.iter().zip(&weights) {
                let part = 4000.0 * f64::from(*weight) / f64::from(sum);
                // Four standard deviations of a fair draw.
                assert!(
                    (f64::from(*count) - part).abs() < 4.0 * part.sqrt() + 2.0,
                    "{algorithm:?} {counts:?}"
                );
            }
        }
    }
}

/// By its gate, by its verdict, or by a weight that says that it has only just returned.
#[test]
fn what_an_endpoint_loses_is_spread_over_all_others_and_nothing_else_moves() {
    for algorithm in BY_KEY {
        let service = of_weights(algorithm, &[1; 6]);
        let before = places(&service, idle);
        let suspect = |_: usize, e: usize| {
            Look::open(0).with_gate(if e == 2 { Gate::Suspect } else { Gate::Open })
        };
        let mut down = service.clone();
        down.backends[0].endpoints[2].usable = false;
        let mut returning = service.clone();
        returning.backends[0].endpoints[2].weight = points(1);
        for (how, after) in [
            ("gate", places(&service, suspect)),
            ("verdict", places(&down, idle)),
            ("ramp", places(&returning, idle)),
        ] {
            let mut to = BTreeMap::new();
            let moved = before.iter().zip(&after).filter(|(old, new)| old != new);
            for (old, new) in moved {
                assert_eq!(*old, 2, "{algorithm:?} by {how}");
                *to.entry(*new).or_insert(0) += 1;
            }
            let (least, most) = (to.values().min().unwrap(), to.values().max().unwrap());
            assert!(
                to.len() == 5 && most < &(2 * least),
                "{algorithm:?} by {how}: {to:?}"
            );
        }
    }
}

#[test]
fn a_returning_endpoint_takes_more_and_more_of_the_same_keys() {
    for algorithm in BY_KEY {
        let mut service = of_weights(algorithm, &[1; 4]);
        let full = places(&service, idle);
        let mut before = 0;
        for ramp in [1_000, 2_500, 5_000, 9_000, 10_000] {
            service.backends[0].endpoints[1].weight = points(ramp);
            let now = places(&service, idle);
            let taken = |n: &usize| now[*n] == 1;
            let count = (0..now.len()).filter(taken).count();
            assert!((0..now.len()).filter(taken).all(|n| full[n] == 1));
            let part = full.iter().filter(|e| **e == 1).count() * usize::from(ramp) / 10_000;
            assert!(
                count.abs_diff(part) < 100 && count >= before,
                "{algorithm:?}: {count} of {part}"
            );
            before = count;
        }
    }
}

#[test]
fn a_request_without_a_key_goes_to_the_least_loaded() {
    for algorithm in BY_KEY {
        let service = of_weights(algorithm, &[1; 6]);
        let look = |_: usize, endpoint: usize| Look::open(u32::from(endpoint != 4));
        assert_eq!(
            Picker::new(0, &service)
                .first_by(&service, None, look)
                .unwrap()
                .endpoint,
            4
        );
    }
}

#[test]
fn a_key_belongs_to_one_side_and_few_change_it_as_the_near_side_falls() {
    for algorithm in BY_KEY {
        let at = |part: u16| {
            let mut service = of_weights(algorithm, &[1; 8]);
            service.backends[0].near = points(part);
            for endpoint in &mut service.backends[0].endpoints[4..] {
                endpoint.is_near = false;
            }
            places(&service, idle)
        };
        let (all, most, few) = (at(10_000), at(7_000), at(1_400));
        assert!(all.iter().all(|e| *e < 4));
        for (part, now) in [(0.7, &most), (0.14, &few)] {
            let near = now.iter().filter(|e| **e < 4).count() as f64 / now.len() as f64;
            assert!((near - part).abs() < 0.03, "{algorithm:?}: {near}");
            assert!(
                now.iter()
                    .zip(&all)
                    .all(|(now, all)| now == all || *now >= 4)
            );
        }
        assert!(
            few.iter()
                .zip(&most)
                .all(|(few, most)| few == most || *few >= 4)
        );
    }
}

#[test]
fn where_all_endpoints_can_take_less_keys_go_where_they_would_if_the_best_could_take_all() {
    for algorithm in BY_KEY {
        let of_ramps = |ramps: [u16; 2]| {
            let mut service = of_weights(algorithm, &[1, 1]);
            for (endpoint, ramp) in service.backends[0].endpoints.iter_mut().zip(ramps) {
                endpoint.weight = points(ramp);
            }
            places(&service, idle)
        };
        let (full, half) = (of_ramps([10_000, 5_000]), of_ramps([5_000, 2_500]));
        assert_eq!(full, half, "{algorithm:?}");
        assert_eq!(of_ramps([3_000, 3_000]), of_ramps([10_000, 10_000]));
    }
}

#[test]
fn where_all_are_at_the_bound_the_key_keeps_its_endpoint() {
    for algorithm in BY_KEY {
        let service = bounded(of_weights(algorithm, &[1; 2]), 125);
        let expected = places(&service, idle);
        // The one that is under the bound is not open.
        for closed in 0..2 {
            let look = |_: usize, e: usize| full_where(e == closed, 100 * u32::from(e != closed));
            assert!(places(&service, look).iter().all(|e| *e != closed));
        }
        let all_busy = |_: usize, _: usize| Look::open(100);
        assert_eq!(places(&service, all_busy), expected);
    }
}

/// A service's members, an algorithm by key, and the gates of all endpoints.
fn gated() -> impl Strategy<Value = (Vec<Member>, Vec<Vec<bool>>)> {
    super::members().prop_flat_map(|members| {
        let gates: Vec<_> = members
            .iter()
            .map(|member| prop::collection::vec(any::<bool>(), member.endpoints.len()))
            .collect();
        (Just(members), gates)
    })
}

proptest! {
    /// Requests come with hot and cold keys and stay for a while: nobody ever has more than its bound, and a key is away
    /// from its own endpoint only while that one is at its bound.
    #[test]
    fn the_bound_holds_and_moves_only_what_it_must(
        algorithm in prop::sample::select(BY_KEY.to_vec()), weights in prop::collection::vec(1_u32..5, 2..12),
        percent in 105_u16..300, keys in prop::collection::vec((0_u64..30, 0_usize..60), 1..400)
    ) {
        let free = of_weights(algorithm, &weights);
        let service = bounded(free.clone(), percent);
        let home = places_of(30, &free, idle);
        let mut picker = Picker::new(0, &service);
        let mut in_flight = vec![0_u32; weights.len()];
        let mut running: Vec<(usize, usize)> = Vec::new();
        let sum: u32 = weights.iter().sum();
        for (now, (n, stay)) in keys.into_iter().enumerate() {
            running.retain(|(until, endpoint)| {
                let stays = *until > now;
                in_flight[*endpoint] -= u32::from(!stays);
                stays
            });
            let look = |_: usize, endpoint: usize| Look::open(in_flight[endpoint]);
            let endpoint = picker.first_by(&service, Some(key(n)), look).unwrap().endpoint;
            let all = in_flight.iter().sum::<u32>() + 1;
            let limit = |e: usize| {
                let part = f64::from(weights[e]) / f64::from(sum) * f64::from(all);
                (part * f64::from(percent) / 100.0 - 1e-9).ceil()
            };
            prop_assert!(f64::from(in_flight[endpoint] + 1) <= limit(endpoint), "{in_flight:?} + {endpoint}");
            let own = home[usize::try_from(n).unwrap()];
            prop_assert!(endpoint == own || f64::from(in_flight[own] + 1) > limit(own));
            in_flight[endpoint] += 1;
            running.push((now + stay, endpoint));
        }
    }

    #[test]
    fn whatever_is_down_or_closed_a_key_finds_what_is_left(
        (members, gates) in gated(), algorithm in prop::sample::select(BY_KEY.to_vec()), n in any::<u64>()
    ) {
        let service = with_table(service(algorithm, &members));
        let look = |backend: usize, endpoint: usize| {
            Look::open(0).with_gate(if gates[backend][endpoint] { Gate::Open } else { Gate::Full })
        };
        let is_open = |(at, backend): (usize, &crate::snapshot::Backend)| {
            let open = backend.endpoints.iter().zip(&gates[at]).any(|(e, gate)| e.usable && *gate);
            backend.effective.get() > 0 && open
        };
        let any_open = service.backends.iter().enumerate().any(is_open);
        let got = Picker::new(0, &service).first_by(&service, Some(key(n)), look);
        prop_assert_eq!(got.is_ok(), any_open);
        if let Ok(choice) = got {
            prop_assert!(is_allowed(&service, choice) && gates[choice.backend][choice.endpoint]);
        }
    }
}
