//! SRV names: which priority serves, how one takes over from another, and the naive model that says the same.

use bascule_model::SrvRecord;
use proptest::prelude::*;

use super::*;
use crate::snapshot::Endpoint;
use crate::spec::{Algorithm, EndpointSpec};

const NAME: &str = "_http._tcp.a.example";

fn srv(weight: Option<u32>) -> EndpointSpec {
    EndpointSpec {
        url: EndpointUrl {
            scheme: Scheme::Http,
            host: EndpointHost::Srv(NAME.into()),
            port: 0,
        },
        zone: None,
        weight,
    }
}

/// One record for each endpoint: its number is the last part of its address.
fn records(levels: &[(u16, &[u8])]) -> Input {
    let of_level = |(priority, last): &(u16, &[u8])| {
        let priority = *priority;
        let record = move |n: &u8| SrvRecord {
            priority,
            weight: 1,
            port: 80,
            addresses: vec![IpAddr::from([10, 9, 0, *n])],
        };
        last.iter().map(record).collect::<Vec<_>>()
    };
    Input::Records {
        name: NAME.into(),
        records: levels.iter().flat_map(of_level).collect(),
    }
}

fn endpoint(n: u8) -> EndpointId {
    EndpointId {
        host: Some(NAME.into()),
        ..id("meet", "aws", ([10, 9, 0, n], 80).into())
    }
}

/// What is seen of endpoints by number: up, down, or back since then.
fn seen(all: &[(u8, ObservedState, Option<Instant>)]) -> Input {
    let one = |(n, state, returned): &(u8, ObservedState, Option<Instant>)| {
        (endpoint(*n), EndpointHealth::new(*state, *returned))
    };
    Input::Health(all.iter().map(one).collect())
}

fn service() -> ServiceSpec {
    let mut spec = spec(
        "meet",
        &[
            ("aws", "aws", Role::Weighted(1), 0),
            ("oci", "oci", Role::Weighted(1), 1),
        ],
    );
    let backend = spec.backends.get_mut(&backend_name("aws")).unwrap();
    backend.endpoints = vec![srv(None)];
    spec
}

fn edge(levels: &[(u16, &[u8])]) -> Edge {
    let mut edge = Edge::new(vec![service()]);
    edge.tell(records(levels));
    edge.pass(at(100));
    edge
}

fn endpoints(edge: &Edge) -> &[Endpoint] {
    &edge.service().backends[0].endpoints
}

fn number(endpoint: &Endpoint) -> u8 {
    match endpoint.id.address.ip() {
        IpAddr::V4(v4) => v4.octets()[3],
        IpAddr::V6(_) => 0,
    }
}

/// The numbers of those that may be chosen.
fn usable(edge: &Edge) -> Vec<u8> {
    let usable = endpoints(edge).iter().filter(|e| e.usable);
    usable.map(number).collect()
}

use ObservedState::{Down, Up};

#[test]
fn the_lowest_priority_serves_and_the_next_when_all_of_it_is_down() {
    let mut edge = edge(&[(10, &[1, 2]), (20, &[3, 4])]);
    assert_eq!(usable(&edge), [1, 2]);
    assert_eq!(edge.shares(), [5_000, 5_000]);
    edge.pass(at(1_000));
    edge.tell(seen(&[(1, Down, None), (3, Up, None)]));
    assert_eq!(usable(&edge), [2]);
    edge.pass(at(2_000));
    edge.tell(seen(&[(1, Down, None), (2, Down, None), (3, Up, None)]));
    assert_eq!(usable(&edge), [3, 4]);
    assert_eq!(edge.shares(), [5_000, 5_000], "the whole level serves");
    edge.pass(at(3_000));
    edge.tell(seen(&[1, 2, 3, 4].map(|n| (n, Down, None))));
    assert_eq!((usable(&edge), edge.shares()), (vec![], vec![0, 10_000]));
}

#[test]
fn what_is_in_reserve_is_checked_and_keeps_what_it_has() {
    let edge = edge(&[(10, &[1]), (20, &[2])]);
    assert_eq!(edge.assembler.check_targets().len(), 3);
    let reserve = endpoints(&edge).iter().find(|e| e.is_reserve).unwrap();
    assert!(number(reserve) == 2 && reserve.keeps && !reserve.usable);
    assert_eq!(reserve.priority, Some(20));
}

#[test]
fn a_level_that_returns_takes_over_by_a_ramp_and_the_backend_keeps_its_share() {
    let mut edge = edge(&[(10, &[1, 2]), (20, &[3, 4])]);
    edge.pass(at(1_000));
    edge.tell(seen(&[
        (1, Down, None),
        (2, Down, None),
        (3, Up, None),
        (4, Up, None),
    ]));
    edge.pass(at(10_000));
    let back = Some(at(10_000));
    edge.tell(seen(&[
        (1, Up, back),
        (2, Up, back),
        (3, Up, None),
        (4, Up, None),
    ]));
    let weights = |edge: &Edge| edge.weights(0);
    assert_eq!(weights(&edge), [1, 1, 10_000, 10_000]);
    let mut before = 0;
    for tenths in 1..50 {
        edge.pass(at(10_000 + tenths * 100));
        let now = weights(&edge);
        assert_eq!(now[0] + now[2], 10_000, "one has what the other has not");
        assert!(now[0] > before && now[0] == now[1] && now[2] == now[3]);
        assert_eq!(edge.shares(), [5_000, 5_000]);
        before = now[0];
    }
    edge.pass(at(15_000));
    assert_eq!((usable(&edge), weights(&edge)[0]), (vec![1, 2], 10_000));
    assert_eq!(edge.assembler.poll_timeout(), None);
}

#[test]
fn a_big_reserve_does_not_drown_the_level_that_returns() {
    let many: Vec<u8> = (10..110).collect();
    let mut edge = edge(&[(10, &[1]), (20, &many)]);
    let up = |one: (u8, ObservedState, Option<Instant>)| {
        let others = many.iter().map(|n| (*n, Up, None));
        seen(&others.chain([one]).collect::<Vec<_>>())
    };
    edge.pass(at(1_000));
    edge.tell(up((1, Down, None)));
    edge.pass(at(10_000));
    edge.tell(up((1, Up, Some(at(10_000)))));
    edge.pass(at(12_500));
    let weight = |e: &Endpoint| u64::from(e.declared) * u64::from(e.weight.get());
    let all: u64 = endpoints(&edge).iter().map(weight).sum();
    let first: u64 = endpoints(&edge)
        .iter()
        .filter(|e| number(e) == 1)
        .map(weight)
        .sum();
    assert!((45..=55).contains(&(first * 100 / all)), "{first} of {all}");
}

#[test]
fn what_nobody_has_seen_takes_nothing_over_from_what_works() {
    let mut edge = edge(&[(10, &[1])]);
    edge.pass(at(1_000));
    edge.tell(seen(&[(1, Up, None)]));
    edge.tell(records(&[(5, &[7]), (10, &[1])]));
    edge.pass(at(2_000));
    assert_eq!(usable(&edge), [1]);
    edge.tell(seen(&[(1, Up, None), (7, Up, None)]));
    edge.pass(at(3_000));
    assert_eq!(usable(&edge), [7]);
    // At the start nothing has been seen of anybody, and who serves goes on though the reserve is seen first.
    let mut fresh = self::edge(&[(10, &[1]), (20, &[2])]);
    fresh.tell(seen(&[(2, Up, None)]));
    fresh.pass(at(1_000));
    assert_eq!(usable(&fresh), [1]);
}

#[test]
fn a_level_that_people_drain_gives_way_and_keeps_what_it_has() {
    let mut edge = edge(&[(10, &[1]), (20, &[2])]);
    edge.pass(at(1_000));
    edge.tell(seen(&[1, 2].map(|n| (n, Up, None))));
    let mut wanted = targets(1, &[("aws", 1), ("oci", 1)], &[]);
    let text = format!("endpoint/meet/aws/{}", endpoint(1).label());
    wanted.admin = [(text.parse().unwrap(), AdminState::Drain)].into();
    edge.tell(Input::Targets(wanted));
    edge.pass(at(2_000));
    assert_eq!(usable(&edge), [2]);
    let drained = endpoints(&edge).iter().find(|e| number(e) == 1).unwrap();
    assert!(drained.keeps && drained.is_reserve && !drained.may_step_in());
    assert_eq!(edge.shares(), [5_000, 5_000]);
    edge.tell(Input::Targets(targets(2, &[("aws", 1), ("oci", 1)], &[])));
    edge.pass(at(2_060));
    assert_eq!(usable(&edge), [1, 2], "it takes over by a ramp");
    edge.pass(at(10_000));
    assert_eq!(usable(&edge), [1]);
}

#[test]
fn records_may_change_places_and_their_endpoints_stay_what_they_are() {
    let mut edge = edge(&[(10, &[1, 2]), (20, &[3])]);
    edge.pass(at(1_000));
    edge.tell(seen(&[1, 2, 3].map(|n| (n, Up, None))));
    let id = |edge: &Edge, n: u8| {
        let mut all = endpoints(edge).iter();
        Arc::clone(&all.find(|e| number(e) == n).unwrap().id)
    };
    let before = id(&edge, 3);
    edge.tell(records(&[(10, &[3]), (20, &[2, 1])]));
    edge.pass(at(2_000));
    assert_eq!(usable(&edge), [3]);
    assert!(Arc::ptr_eq(&before, &id(&edge, 3)));
    edge.tell(Input::Records {
        name: NAME.into(),
        records: Vec::new(),
    });
    edge.pass(at(3_000));
    assert_eq!(usable(&edge), [3], "an answer without records is none");
    let generation = edge.last.as_ref().unwrap().generation;
    edge.tell(records(&[(20, &[1, 2]), (10, &[3])]));
    edge.pass(at(4_000));
    assert_eq!(
        edge.last.as_ref().unwrap().generation,
        generation,
        "nor is another order news"
    );
}

#[test]
fn where_all_are_down_and_the_service_fails_open_the_lowest_priority_is_tried() {
    let mut spec = service();
    spec.fail_open = FailOpen::WhenNoBackendUp;
    spec.backends.remove(&backend_name("oci"));
    spec.declared = row(&[("aws", 1)]);
    let mut edge = Edge::new(vec![spec]);
    edge.tell(records(&[(10, &[1]), (20, &[2])]));
    edge.pass(at(1_000));
    edge.tell(seen(&[(1, Down, None), (2, Down, None)]));
    assert_eq!(edge.service().mode, Mode::FailOpen);
    assert_eq!(usable(&edge), [1]);
}

#[test]
fn zones_and_tables_know_only_the_level_that_serves() {
    let mut spec = service();
    spec.balance.algorithm = Algorithm::Maglev;
    spec.zone = Some("a".into());
    let backend = spec.backends.get_mut(&backend_name("aws")).unwrap();
    backend.endpoints[0].zone = Some("a".into());
    backend
        .endpoints
        .push(crate::fixtures::url(address(0, 9)).into());
    let mut edge = Edge::new(vec![spec]);
    edge.tell(records(&[(10, &[1]), (20, &[2, 3])]));
    edge.pass(at(1_000));
    let backend = &edge.service().backends[0];
    assert_eq!(backend.near, points(10_000), "the reserve is not missing");
    assert_eq!(backend.table.as_ref().unwrap().members().len(), 2);
    assert_eq!(backend.endpoints.len(), 4);
}

proptest! {
    /// The naive model: of those that work, and those of which nothing is known where nobody works, the lowest priority. Ramps
    /// have ended whenever it looks.
    #[test]
    fn whoever_is_of_the_lowest_priority_that_works_serves_and_nobody_else(
        history in prop::collection::vec(
            (prop::collection::vec(1_u16..4, 6), prop::collection::vec(any::<bool>(), 6)), 1..12),
    ) {
        let mut edge = edge(&[(1, &[1])]);
        let mut now = 1_000;
        for (priorities, up) in history {
            let levels: Vec<(u16, Vec<u8>)> = (1..4)
                .map(|p| (p, (1..=6).filter(|n| priorities[usize::from(*n) - 1] == p).collect()))
                .collect();
            let levels: Vec<(u16, &[u8])> = levels.iter().map(|(p, all)| (*p, all.as_slice())).collect();
            edge.tell(records(&levels));
            let state = |n: u8| if up[usize::from(n) - 1] { Up } else { Down };
            edge.tell(seen(&(1..=6).map(|n| (n, state(n), None)).collect::<Vec<_>>()));
            now += 20_000;
            edge.pass(at(now));
            let works = |n: &u8| up[usize::from(*n) - 1];
            let priority = |n: &u8| priorities[usize::from(*n) - 1];
            let lowest = (1..=6_u8).filter(works).map(|n| priority(&n)).min();
            let expected: Vec<u8> = (1..=6)
                .filter(|n| works(n) && Some(priority(n)) == lowest)
                .collect();
            prop_assert_eq!(usable(&edge), expected);
            let share = edge.shares()[0];
            prop_assert_eq!(share == 0, lowest.is_none());
        }
    }

    /// Whatever happens when, somebody may be chosen as long as one works, and all weights stand where the ramps end.
    #[test]
    fn while_one_works_one_may_be_chosen(
        history in prop::collection::vec(
            (0_u64..3_000, prop::collection::vec((1_u16..4, 0_u8..4), 4)), 1..20),
    ) {
        let mut edge = edge(&[(1, &[1])]);
        let mut now = 1_000;
        for (wait, all) in history {
            let levels: Vec<(u16, Vec<u8>)> = (1..4)
                .map(|p| (p, (1..=4).filter(|n| all[usize::from(*n) - 1].0 == p).collect()))
                .collect();
            let levels: Vec<(u16, &[u8])> = levels.iter().map(|(p, all)| (*p, all.as_slice())).collect();
            edge.tell(records(&levels));
            let state = |n: u8| match all[usize::from(n) - 1].1 {
                0 => None,
                1 => Some((n, Down, None)),
                2 => Some((n, Up, None)),
                _ => Some((n, Up, Some(at(now)))),
            };
            let known: Vec<_> = (1..=4).filter_map(state).collect();
            let any_up = all.iter().any(|(_, state)| *state != 1);
            edge.tell(seen(&known));
            // Published within 50 ms.
            edge.pass(at(now + 60));
            prop_assert_eq!(!usable(&edge).is_empty(), any_up, "{:#?}", endpoints(&edge));
            now += 60 + wait;
            edge.pass(at(now));
        }
        edge.pass(at(now + 20_000));
        prop_assert_eq!(edge.assembler.poll_timeout(), None);
        prop_assert!(endpoints(&edge).iter().all(|e| !e.usable || e.weight == points(10_000)));
    }
}
