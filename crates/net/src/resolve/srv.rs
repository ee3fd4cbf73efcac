//! What is known of one SRV name: its records, and of each of their targets the addresses. Decides what an answer changes and
//! whom to ask again when. As with [`known`](super::known), no failure takes anything away: neither one of the name nor one
//! of a target, nor an answer without a record. A record goes when an answer that has others lacks it. Pure: told the time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{Instant, SrvRecord};

use super::Settings;
use super::known::{ADDRESSES_MAX, Answer, Course, Known, Learned};

/// The most records of one name: each has an address, so more could not be used.
const RECORDS_MAX: usize = ADDRESSES_MAX;

/// One record, its target not resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    pub(super) priority: u16,
    pub(super) target: Arc<str>,
    pub(super) port: u16,
    pub(super) weight: u16,
}

/// The answer about one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SrvAnswer {
    /// These, for at most so long, and the addresses of targets that came with them.
    Records(Vec<Record>, Duration, BTreeMap<Arc<str>, Answer>),
    /// The name has none; also where it says that the service is not to be had (a target of `.`).
    None,
    /// Not known, and why.
    Failed(String),
}

/// What is known of one name.
#[derive(Debug, Default)]
pub(super) struct KnownSrv {
    /// Sorted: the lowest priority first.
    records: Vec<Record>,
    course: Course,
    again_at: Instant,
    targets: BTreeMap<Arc<str>, Target>,
    told: Vec<SrvRecord>,
}

#[derive(Debug, Default)]
struct Target {
    known: Known,
    again_at: Instant,
}

impl KnownSrv {
    /// Whether the name itself is to be asked for.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.again_at <= now
    }

    /// Takes in an answer about the name.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        answer: SrvAnswer,
        settings: &Settings,
    ) -> Learned {
        let (failure, life, left_out) = match answer {
            SrvAnswer::Records(mut records, life, glue) => {
                records.sort_unstable();
                records.dedup();
                let left_out = records.len().saturating_sub(RECORDS_MAX);
                records.truncate(RECORDS_MAX);
                self.records = records;
                self.follow_targets(now, &glue, settings);
                (None, Some(life), left_out)
            }
            SrvAnswer::None => (Some("the name has no SRV record".to_owned()), None, 0),
            SrvAnswer::Failed(reason) => (Some(reason), None, 0),
        };
        let learned = self.course.learn(now, failure, life, settings);
        self.again_at = now + learned.again_in;
        Learned {
            left_out,
            ..learned
        }
    }

    /// Knows exactly the targets of the records; what came with them need not be asked for.
    fn follow_targets(
        &mut self,
        now: Instant,
        glue: &BTreeMap<Arc<str>, Answer>,
        settings: &Settings,
    ) {
        let named: BTreeSet<&Arc<str>> = self.records.iter().map(|r| &r.target).collect();
        self.targets.retain(|target, _| named.contains(target));
        for name in named {
            let target = self.targets.entry(Arc::clone(name)).or_default();
            if let Some(answer) = glue.get(name) {
                target.learn(now, answer, settings);
            }
        }
    }

    /// The targets to ask for.
    pub(super) fn targets_due(&self, now: Instant) -> Vec<Arc<str>> {
        let due = self.targets.iter().filter(|(_, t)| t.again_at <= now);
        due.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Takes in an answer about a target.
    pub(super) fn learn_target(
        &mut self,
        now: Instant,
        name: &Arc<str>,
        answer: &Answer,
        settings: &Settings,
    ) -> Option<Learned> {
        let target = self.targets.get_mut(name)?;
        Some(target.learn(now, answer, settings))
    }

    /// The whole set, when it is another than the last one told; a set without an address is none.
    pub(super) fn changed(&mut self) -> Option<Vec<SrvRecord>> {
        let records = self.resolved();
        if records.is_empty() || records == self.told {
            return None;
        }
        self.told.clone_from(&records);
        Some(records)
    }

    /// The records whose targets have addresses, the lowest priority first, up to [`ADDRESSES_MAX`] addresses.
    fn resolved(&self) -> Vec<SrvRecord> {
        let mut left = ADDRESSES_MAX;
        let mut resolved = Vec::new();
        for record in &self.records {
            let known = self.targets.get(&record.target);
            let mut addresses: Vec<IpAddr> = known.map(|t| t.known.addresses()).unwrap_or_default();
            addresses.truncate(left);
            left -= addresses.len();
            if !addresses.is_empty() {
                resolved.push(SrvRecord {
                    priority: record.priority,
                    weight: record.weight,
                    port: record.port,
                    addresses,
                });
            }
        }
        // A target that is only named anew changes nothing.
        resolved.sort_unstable();
        resolved
    }

    /// How many addresses are known.
    pub(super) fn addresses(&self) -> usize {
        self.told.iter().map(|record| record.addresses.len()).sum()
    }

    /// All is to be asked for now.
    pub(super) fn ask_anew(&mut self) {
        self.again_at = Instant::default();
        let targets = self.targets.values_mut();
        targets.for_each(|target| target.again_at = Instant::default());
    }

    /// When something is to be asked for again.
    pub(super) fn again_at(&self) -> Instant {
        let targets = self.targets.values().map(|target| target.again_at);
        targets
            .min()
            .map_or(self.again_at, |at| at.min(self.again_at))
    }
}

impl Target {
    fn learn(&mut self, now: Instant, answer: &Answer, settings: &Settings) -> Learned {
        let learned = self.known.learn(now, answer, settings);
        self.again_at = now + learned.again_in;
        learned
    }
}

#[cfg(test)]
mod tests;
