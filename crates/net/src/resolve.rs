//! Host names and SRV names of endpoints, watched: each is looked up again when its TTL ends, and whoever listens gets the
//! whole set of its addresses whenever that set changes. A look-up that fails never takes an address away: the last ones stay
//! until a new answer comes. What an answer means is decided in [`known`] and [`srv`]; how it is asked for is in [`lookup`];
//! [`follow`] asks again and again, [`once`] asks once. [`ask`] is another thing: it hears what the name servers of a zone answer.

mod ask;
mod follow;
mod known;
mod lookup;
mod once;
mod srv;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::SrvRecord;
use bascule_telemetry::spawn;
use bascule_telemetry::spawn::AbortOnDrop;
use tokio::sync::{mpsc, watch};

pub use ask::{Asked, Question, ask};
use follow::follow;
use lookup::Lookups;
pub use once::{Looked, LookedSrv, once, once_srv};

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

/// A name to watch, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    /// A host, for its addresses.
    Host(Arc<str>),
    /// An SRV name, for its records and the addresses of their targets.
    Srv(Arc<str>),
}

impl Watched {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Host(name) | Self::Srv(name) => name,
        }
    }
}

/// What a name means now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// A host name has these addresses.
    Host {
        /// The host name, as watched.
        host: Arc<str>,
        /// All its addresses, IPv4 first, sorted; never empty, at most 1 000.
        addresses: Vec<IpAddr>,
    },
    /// An SRV name has these records.
    Srv {
        /// The name, as watched.
        name: Arc<str>,
        /// Those whose targets have addresses, sorted; never empty, at most 1 000 addresses in all.
        records: Vec<SrvRecord>,
    },
}

impl Resolved {
    /// The name, as watched.
    #[must_use]
    pub fn watched(&self) -> Watched {
        match self {
            Self::Host { host, .. } => Watched::Host(Arc::clone(host)),
            Self::Srv { name, .. } => Watched::Srv(Arc::clone(name)),
        }
    }
}

/// Watches names. Dropping it ends all look-ups.
#[derive(Debug)]
pub struct Resolver {
    shared: Rc<Shared>,
    watched: BTreeMap<Watched, AbortOnDrop>,
}

/// What all that are followed share.
#[derive(Debug)]
struct Shared {
    lookups: Lookups,
    results: mpsc::Sender<Resolved>,
    /// Marked when they are to look again, with other settings.
    changed: watch::Sender<()>,
}

impl Resolver {
    /// Watches nothing yet. Lives on a thread with a `LocalSet`: the control thread.
    #[must_use]
    pub fn start(settings: Settings) -> (Self, mpsc::Receiver<Resolved>) {
        let (results, receiver) = mpsc::channel(WAITING_MAX);
        let shared = Shared {
            lookups: Lookups::new(settings),
            results,
            changed: watch::Sender::new(()),
        };
        let resolver = Self {
            shared: Rc::new(shared),
            watched: BTreeMap::new(),
        };
        (resolver, receiver)
    }

    /// Watches exactly these from now on. Those watched already go on as they are and are not told again.
    pub fn watch(&mut self, names: &BTreeSet<Watched>) {
        self.watched.retain(|name, _| names.contains(name));
        for name in names {
            if !self.watched.contains_key(name) {
                let shared = Rc::clone(&self.shared);
                let task = spawn::local("resolve", follow(name.clone(), shared));
                self.watched.insert(name.clone(), task.abort_on_drop());
            }
        }
    }

    /// Looks up as these say from now on, and all names again at once; what is known of them stays.
    pub fn set(&mut self, settings: Settings) {
        if *self.shared.lookups.settings() != settings {
            self.shared.lookups.set(settings);
            self.shared.changed.send_replace(());
        }
    }

    /// What is watched.
    pub fn watched(&self) -> impl Iterator<Item = &Watched> {
        self.watched.keys()
    }
}

#[cfg(test)]
mod tests;
