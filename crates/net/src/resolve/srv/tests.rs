//! What answers about an SRV name and its targets change, and what they do not.

use proptest::prelude::*;

use super::super::known::Family;
use super::*;

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

fn record((priority, weight, port, target): (u16, u16, u16, &str)) -> Record {
    Record {
        priority,
        target: Arc::from(target),
        port,
        weight,
    }
}

fn records(given: &[(u16, u16, u16, &str)], life: u64) -> SrvAnswer {
    let records = given.iter().copied().map(record).collect();
    SrvAnswer::Records(records, Duration::from_secs(life), BTreeMap::new())
}

fn found(last: &[u8], life: u64) -> Answer {
    let ips = last.iter().map(|n| IpAddr::from([10, 0, 0, *n])).collect();
    Answer {
        v4: Family::Addresses(ips, Duration::from_secs(life)),
        v6: Family::None,
    }
}

fn failed() -> Answer {
    let failed = Family::Failed("no answer".to_owned());
    Answer {
        v4: failed.clone(),
        v6: failed,
    }
}

/// Priority, weight, port and last parts of addresses.
type Told = (u16, u16, u16, Vec<u8>);

/// A name and what it says when asked at some second.
struct World(KnownSrv);

impl World {
    fn learn(&mut self, second: u64, answer: SrvAnswer) -> Learned {
        self.0.learn(at(second), answer, &Settings::default())
    }

    fn target(&mut self, second: u64, name: &str, answer: &Answer) -> Option<Learned> {
        let name = Arc::from(name);
        let settings = Settings::default();
        self.0.learn_target(at(second), &name, answer, &settings)
    }

    /// What is told, if it is another.
    fn told(&mut self) -> Option<Vec<Told>> {
        let last = |ip: &IpAddr| match ip {
            IpAddr::V4(v4) => v4.octets()[3],
            IpAddr::V6(_) => 0,
        };
        let records = self.0.changed()?;
        let told = records.iter().map(|r| {
            let addresses = r.addresses.iter().map(last).collect();
            (r.priority, r.weight, r.port, addresses)
        });
        Some(told.collect())
    }
}

#[test]
fn records_are_told_with_the_addresses_of_their_targets_once() {
    let mut world = World(KnownSrv::default());
    assert!(world.0.is_due(at(0)));
    world.learn(0, records(&[(20, 1, 81, "b."), (10, 5, 80, "a.")], 60));
    assert_eq!(
        world.0.targets_due(at(0)),
        [Arc::from("a."), Arc::from("b.")]
    );
    assert_eq!(world.told(), None, "no address is known yet");
    world.target(0, "a.", &found(&[2, 1], 60));
    world.target(0, "b.", &found(&[3], 60));
    let expected = vec![(10, 5, 80, vec![1, 2]), (20, 1, 81, vec![3])];
    assert_eq!(world.told(), Some(expected));
    world.learn(60, records(&[(10, 5, 80, "a."), (20, 1, 81, "b.")], 60));
    assert_eq!(world.told(), None, "another order is no other set");
    world.learn(120, records(&[(10, 5, 80, "a.")], 60));
    assert_eq!(world.told(), Some(vec![(10, 5, 80, vec![1, 2])]));
}

#[test]
fn what_came_with_the_records_is_not_asked_for() {
    let mut world = World(KnownSrv::default());
    let given = [(10, 1, 80, "a."), (10, 1, 80, "b.")];
    let with = [(Arc::from("a."), found(&[7], 30))].into();
    let SrvAnswer::Records(list, life, _) = records(&given, 60) else {
        unreachable!("made so above");
    };
    world.learn(0, SrvAnswer::Records(list, life, with));
    assert_eq!(world.0.targets_due(at(0)), [Arc::from("b.")]);
    assert_eq!(world.told(), Some(vec![(10, 1, 80, vec![7])]));
    world.target(0, "b.", &found(&[8], 300));
    assert_eq!(world.0.again_at(), at(30), "its life ends first");
    assert_eq!(world.0.targets_due(at(30)), [Arc::from("a.")]);
}

#[test]
fn no_failure_takes_anything_away() {
    let mut world = World(KnownSrv::default());
    world.learn(0, records(&[(10, 1, 80, "a."), (10, 1, 80, "b.")], 60));
    world.target(0, "a.", &found(&[1], 60));
    world.target(0, "b.", &found(&[2], 60));
    assert!(world.told().is_some());
    let empty = Answer {
        v4: Family::None,
        v6: Family::None,
    };
    for (second, answer) in [(60, failed()), (120, empty)] {
        let learned = world.target(second, "b.", &answer).unwrap();
        assert!(learned.failure.is_some());
        assert_eq!(world.told(), None);
    }
    for answer in [SrvAnswer::Failed("no answer".to_owned()), SrvAnswer::None] {
        assert!(world.learn(180, answer).failure.is_some());
        assert_eq!(world.told(), None);
    }
    // All targets are new, and none is known: the old set stays until one is.
    world.learn(240, records(&[(10, 1, 80, "c.")], 60));
    world.target(240, "c.", &failed());
    assert_eq!(world.told(), None);
    world.target(241, "c.", &found(&[3], 60));
    assert_eq!(world.told(), Some(vec![(10, 1, 80, vec![3])]));
}

#[test]
fn a_name_with_thousands_of_addresses_keeps_a_thousand_of_the_lowest_priority() {
    let mut world = World(KnownSrv::default());
    let names: Vec<String> = (0..1_500).map(|n| format!("t{n:04}.")).collect();
    let named = names.iter().rev().enumerate();
    let given: Vec<_> = named
        .map(|(n, name)| (if n % 3 == 0 { 1 } else { 2 }, 1, 80, name.as_str()))
        .collect();
    assert_eq!(world.learn(0, records(&given, 60)).left_out, 500);
    for name in world.0.targets_due(at(0)) {
        world.target(0, &name, &found(&[1, 2], 60));
    }
    let told = world.0.changed().unwrap();
    let count = |priority| {
        let of_it = told.iter().filter(move |r| r.priority == priority);
        of_it.map(|r| r.addresses.len()).sum::<usize>()
    };
    assert_eq!((count(1), count(2)), (1_000, 0));
}

proptest! {
    /// The naive model: the last answer of each kind that was one, and nothing else, decides.
    #[test]
    fn what_is_known_is_what_was_answered_last(
        history in prop::collection::vec((0_u8..4, prop::collection::btree_set(0_u8..5, 0..4), 0_u8..4), 1..40)
    ) {
        let names = ["a.", "b.", "c.", "d.", "e."];
        let mut world = World(KnownSrv::default());
        let (mut listed, mut addresses) = (BTreeSet::<u8>::new(), BTreeMap::<u8, u8>::new());
        let mut expected = Vec::new();
        for (second, (kind, set, n)) in (0..).zip(history) {
            match kind {
                0 => { world.learn(second, SrvAnswer::Failed("x".to_owned())); }
                1 if !set.is_empty() => {
                    let given: Vec<_> = set.iter().rev().map(|t| (u16::from(*t), 1, 80, names[usize::from(*t)])).collect();
                    world.learn(second, records(&given, 60));
                    addresses.retain(|target, _| set.contains(target));
                    listed = set;
                }
                1 => { world.learn(second, SrvAnswer::None); }
                2 => { world.target(second, names[usize::from(n)], &failed()); }
                _ => {
                    let address = u8::try_from(second).unwrap() + 1;
                    let known = world.target(second, names[usize::from(n)], &found(&[address], 60));
                    prop_assert_eq!(known.is_some(), listed.contains(&n));
                    if known.is_some() {
                        addresses.insert(n, address);
                    }
                }
            }
            let now: Vec<_> = listed
                .iter()
                .filter_map(|t| Some((u16::from(*t), 1, 80, vec![*addresses.get(t)?])))
                .collect();
            let told = world.told();
            prop_assert_eq!(told.is_some(), !now.is_empty() && now != expected);
            if let Some(told) = told {
                prop_assert_eq!(&told, &now);
                expected = told;
            }
        }
    }
}
