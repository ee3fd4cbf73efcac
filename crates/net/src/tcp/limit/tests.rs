//! Limits of connections: examples, and random histories beside a model that keeps a plain list of what is open.

use std::thread;

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> ListenerName {
    ListenerName::parse(text).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn limits(connections: Option<usize>, connections_per_client: usize) -> ListenerLimits {
    ListenerLimits {
        connections,
        connections_per_client,
        exempt: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
    }
}

fn admit(door: &Door, peer: &str) -> Result<Permit, Refused> {
    door.admit(ip(peer), &metrics::Gauge::noop())
}

#[test]
fn each_limit_refuses_by_its_own_name_and_takes_nothing() {
    let connections = Connections::new(3);
    connections.set_listeners([
        (name("web"), limits(Some(2), 1)),
        (name("api"), limits(None, 1)),
    ]);
    let (web, api) = (
        connections.door(&name("web")),
        connections.door(&name("api")),
    );
    let _one = admit(&web, "192.0.2.1").unwrap();
    assert_eq!(admit(&web, "192.0.2.1").unwrap_err(), Refused::Client);
    assert_eq!(
        admit(&api, "192.0.2.1").unwrap_err(),
        Refused::Client,
        "over all listeners"
    );
    let two = admit(&web, "192.0.2.2").unwrap();
    assert_eq!(admit(&web, "192.0.2.3").unwrap_err(), Refused::Listener);
    let _three = admit(&api, "192.0.2.3").unwrap();
    assert_eq!(admit(&api, "192.0.2.4").unwrap_err(), Refused::Process);
    assert_eq!((connections.open(), connections.clients()), (3, 3));
    drop(two);
    assert_eq!((connections.open(), connections.clients()), (2, 2));
    assert_eq!(connections.open_of(&name("web")), 1);
    admit(&web, "192.0.2.4").unwrap();
}

#[test]
fn who_is_exempt_is_not_counted_by_address() {
    let connections = Connections::new(100);
    connections.set_listeners([(name("web"), limits(None, 1))]);
    let web = connections.door(&name("web"));
    let _open: Vec<Permit> = ["10.1.2.3", "10.1.2.3", "fd00::1", "fd00::1"]
        .map(|peer| admit(&web, peer).unwrap())
        .into();
    assert_eq!((connections.open(), connections.clients()), (4, 0));
}

#[test]
fn the_count_of_a_listener_stays_when_it_is_set_anew() {
    let connections = Connections::new(100);
    connections.set_listeners([(name("web"), limits(Some(2), 9))]);
    let _open = admit(&connections.door(&name("web")), "192.0.2.1").unwrap();
    connections.set_listeners([(name("web"), limits(Some(1), 9))]);
    let moved = connections.door(&name("web"));
    assert_eq!(admit(&moved, "192.0.2.1").unwrap_err(), Refused::Listener);
    connections.set_listeners([(name("web"), limits(None, 9))]);
    admit(&moved, "192.0.2.1").unwrap();
}

#[test]
fn a_listener_that_is_gone_is_remembered_as_long_as_its_connections() {
    let connections = Connections::new(100);
    connections.set_listeners([(name("web"), limits(None, 9))]);
    let open = admit(&connections.door(&name("web")), "192.0.2.1").unwrap();
    connections.set_listeners([]);
    assert_eq!(connections.open_of(&name("web")), 1);
    drop(open);
    connections.set_listeners([]);
    assert!(connections.0.listeners.lock().unwrap().is_empty());
}

#[test]
fn many_threads_never_pass_a_limit_and_give_everything_back() {
    let connections = Connections::new(50);
    connections.set_listeners([(name("web"), limits(Some(40), 7))]);
    let (web, most) = (name("web"), AtomicUsize::new(0));
    let busy = |worker: usize| {
        let door = connections.door(&web);
        for round in 0..500_usize {
            let peer = format!("192.0.2.{}", (worker + round) % 11);
            let held: Vec<_> = (0..12).map(|_| admit(&door, &peer)).collect();
            let mine = held.iter().filter(|permit| permit.is_ok()).count();
            most.fetch_max(mine, Relaxed);
            assert!(mine <= 7 && connections.open() <= 50 && connections.open_of(&web) <= 40);
        }
    };
    thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || busy(worker));
        }
    });
    assert_eq!(most.into_inner(), 7, "the limit was reached");
    assert_eq!((connections.open(), connections.open_of(&web)), (0, 0));
    assert_eq!(connections.clients(), 0);
}

/// What happens in a history.
#[derive(Debug, Clone)]
enum Step {
    Open { listener: usize, peer: usize },
    Close(usize),
    SetProcess(usize),
    SetListener(usize, Option<usize>, usize),
}

const LISTENERS: [&str; 2] = ["web", "api"];
/// The address, and what it is counted as; `None`: exempt.
const PEERS: [(&str, Option<usize>); 6] = [
    ("192.0.2.1", Some(0)),
    ("192.0.2.2", Some(1)),
    ("2001:db8::1", Some(2)),
    ("2001:db8::2", Some(2)),
    ("2001:db8:0:1::1", Some(3)),
    ("10.0.0.1", None),
];

fn step() -> impl Strategy<Value = Step> {
    let listener = 0..LISTENERS.len();
    prop_oneof![
        6 => (listener.clone(), 0..PEERS.len()).prop_map(|(listener, peer)| Step::Open { listener, peer }),
        3 => (0..100_usize).prop_map(Step::Close),
        1 => (0..12_usize).prop_map(Step::SetProcess),
        1 => (listener, prop::option::of(0..8_usize), 0..5_usize)
            .prop_map(|(listener, all, client)| Step::SetListener(listener, all, client)),
    ]
}

/// A list of what is open, and the limits.
struct Model {
    open: Vec<(usize, usize)>,
    process: usize,
    listeners: [(Option<usize>, usize); 2],
}

impl Model {
    fn verdict(&self, listener: usize, peer: usize) -> Option<Refused> {
        let (own, per_client) = self.listeners[listener];
        let of_listener = self.open.iter().filter(|open| open.0 == listener).count();
        let client = PEERS[peer].1;
        let of_client = self
            .open
            .iter()
            .filter(|open| PEERS[open.1].1 == client)
            .count();
        if self.open.len() >= self.process {
            Some(Refused::Process)
        } else if own.is_some_and(|own| of_listener >= own) {
            Some(Refused::Listener)
        } else if client.is_some() && of_client >= per_client {
            Some(Refused::Client)
        } else {
            None
        }
    }
}

proptest! {
    #[test]
    fn every_history_is_as_a_plain_list_says(steps in prop::collection::vec(step(), 0..120)) {
        let connections = Connections::new(8);
        let mut model = Model { open: Vec::new(), process: 8, listeners: [(None, 3), (Some(4), 2)] };
        let set = |model: &Model| {
            let of = |at: usize| limits(model.listeners[at].0, model.listeners[at].1);
            connections.set_listeners([(name(LISTENERS[0]), of(0)), (name(LISTENERS[1]), of(1))]);
        };
        set(&model);
        let doors = LISTENERS.map(|listener| connections.door(&name(listener)));
        let mut permits = Vec::new();
        for step in steps {
            match step {
                Step::Open { listener, peer } => {
                    let expected = model.verdict(listener, peer);
                    let got = admit(&doors[listener], PEERS[peer].0);
                    prop_assert_eq!(got.as_ref().err().copied(), expected);
                    if let Ok(permit) = got {
                        model.open.push((listener, peer));
                        permits.push(permit);
                    }
                }
                Step::Close(at) if !permits.is_empty() => {
                    let at = at % permits.len();
                    drop(permits.swap_remove(at));
                    model.open.swap_remove(at);
                }
                Step::Close(_) => {}
                Step::SetProcess(limit) => {
                    model.process = limit;
                    connections.set_limit(limit);
                }
                Step::SetListener(at, own, per_client) => {
                    model.listeners[at] = (own, per_client);
                    set(&model);
                }
            }
            prop_assert_eq!(connections.open(), model.open.len());
            let counted = model.open.iter().filter_map(|open| PEERS[open.1].1);
            let counted: std::collections::BTreeSet<usize> = counted.collect();
            prop_assert_eq!(connections.clients(), counted.len());
        }
    }
}
