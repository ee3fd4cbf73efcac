//! Counts and what they say: what chance gives agrees, what it does not give differs, and what cannot be told is said.

use bascule_model::{RecordType, Rng};
use proptest::prelude::*;

use super::*;
use crate::port::{Answers, Member};

fn values(all: &[&str]) -> Values {
    all.iter().map(|value| (*value).to_owned()).collect()
}

fn name(text: &str) -> BackendName {
    text.parse().unwrap()
}

/// Members with their weights, 0 for off, each with one value: its own name.
fn settings(weights: &[(&str, u32)]) -> Settings {
    let member = |(of, weight): &(&str, u32)| {
        let setting = Some(match weight {
            0 => Setting::Off,
            weight => Setting::Weight(*weight),
        });
        (name(of), Member { setting, size: 1 })
    };
    let answers = weights.iter();
    Settings {
        members: weights.iter().map(member).collect(),
        dns: Answers {
            kind: Some(RecordType::A),
            members: answers.map(|(of, _)| (name(of), values(&[of]))).collect(),
            foreign: BTreeMap::new(),
        },
        ..Settings::default()
    }
}

/// So many answers of each value.
fn answers(counts: &[(&str, usize)]) -> Vec<Values> {
    let each = counts.iter();
    each.flat_map(|(value, count)| vec![values(&[value]); *count])
        .collect()
}

fn verdict(settings: &Settings, answers: &[Values]) -> Verdict {
    judge(settings, &Heard::count(settings, answers), ALARM)
}

/// The difference as it is told; of another verdict what it is.
fn told(settings: &Settings, answers: &[Values]) -> String {
    match verdict(settings, answers) {
        Verdict::Agrees => "agrees".to_owned(),
        Verdict::Differs(difference) => difference.to_string(),
        Verdict::Unclear(why) => why.to_string(),
    }
}

#[test]
fn what_chance_gives_agrees_and_what_it_does_not_differs() {
    let set = settings(&[("aws", 70), ("oci", 30)]);
    let of = |aws| told(&set, &answers(&[("aws", aws), ("oci", 100 - aws)]));
    assert_eq!(of(12), "DNS answers aws 12 of 100, where 70 % is set");
    assert_eq!(of(45), "DNS answers aws 45 of 100, where 70 % is set");
    for aws in [46, 55, 70, 85, 91] {
        assert_eq!(of(aws), "agrees", "{aws}");
    }
    assert_eq!(of(92), "DNS answers aws 92 of 100, where 70 % is set");
}

#[test]
fn what_is_off_must_not_be_heard_once_and_one_that_is_alone_must_be_heard_always() {
    let set = settings(&[("aws", 100), ("oci", 0)]);
    assert_eq!(told(&set, &answers(&[("aws", 100)])), "agrees");
    let once = answers(&[("aws", 99), ("oci", 1)]);
    assert_eq!(told(&set, &once), "DNS answers oci 1 of 100, which is off");
    // It needs no number of answers: no chance gives it.
    let one = answers(&[("oci", 1)]);
    assert_eq!(told(&set, &one), "DNS answers oci 1 of 1, which is off");
}

#[test]
fn a_value_that_is_nobodys_is_told_by_value_and_so_is_no_record() {
    let set = settings(&[("aws", 70), ("oci", 30)]);
    let mut mixed = answers(&[("aws", 69), ("oci", 30), ("192.0.2.9", 1)]);
    assert_eq!(
        told(&set, &mixed),
        "DNS answers 192.0.2.9 1 of 100, which is nobody's there"
    );
    mixed.extend([values(&[]), values(&[])]);
    assert_eq!(
        told(&set, &mixed),
        "DNS answers no record 2 of 102, which is nobody's there"
    );
}

#[test]
fn of_many_values_that_are_nobodys_some_are_told_and_the_rest_is_counted() {
    let set = settings(&[("aws", 70), ("oci", 30)]);
    let many = (0..500).map(|n| values(&[&format!("10.0.{}.{}", n / 250, n % 250)]));
    let heard = Heard::count(&set, &many.collect::<Vec<_>>());
    assert_eq!(heard.of.len(), STRANGERS_MAX + 1);
    assert_eq!(heard.of.values().sum::<u32>(), 500);
    assert_eq!(heard.of(&Whose::Nobody(OTHERS.to_owned())), 484);
}

#[test]
fn few_answers_say_nothing() {
    let set = settings(&[("aws", 1), ("oci", 1)]);
    assert_eq!(
        told(&set, &answers(&[("aws", 19)])),
        "19 answers of DNS are too few to tell"
    );
    assert_eq!(
        told(&set, &answers(&[("aws", 23)])),
        "DNS answers aws 23 of 23, where 50 % is set"
    );
}

#[test]
fn what_is_not_ours_has_its_part() {
    let mut set = settings(&[("aws", 70), ("oci", 30)]);
    set.foreign.insert("old".to_owned(), 100);
    set.dns
        .foreign
        .insert("old".to_owned(), values(&["192.0.2.7", "192.0.2.8"]));
    let heard = |old| {
        let ours = answers(&[("aws", (100 - old) * 7 / 10), ("oci", (100 - old) * 3 / 10)]);
        let olds = vec![values(&["192.0.2.8", "192.0.2.7"]); old];
        [ours, olds].concat()
    };
    assert_eq!(told(&set, &heard(50)), "agrees");
    assert_eq!(
        told(&set, &heard(0)),
        "DNS answers old 0 of 100, where 50 % is set"
    );
}

#[test]
fn an_alias_is_said_and_the_others_are_judged_all_the_same() {
    let mut set = settings(&[("aws", 70), ("oci", 30)]);
    set.dns.members.remove("aws");
    let heard = |oci| answers(&[("192.0.2.1", 100 - oci), ("oci", oci)]);
    assert_eq!(
        told(&set, &heard(30)),
        "aws is an alias there, whose answers are not known"
    );
    assert_eq!(
        told(&set, &heard(90)),
        "DNS answers oci 90 of 100, where 30 % is set"
    );
    // An alias that is off explains nothing.
    set.members.get_mut("aws").unwrap().setting = Some(Setting::Off);
    assert_eq!(
        told(&set, &heard(99)),
        "DNS answers 192.0.2.1 1 of 100, which is nobody's there"
    );
}

#[test]
fn answers_of_several_are_not_counted_as_parts() {
    let set = settings(&[("aws", 70), ("oci", 30), ("gcp", 0)]);
    let both = vec![values(&["aws", "oci"]); 50];
    let wanted = "an answer of DNS is of several, so that parts cannot be counted";
    assert_eq!(told(&set, &both), wanted);
    let with_off = vec![values(&["aws", "gcp"]); 50];
    assert_eq!(
        told(&set, &with_off),
        "DNS answers gcp 50 of 50, which is off"
    );
    // Two that have one value cannot be told apart, also where one of them is off.
    let mut same = set;
    same.dns.members.insert(name("gcp"), values(&["aws"]));
    assert_eq!(told(&same, &answers(&[("aws", 70), ("oci", 30)])), wanted);
}

#[test]
fn where_nothing_has_a_weight_nothing_is_said() {
    let set = settings(&[("aws", 0), ("oci", 0)]);
    let heard = answers(&[("aws", 50), ("oci", 50)]);
    assert_eq!(told(&set, &heard), "nothing has a weight there");
}

/// Answers drawn by weight, as a name server does.
fn drawn(weights: &[(&str, u32)], count: usize, seed: u64) -> Vec<Values> {
    let mut rng = Rng::new(seed);
    let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
    let one = |rng: &mut Rng| {
        let mut at = rng.below(u64::from(total));
        let drawn = weights.iter().find(|(_, weight)| {
            let is_it = at < u64::from(*weight);
            at = at.saturating_sub(u64::from(*weight));
            is_it
        });
        values(&[drawn.unwrap().0])
    };
    (0..count).map(|_| one(&mut rng)).collect()
}

fn weights() -> impl Strategy<Value = [u32; 3]> {
    [0_u32..=255, 0_u32..=255, 1_u32..=255]
}

const NAMES: [&str; 3] = ["aws", "gcp", "oci"];

fn named(weights: [u32; 3]) -> Vec<(&'static str, u32)> {
    NAMES.into_iter().zip(weights).collect()
}

proptest! {
    #[test]
    fn what_is_drawn_by_weight_agrees(weights in weights(), count in 20_usize..=1_000, seed in any::<u64>()) {
        let weights = named(weights);
        let heard = drawn(&weights, count, seed);
        // At the bound itself one look in a million would differ, and this test would fail now and then.
        let set = settings(&weights);
        let verdict = judge(&set, &Heard::count(&set, &heard), ALARM * ALARM);
        prop_assert_eq!(verdict, Verdict::Agrees);
    }

    #[test]
    fn what_only_others_answer_differs(weights in weights(), seed in any::<u64>()) {
        let mut stale = weights;
        stale[0] = 0;
        prop_assume!(f64::from(weights[0]) >= 0.2 * f64::from(weights.iter().sum::<u32>()));
        let heard = drawn(&named(stale), 100, seed);
        let set = settings(&named(weights));
        prop_assert!(matches!(verdict(&set, &heard), Verdict::Differs(_)));
    }

    #[test]
    fn the_order_of_answers_says_nothing(weights in weights(), count in 1_usize..=200, seed in any::<u64>()) {
        let weights = named(weights);
        let mut heard = drawn(&weights, count, seed);
        let set = settings(&weights);
        let before = Heard::count(&set, &heard);
        heard.reverse();
        prop_assert_eq!(before, Heard::count(&set, &heard));
    }

    #[test]
    fn what_differs_by_the_rare_chance_differs_by_the_other(weights in weights(), others in weights(), seed in any::<u64>()) {
        let set = settings(&named(weights));
        let heard = Heard::count(&set, &drawn(&named(others), 100, seed));
        if matches!(judge(&set, &heard, ALARM), Verdict::Differs(_)) {
            prop_assert!(matches!(judge(&set, &heard, OVER), Verdict::Differs(_)));
        }
    }
}

#[test]
fn alarms_by_chance_are_as_rare_as_is_said() {
    // The whole distribution: how often the counts of two members differ although they are drawn as is set.
    for (aws, count) in [(50_u32, 100), (70, 100), (1, 100), (99, 1_000), (30, 20)] {
        let set = settings(&[("aws", aws), ("oci", 100 - aws)]);
        let p = f64::from(aws) / 100.0;
        let draws = chance::Draws::new(count);
        let differs = (0..=count).filter(|heard| {
            let of = [("aws", *heard), ("oci", count - heard)];
            let of = of.map(|(member, count)| (Whose::Member(name(member)), count));
            let heard = Heard {
                answers: count,
                of: of.into(),
                mixed: 0,
            };
            matches!(judge(&set, &heard, ALARM), Verdict::Differs(_))
        });
        let by_chance: f64 = differs.map(|heard| draws.term(heard, p)).sum();
        assert!(by_chance <= ALARM, "{aws} of {count}: {by_chance}");
    }
}
