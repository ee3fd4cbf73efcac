//! Weighted records of Route 53 as an actuator: one record for each backend under one name and type, its `SetIdentifier` the
//! backend's name. Reads all that stands at the name, changes what is ours in one atomic batch that names what was read (so
//! that a change by another tool in between makes it fail whole), and returns once Route 53 says that all its servers have
//! it. Records that are not ours are kept and told. Must never set all weights to 0: Route 53 takes that as equal. What is
//! read is in `records`, what is sent in `batch`, what becomes of it in `change`.

mod batch;
mod change;
mod records;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bascule_model::BackendName;
pub use bascule_model::dns::RecordType;
use bascule_model::dns::canonical;
use bascule_provider::port::{Answers, Numbers, Settings, Unit};
use bascule_provider::{Apply, Call, Error, Kind, Patience};

use crate::account::Account;
use crate::weights::settings;

use self::batch::{Batch, Rest};
use self::change::{Seen, Unseen};
use self::records::{Record, Routing};

/// The largest weight of a record.
pub const WEIGHT_MAX: u32 = 255;

const READ: &str = "route53:ListResourceRecordSets";
const CHANGE: &str = "route53:ChangeResourceRecordSets";

/// For a change to reach all servers of Route 53: most are there in a minute.
const PATIENCE: Patience = Patience {
    pause: Duration::from_secs(2),
    pause_max: Duration::from_secs(2),
    whole: Duration::from_mins(4),
};

/// Which records.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The id of the hosted zone: `Z0123456789`.
    pub zone: String,
    /// The full name: `meet.example.org`.
    pub name: String,
    /// The type.
    pub kind: RecordType,
    /// The TTL of the first records, in seconds; those that are there keep theirs.
    pub ttl_seconds: u32,
    /// The values of each backend's record; empty where its record is there already and only its weight is set (an alias).
    pub members: BTreeMap<BackendName, Vec<String>>,
}

/// Weighted records under one name and type.
#[derive(Debug)]
pub struct WeightedRecords {
    account: Arc<Account>,
    spec: Spec,
    actuator: String,
    /// The TTL as it was last read.
    ttl_seconds: AtomicU32,
    patience: Patience,
    /// What was written last, unless it was seen at all servers.
    unseen: Unseen,
}

impl WeightedRecords {
    /// Records of this account.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when the values of a backend do not fit the type.
    pub fn new(account: Arc<Account>, mut spec: Spec) -> Result<Self, Error> {
        let zone = spec.zone.rsplit('/').next().unwrap_or_default().to_owned();
        spec.zone = zone;
        spec.name = records::canonical(&spec.name);
        let kind = spec.kind.as_str();
        let actuator = format!("route53/{}/{}/{kind}", spec.zone, spec.name);
        for (backend, values) in &spec.members {
            if !fits(spec.kind, values) {
                return Err(Error::new(Kind::Invalid, CHANGE, actuator)
                    .detail(format!(
                        "{values:?} of {backend} is no record of type {kind}"
                    ))
                    .fix("give it values of that type"));
            }
        }
        Ok(Self {
            ttl_seconds: AtomicU32::new(spec.ttl_seconds),
            account,
            spec,
            actuator,
            patience: PATIENCE,
            unseen: Unseen::default(),
        })
    }

    /// Waits so for a change to reach all servers, instead of four minutes with a look each two seconds.
    #[must_use]
    pub const fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    fn invalid(&self, call: &'static str) -> Error {
        Error::new(Kind::Invalid, call, self.actuator.clone())
    }

    /// The records of our type; refuses what stands in their way.
    async fn look(&self) -> Result<Vec<Record>, Error> {
        let all = records::at_name(&self.account, &self.spec.zone, &self.spec.name).await?;
        let kind = self.spec.kind.as_str();
        let mut ours = Vec::new();
        for record in all {
            if record.kind == kind {
                self.refuse_in_the_way(&record)?;
                ours.push(record);
            } else if record.kind == "CNAME" || kind == "CNAME" {
                let detail = format!("a record of type {} is in the way of {kind}", record.kind);
                return Err(self
                    .invalid(READ)
                    .detail(detail)
                    .fix("remove it, or name its type"));
            }
        }
        if let Some(ttl) = ours.iter().find_map(|record| record.ttl) {
            self.ttl_seconds.store(ttl, Ordering::Relaxed);
        }
        Ok(ours)
    }

    fn refuse_in_the_way(&self, record: &Record) -> Result<(), Error> {
        let refused = |detail: String, fix: &str| Err(self.invalid(READ).detail(detail).fix(fix));
        match record.routing {
            Routing::Weighted(_) => Ok(()),
            Routing::Other(policy) => refused(
                format!("a record with routing policy {policy} is in the way"),
                "remove it: one name and type has one policy",
            ),
            Routing::Simple if record.is_alias => refused(
                "a simple alias record is in the way".to_owned(),
                "make it a weighted record whose SetIdentifier is its backend's name",
            ),
            Routing::Simple => {
                let known = |value: &&String| {
                    let values = self.spec.members.values();
                    !values.flatten().any(|known| same(known, value))
                };
                match record.values.iter().find(known) {
                    None => Ok(()),
                    Some(value) => refused(
                        format!("a simple record holds {value}, which is of no backend"),
                        "give that value to a backend, or remove it from the record",
                    ),
                }
            }
        }
    }

    fn settings(&self, records: &[Record]) -> Settings {
        let weighted = records.iter().filter_map(|record| {
            let Routing::Weighted(weight) = record.routing else {
                return None;
            };
            Some((record.id.as_deref()?, weight))
        });
        let ids = self.spec.members.keys().map(|name| (name, name.as_str()));
        Settings {
            dns: self.answers(records),
            ..settings(records::version(records), weighted, ids)
        }
    }

    /// What each record answers, by its `SetIdentifier`. An alias answers what it points at, which is not known here.
    fn answers(&self, records: &[Record]) -> Answers {
        let mut answers = Answers {
            kind: Some(self.spec.kind),
            ..Answers::default()
        };
        for record in records.iter().filter(|record| !record.is_alias) {
            let Some(id) = record.id.as_deref() else {
                continue;
            };
            let values = record.values.iter().map(|value| canonical(value)).collect();
            match self.spec.members.get_key_value(id) {
                Some((name, _)) => drop(answers.members.insert(name.clone(), values)),
                None => drop(answers.foreign.insert(id.to_owned(), values)),
            }
        }
        answers
    }

    async fn set(&self, over: &Settings, wanted: &Numbers) -> Result<(), Error> {
        let records = self.look().await?;
        self.unchanged(over, &records)?;
        // While it is not known what became of the change before, this one says all of it again and so proves both.
        let rest = match self.unseen.get() {
            Seen::All => Rest::Kept,
            Seen::Not(_) | Seen::Unknown => Rest::Again,
        };
        self.write_over(over, &records, wanted, rest).await
    }

    async fn write_over(
        &self,
        over: &Settings,
        records: &[Record],
        wanted: &Numbers,
        rest: Rest,
    ) -> Result<(), Error> {
        let batch = Batch {
            spec: &self.spec,
            ttl_seconds: self.ttl_seconds.load(Ordering::Relaxed),
            records,
            rest,
        };
        let changes = batch
            .changes(wanted)
            .map_err(|refusal| self.invalid(CHANGE).detail(refusal.detail).fix(refusal.fix))?;
        if changes.is_empty() {
            return Ok(());
        }
        match self.send(batch::document(&changes)).await {
            Ok(None) => Ok(()),
            Ok(Some(id)) => self.arrived(id).await,
            // A batch is refused whole when a record it names is no longer as it was read. Only another look tells that
            // from a batch that is wrong in itself.
            Err(error) if error.kind == Kind::Invalid => {
                let now = self.look().await?;
                self.unchanged(over, &now)?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Sees what was written last at all servers; what nobody knows of is written again as it stands.
    async fn see(&self) -> Result<(), Error> {
        match self.unseen.get() {
            Seen::All => Ok(()),
            Seen::Not(id) => self.arrived(id).await,
            Seen::Unknown => {
                let records = self.look().await?;
                let there = self.settings(&records);
                let members = there.members.iter();
                let set = members.filter_map(|(name, one)| Some((name.clone(), one.setting?)));
                self.write_over(&there, &records, &set.collect(), Rest::Again)
                    .await
            }
        }
    }

    fn unchanged(&self, over: &Settings, records: &[Record]) -> Result<(), Error> {
        if records::version(records) == over.version {
            return Ok(());
        }
        Err(Error::new(Kind::Conflict, CHANGE, self.actuator.clone())
            .detail("the records are no longer what was read: something else changes them too"))
    }

    /// The zone as IAM names it.
    fn resource(&self) -> String {
        format!("arn:aws:route53:::hostedzone/{}", self.spec.zone)
    }
}

impl Apply for WeightedRecords {
    fn actuator(&self) -> &str {
        &self.actuator
    }

    fn unit(&self) -> Unit {
        Unit {
            max: WEIGHT_MAX,
            delay: Duration::from_secs(self.ttl_seconds.load(Ordering::Relaxed).into()),
        }
    }

    fn read(&self) -> Call<'_, Settings> {
        Box::pin(async {
            let records = self.look().await?;
            Ok(self.settings(&records))
        })
    }

    fn write<'a>(&'a self, over: &'a Settings, wanted: &'a Numbers) -> Call<'a, ()> {
        Box::pin(self.set(over, wanted))
    }

    fn settle(&self) -> Call<'_, ()> {
        Box::pin(self.see())
    }
}

/// Whether these are values of a record of this type.
fn fits(kind: RecordType, values: &[String]) -> bool {
    match kind {
        RecordType::A => values.iter().all(|value| value.parse::<Ipv4Addr>().is_ok()),
        RecordType::Aaaa => values.iter().all(|value| value.parse::<Ipv6Addr>().is_ok()),
        RecordType::Cname => values.len() <= 1,
    }
}

/// Whether two values say the same: names do not care for case and a last dot.
fn same(one: &str, other: &str) -> bool {
    canonical(one) == canonical(other)
}
