//! A provider is lost, with and without capacity, and with services that share machines.

use proptest::prelude::*;

use super::*;
use crate::capacity::{Capacity, Class};
use crate::fixtures::url;

fn capacity(requests: u64) -> Capacity {
    Capacity {
        requests: Some(requests),
        ..Capacity::default()
    }
}

/// aws 50 and oci 50, each with two endpoints and this capacity, and what else a test names.
fn limited(name: &str, class: Class, requests: u64) -> ServiceSpec {
    let half = Role::Weighted(50);
    let mut spec = spec(name, &[("aws", "aws", half, 2), ("oci", "oci", half, 2)]);
    spec.class = class;
    for backend in spec.backends.values_mut() {
        backend.capacity = capacity(requests);
    }
    spec
}

fn brings(service: &str, requests: f64) -> Input {
    Input::Demand {
        service: service.parse().unwrap(),
        demand: Demand {
            requests,
            ..Demand::default()
        },
    }
}

fn ids_of(service: &str, backend: (usize, &str)) -> Vec<EndpointId> {
    let id = |endpoint| id(service, backend.1, address(backend.0, endpoint));
    (0..2).map(id).collect()
}

/// An edge whose services bring this much, after a moment.
fn edge(specs: Vec<ServiceSpec>, demands: &[(&str, f64)]) -> Edge {
    let mut edge = Edge::new(specs);
    for (service, requests) in demands {
        edge.tell(brings(service, *requests));
    }
    edge.pass(at(1000));
    edge
}

fn named<'a>(edge: &'a Edge, service: &str) -> &'a Service {
    let snapshot = edge.last.as_ref().unwrap();
    snapshot.service(&service.parse().unwrap()).unwrap()
}

fn shed(edge: &Edge, service: &str) -> u16 {
    named(edge, service).shed.get()
}

#[test]
fn a_lost_provider_is_left_with_the_next_snapshot_and_what_does_not_fit_is_shed() {
    let specs = vec![limited("meet", Class::Media, 120)];
    let mut edge = edge(specs, &[("meet", 200.0)]);
    assert_eq!((edge.shares(), shed(&edge, "meet")), (vec![5000, 5000], 0));
    let foreseen = edge.service().losses.clone();
    edge.tell(down(&ids_of("meet", (0, "aws"))));
    assert_eq!(edge.shares(), [0, 10_000]);
    assert_eq!(shed(&edge, "meet"), 4000);
    let aws = foreseen.iter().find(|loss| loss.provider.as_str() == "aws");
    let row = &aws.unwrap().row;
    assert_eq!(
        (&row.shares[..], row.shed),
        (&[points(0), points(6000)][..], points(4000))
    );
}

#[test]
fn what_returns_rises_in_a_line_while_less_and_less_is_shed() {
    let specs = vec![limited("meet", Class::Media, 120)];
    let mut edge = edge(specs, &[("meet", 200.0)]);
    let aws = ids_of("meet", (0, "aws"));
    edge.tell(down(&aws));
    edge.pass(at(10_000));
    edge.tell(back(&aws, at(10_000)));
    let mut before = (0, 4000);
    for tenths in 1..=50 {
        edge.pass(at(10_000 + tenths * 100));
        let shed = shed(&edge, "meet");
        // Of all that clients ask for.
        let of_all = u32::from(edge.shares()[0]) * u32::from(10_000 - shed) / 10_000;
        let line = 5000 * u32::try_from(tenths).unwrap() / 50;
        assert!(of_all.abs_diff(line) <= 2, "{tenths}: {of_all}, {line}");
        assert!(of_all >= before.0 && shed <= before.1);
        before = (of_all, shed);
    }
    assert_eq!((edge.shares(), shed(&edge, "meet")), (vec![5000, 5000], 0));
}

#[test]
fn before_anything_was_measured_nothing_is_shed() {
    let mut edge = Edge::new(vec![limited("meet", Class::Media, 1)]);
    edge.pass(at(1000));
    edge.tell(down(&ids_of("meet", (0, "aws"))));
    assert_eq!((edge.shares(), shed(&edge, "meet")), (vec![0, 10_000], 0));
}

#[test]
fn of_services_on_the_same_machines_bulk_is_shed_first() {
    let specs = vec![
        limited("files", Class::Bulk, 300),
        limited("meet", Class::Media, 300),
        limited("sign", Class::Signalling, 300),
    ];
    let demands = [("files", 200.0), ("meet", 150.0), ("sign", 100.0)];
    let mut edge = edge(specs, &demands);
    let parts = |edge: &Edge| ["files", "meet", "sign"].map(|name| shed(edge, name));
    assert_eq!(parts(&edge), [0, 0, 0]);
    let lost = ["files", "meet", "sign"].map(|name| ids_of(name, (0, "aws")));
    edge.tell(down(&lost.concat()));
    // 300 there: 150 for media, 100 for signalling, 50 of 200 for bulk.
    assert_eq!(parts(&edge), [7500, 0, 0]);
    edge.pass(at(2000));
    edge.tell(brings("meet", 350.0));
    edge.pass(at(3000));
    let [files, meet, sign] = parts(&edge);
    // Rounding leaves a ten-thousandth.
    assert!(files >= 9_999 && sign >= 9_999, "{files} {sign}");
    assert!((1428..=1429).contains(&meet), "300 of 350 fit: {meet}");
}

#[test]
fn services_of_one_class_share_a_machine_in_proportion_to_what_they_bring() {
    let specs = vec![
        limited("a", Class::Bulk, 120),
        limited("b", Class::Bulk, 120),
    ];
    let mut edge = edge(specs, &[("a", 150.0), ("b", 50.0)]);
    let lost = ["a", "b"].map(|name| ids_of(name, (0, "aws")));
    edge.tell(down(&lost.concat()));
    assert_eq!((shed(&edge, "a"), shed(&edge, "b")), (4000, 4000));
}

#[test]
fn services_on_other_machines_do_not_feel_each_other() {
    let mut far = limited("far", Class::Bulk, 120);
    for (index, backend) in far.backends.values_mut().enumerate() {
        backend.endpoints = (0..2).map(|n| url(address(index + 50, n)).into()).collect();
    }
    let specs = vec![far, limited("meet", Class::Media, 120)];
    let mut edge = edge(specs, &[("far", 100.0), ("meet", 200.0)]);
    let before = edge.last.clone().unwrap();
    edge.tell(down(&ids_of("meet", (0, "aws"))));
    assert_eq!((shed(&edge, "far"), shed(&edge, "meet")), (0, 4000));
    let after = edge.last.as_ref().unwrap();
    assert!(Arc::ptr_eq(&before.services[0], &after.services[0]));
}

#[test]
fn a_load_without_a_capacity_to_keep_makes_no_snapshot() {
    let mut edge = Edge::new(vec![meet()]);
    edge.pass(at(1000));
    let before = edge.last.as_ref().unwrap().generation;
    edge.tell(brings("meet", 1e9));
    edge.pass(at(2000));
    assert_eq!(edge.last.as_ref().unwrap().generation, before);
}

#[test]
fn a_capacity_that_another_service_declared_leaves_with_it() {
    let declares = limited("a", Class::Bulk, 120);
    let mut shares = limited("b", Class::Bulk, 0);
    for backend in shares.backends.values_mut() {
        backend.capacity = Capacity::default();
    }
    let mut edge = edge(vec![declares, shares.clone()], &[("b", 200.0)]);
    edge.tell(down(&ids_of("b", (0, "aws"))));
    assert_eq!(shed(&edge, "b"), 4000);
    edge.pass(at(2000));
    edge.tell(Input::Services(vec![Arc::new(shares)]));
    let b = named(&edge, "b");
    assert_eq!((b.shed.get(), b.has_capacity(), b.demand), (0, false, None));
    // Only where nobody is left.
    let shed: Vec<_> = b.losses.iter().map(|loss| loss.row.shed.get()).collect();
    assert_eq!(shed, [0, 10_000]);
}

#[test]
fn what_a_service_brought_is_forgotten_with_its_capacity() {
    let mut edge = edge(vec![limited("meet", Class::Media, 120)], &[("meet", 200.0)]);
    edge.tell(Input::Services(vec![Arc::new(meet())]));
    edge.pass(at(2000));
    edge.tell(Input::Services(vec![Arc::new(limited(
        "meet",
        Class::Media,
        120,
    ))]));
    edge.pass(at(3000));
    assert_eq!(edge.service().demand, None, "what was measured long ago");
}

#[test]
fn the_least_capacity_of_a_service_counts_what_others_declare_of_its_machines() {
    let declares = limited("a", Class::Bulk, 120);
    let mut shares = limited("b", Class::Bulk, 200);
    shares
        .backends
        .get_mut(&backend_name("oci"))
        .unwrap()
        .capacity = Capacity {
        sessions: Some(7),
        ..Capacity::default()
    };
    let edge = Edge::new(vec![declares, shares]);
    let least = Capacity {
        requests: Some(120),
        sessions: Some(7),
        egress: None,
    };
    for name in ["a", "b"] {
        assert_eq!(named(&edge, name).capacity_least, least, "{name}");
    }
}

#[test]
fn off_gets_nothing_in_a_row_for_a_loss() {
    let mut spec = limited("meet", Class::Media, 120);
    let off = spec.backends.get(&backend_name("aws")).unwrap().clone();
    spec.backends.insert(
        backend_name("own"),
        BackendSpec {
            role: Role::Weighted(0),
            provider: "own".parse().unwrap(),
            endpoints: vec![url(address(9, 0)).into()],
            ..off
        },
    );
    let edge = edge(vec![spec], &[("meet", 200.0)]);
    for loss in &edge.service().losses {
        assert!(loss.row.shares[2].is_zero(), "{loss:?}");
    }
}

proptest! {
    #[test]
    fn what_is_foreseen_for_a_loss_is_what_happens(
        requests in 1_u64..400, brought in (1.0_f64..500.0, 1.0_f64..500.0), loses_aws in any::<bool>()
    ) {
        let specs = vec![
            limited("files", Class::Bulk, requests),
            limited("meet", Class::Media, requests),
        ];
        let mut edge = edge(specs, &[("files", brought.0), ("meet", brought.1)]);
        let provider = if loses_aws { "aws" } else { "oci" };
        let foreseen = ["files", "meet"].map(|name| {
            let losses = &named(&edge, name).losses;
            losses.iter().find(|loss| loss.provider.as_str() == provider).unwrap().row.clone()
        });
        let index = usize::from(!loses_aws);
        let lost = ["files", "meet"].map(|name| ids_of(name, (index, provider)));
        edge.tell(down(&lost.concat()));
        for (name, row) in ["files", "meet"].into_iter().zip(foreseen) {
            prop_assert_eq!(named(&edge, name).shed, row.shed, "{}", name);
        }
        // No machine has more than it can take, both services together.
        for backend in 0..2 {
            let load = |name: &str| {
                let service = named(&edge, name);
                let all = service.demand.unwrap().requests;
                all * (1.0 - service.shed.ratio()) * service.backends[backend].effective.ratio()
            };
            let rounding = (brought.0 + brought.1) * 0.000_2;
            prop_assert!(load("files") + load("meet") <= requests as f64 + rounding);
        }
    }
}

/// All of aws can take this percentage of their own, as their agents say.
fn tired(service: &str, percent: u16) -> Input {
    let health = EndpointHealth {
        weight: BasisPoints::saturating(percent * 100),
        ..EndpointHealth::new(ObservedState::Up, None)
    };
    let ids = ids_of(service, (0, "aws")).into_iter();
    Input::Health(ids.map(|id| (id, health)).collect())
}

#[test]
fn what_agents_can_take_is_what_there_is_of_a_capacity() {
    let specs = vec![limited("meet", Class::Media, 120)];
    let mut edge = edge(specs, &[("meet", 200.0)]);
    assert_eq!(edge.shares(), [5000, 5000]);
    // aws can take 60 of the 100 that it is to have, and oci 120.
    edge.tell(tired("meet", 50));
    edge.pass(at(2000));
    assert_eq!(shed(&edge, "meet"), 1000);
    assert_eq!(edge.shares(), [3333, 6667], "of what gets in");
    edge.tell(tired("meet", 90));
    edge.pass(at(3000));
    assert_eq!((edge.shares(), shed(&edge, "meet")), (vec![5000, 5000], 0));
}

#[test]
fn what_agents_can_take_of_shared_machines_is_shared_by_class() {
    let specs = vec![
        limited("meet", Class::Media, 120),
        limited("mail", Class::Bulk, 120),
    ];
    let mut edge = edge(specs, &[("meet", 80.0), ("mail", 80.0)]);
    assert_eq!((shed(&edge, "meet"), shed(&edge, "mail")), (0, 0));
    let Input::Health(mut health) = tired("meet", 50) else {
        unreachable!()
    };
    let Input::Health(of_mail) = tired("mail", 50) else {
        unreachable!()
    };
    health.extend(of_mail);
    edge.tell(Input::Health(health));
    edge.pass(at(2000));
    // Of aws 60 are left: meet has its 40, mail 20 of its 40 and the rest at oci, where 80 are free.
    assert_eq!((shed(&edge, "meet"), shed(&edge, "mail")), (0, 0));
    let mail = named(&edge, "mail");
    let shares: Vec<u16> = mail.backends.iter().map(|b| b.effective.get()).collect();
    assert_eq!(shares, [2500, 7500]);
}
