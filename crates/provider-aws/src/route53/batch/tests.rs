//! Batches beside a naive Route 53: it deletes only what is named exactly, creates only what is not there, and takes all
//! zeros as equal.

use std::collections::BTreeMap;

use bascule_provider::port::{Numbers, Setting};
use proptest::prelude::*;

use super::*;
use crate::route53::RecordType;

const NAMES: [&str; 3] = ["aws", "gcp", "oci"];

fn backend(name: &str) -> BackendName {
    BackendName::parse(name).unwrap()
}

fn spec() -> Spec {
    let members = (1..).zip(NAMES);
    let members = members.map(|(number, name)| (backend(name), vec![format!("192.0.2.{number}")]));
    Spec {
        zone: "Z1".to_owned(),
        name: "meet.example.org".to_owned(),
        kind: RecordType::A,
        ttl_seconds: 30,
        members: members.collect(),
    }
}

fn weighted(id: &str, weight: u32) -> Record {
    let spec = spec();
    let values = spec.members.get(&backend(id)).cloned();
    let values = values.unwrap_or_else(|| vec!["203.0.113.9".to_owned()]);
    let batch = Batch {
        spec: &spec,
        ttl_seconds: 60,
        records: &[],
        rest: Rest::Kept,
    };
    Record {
        kind: "A".to_owned(),
        id: Some(id.to_owned()),
        routing: Routing::Weighted(weight),
        ttl: Some(60),
        raw: batch.fresh(&backend(id), weight, &values),
        values,
        is_alias: false,
    }
}

fn simple() -> Record {
    Record {
        kind: "A".to_owned(),
        id: None,
        routing: Routing::Simple,
        ttl: Some(60),
        values: vec!["192.0.2.1".to_owned()],
        is_alias: false,
        raw: "<ResourceRecordSet>simple</ResourceRecordSet>".to_owned(),
    }
}

/// The text in an element of a record.
fn field<'a>(raw: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = raw.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// The naive Route 53: what it has after a batch.
fn after(records: &[Record], changes: &[Change]) -> BTreeMap<Option<String>, String> {
    let id = |raw: &str| field(raw, "SetIdentifier").map(str::to_owned);
    let there = records
        .iter()
        .map(|record| (id(&record.raw), record.raw.clone()));
    let mut there: BTreeMap<Option<String>, String> = there.collect();
    for change in changes {
        let id = id(&change.record);
        match change.action {
            "DELETE" => assert_eq!(there.remove(&id).as_ref(), Some(&change.record)),
            "CREATE" => assert_eq!(there.insert(id, change.record.clone()), None),
            other => panic!("{other}"),
        }
    }
    let is_simple = there.contains_key(&None);
    assert!(
        !is_simple || there.len() == 1,
        "one name and type has one policy"
    );
    there
}

fn setting() -> impl Strategy<Value = Setting> {
    prop_oneof![
        Just(Setting::Off),
        (1..=WEIGHT_MAX).prop_map(Setting::Weight)
    ]
}

fn numbers() -> impl Strategy<Value = Numbers> {
    proptest::array::uniform3(setting())
        .prop_map(|settings| NAMES.map(backend).into_iter().zip(settings).collect())
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let of = |name: &'static str| {
        proptest::option::of((0..=WEIGHT_MAX).prop_map(move |weight| weighted(name, weight)))
    };
    let some = (of("aws"), of("gcp"), of("oci"), of("legacy"));
    let some = some.prop_map(|(a, b, c, d)| [a, b, c, d].into_iter().flatten().collect());
    prop_oneof![4 => some, 1 => Just(vec![simple()])]
}

#[test]
fn more_records_than_route_53_takes_are_refused_with_the_number() {
    let spec = spec();
    let wanted: Numbers = NAMES.map(|name| (backend(name), Setting::Weight(1))).into();
    let changes = |others: usize| {
        let mut records: Vec<Record> = (0..others)
            .map(|number| weighted(&format!("other{number}"), 1))
            .collect();
        // One of ours is there already.
        records.push(weighted("aws", 9));
        let batch = Batch {
            spec: &spec,
            ttl_seconds: 60,
            records: &records,
            rest: Rest::Kept,
        };
        batch.changes(&wanted)
    };
    assert_eq!(changes(97).unwrap().len(), 4);
    let refusal = changes(98).unwrap_err();
    assert!(
        refusal.detail.contains("101 records of this name and type")
            && refusal.detail.contains("takes 100"),
        "{refusal:?}"
    );
}

proptest! {
    #[test]
    fn a_batch_makes_the_weights_true_keeps_what_is_foreign_and_is_never_all_zero(
        records in records(),
        wanted in numbers(),
    ) {
        let spec = spec();
        let batch = Batch { spec: &spec, ttl_seconds: 60, records: &records, rest: Rest::Kept };
        let foreign = records.iter().find(|record| record.id.as_deref() == Some("legacy"));
        let on = |record: &Record| record.routing != Routing::Weighted(0);
        match batch.changes(&wanted) {
            Err(refusal) => {
                prop_assert!(wanted.values().all(|setting| *setting == Setting::Off), "{refusal:?}");
                prop_assert!(!foreign.is_some_and(on));
            }
            Ok(changes) => {
                let after = after(&records, &changes);
                prop_assert_eq!(after.len(), NAMES.len() + usize::from(foreign.is_some()));
                for (name, setting) in &wanted {
                    let raw = &after[&Some(name.to_string())];
                    let weight = weight(*setting, WEIGHT_MAX).unwrap().to_string();
                    prop_assert_eq!(field(raw, "Weight"), Some(weight.as_str()));
                    prop_assert_eq!(field(raw, "TTL"), Some("60"));
                }
                if let Some(foreign) = foreign {
                    prop_assert_eq!(&after[&foreign.id], &foreign.raw);
                }
                prop_assert!(after.values().any(|raw| field(raw, "Weight") != Some("0")));
            }
        }
    }

    #[test]
    fn a_simple_record_is_not_replaced_by_less_than_it_holds(setting in setting()) {
        let spec = spec();
        let records = [simple()];
        let batch = Batch { spec: &spec, ttl_seconds: 60, records: &records, rest: Rest::Kept };
        let wanted = [(backend("gcp"), setting), (backend("oci"), Setting::Weight(1))].into();
        let refusal = batch.changes(&wanted).unwrap_err();
        prop_assert!(refusal.detail.contains("192.0.2.1"), "{refusal:?}");
    }

    #[test]
    fn what_is_as_wanted_is_not_changed(wanted in numbers()) {
        let spec = spec();
        let records = wanted.iter().map(|(name, setting)| {
            weighted(name.as_str(), weight(*setting, WEIGHT_MAX).unwrap())
        });
        let records: Vec<Record> = records.collect();
        let batch = Batch { spec: &spec, ttl_seconds: 60, records: &records, rest: Rest::Kept };
        let is_on = wanted.values().any(|setting| *setting != Setting::Off);
        prop_assert_eq!(batch.changes(&wanted).map_err(|_| is_on), if is_on { Ok(vec![]) } else { Err(false) });
        let again = Batch { rest: Rest::Again, ..batch };
        if is_on {
            let changes = again.changes(&wanted).unwrap();
            prop_assert_eq!(changes.len(), 2 * NAMES.len());
            let there = records.iter().map(|record| (record.id.clone(), record.raw.clone()));
            prop_assert_eq!(after(&records, &changes), there.collect());
        }
    }
}
