//! How groups are judged.

use bascule_model::{Instant, Scheme};
use proptest::prelude::*;

use super::*;
use crate::Verdict;

use ObservedState::{Degraded, Down, Unknown, Up};

fn verdict(state: ObservedState, reason: Reason) -> Verdict {
    Verdict {
        state,
        by_checks: state,
        ejection: None,
        held: false,
        since: Instant::ZERO,
        reasons: vec![reason],
        last: None,
        returned_at: None,
        against: 0,
        checked_at: None,
        agent: None,
        checked: true,
    }
}

/// One provider's endpoints in one backend.
fn fused(endpoints: &[(AdminState, ObservedState, Reason)]) -> Fused {
    let mut report = Report::default();
    let mut placed = Vec::new();
    for (port, (admin, state, reason)) in (1_u16..).zip(endpoints) {
        let id = EndpointId {
            service: "meet".parse().unwrap(),
            backend: "aws-use1".parse().unwrap(),
            scheme: Scheme::Http,
            host: None,
            address: ([10, 0, 0, 1], port).into(),
        };
        report
            .endpoints
            .insert(id.clone(), verdict(*state, *reason));
        placed.push(Placed {
            id,
            provider: "aws".parse().unwrap(),
            admin: *admin,
        });
    }
    fuse(&placed, &report)
}

fn provider(endpoints: &[(AdminState, ObservedState, Reason)]) -> Group {
    fused(endpoints).providers.into_values().next().unwrap()
}

fn ready(states: &[ObservedState]) -> Vec<(AdminState, ObservedState, Reason)> {
    let one = |state: &ObservedState| (AdminState::Ready, *state, Reason::Timeout);
    states.iter().map(one).collect()
}

#[test]
fn a_group_is_up_when_all_are_degraded_when_some_are_and_down_when_none_can_be() {
    let table: [(&[ObservedState], ObservedState); 8] = [
        (&[Up], Up),
        (&[Up, Up], Up),
        (&[Up, Down], Degraded),
        (&[Up, Unknown], Degraded),
        (&[Unknown, Unknown], Unknown),
        (&[Unknown, Down], Unknown),
        (&[Down], Down),
        (&[Down, Down], Down),
    ];
    for (states, expected) in table {
        assert_eq!(provider(&ready(states)).state, expected, "{states:?}");
    }
}

#[test]
fn an_endpoint_a_person_took_out_counts_there_and_not_in_the_state() {
    let group = provider(&[
        (AdminState::Ready, Up, Reason::CheckPassed),
        (AdminState::Maint, Down, Reason::Connect),
        (AdminState::Offline, Down, Reason::Connect),
        (AdminState::Drain, Up, Reason::CheckPassed),
    ]);
    assert_eq!(group.state, Up);
    let expected = Counts {
        up: 1,
        drain: 1,
        maint: 1,
        offline: 1,
        ..Counts::default()
    };
    assert_eq!(group.counts, expected);
    assert_eq!(group.counts.total(), 4);
    assert_eq!(group.reasons, []);
}

#[test]
fn a_group_that_is_not_checked_is_unknown() {
    assert_eq!(
        provider(&[(AdminState::Maint, Up, Reason::CheckPassed)]).state,
        Unknown
    );
}

#[test]
fn reasons_are_counted_most_first() {
    let group = provider(&[
        (AdminState::Ready, Down, Reason::Status { status: 503 }),
        (AdminState::Ready, Down, Reason::Timeout),
        (AdminState::Ready, Down, Reason::Timeout),
        (AdminState::Ready, Up, Reason::CheckPassed),
    ]);
    assert_eq!(
        group.reasons,
        [(Reason::Timeout, 2), (Reason::Status { status: 503 }, 1)]
    );
    let finding = group.finding.map(|finding| finding.to_string());
    assert_eq!(finding.as_deref(), Some("3 of 4 endpoints down (timeout)"));
}

#[test]
fn many_endpoints_of_one_provider_down_is_named_one_is_not() {
    assert_eq!(provider(&ready(&[Down])).finding, None);
    assert_eq!(provider(&ready(&[Down, Down, Up, Up, Up])).finding, None);
    assert!(provider(&ready(&[Down, Down, Up, Up])).finding.is_some());
    let backend = fused(&ready(&[Down, Down])).backends.into_values().next();
    assert_eq!(backend.unwrap().finding, None, "it is said of the provider");
}

#[test]
fn an_endpoint_without_a_verdict_is_unknown() {
    let placed = Placed {
        id: EndpointId {
            service: "meet".parse().unwrap(),
            backend: "oci".parse().unwrap(),
            scheme: Scheme::Http,
            host: None,
            address: ([10, 0, 0, 1], 80).into(),
        },
        provider: "oci".parse().unwrap(),
        admin: AdminState::Ready,
    };
    let fused = fuse(&[placed], &Report::default());
    assert_eq!(
        fused.providers.into_values().next().unwrap().counts.unknown,
        1
    );
}

fn any_state() -> impl Strategy<Value = ObservedState> {
    prop_oneof![Just(Up), Just(Unknown), Just(Down)]
}

proptest! {
    #[test]
    fn a_worse_endpoint_never_makes_its_group_better(
        states in prop::collection::vec((any_state(), any_state()), 1..12),
    ) {
        let better: Vec<ObservedState> = states.iter().map(|(a, b)| *a.min(b)).collect();
        let worse: Vec<ObservedState> = states.iter().map(|(a, b)| *a.max(b)).collect();
        let (better, worse) = (provider(&ready(&better)), provider(&ready(&worse)));
        prop_assert!(better.state <= worse.state);
        prop_assert!(better.counts.down <= worse.counts.down);
        prop_assert!(better.finding.is_none() || worse.finding.is_some());
    }
}
