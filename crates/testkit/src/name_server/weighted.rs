//! Records of one name of which each answer is one, drawn by weight: what Route 53 and steering policies do. Where they come
//! from is asked anew with each question, so that a pretended cloud's own records are served as they are at that moment.

use std::fmt;
use std::net::IpAddr;

use anyhow::Result;
use bascule_model::Rng;
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// One of the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighted {
    /// Its part of the answers: of the sum of all weights.
    pub weight: u32,
    /// Its values: addresses, or one other name.
    pub values: Vec<String>,
}

impl Weighted {
    /// A record.
    #[must_use]
    pub fn new(weight: u32, values: &[&str]) -> Self {
        Self {
            weight,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }
}

/// Where the records of a name come from.
pub(super) struct Draw {
    records: Box<dyn FnMut() -> Vec<Weighted> + Send>,
    rng: Rng,
}

impl fmt::Debug for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draw").finish_non_exhaustive()
    }
}

impl Draw {
    pub(super) fn new(seed: u64, records: impl FnMut() -> Vec<Weighted> + Send + 'static) -> Self {
        Self {
            records: Box::new(records),
            rng: Rng::new(seed),
        }
    }

    /// One answer: what of the drawn record is of this type, or the name that it stands for.
    pub(super) fn answer(&mut self, owner: &Name, kind: RecordType) -> Result<Vec<Record>> {
        let records = (self.records)();
        let total = records.iter().map(|record| u64::from(record.weight)).sum();
        if total == 0 {
            return Ok(Vec::new());
        }
        let mut at = self.rng.below(total);
        let drawn = records.into_iter().find(|record| {
            let is_it = at < u64::from(record.weight);
            at = at.saturating_sub(u64::from(record.weight));
            is_it
        });
        let values = drawn.map(|record| record.values).unwrap_or_default();
        let data = values
            .iter()
            .map(|value| rdata(value))
            .collect::<Result<Vec<_>>>()?;
        let fits = |data: &RData| [kind, RecordType::CNAME].contains(&data.record_type());
        let fitting = data.into_iter().filter(fits);
        Ok(fitting
            .map(|data| Record::from_rdata(owner.clone(), 0, data))
            .collect())
    }
}

fn rdata(value: &str) -> Result<RData> {
    if let Ok(address) = value.parse::<IpAddr>() {
        return Ok(RData::from(address));
    }
    let mut name = Name::from_ascii(value)?;
    name.set_fqdn(true);
    Ok(RData::CNAME(CNAME(name)))
}
