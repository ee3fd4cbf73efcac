//! The batch that makes records say the wanted weights: each record that changes is deleted as it was read and created as it
//! shall be, which Route 53 does as one, or not at all. A simple record goes the same way. Pure.

use bascule_model::BackendName;
use bascule_provider::port::{Numbers, Setting};

use crate::weights::{Refusal, stranger, weight};
use crate::xml::escaped;

use super::records::{Record, Routing};
use super::{Spec, WEIGHT_MAX, same};

/// Weighted records of one name and type that Route 53 takes (Developer Guide, "Managing over 100 weighted records").
const RECORDS_MAX: usize = 100;

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    action: &'static str,
    record: String,
}

/// What a batch is made from.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    /// What is ours.
    pub(super) spec: &'a Spec,
    /// The TTL of records that are made.
    pub(super) ttl_seconds: u32,
    /// What is there, of our type.
    pub(super) records: &'a [Record],
    /// What becomes of those that are as wanted.
    pub(super) rest: Rest,
}

/// What becomes of records that are as wanted already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// They are left alone.
    Kept,
    /// They are written again as they are: the batch then says all that is wanted, so that its arrival proves all of it.
    Again,
}

impl Batch<'_> {
    /// The changes; none when all is as wanted.
    pub(super) fn changes(&self, wanted: &Numbers) -> Result<Vec<Change>, Refusal> {
        self.refuse_all_zero(wanted)?;
        self.refuse_loss(wanted)?;
        let mut changes = Vec::new();
        for (backend, setting) in wanted {
            self.change(backend, weight(*setting, WEIGHT_MAX)?, &mut changes)?;
        }
        if changes.is_empty() {
            return Ok(changes);
        }
        // One name and type has one policy: the simple record goes first.
        let simple = self
            .records
            .iter()
            .filter(|record| record.routing == Routing::Simple)
            .map(|record| Change {
                action: "DELETE",
                record: record.raw.clone(),
            });
        let changes: Vec<Change> = simple.chain(changes).collect();
        self.refuse_too_many(&changes)?;
        Ok(changes)
    }

    fn refuse_too_many(&self, changes: &[Change]) -> Result<(), Refusal> {
        let of = |action| changes.iter().filter(|c| c.action == action).count();
        let after = (self.records.len() + of("CREATE")).saturating_sub(of("DELETE"));
        if after <= RECORDS_MAX {
            return Ok(());
        }
        Err(Refusal::new(
            format!(
                "there would be {after} records of this name and type, and Route 53 takes {RECORDS_MAX}"
            ),
            "remove records that no backend needs, or divide the name by aliases to others",
        ))
    }

    fn change(
        &self,
        backend: &BackendName,
        weight: u32,
        changes: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        let Some(values) = self.spec.members.get(backend) else {
            return Err(stranger(backend));
        };
        let create = |record| Change {
            action: "CREATE",
            record,
        };
        let Some(record) = self.of(backend) else {
            if values.is_empty() {
                return Err(Refusal::new(
                    format!("there is no record with SetIdentifier {backend}"),
                    "make it, or say the record's values",
                ));
            }
            changes.push(create(self.fresh(backend, weight, values)));
            return Ok(());
        };
        let Routing::Weighted(before) = record.routing else {
            return Ok(());
        };
        let keeps_values = values.is_empty() || record.is_alias || equal(values, &record.values);
        if before == weight && keeps_values && self.rest == Rest::Kept {
            return Ok(());
        }
        let mut raw = replaced(&record.raw, "Weight", &weight.to_string())?;
        if !keeps_values {
            raw = replaced(&raw, "ResourceRecords", &written(values))?;
        }
        changes.push(Change {
            action: "DELETE",
            record: record.raw.clone(),
        });
        changes.push(create(raw));
        Ok(())
    }

    fn of(&self, backend: &BackendName) -> Option<&Record> {
        let is = |record: &&Record| record.id.as_deref() == Some(backend.as_str());
        self.records.iter().find(is)
    }

    fn fresh(&self, backend: &BackendName, weight: u32, values: &[String]) -> String {
        format!(
            "<ResourceRecordSet><Name>{}.</Name><Type>{}</Type><SetIdentifier>{backend}</SetIdentifier>\
             <Weight>{weight}</Weight><TTL>{}</TTL><ResourceRecords>{}</ResourceRecords></ResourceRecordSet>",
            escaped(&self.spec.name),
            self.spec.kind.as_str(),
            self.ttl_seconds,
            written(values)
        )
    }

    /// The values of a simple record that is replaced must all live on in the records that replace it.
    fn refuse_loss(&self, wanted: &Numbers) -> Result<(), Refusal> {
        let is_simple = |record: &&Record| record.routing == Routing::Simple;
        let Some(simple) = self.records.iter().find(is_simple) else {
            return Ok(());
        };
        let kept = wanted.keys().filter_map(|name| self.spec.members.get(name));
        let kept: Vec<&String> = kept.flatten().collect();
        let is_lost = |value: &&String| !kept.iter().any(|kept| same(kept, value));
        match simple.values.iter().find(is_lost) {
            None => Ok(()),
            Some(value) => Err(Refusal::new(
                format!("the simple record holds {value}, whose backend is not set"),
                "set all backends whose values it holds",
            )),
        }
    }

    /// Route 53 takes weights that are all 0 as equal ones: the opposite of off.
    fn refuse_all_zero(&self, wanted: &Numbers) -> Result<(), Refusal> {
        let is_wanted = |record: &Record| {
            let id = record.id.as_deref();
            wanted.keys().any(|backend| Some(backend.as_str()) == id)
        };
        let stays_on = self.records.iter().any(|record| {
            !is_wanted(record) && matches!(record.routing, Routing::Weighted(weight) if weight > 0)
        });
        let is_on = |setting: &Setting| *setting != Setting::Off;
        if wanted.is_empty() || stays_on || wanted.values().any(is_on) {
            return Ok(());
        }
        Err(Refusal::new(
            "all weights would be 0, which Route 53 takes as equal shares",
            "leave one backend on, or remove the name",
        ))
    }
}

fn equal(wanted: &[String], there: &[String]) -> bool {
    wanted.len() == there.len()
        && wanted
            .iter()
            .all(|one| there.iter().any(|other| same(one, other)))
}

fn written(values: &[String]) -> String {
    let written = values.iter().map(|value| {
        format!(
            "<ResourceRecord><Value>{}</Value></ResourceRecord>",
            escaped(value)
        )
    });
    written.collect()
}

/// The element with other content in its one child of this name; the rest stays as AWS wrote it.
fn replaced(raw: &str, name: &str, content: &str) -> Result<String, Refusal> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = raw.split_once(&open).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&close)?;
        Some(format!("{before}{open}{content}{close}{after}"))
    });
    parts.ok_or_else(|| {
        Refusal::new(
            format!("the record has no {name} that can be replaced"),
            "remove the record; it is made anew",
        )
    })
}

/// The batch as it is sent.
pub(super) fn document(changes: &[Change]) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
         <ChangeBatch><Comment>shares</Comment><Changes>",
    );
    for change in changes {
        out.push_str(&format!(
            "<Change><Action>{}</Action>{}</Change>",
            change.action, change.record
        ));
    }
    out.push_str("</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>");
    out
}

#[cfg(test)]
mod tests;
