//! Requests that belong somewhere.

use super::*;
use crate::hash::Key;

fn place(backend: usize, endpoint: Option<usize>, key: Option<u64>) -> Place {
    let key = key.map(|n| Key::of(&n.to_le_bytes()));
    Place {
        backend,
        endpoint,
        key,
    }
}

fn three() -> Service {
    service(
        Algorithm::LeastRequest,
        &[
            member("aws", 5_000, 3),
            member("oci", 3_000, 3),
            member("gcp", 2_000, 3),
        ],
    )
}

#[test]
fn a_request_goes_where_it_belongs_and_the_shares_of_others_stay_exact() {
    let service = three();
    let mut picker = Picker::new(0, &service);
    let mut counts = [0; 3];
    for n in 0..1_000 {
        let placed = picker.placed(&service, place(2, Some(1), None), |_, _| Look::open(9));
        let expected = Choice {
            backend: 2,
            endpoint: 1,
            why: PickReason::Affinity,
        };
        assert_eq!(placed, Ok(expected), "{n}");
        let first = picker.first(&service, |_, _| Look::open(0)).unwrap();
        counts[first.backend] += 1;
    }
    assert_eq!(counts, [500, 300, 200]);
}

#[test]
fn all_workers_send_a_key_to_the_same_endpoint() {
    let service = three();
    let mut workers: Vec<Picker> = (0..4).map(|n| Picker::new(n, &service)).collect();
    let mut used = [0; 3];
    for key in 0..300 {
        let mut picked = workers.iter_mut().map(|picker| {
            let placed = picker.placed(&service, place(0, None, Some(key)), |_, _| Look::open(0));
            placed.unwrap().endpoint
        });
        let first = picked.next().unwrap();
        assert!(picked.all(|endpoint| endpoint == first));
        used[first] += 1;
    }
    assert!(used.iter().all(|count| *count > 60), "{used:?}");
}

#[test]
fn what_is_not_open_is_left_for_another_endpoint_then_for_another_backend() {
    let service = three();
    let mut picker = Picker::new(0, &service);
    let closed = |gate, endpoints: &'static [usize]| {
        move |backend: usize, endpoint: usize| {
            let is_closed = backend == 0 && endpoints.contains(&endpoint);
            Look::open(0).with_gate(if is_closed { gate } else { Gate::Open })
        }
    };
    for gate in [Gate::Suspect, Gate::Full] {
        let one = picker.placed(&service, place(0, Some(1), None), closed(gate, &[1]));
        let one = one.unwrap();
        assert_eq!((one.backend, one.why), (0, PickReason::Affinity));
        assert_ne!(one.endpoint, 1);
        let all = picker.placed(&service, place(0, Some(1), None), closed(gate, &[0, 1, 2]));
        let all = all.unwrap();
        assert_ne!(all.backend, 0);
        assert!(matches!(all.why, PickReason::Spill { from: 0, .. }));
    }
    let trial = picker.placed(
        &service,
        place(0, Some(1), None),
        closed(Gate::Trial, &[0, 1, 2]),
    );
    assert_eq!(trial.unwrap().endpoint, 1);
}

#[test]
fn where_all_is_full_nothing_is_picked_and_a_service_that_refuses_refuses() {
    let mut service = three();
    let mut picker = Picker::new(0, &service);
    let full = |_, _| Look::open(0).with_gate(Gate::Full);
    let place = place(0, Some(1), Some(7));
    assert_eq!(picker.placed(&service, place, full), Err(PickRefused::Full));
    service.mode = Mode::Refuse(crate::snapshot::Refusal::AllOff);
    let open = |_, _| Look::open(0);
    assert_eq!(
        picker.placed(&service, place, open),
        Err(PickRefused::Nothing)
    );
}

#[test]
fn one_that_is_drained_takes_what_belongs_to_it_alone() {
    let mut drained = member("aws", 5_000, 3);
    drained.endpoints[1] = None;
    let service = service(Algorithm::LeastRequest, &[drained, member("oci", 5_000, 1)]);
    let mut picker = Picker::new(0, &service);
    let open = |_, _| Look::open(0);
    let own = picker.placed(&service, place(0, Some(1), None), open);
    assert_eq!(own.unwrap().endpoint, 1);
    for key in 0..100 {
        let other = picker.placed(&service, place(0, None, Some(key)), open);
        assert_ne!(other.unwrap().endpoint, 1);
    }
}

#[test]
fn who_has_waited_still_belongs_where_it_did() {
    let service = three();
    let mut picker = Picker::new(0, &service);
    let open = |_, _| Look::open(0);
    let waited = |endpoint| {
        let why = PickReason::Waited;
        Some(Choice {
            backend: 0,
            endpoint,
            why,
        })
    };
    let own = picker.placed_after_wait(&service, 0, place(0, Some(2), None), open);
    assert_eq!(own, waited(2));
    for key in 0..100 {
        let before = picker.placed(&service, place(0, None, Some(key)), open);
        let after = picker.placed_after_wait(&service, 0, place(0, None, Some(key)), open);
        assert_eq!(after, waited(before.unwrap().endpoint), "{key}");
    }
    let full = |_, endpoint: usize| match endpoint {
        2 => Look::open(0).with_gate(Gate::Full),
        _ => Look::open(0),
    };
    let other = picker.placed_after_wait(&service, 0, place(0, Some(2), None), full);
    assert!(other.is_some_and(|choice| choice.endpoint != 2));
    // Another backend's endpoint of that number is nothing to it.
    let elsewhere = place(1, Some(2), Some(7));
    let key = picker.placed(&service, place(0, None, Some(7)), open);
    let spilled = picker.placed_after_wait(&service, 0, elsewhere, open);
    assert_eq!(spilled, waited(key.unwrap().endpoint));
}
