//! The laws of assembly, over random histories of two services.

use proptest::prelude::*;

use super::*;

/// Two services, three backends of two providers, one of them a standby and one with a name.
fn world(variant: u8) -> Vec<ServiceSpec> {
    let mut meet = spec(
        "meet",
        &[
            ("a", "p", Role::Weighted(60), 2),
            (
                "b",
                "q",
                Role::Weighted(if variant == 1 { 0 } else { 40 }),
                3,
            ),
            ("c", "q", Role::Standby, 1),
        ],
    );
    if variant == 2 {
        meet.fail_open = FailOpen::WhenNoBackendUp;
    }
    let mut api = spec(
        "api",
        &[
            ("a", "p", Role::Weighted(1), 1),
            ("d", "r", Role::Weighted(2), 1),
        ],
    );
    let named = EndpointUrl {
        scheme: Scheme::Http,
        host: EndpointHost::Name(Arc::from("d.example.org")),
        port: 80,
    };
    api.backends.get_mut(&backend_name("d")).unwrap().endpoints = vec![named.into()];
    vec![meet, api]
}

fn ids() -> Vec<EndpointId> {
    let mut ids = vec![id("api", "a", address(0, 0))];
    for (at, (backend, endpoints)) in [("a", 2), ("b", 3), ("c", 1)].into_iter().enumerate() {
        ids.extend((0..endpoints).map(|endpoint| id("meet", backend, address(at, endpoint))));
    }
    ids
}

/// One random input of each kind; revisions and instants are put in by the test.
fn any_targets() -> impl Strategy<Value = Targets> {
    let weight = || prop_oneof![Just(0_u64), 1_u64..100];
    let row = (
        weight(),
        weight(),
        weight(),
        prop::sample::subsequence(vec!["a", "b", "c"], 0..=3),
    );
    let row = row.prop_filter("a share", |(a, b, c, _)| a + b + c > 0);
    let subject = prop::sample::select(vec![
        "provider/q",
        "backend/meet/a",
        "endpoint/meet/b/10.1.0.0:80",
    ]);
    let state = prop::sample::select(vec![
        AdminState::Drain,
        AdminState::Maint,
        AdminState::Offline,
    ]);
    let admin = prop::collection::btree_map(subject, state, 0..2);
    (prop::option::of(row), admin).prop_map(|(row, admin)| {
        let row = row.map(|(a, b, c, off)| targets(0, &[("a", a), ("b", b), ("c", c)], &off));
        let mut targets = row.unwrap_or_default();
        targets.admin = admin
            .into_iter()
            .map(|(text, state)| (text.parse().unwrap(), state))
            .collect();
        targets
    })
}

fn any_input() -> impl Strategy<Value = Input> {
    let health = prop::collection::vec(any::<bool>(), ids().len()).prop_map(|up| {
        let verdict = |up: bool| {
            let state = if up {
                ObservedState::Up
            } else {
                ObservedState::Down
            };
            EndpointHealth::new(state, None)
        };
        Input::Health(
            ids()
                .into_iter()
                .zip(up)
                .map(|(id, up)| (id, verdict(up)))
                .collect(),
        )
    });
    let resolved = prop::collection::vec(1_u8..5, 0..3).prop_map(|last| Input::Resolved {
        host: Arc::from("d.example.org"),
        addresses: last
            .into_iter()
            .map(|n| IpAddr::from([10, 9, 0, n]))
            .collect(),
    });
    let services =
        (0_u8..3).prop_map(|v| Input::Services(world(v).into_iter().map(Arc::new).collect()));
    prop_oneof![4 => health, 1 => resolved, 1 => services, 3 => any_targets().prop_map(Input::Targets)]
}

/// A history: milliseconds to the input before, and the input. Revisions rise.
fn history() -> impl Strategy<Value = Vec<(u64, Input)>> {
    let wait = prop_oneof![0_u64..30, 0_u64..200, 0_u64..8000];
    prop::collection::vec((wait, any_input()), 1..40).prop_map(|mut history| {
        for (revision, (_, input)) in (1..).zip(&mut history) {
            if let Input::Targets(targets) = input {
                targets.revision = Revision(revision);
            }
        }
        history
    })
}

fn play(history: &[(u64, Input)], mut look: impl FnMut(&Edge)) -> Edge {
    let mut edge = Edge::new(world(0));
    look(&edge);
    let mut now = 0;
    for (wait, input) in history {
        now += wait;
        edge.pass(at(now));
        edge.tell(input.clone());
        look(&edge);
    }
    edge
}

/// What a snapshot says, apart from how often one was published.
fn said(edge: &Edge) -> (Revision, Arc<Table>, Vec<Service>) {
    let last = edge.last.as_ref().unwrap();
    let services = last
        .services
        .iter()
        .map(|service| Service::clone(service))
        .collect();
    (last.revision, Arc::clone(&last.routes), services)
}

proptest! {
    #[test]
    fn the_same_history_gives_the_same_snapshots(history in history()) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        play(&history, |edge| first.push(said(edge)));
        play(&history, |edge| second.push(said(edge)));
        prop_assert!(first == second);
    }

    #[test]
    fn shares_are_exact_and_what_is_off_gets_nothing(history in history()) {
        let mut faults = Vec::new();
        play(&history, |edge| {
            let snapshot = edge.last.as_ref().unwrap();
            for service in &snapshot.services {
                if !build::is_exact(service) {
                    faults.push(format!("{service:#?}"));
                }
                for backend in &service.backends {
                    let any_usable = backend.endpoints.iter().any(|endpoint| endpoint.usable);
                    let people_took_out = backend.endpoints.iter().any(|e| e.usable && !e.admin.takes_new());
                    if people_took_out || (!backend.effective.is_zero() && !any_usable) {
                        faults.push(format!("{backend:#?}"));
                    }
                }
            }
        });
        prop_assert!(faults.is_empty(), "{:#?}", faults);
    }

    #[test]
    fn off_is_off_as_soon_as_it_is_published(history in history()) {
        let edge = play(&history, |_| ());
        // Written again, apart from the code: the last row of a person, or the file's.
        let last = history.iter().rev().find_map(|(_, input)| match input {
            Input::Targets(targets) => Some(targets.clone()),
            _ => None,
        });
        let mut edge = edge;
        edge.pass(edge.now + Duration::from_millis(50));
        let name: ServiceName = "meet".parse().unwrap();
        if let Some(row) = last.and_then(|targets| targets.services.get(&name).cloned()) {
            for backend in &edge.service().backends {
                let zero = row.shares.get(&backend.name).unwrap_or_default() == BasisPoints::ZERO;
                if zero && row.off.contains(&backend.name) {
                    prop_assert!(backend.off && backend.effective.is_zero());
                }
            }
        }
    }

    #[test]
    fn any_order_of_the_same_inputs_converges(
        inputs in (any_targets(), any_input(), any_input()), seed in any::<u64>(), waits in prop::collection::vec(0_u64..500, 8)
    ) {
        // The last of each kind, so that order decides nothing about what is wanted.
        let (mut targets, one, two) = inputs;
        targets.revision = Revision(3);
        let mut kinds = vec![Input::Targets(targets)];
        for input in [one, two, Input::Services(world(2).into_iter().map(Arc::new).collect())] {
            let known = |other: &Input| std::mem::discriminant(other) == std::mem::discriminant(&input);
            if !kinds.iter().any(known) {
                kinds.push(input);
            }
        }
        let mut rng = bascule_model::Rng::new(seed);
        let mut shuffled = kinds.clone();
        for n in (1..shuffled.len()).rev() {
            shuffled.swap(n, usize::try_from(rng.below(n as u64 + 1)).unwrap());
        }
        let settle = |inputs: Vec<Input>| {
            let mut edge = Edge::new(world(0));
            let mut now = 0;
            for (input, wait) in inputs.into_iter().zip(&waits) {
                now += wait;
                edge.pass(at(now));
                edge.tell(input);
            }
            edge.pass(at(now) + RAMP * 2);
            said(&edge)
        };
        prop_assert!(settle(kinds) == settle(shuffled));
    }

    #[test]
    fn snapshots_are_50_ms_apart_and_a_change_waits_no_longer(history in history()) {
        let mut assembler = Assembler::new();
        let mut published: Vec<Instant> = Vec::new();
        let mut now = 0;
        let services = Input::Services(world(0).into_iter().map(Arc::new).collect());
        for (wait, input) in std::iter::once((0, services)).chain(history) {
            let next = now + wait;
            while let Some(timeout) = assembler.poll_timeout().filter(|t| *t <= at(next)) {
                prop_assert!(timeout >= at(now), "a timeout that lies back");
                assembler.handle_timeout(timeout);
                published.extend(assembler.poll_snapshot().map(|_| timeout));
            }
            now = next;
            assembler.handle(at(now), input).unwrap();
            published.extend(assembler.poll_snapshot().map(|_| at(now)));
            if assembler.changed {
                let due = assembler.poll_timeout().unwrap();
                prop_assert!(due <= at(now) + PUBLISH_EVERY);
            }
        }
        prop_assert!(published.windows(2).all(|pair| pair[1].since(pair[0]) >= PUBLISH_EVERY));
    }

    #[test]
    fn ramps_end_and_then_nothing_happens_any_more(history in history()) {
        let mut edge = play(&history, |_| ());
        edge.pass(edge.now + RAMP + Duration::from_millis(200));
        prop_assert_eq!(edge.assembler.poll_timeout(), None);
        for service in &edge.last.as_ref().unwrap().services {
            for backend in &service.backends {
                prop_assert!(backend.factors.slow_start > 0.999_999, "{:#?}", backend);
                prop_assert!(backend.endpoints.iter().all(|e| !e.usable || e.weight == points(10_000)));
            }
        }
    }
}
