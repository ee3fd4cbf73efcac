//! Examples and laws of assembly.

use std::net::Ipv4Addr;

use bascule_model::{AdminTarget, BasisPoints, Scheme};

use super::*;
use crate::fixtures::{address, backend_name, points, spec};
use crate::snapshot::{Mode, Refusal, Service};
use crate::spec::{BackendSpec, EndpointHost, EndpointUrl, FailOpen, Role};

mod capacity;
mod edge;
mod keys;
mod laws;
mod levels;
mod places;

use edge::*;

#[test]
fn the_first_snapshot_comes_with_the_services_and_follows_the_file() {
    let mut assembler = Assembler::new();
    assembler
        .handle(at(0), Input::Targets(Targets::default()))
        .unwrap();
    assert!(assembler.poll_snapshot().is_none());
    assert_eq!(assembler.poll_timeout(), None);
    let edge = Edge::new(vec![meet()]);
    assert_eq!(edge.shares(), [7000, 3000]);
    assert_eq!(edge.last.as_ref().unwrap().generation, 1);
    assert_eq!(edge.assembler.check_targets().len(), 4);
    assert_eq!(edge.assembler.poll_timeout(), None);
}

#[test]
fn an_older_revision_is_refused_and_changes_nothing() {
    let mut edge = Edge::new(vec![meet()]);
    edge.tell(Input::Targets(targets(7, &[("aws", 1), ("oci", 1)], &[])));
    let stale = edge
        .assembler
        .handle(at(100), Input::Targets(targets(6, &[("aws", 1)], &[])));
    let expected = Stale {
        current: Revision(7),
        offered: Revision(6),
    };
    assert_eq!(stale, Err(expected));
    edge.pass(at(1000));
    assert_eq!(edge.shares(), [5000, 5000]);
    assert_eq!(edge.last.as_ref().unwrap().revision, Revision(7));
}

#[test]
fn a_new_revision_is_published_though_it_changes_nothing() {
    let mut edge = Edge::new(vec![meet()]);
    let before = Arc::clone(edge.service());
    edge.pass(at(1000));
    edge.tell(Input::Targets(targets(1, &[("aws", 7), ("oci", 3)], &[])));
    assert_eq!(edge.last.as_ref().unwrap().revision, Revision(1));
    assert!(Arc::ptr_eq(&before, edge.service()));
}

#[test]
fn a_change_of_one_service_leaves_the_others_shared() {
    let other = spec("api", &[("aws", "aws", Role::Weighted(1), 1)]);
    let mut edge = Edge::new(vec![meet(), other]);
    let before = edge.last.clone().unwrap();
    edge.pass(at(100));
    edge.tell(down(&[aws(0), aws(1)]));
    let after = edge.last.clone().unwrap();
    assert!(!Arc::ptr_eq(&before.services[0], &after.services[0]));
    assert!(Arc::ptr_eq(&before.services[1], &after.services[1]));
    assert!(Arc::ptr_eq(&before.routes, &after.routes));
    assert_eq!(after.generation, 2);
}

#[test]
fn a_backend_that_returns_rises_in_a_straight_line_and_ends_exactly_where_it_was() {
    let mut edge = Edge::new(vec![meet()]);
    edge.pass(at(1000));
    edge.tell(down(&[oci(0), oci(1)]));
    assert_eq!(edge.shares(), [10_000, 0]);
    edge.pass(at(10_000));
    edge.tell(back(&[oci(0), oci(1)], at(10_000)));
    assert_eq!(edge.shares(), [10_000, 0]);
    let mut before = 0;
    for tenths in 1..=50 {
        edge.pass(at(10_000 + tenths * 100));
        let share = edge.shares()[1];
        let expected = 3000.0 * tenths as f64 / 50.0;
        assert!(
            (f64::from(share) - expected).abs() <= 1.0,
            "{tenths}: {share}, {expected}"
        );
        assert!(share > before);
        before = share;
        assert_eq!(edge.weights(1), [10_000, 10_000]);
    }
    assert_eq!(edge.shares(), [7000, 3000]);
    assert_eq!(edge.assembler.poll_timeout(), None);
}

#[test]
fn an_endpoint_that_returns_to_a_backend_ramps_inside_it() {
    let mut edge = Edge::new(vec![meet()]);
    edge.pass(at(1000));
    edge.tell(down(&[oci(1)]));
    let while_down = edge.shares();
    edge.pass(at(10_000));
    edge.tell(back(&[oci(1)], at(10_000)));
    assert_eq!(edge.weights(1), [10_000, 1]);
    assert_eq!(
        edge.shares(),
        while_down,
        "the other endpoint does not take what returns"
    );
    edge.pass(at(12_500));
    assert_eq!(edge.weights(1), [10_000, 5000]);
    edge.pass(at(15_000));
    assert_eq!(edge.weights(1), [10_000, 10_000]);
    assert_eq!(edge.shares(), [7000, 3000]);
    assert_eq!(edge.assembler.poll_timeout(), None);
}

#[test]
fn a_later_endpoint_of_a_backend_that_returned_ramps_by_itself() {
    let mut edge = Edge::new(vec![meet()]);
    edge.tell(down(&[oci(0), oci(1)]));
    edge.pass(at(10_000));
    let mut health = BTreeMap::new();
    let verdict = |state, returned_at| EndpointHealth::new(state, returned_at);
    health.insert(oci(0), verdict(ObservedState::Up, Some(at(10_000))));
    health.insert(oci(1), verdict(ObservedState::Down, None));
    edge.tell(Input::Health(health.clone()));
    edge.pass(at(12_000));
    health.insert(oci(1), verdict(ObservedState::Up, Some(at(12_000))));
    edge.tell(Input::Health(health));
    edge.pass(at(14_500));
    assert_eq!(edge.weights(1), [10_000, 5000]);
    edge.pass(at(20_000));
    assert_eq!(edge.shares(), [7000, 3000]);
}

#[test]
fn a_backend_that_a_person_gives_back_ramps_too() {
    let mut edge = Edge::new(vec![meet()]);
    let drain = |revision, state| Targets {
        revision: Revision(revision),
        admin: [(AdminTarget::Provider("oci".parse().unwrap()), state)].into(),
        ..Targets::default()
    };
    edge.pass(at(1000));
    edge.tell(Input::Targets(drain(1, AdminState::Drain)));
    assert_eq!(edge.shares(), [10_000, 0]);
    assert!(edge.service().backends[1].off);
    assert!(
        edge.assembler
            .check_targets()
            .iter()
            .any(|t| t.admin == AdminState::Drain)
    );
    edge.pass(at(2000));
    edge.tell(Input::Targets(drain(2, AdminState::Ready)));
    assert_eq!(edge.shares(), [10_000, 0]);
    edge.pass(at(4500));
    assert_eq!(edge.shares(), [8500, 1500]);
    edge.pass(at(7000));
    assert_eq!(edge.shares(), [7000, 3000]);
}

#[test]
fn an_endpoint_that_a_person_gives_back_ramps_from_then_on_though_its_last_fault_is_long_past() {
    let mut edge = Edge::new(vec![meet()]);
    let set = |revision, state| {
        let name = oci(1).label();
        let target = AdminTarget::Endpoint("meet".parse().unwrap(), backend_name("oci"), name);
        Input::Targets(Targets {
            revision: Revision(revision),
            admin: [(target, state)].into(),
            ..Targets::default()
        })
    };
    edge.tell(back(&[oci(1)], at(0)));
    edge.pass(at(60_000));
    edge.tell(set(1, AdminState::Maint));
    edge.pass(at(70_000));
    edge.tell(set(2, AdminState::Ready));
    assert_eq!(edge.weights(1), [10_000, 1]);
    edge.pass(at(72_500));
    assert_eq!(edge.weights(1), [10_000, 5000]);
    edge.pass(at(75_000));
    assert_eq!(edge.weights(1), [10_000, 10_000]);
}

#[test]
fn an_endpoint_named_by_a_person_is_taken_out_alone() {
    let mut edge = Edge::new(vec![meet()]);
    let target =
        AdminTarget::Endpoint("meet".parse().unwrap(), backend_name("oci"), aws(0).label());
    let right = AdminTarget::Endpoint("meet".parse().unwrap(), backend_name("oci"), oci(0).label());
    edge.tell(Input::Targets(Targets {
        revision: Revision(1),
        admin: [(target, AdminState::Maint), (right, AdminState::Offline)].into(),
        ..Targets::default()
    }));
    edge.pass(at(100));
    let usable = |backend: usize| {
        let endpoints = edge.service().backends[backend].endpoints.iter();
        endpoints
            .map(|endpoint| endpoint.usable)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (usable(0), usable(1)),
        (vec![true, true], vec![false, true])
    );
    assert!(!edge.service().backends[1].off);
}

#[test]
fn weight_0_in_the_file_is_off_until_an_override_gives_a_share() {
    let spec = spec(
        "meet",
        &[
            ("aws", "aws", Role::Weighted(1), 1),
            ("oci", "oci", Role::Weighted(0), 1),
        ],
    );
    let mut edge = Edge::new(vec![spec]);
    assert!(edge.service().backends[1].off);
    edge.pass(at(100));
    edge.tell(down(&[aws(0)]));
    assert_eq!(edge.service().mode, Mode::Refuse(Refusal::NoBackendUp));
    edge.pass(at(200));
    edge.tell(Input::Targets(targets(1, &[("aws", 9), ("oci", 1)], &[])));
    assert!(!edge.service().backends[1].off);
    assert_eq!(edge.shares(), [0, 10_000]);
}

#[test]
fn a_backend_on_its_way_to_off_keeps_its_part_until_the_ramp_has_ended() {
    let mut edge = Edge::new(vec![meet()]);
    edge.tell(Input::Targets(targets(
        1,
        &[("aws", 9), ("oci", 1)],
        &["oci"],
    )));
    edge.pass(at(100));
    assert_eq!(
        (edge.shares(), edge.service().backends[1].off),
        (vec![9000, 1000], false)
    );
    edge.tell(Input::Targets(targets(
        2,
        &[("aws", 1), ("oci", 0)],
        &["oci"],
    )));
    edge.pass(at(200));
    assert_eq!(
        (edge.shares(), edge.service().backends[1].off),
        (vec![10_000, 0], true)
    );
    edge.tell(down(&[aws(0), aws(1)]));
    edge.pass(at(300));
    assert_eq!(edge.service().mode, Mode::Refuse(Refusal::NoBackendUp));
}

#[test]
fn fail_open_uses_every_endpoint_that_people_left_in() {
    let mut spec = meet();
    spec.fail_open = FailOpen::WhenNoBackendUp;
    let mut edge = Edge::new(vec![spec]);
    let maint = AdminTarget::Endpoint("meet".parse().unwrap(), backend_name("oci"), oci(0).label());
    edge.tell(Input::Targets(Targets {
        revision: Revision(1),
        admin: [(maint, AdminState::Maint)].into(),
        ..Targets::default()
    }));
    edge.tell(down(&[aws(0), aws(1), oci(0), oci(1)]));
    edge.pass(at(100));
    assert_eq!(edge.service().mode, Mode::FailOpen);
    assert_eq!(edge.shares(), [7000, 3000]);
    let endpoints = edge
        .service()
        .backends
        .iter()
        .flat_map(|backend| &backend.endpoints);
    let usable: Vec<bool> = endpoints.map(|endpoint| endpoint.usable).collect();
    assert_eq!(usable, [true, true, false, true]);
}

#[test]
fn a_reload_keeps_ramps_and_adds_backends_without_one() {
    let mut edge = Edge::new(vec![meet()]);
    edge.tell(down(&[oci(0), oci(1)]));
    edge.pass(at(1000));
    edge.tell(back(&[oci(0), oci(1)], at(1000)));
    edge.pass(at(3500));
    let reloaded = spec(
        "meet",
        &[
            ("aws", "aws", Role::Weighted(70), 2),
            ("oci", "oci", Role::Weighted(30), 2),
            ("own", "own", Role::Weighted(15), 1),
        ],
    );
    edge.tell(Input::Services(vec![Arc::new(reloaded)]));
    edge.pass(at(3550));
    // Half of 30 of 115, and the rest as 70 to 15.
    assert_eq!(edge.shares(), [7162, 1304, 1534]);
}

#[test]
fn a_row_made_for_another_configuration_keeps_what_fits() {
    let mut edge = Edge::new(vec![meet()]);
    edge.tell(Input::Targets(targets(
        1,
        &[("aws", 40), ("oci", 40), ("gone", 20)],
        &[],
    )));
    edge.pass(at(100));
    assert_eq!(edge.shares(), [5000, 5000]);
    edge.tell(Input::Targets(targets(2, &[("gone", 1)], &[])));
    edge.pass(at(200));
    assert_eq!(edge.shares(), [7000, 3000]);
}

#[test]
fn all_addresses_of_a_name_are_endpoints_and_an_empty_answer_keeps_the_last() {
    let mut spec = meet();
    let host: Arc<str> = Arc::from("oci.example.org");
    let named = EndpointUrl {
        scheme: Scheme::Https,
        host: EndpointHost::Name(Arc::clone(&host)),
        port: 8443,
    };
    spec.backends
        .get_mut(&backend_name("oci"))
        .unwrap()
        .endpoints = vec![named.into()];
    let mut edge = Edge::new(vec![spec]);
    assert_eq!(edge.shares(), [10_000, 0], "not resolved yet");
    edge.pass(at(100));
    let resolved = |addresses: &[u8]| Input::Resolved {
        host: Arc::clone(&host),
        addresses: addresses
            .iter()
            .map(|n| IpAddr::from(Ipv4Addr::new(10, 9, 0, *n)))
            .collect(),
    };
    edge.tell(resolved(&[2, 1, 2]));
    assert_eq!(
        edge.shares(),
        [7000, 3000],
        "the first answer is not a return"
    );
    edge.pass(at(200));
    edge.tell(resolved(&[]));
    edge.pass(at(300));
    let labels: Vec<String> = edge.service().backends[1]
        .endpoints
        .iter()
        .map(|endpoint| endpoint.id.label())
        .collect();
    assert_eq!(
        labels,
        [
            "oci.example.org@10.9.0.1:8443",
            "oci.example.org@10.9.0.2:8443"
        ]
    );
}

#[test]
fn an_endpoint_that_starts_down_gets_nothing_before_a_check_has_passed() {
    let mut spec = meet();
    spec.initial = ObservedState::Down;
    let mut edge = Edge::new(vec![spec]);
    assert_eq!(edge.service().mode, Mode::Refuse(Refusal::NoBackendUp));
    edge.tell(back(&[aws(0)], at(0)));
    edge.pass(at(1000));
    assert_eq!(edge.service().mode, Mode::Serve);
    let endpoints = edge.service().backends[0].endpoints.iter();
    let usable: Vec<bool> = endpoints.map(|endpoint| endpoint.usable).collect();
    assert_eq!(usable, [true, false]);
}

/// What agents say of the two endpoints of aws.
fn agents(says: [(AdminState, u16); 2]) -> Input {
    let health = |(agent, percent): (AdminState, u16)| EndpointHealth {
        agent,
        weight: BasisPoints::saturating(percent * 100),
        ..EndpointHealth::new(ObservedState::Up, None)
    };
    let ids = [aws(0), aws(1)].into_iter();
    Input::Health(ids.zip(says.map(health)).collect())
}

#[test]
fn what_an_agent_can_take_divides_inside_the_backend_and_leaves_its_share() {
    let mut edge = Edge::new(vec![meet()]);
    edge.tell(agents([(AdminState::Ready, 75), (AdminState::Ready, 100)]));
    edge.pass(at(1000));
    assert_eq!(edge.weights(0), [7500, 10_000]);
    assert_eq!(edge.shares(), [7000, 3000]);
}

#[test]
fn what_an_agent_takes_out_gets_nothing_and_ramps_when_it_is_ready_again() {
    let mut edge = Edge::new(vec![meet()]);
    edge.tell(agents([(AdminState::Drain, 100), (AdminState::Ready, 100)]));
    edge.pass(at(1000));
    let usable = |edge: &Edge| edge.service().backends[0].endpoints[0].usable;
    assert!(!usable(&edge));
    edge.tell(agents([(AdminState::Ready, 50), (AdminState::Ready, 100)]));
    edge.pass(at(1000) + RAMP / 2);
    assert!(usable(&edge));
    assert_eq!(edge.weights(0), [2500, 10_000], "half of the ramp, of half");
}

#[test]
fn an_agent_does_not_stop_the_checks_that_it_is_heard_by_nor_undo_a_person() {
    let mut edge = Edge::new(vec![meet()]);
    edge.tell(agents([(AdminState::Maint, 100), (AdminState::Ready, 100)]));
    edge.pass(at(1000));
    let wanted = |edge: &Edge| edge.assembler.check_targets()[0].admin;
    assert_eq!(wanted(&edge), AdminState::Ready);
    let mut by_person = Targets {
        revision: Revision(1),
        ..Targets::default()
    };
    let aws = AdminTarget::Backend("meet".parse().unwrap(), backend_name("aws"));
    by_person.admin.insert(aws, AdminState::Maint);
    edge.tell(Input::Targets(by_person));
    edge.tell(agents([(AdminState::Ready, 100), (AdminState::Ready, 100)]));
    edge.pass(at(2000));
    assert_eq!(wanted(&edge), AdminState::Maint);
    assert!(edge.service().backends[0].off);
}
