//! Host names of endpoints, watched: each is looked up again when its TTL ends, and whoever listens gets the whole set of
//! its addresses whenever that set changes. A look-up that fails never takes an address away: the last ones stay until a
//! new answer comes. What an answer means is decided in [`known`]; how it is asked for is in [`lookup`]; [`once`] asks once.

mod known;
mod lookup;
mod once;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bascule_telemetry::spawn::AbortOnDrop;
use bascule_telemetry::{clock, names, spawn};
use tokio::sync::mpsc;

use known::{Known, Learned};
use lookup::Lookups;
pub use once::{Looked, once};

/// Results that wait for the listener: more than hosts in any sane configuration; when full, look-ups wait.
const WAITING_MAX: usize = 1024;

/// How host names are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Answers with a shorter life are asked for again only after this. Default 5 s: clouds rotate addresses within a
    /// minute, and a name server should not be asked more often than a health check runs.
    pub ttl_min: Duration,
    /// Answers with a longer life are asked for again after this. Default 5 min: a set that changes should not stay
    /// unnoticed longer.
    pub ttl_max: Duration,
    /// The first pause after a failure, doubled up to `pause_max`. Default 1 s.
    pub pause_min: Duration,
    /// The longest pause after failures. Default 30 s.
    pub pause_max: Duration,
    /// How long one question may take; it is asked twice. Default 2 s.
    pub timeout: Duration,
    /// The name servers; `None`: those of the system, with its search domains.
    pub name_servers: Option<Vec<SocketAddr>>,
    /// The hosts file, looked into first. Default `/etc/hosts`.
    pub hosts_file: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ttl_min: Duration::from_secs(5),
            ttl_max: Duration::from_secs(300),
            pause_min: Duration::from_secs(1),
            pause_max: Duration::from_secs(30),
            timeout: Duration::from_secs(2),
            name_servers: None,
            hosts_file: "/etc/hosts".to_owned(),
        }
    }
}

/// What a host name means now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The host name, as watched.
    pub host: Arc<str>,
    /// All its addresses, IPv4 first, sorted; never empty.
    pub addresses: Vec<IpAddr>,
}

/// Watches host names. Dropping it ends all look-ups.
#[derive(Debug)]
pub struct Resolver {
    lookups: Rc<Lookups>,
    results: mpsc::Sender<Resolved>,
    watched: BTreeMap<Arc<str>, AbortOnDrop>,
}

impl Resolver {
    /// Watches nothing yet. Lives on a thread with a `LocalSet`: the control thread.
    #[must_use]
    pub fn start(settings: Settings) -> (Self, mpsc::Receiver<Resolved>) {
        let (results, receiver) = mpsc::channel(WAITING_MAX);
        let resolver = Self {
            lookups: Rc::new(Lookups::new(settings)),
            results,
            watched: BTreeMap::new(),
        };
        (resolver, receiver)
    }

    /// Watches exactly these from now on. Those watched already go on as they are and are not told again.
    pub fn watch(&mut self, hosts: &BTreeSet<Arc<str>>) {
        self.watched.retain(|host, _| hosts.contains(host));
        for host in hosts {
            if !self.watched.contains_key(host) {
                let task = follow(
                    Arc::clone(host),
                    Rc::clone(&self.lookups),
                    self.results.clone(),
                );
                let task = spawn::local("resolve", task).abort_on_drop();
                self.watched.insert(Arc::clone(host), task);
            }
        }
    }

    /// What is watched.
    pub fn watched(&self) -> impl Iterator<Item = &Arc<str>> {
        self.watched.keys()
    }
}

/// Looks one host up for ever; ends when nobody listens.
async fn follow(host: Arc<str>, lookups: Rc<Lookups>, results: mpsc::Sender<Resolved>) {
    let mut known = Known::default();
    loop {
        let answer = lookups.ask(&host).await;
        let learned = known.learn(clock::now(), &answer, lookups.settings());
        report(&host, &known, &learned);
        if let Some(addresses) = learned.changed {
            let host = Arc::clone(&host);
            if results.send(Resolved { host, addresses }).await.is_err() {
                return;
            }
        }
        clock::sleep_until(clock::now() + learned.again_in).await;
    }
}

/// Counts each failure; says one line when a host begins to fail and one when it works again.
fn report(host: &Arc<str>, known: &Known, learned: &Learned) {
    let label = || Arc::clone(host);
    let addresses = known.addresses().len();
    match &learned.failure {
        Some(reason) => {
            metrics::counter!(names::RESOLVE_FAILURES, "host" => label()).increment(1);
            if learned.failures_in_row == 1 {
                let age_seconds = learned.age.map(|age| age.as_secs());
                tracing::warn!(
                    event = "resolve_failed",
                    host = &**host,
                    reason,
                    addresses,
                    age_seconds,
                    "the host cannot be looked up; its last addresses stay in use"
                );
            }
        }
        None => {
            let now = Duration::from_millis(clock::wall().as_millis());
            metrics::gauge!(names::RESOLVE_SUCCESS_TIME, "host" => label()).set(now.as_secs_f64());
            if learned.failures_in_row > 0 {
                let failures = learned.failures_in_row;
                tracing::info!(
                    event = "resolve_recovered",
                    host = &**host,
                    addresses,
                    failures,
                    "the host is looked up again"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
