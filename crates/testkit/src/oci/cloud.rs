//! What the cloud remembers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::Result;
use serde_json::Value;

use super::fault::Rule;
use super::principal::Instance;

/// The two kinds of load balancers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Balancer {
    /// Of layer 7.
    Load,
    /// Of layer 4.
    Network,
}

impl Balancer {
    /// Where a backend set of one is in the API.
    #[must_use]
    pub fn path(self, id: &str, set: &str) -> String {
        match self {
            Self::Load => format!("/20170115/loadBalancers/{id}/backendSets/{set}"),
            Self::Network => format!("/20200501/networkLoadBalancers/{id}/backendSets/{set}"),
        }
    }
}

/// A machine of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its OCID.
    pub id: String,
    /// Its private address; `None` while it has no network card.
    pub address: Option<IpAddr>,
    /// Its public address.
    pub public: Option<IpAddr>,
    /// A private address of a second card.
    pub second: Option<IpAddr>,
    /// Its availability domain.
    pub zone: String,
    /// As the API says it: `Running`, `Provisioning`, `Terminating`, …
    pub state: String,
}

impl Machine {
    /// One that runs, in the first availability domain.
    #[must_use]
    pub fn running(id: &str, address: IpAddr) -> Self {
        Self {
            id: id.to_owned(),
            address: Some(address),
            public: None,
            second: None,
            zone: "Uocm:EU-FRANKFURT-1-AD-1".to_owned(),
            state: "Running".to_owned(),
        }
    }
}

/// An answer of a steering policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steered {
    /// Its name.
    pub name: String,
    /// What is answered: an address.
    pub rdata: String,
    /// With which weight; 0 where it is disabled, and never answered.
    pub weight: u64,
}

/// A call that was well signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Called {
    /// `GET`.
    pub method: String,
    /// Path and parameters.
    pub target: String,
    /// Its headers by name, without the date, the signature, and the host.
    pub headers: BTreeMap<String, String>,
    /// Its body; null where there is none.
    pub body: Value,
    /// What was answered.
    pub status: u16,
}

/// Something with a version.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) body: Value,
    pub(super) version: u64,
}

/// A change of a load balancer that is not done yet, or is.
#[derive(Debug, Clone)]
pub(super) struct Work {
    /// The load balancer's OCID.
    pub(super) of: String,
    pub(super) calls_left: u32,
    pub(super) path: String,
    pub(super) body: Value,
    pub(super) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Done,
    Failed,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Cloud {
    /// DER of public keys, by the name that requests give.
    pub(super) keys: BTreeMap<String, Vec<u8>>,
    pub(super) instance: &'static Instance,
    pub(super) pools: BTreeMap<String, Vec<Machine>>,
    pub(super) documents: BTreeMap<String, Document>,
    pub(super) work: BTreeMap<String, Work>,
    pub(super) health: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) cpu: BTreeMap<String, f64>,
    pub(super) calls: Vec<Called>,
    pub(super) faults: Vec<Rule>,
    pub(super) page_max: usize,
    pub(super) work_calls: u32,
    pub(super) has_tags: bool,
    pub(super) clock_ahead: i64,
    /// Counts changes, work requests, answers.
    pub(super) number: u64,
}

impl Cloud {
    pub(super) fn new() -> Result<Self> {
        let instance = Instance::get()?;
        Ok(Self {
            keys: BTreeMap::from([instance.key()]),
            instance,
            pools: BTreeMap::new(),
            documents: BTreeMap::new(),
            work: BTreeMap::new(),
            health: BTreeMap::new(),
            cpu: BTreeMap::new(),
            calls: Vec::new(),
            faults: Vec::new(),
            page_max: 1000,
            work_calls: 1,
            has_tags: true,
            clock_ahead: 0,
            number: 0,
        })
    }

    pub(super) fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    pub(super) fn put(&mut self, path: &str, body: Value) {
        let version = self.next();
        self.documents
            .insert(path.to_owned(), Document { body, version });
    }

    /// The tag of what is at this path. A load balancer of layer 7 has one for all that is in it.
    pub(super) fn tag(&self, path: &str) -> String {
        let whole = match path.strip_prefix("/20170115/loadBalancers/") {
            Some(rest) => path.len() - rest.len() + rest.find('/').unwrap_or(rest.len()),
            None => path.len(),
        };
        let whole = path.get(..whole).unwrap_or(path);
        let versions = self
            .documents
            .iter()
            .filter(|(path, _)| path.starts_with(whole))
            .map(|(_, document)| document.version);
        format!("tag-{}", versions.max().unwrap_or(0))
    }

    /// The time by its clock, in seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "tests have no telemetry clock")]
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH);
        let seconds = since.map_or(0, |since| since.as_secs());
        i64::try_from(seconds).unwrap_or(i64::MAX) + self.clock_ahead
    }

    /// Another call has come: what is under way comes nearer to its end.
    pub(super) fn tick(&mut self) {
        let mut done = Vec::new();
        for work in self.work.values_mut() {
            if work.state != State::Running {
                continue;
            }
            match work.calls_left.checked_sub(1) {
                Some(left) => work.calls_left = left,
                None => {
                    work.state = State::Done;
                    done.push((work.path.clone(), work.body.clone()));
                }
            }
        }
        for (path, body) in done {
            self.put(&path, body);
        }
    }
}
