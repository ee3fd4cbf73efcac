//! Examples and laws of the rails.

use std::collections::{BTreeMap, BTreeSet};

use bascule_model::{BackendName, BasisPoints, ServiceName, Shares};
use proptest::prelude::*;

use super::*;
use crate::policy::{BackendFacts, Bounds, ServicePolicy};

fn name(text: &str) -> BackendName {
    text.parse().unwrap()
}

fn points(percent: u16) -> BasisPoints {
    BasisPoints::saturating(percent * 100)
}

fn row(shares: &[(&str, u16)]) -> Shares {
    Shares::from_weights(shares.iter().map(|(n, s)| (name(n), u64::from(*s)))).unwrap()
}

#[derive(Debug)]
struct Case {
    service: ServiceName,
    facts: ServiceFacts,
    now: Shares,
    then: Shares,
    off: BTreeSet<BackendName>,
    evacuated: BTreeSet<BackendName>,
    blocked: BTreeMap<BackendName, String>,
    kind: Kind,
}

impl Case {
    fn new(now: &[(&str, u16)], then: &[(&str, u16)]) -> Self {
        let backend = |(n, _): &(&str, u16)| {
            let facts = BackendFacts {
                provider: n.parse().unwrap(),
                off: false,
                standby: *n == "gcp",
            };
            (name(n), facts)
        };
        Self {
            service: "meet".parse().unwrap(),
            facts: ServiceFacts {
                declared: row(now),
                backends: now.iter().map(backend).collect(),
                policy: ServicePolicy::default(),
            },
            now: row(now),
            then: row(then),
            off: then
                .iter()
                .filter(|(n, s)| *s == 0 && *n != "gcp")
                .map(|(n, _)| name(n))
                .collect(),
            evacuated: BTreeSet::new(),
            blocked: BTreeMap::new(),
            kind: Kind::Person,
        }
    }

    fn proposal(&self) -> Proposal<'_> {
        Proposal {
            service: &self.service,
            facts: &self.facts,
            now: &self.now,
            then: &self.then,
            off: &self.off,
            evacuated: &self.evacuated,
            blocked: &self.blocked,
            kind: self.kind,
        }
    }

    fn rules(&self) -> Vec<String> {
        check(&self.proposal())
            .into_iter()
            .map(|b| b.rule)
            .collect()
    }

    fn nearest(&self) -> Option<String> {
        nearest(&self.proposal()).map(|row| row.to_string())
    }
}

#[test]
fn a_change_within_all_rails_passes() {
    let mut case = Case::new(&[("aws", 70), ("oci", 30)], &[("aws", 50), ("oci", 50)]);
    case.facts.policy.max_step = Some(points(20));
    case.facts.policy.min_providers = 2;
    assert_eq!(case.rules(), Vec::<String>::new());
    assert_eq!(case.nearest().as_deref(), Some("aws=50 oci=50"));
}

#[test]
fn all_broken_rails_are_told_at_once_with_the_nearest_shares_that_pass() {
    let mut case = Case::new(&[("aws", 70), ("oci", 30)], &[("aws", 5), ("oci", 95)]);
    case.facts.policy.max_step = Some(points(20));
    let limits = Bounds {
        min: points(20),
        max: points(80),
    };
    case.facts.policy.bounds = BTreeMap::from([(name("aws"), limits), (name("oci"), limits)]);
    let broken = check(&case.proposal());
    let told: Vec<(&str, &str, String)> = broken
        .iter()
        .map(|b| {
            (
                b.rule.as_str(),
                b.detail.as_str(),
                b.nearest.as_ref().unwrap().to_string(),
            )
        })
        .collect();
    let bounds = "aws=20 oci=80".to_owned();
    let step = "aws=50 oci=50".to_owned();
    assert_eq!(
        told,
        [
            (
                "bounds",
                "aws would have 5 %, at least 20 %, or 0",
                bounds.clone()
            ),
            ("bounds", "oci would have 95 %, at most 80 %", bounds),
            (
                "max_step",
                "aws would change by 65 points at once, limit 20",
                step.clone()
            ),
            (
                "max_step",
                "oci would change by 65 points at once, limit 20",
                step
            ),
        ]
    );
    assert_eq!(case.nearest().as_deref(), Some("aws=50 oci=50"));
}

#[test]
fn the_last_providers_are_kept_and_a_standby_counts() {
    let mut case = Case::new(&[("aws", 70), ("oci", 30)], &[("aws", 0), ("oci", 100)]);
    case.facts.policy.min_providers = 2;
    assert_eq!(case.rules(), ["min_providers"]);
    assert_eq!(case.nearest().as_deref(), Some("aws=1 oci=99"));
    let mut case = Case::new(
        &[("aws", 70), ("oci", 30), ("gcp", 0)],
        &[("aws", 0), ("oci", 100), ("gcp", 0)],
    );
    case.facts.policy.min_providers = 2;
    assert_eq!(case.rules(), Vec::<String>::new());
}

#[test]
fn a_standby_that_nobody_asked_for_is_not_suggested() {
    let now = [("aws", 70), ("gcp", 0), ("oci", 30)];
    let mut case = Case::new(&now, &[("aws", 5), ("gcp", 0), ("oci", 95)]);
    case.facts.policy.max_step = Some(points(30));
    assert_eq!(case.nearest().as_deref(), Some("aws=40 gcp=0 oci=60"));
}

#[test]
fn nobody_who_is_down_receives() {
    let mut case = Case::new(&[("aws", 70), ("oci", 30)], &[("aws", 50), ("oci", 50)]);
    case.blocked
        .insert(name("oci"), "has no endpoint that is up".to_owned());
    let broken = check(&case.proposal());
    assert_eq!(
        broken.first().unwrap().detail,
        "oci would receive and has no endpoint that is up"
    );
    assert_eq!(case.nearest().as_deref(), Some("aws=70 oci=30"));
}

#[test]
fn a_row_in_which_a_backend_stays_outside_its_bounds_is_nearest_to_itself() {
    let columns = [
        (79, 73, 0, 60, false),
        (49, 28, 0, 60, false),
        (25, 17, 11, 60, false),
        (88, 46, 0, 60, false),
    ];
    let case = case(&columns, None, 0).unwrap();
    assert_eq!(case.now.get(&name("gcp")), case.then.get(&name("gcp")));
    assert_eq!(case.rules(), Vec::<String>::new());
    assert_eq!(nearest(&case.proposal()), Some(case.then.clone()));
}

#[test]
fn an_evacuation_is_bound_only_by_somebody_being_left() {
    let mut case = Case::new(&[("aws", 70), ("oci", 30)], &[("aws", 0), ("oci", 100)]);
    case.facts.policy.max_step = Some(points(5));
    case.facts.policy.min_providers = 2;
    case.kind = Kind::Evacuate;
    assert_eq!(case.rules(), Vec::<String>::new());
    case.blocked
        .insert(name("oci"), "has no endpoint that is up".to_owned());
    assert_eq!(case.rules(), ["receiver_up"]);
}

#[test]
fn an_evacuated_backend_gets_nothing_by_a_shift() {
    let mut case = Case::new(&[("aws", 0), ("oci", 100)], &[("aws", 30), ("oci", 70)]);
    case.evacuated.insert(name("aws"));
    assert_eq!(case.rules(), ["evacuated"]);
    assert_eq!(case.nearest().as_deref(), Some("aws=0 oci=100"));
}

/// Shares now and asked for, bounds, and whether it is blocked, of one backend.
type Column = (u16, u16, u16, u16, bool);

fn case(columns: &[Column], max_step: Option<u16>, min_providers: usize) -> Option<Case> {
    let names = ["aws", "azure", "gcp", "oci", "own"];
    let pick = |f: fn(&Column) -> u16| -> Vec<(&str, u16)> {
        names.iter().copied().zip(columns.iter().map(f)).collect()
    };
    let (now, then) = (pick(|c| c.0), pick(|c| c.1));
    let is_zero = |row: &[(&str, u16)]| row.iter().all(|(_, s)| *s == 0);
    if is_zero(&now) || is_zero(&then) {
        return None;
    }
    let mut case = Case::new(&now, &then);
    case.facts.policy.max_step = max_step.map(points);
    case.facts.policy.min_providers = min_providers;
    for (n, (_, _, min, max, blocked)) in names.iter().zip(columns) {
        let bounds = Bounds {
            min: points(*min),
            max: points(*max),
        };
        case.facts.policy.bounds.insert(name(n), bounds);
        if *blocked {
            case.blocked.insert(name(n), "is down".to_owned());
        }
    }
    Some(case)
}

/// The rules once more, as plain as possible.
fn naive_passes(case: &Case, row: &Shares) -> bool {
    let policy = &case.facts.policy;
    let each = row.iter().all(|(n, share)| {
        let now = case.now.get(n).unwrap();
        let (share, before) = (i32::from(share.get()), i32::from(now.get()));
        let in_bounds = policy.bounds.get(n).is_none_or(|b| {
            share == before
                || share == 0
                || (i32::from(b.min.get())..=i32::from(b.max.get())).contains(&share)
        });
        let in_step = policy
            .max_step
            .is_none_or(|s| (share - before).abs() <= i32::from(s.get()));
        let may_grow = share <= before || !case.blocked.contains_key(n);
        in_bounds && in_step && may_grow
    });
    let kept = row
        .iter()
        .filter(|(n, s)| !s.is_zero() || (n.as_str() == "gcp" && !case.off.contains(*n)));
    let sum: u32 = row.iter().map(|(_, s)| u32::from(s.get())).sum();
    each && kept.count() >= policy.min_providers && sum == 10_000
}

proptest! {
    #[test]
    fn check_agrees_with_the_rules_and_never_suggests_what_breaks_them(
        columns in prop::collection::vec(
            (0_u16..100, 0_u16..100, 0_u16..40, 60_u16..=100, prop::bool::weighted(0.15)), 2..6),
        max_step in prop::option::of(1_u16..60), min_providers in 0_usize..4,
    ) {
        let Some(case) = case(&columns, max_step, min_providers) else { return Ok(()) };
        let broken = check(&case.proposal());
        prop_assert_eq!(broken.is_empty(), naive_passes(&case, &case.then));
        if let Some(row) = nearest(&case.proposal()) {
            prop_assert!(naive_passes(&case, &row), "{} is suggested", row);
            if broken.is_empty() {
                prop_assert_eq!(row, case.then);
            }
        }
    }
}
