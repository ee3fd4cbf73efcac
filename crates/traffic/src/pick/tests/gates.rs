//! Laws of picking where endpoints are suspected or full: who is passed over, who gets what spills, and that the shares are
//! exact before, meanwhile and after.

use proptest::prelude::*;

use super::{algorithm, idle, is_allowed, members};
use crate::fixtures::{Member, member, service};
use crate::pick::{Choice, Gate, Look, PickReason, PickRefused, Picker, SpillCause};
use crate::snapshot::Service;
use crate::spec::Algorithm;

/// The gates of all endpoints, by backend.
type Gates = Vec<Vec<Gate>>;

fn through(gates: &Gates) -> impl Fn(usize, usize) -> Look {
    |backend: usize, endpoint: usize| Look::open(0).with_gate(gates[backend][endpoint])
}

fn all(members: &[Member], gate: impl Fn(usize) -> Gate) -> Gates {
    let of = |(at, member): (usize, &Member)| vec![gate(at); member.endpoints.len()];
    members.iter().enumerate().map(of).collect()
}

/// Four backends with two endpoints each.
fn four() -> [Member; 4] {
    [4_000, 3_000, 2_000, 1_000].map(|share| member("aws", share, 2))
}

#[test]
fn a_suspect_and_a_full_endpoint_are_passed_over_inside_their_backend() {
    for endpoints in [2, 8, 30] {
        for algorithm in super::ALGORITHMS {
            let members = [member("aws", 10_000, endpoints)];
            let service = service(algorithm, &members);
            let mut picker = Picker::new(0, &service);
            let mut gates = all(&members, |_| Gate::Suspect);
            gates[0][0] = Gate::Full;
            gates[0][endpoints - 1] = Gate::Open;
            for _ in 0..50 {
                let choice = picker.first(&service, through(&gates)).unwrap();
                assert_eq!(choice.endpoint, endpoints - 1);
                assert_eq!(choice.why, PickReason::Weight);
            }
        }
    }
}

#[test]
fn a_returning_endpoint_serves_alone_where_the_others_are_suspected() {
    let mut only = member("aws", 10_000, 0);
    only.endpoints = vec![Some(1), Some(10_000)];
    for algorithm in super::ALGORITHMS {
        let service = service(algorithm, &[only.clone()]);
        let mut picker = Picker::new(0, &service);
        let gates = vec![vec![Gate::Open, Gate::Suspect]];
        for _ in 0..50 {
            assert_eq!(picker.first(&service, through(&gates)).unwrap().endpoint, 0);
        }
    }
}

#[test]
fn a_trial_takes_its_turn_and_is_nothing_for_a_spill_or_a_second_try() {
    let members = [member("aws", 5_000, 1), member("oci", 5_000, 1)];
    let service = service(Algorithm::LeastRequest, &members);
    let mut picker = Picker::new(0, &service);
    let gates = vec![vec![Gate::Trial], vec![Gate::Suspect]];
    for _ in 0..10 {
        // The turn of the one with the suspect stays its own: there is nothing open to spill to.
        let choice = picker.first(&service, through(&gates)).unwrap();
        assert_eq!(choice.why, PickReason::Weight);
    }
    let members = four();
    let service = super::service(Algorithm::LeastRequest, &members);
    let mut picker = Picker::new(0, &service);
    let gates = all(&members, |at| match at {
        0 => Gate::Trial,
        1 => Gate::Suspect,
        _ => Gate::Open,
    });
    for _ in 0..100 {
        let choice = picker.first(&service, through(&gates)).unwrap();
        let spilled = matches!(
            choice.why,
            PickReason::Spill {
                from: 1,
                cause: SpillCause::Suspect
            }
        );
        assert_eq!(spilled, choice.why != PickReason::Weight);
        assert!(choice.backend != 1 && !(spilled && choice.backend == 0));
        let other = picker.other(&service, &[choice], through(&gates)).unwrap();
        assert!(other.backend >= 2);
    }
}

#[test]
fn where_everything_is_suspected_suspicion_is_ignored_and_shares_stay() {
    let members = four();
    let service = service(Algorithm::LeastRequest, &members);
    let mut picker = Picker::new(0, &service);
    let mut counts = [0; 4];
    let gates = all(&members, |_| Gate::Suspect);
    for _ in 0..1000 {
        let choice = picker.first(&service, through(&gates)).unwrap();
        assert_eq!(choice.why, PickReason::Weight);
        counts[choice.backend] += 1;
        assert!(picker.other(&service, &[choice], through(&gates)).is_some());
    }
    assert_eq!(counts, [400, 300, 200, 100]);
}

#[test]
fn what_is_full_gets_nothing_whatever_else_fails() {
    let members = [member("aws", 5_000, 2), member("oci", 5_000, 2)];
    let service = service(Algorithm::LeastRequest, &members);
    let mut picker = Picker::new(0, &service);
    let gates = all(&members, |_| Gate::Full);
    assert_eq!(
        picker.first(&service, through(&gates)),
        Err(PickRefused::Full)
    );
    assert_eq!(picker.other(&service, &[], through(&gates)), None);
    let mut gates = gates;
    gates[1][1] = Gate::Suspect;
    let choice = picker.first(&service, through(&gates)).unwrap();
    assert_eq!((choice.backend, choice.endpoint), (1, 1));
    assert_eq!(picker.other(&service, &[choice], through(&gates)), None);
}

#[test]
fn a_standby_without_a_share_gets_no_spill() {
    let members = [member("aws", 10_000, 1), member("oci", 0, 1)];
    let service = service(Algorithm::LeastRequest, &members);
    let mut picker = Picker::new(0, &service);
    let gates = vec![vec![Gate::Full], vec![Gate::Open]];
    assert_eq!(
        picker.first(&service, through(&gates)),
        Err(PickRefused::Full)
    );
    let gates = vec![vec![Gate::Suspect], vec![Gate::Open]];
    assert_eq!(picker.first(&service, through(&gates)).unwrap().backend, 0);
}

#[test]
fn the_cause_of_a_spill_is_a_limit_where_one_is_reached() {
    let members = [member("aws", 10_000, 2), member("oci", 0, 1)];
    let mut service = service(Algorithm::LeastRequest, &members);
    // A share that no row would give; it makes every turn the first one's, so that all of them spill.
    service.backends[1].effective = crate::fixtures::points(1);
    let mut picker = Picker::new(0, &super::service(Algorithm::LeastRequest, &members));
    for (gates, cause) in [
        ([Gate::Full, Gate::Full], SpillCause::Full),
        ([Gate::Full, Gate::Suspect], SpillCause::Full),
        ([Gate::Suspect, Gate::Suspect], SpillCause::Suspect),
    ] {
        let gates = vec![gates.to_vec(), vec![Gate::Open]];
        let choice = picker.first(&service, through(&gates)).unwrap();
        assert_eq!(
            (choice.backend, choice.why),
            (1, PickReason::Spill { from: 0, cause })
        );
    }
}

fn gate() -> impl Strategy<Value = Gate> {
    prop_oneof![
        3 => Just(Gate::Open),
        1 => Just(Gate::Trial),
        2 => Just(Gate::Suspect),
        2 => Just(Gate::Full)
    ]
}

/// A service's members with a gate for each of their endpoints.
fn gated() -> impl Strategy<Value = (Vec<Member>, Gates)> {
    members().prop_flat_map(|members| {
        let gates: Vec<_> = members
            .iter()
            .map(|member| prop::collection::vec(gate(), member.endpoints.len()))
            .collect();
        (Just(members), gates)
    })
}

/// The best gate that a backend has for a request, by looking at everything.
fn best(service: &Service, gates: &Gates, backend: usize) -> Option<Gate> {
    let endpoints = service.backends[backend]
        .endpoints
        .iter()
        .zip(&gates[backend]);
    endpoints
        .filter(|(endpoint, _)| endpoint.usable)
        .map(|(_, gate)| *gate)
        .min()
}

/// What must come of a backend's turn, without saying which endpoint or which of several others.
fn is_right(
    service: &Service,
    gates: &Gates,
    turn: usize,
    got: Result<Choice, PickRefused>,
) -> bool {
    let has_share = |at: &usize| service.backends[*at].effective.get() > 0;
    let others = |worst: Gate| -> Vec<usize> {
        let may = |at: &usize| best(service, gates, *at).is_some_and(|gate| gate <= worst);
        (0..gates.len())
            .filter(|at| *at != turn)
            .filter(has_share)
            .filter(may)
            .collect()
    };
    let own = best(service, gates, turn).unwrap_or(Gate::Full);
    let (backends, worst): (Vec<usize>, Gate) = if own <= Gate::Trial {
        (vec![turn], Gate::Trial)
    } else if !others(Gate::Open).is_empty() {
        (others(Gate::Open), Gate::Open)
    } else if own <= Gate::Suspect {
        (vec![turn], Gate::Suspect)
    } else {
        (others(Gate::Suspect), Gate::Suspect)
    };
    match got {
        Ok(choice) => {
            let gate = gates[choice.backend][choice.endpoint];
            let spilled = matches!(choice.why, PickReason::Spill { from, .. } if from == turn);
            backends.contains(&choice.backend)
                && gate <= worst
                && is_allowed(service, choice)
                && spilled == (choice.backend != turn)
        }
        Err(refused) => backends.is_empty() && refused == PickRefused::Full,
    }
}

proptest! {
    #[test]
    fn a_request_goes_to_the_best_that_may_have_it(
        (members, gates) in gated(), algorithm in algorithm(), picks in 1_usize..200
    ) {
        let service = service(algorithm, &members);
        let (mut picker, mut turns) = (Picker::new(3, &service), Picker::new(3, &service));
        for _ in 0..picks {
            let turn = turns.first(&service, idle).unwrap().backend;
            let got = picker.first(&service, through(&gates));
            prop_assert!(is_right(&service, &gates, turn, got), "turn {turn}, {got:?}, {gates:?}");
        }
    }

    #[test]
    fn spills_and_further_tries_consume_no_turn(
        (members, gates) in gated(), closed in prop::collection::vec(any::<bool>(), 1..200)
    ) {
        let service = service(Algorithm::LeastRequest, &members);
        let (mut quiet, mut busy) = (Picker::new(5, &service), Picker::new(5, &service));
        for closed in closed {
            let expected = quiet.first(&service, idle).unwrap().backend;
            let turn = if closed {
                let got = busy.first(&service, through(&gates));
                got.map(|choice| match choice.why {
                    PickReason::Spill { from, .. } => from,
                    _ => choice.backend,
                })
            } else {
                busy.first(&service, idle).map(|choice| choice.backend)
            };
            prop_assert!(turn.is_err() || turn == Ok(expected), "{turn:?} for {expected}");
        }
    }

    /// However long some were closed, and however often: the open ones have their parts of everything, and whoever opens
    /// has its share from then on, no more and no less.
    #[test]
    fn shares_are_exact_among_those_that_are_open(
        shares in prop::collection::vec(1_u64..1000, 2..=8),
        open in any::<u8>(), before in 0_usize..200, meanwhile in 1_usize..2000, after in 1_usize..2000
    ) {
        let shares = bascule_model::share::largest_remainder(&shares, 10_000).unwrap();
        let members: Vec<Member> = shares.iter().map(|share| member("aws", *share, 2)).collect();
        let is_open = |at: usize| at == 0 || open >> at & 1 == 1;
        prop_assume!((0..members.len()).any(|at| is_open(at) && shares[at] > 0));
        let service = service(Algorithm::LeastRequest, &members);
        let gates = all(&members, |at| if is_open(at) { Gate::Open } else { Gate::Suspect });
        let mut picker = Picker::new(0, &service);
        for _ in 0..before {
            picker.first(&service, idle).unwrap();
        }
        let mut counts = vec![0_usize; members.len()];
        for _ in 0..meanwhile {
            counts[picker.first(&service, through(&gates)).unwrap().backend] += 1;
        }
        let all_open: f64 = (0..members.len()).filter(|at| is_open(*at)).map(|at| f64::from(shares[at])).sum();
        for at in 0..members.len() {
            let part = if is_open(at) { f64::from(shares[at]) / all_open } else { 0.0 };
            // Within two of its turns in this window, within two of its spills, and what the turns of the closed ones,
            // each within two of its own, add to those.
            let far = counts[at] as f64 - part * meanwhile as f64;
            prop_assert!(far.abs() < 5.0, "{counts:?} of {meanwhile}, {shares:?}, open {open:b}");
        }
        counts.fill(0);
        for _ in 0..after {
            counts[picker.first(&service, idle).unwrap().backend] += 1;
        }
        for (count, share) in counts.iter().zip(&shares) {
            let far = *count as f64 - f64::from(*share) * after as f64 / 10_000.0;
            prop_assert!(far.abs() < 2.0, "{counts:?} of {after}, {shares:?}");
        }
    }
}
