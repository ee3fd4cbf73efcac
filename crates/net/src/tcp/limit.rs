//! Who may connect: limits on the connections of the process, of a listener, and of one client address. It counts what is
//! open and decides on the next; it is asked once a connection, never on a request's path. Limits can change at any time:
//! what is open stays open, and new ones are refused until enough have gone.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use bascule_model::ListenerName;
use ipnet::IpNet;

use super::clients::{Clients, Counted};

/// Why a connection was refused; the first of these that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// The process has as many as it may.
    Process,
    /// The listener has as many as it may.
    Listener,
    /// The client's address has as many as it may.
    Client,
}

impl Refused {
    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "limit",
            Self::Listener => "listener_limit",
            Self::Client => "client_limit",
        }
    }
}

/// What a listener allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Its own connections at most; `None`: only the process's limit counts.
    pub connections: Option<usize>,
    /// Connections of one client address at most (IPv6: of one /64). Counted over all listeners, compared here.
    pub connections_per_client: usize,
    /// Peers that are not counted by address: balancers in front, which come for many clients.
    pub exempt: Vec<IpNet>,
}

impl Default for ListenerLimits {
    /// No limit but the process's.
    fn default() -> Self {
        Self {
            connections: None,
            connections_per_client: usize::MAX,
            exempt: Vec::new(),
        }
    }
}

/// The client connections of the whole process, and their limits. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Connections(Arc<Process>);

#[derive(Debug)]
struct Process {
    all: Arc<Count>,
    clients: Arc<Clients>,
    /// By name, so that a listener that moves to another address keeps its count. Locked when listeners change.
    listeners: Mutex<BTreeMap<ListenerName, Arc<OfListener>>>,
}

#[derive(Debug, Default)]
struct OfListener {
    open: Arc<Count>,
    limits: ArcSwap<ListenerLimits>,
}

impl Connections {
    /// No connections yet, and at most `limit`.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Process {
            all: Arc::new(Count::with_limit(limit)),
            clients: Arc::default(),
            listeners: Mutex::default(),
        }))
    }

    /// Changes the limit of the process. Open connections stay.
    pub fn set_limit(&self, limit: usize) {
        self.0.all.limit.store(limit, Relaxed);
    }

    /// Makes these the listeners there are, from the next connection on. Of one that is not named nothing is kept but the
    /// count of what is still open.
    pub fn set_listeners(&self, wanted: impl IntoIterator<Item = (ListenerName, ListenerLimits)>) {
        let mut listeners = self
            .0
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *listeners);
        for (name, limits) in wanted {
            let listener = before.remove(&name).unwrap_or_default();
            let most = limits.connections.unwrap_or(usize::MAX);
            listener.open.limit.store(most, Relaxed);
            listener.limits.store(Arc::new(limits));
            listeners.insert(name, listener);
        }
        before.retain(|_, listener| listener.open.get() > 0);
        listeners.append(&mut before);
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.all.get()
    }

    /// How many are open that came through this listener.
    #[must_use]
    pub fn open_of(&self, name: &ListenerName) -> usize {
        let listeners = self.0.listeners.lock();
        let listeners = listeners.unwrap_or_else(PoisonError::into_inner);
        listeners
            .get(name)
            .map_or(0, |listener| listener.open.get())
    }

    /// How many client addresses are counted now: a measure of the memory that counting takes.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.0.clients.len()
    }

    /// The way in through a listener. One that was never set has no limits of its own.
    pub(super) fn door(&self, name: &ListenerName) -> Door {
        let listeners = self.0.listeners.lock();
        let mut listeners = listeners.unwrap_or_else(PoisonError::into_inner);
        let listener = listeners.entry(name.clone()).or_default();
        Door {
            all: Arc::clone(&self.0.all),
            clients: Arc::clone(&self.0.clients),
            listener: Arc::clone(listener),
        }
    }
}

/// Lets clients in through one listener.
#[derive(Debug)]
pub(super) struct Door {
    all: Arc<Count>,
    clients: Arc<Clients>,
    listener: Arc<OfListener>,
}

impl Door {
    /// The right to a connection from this address, which must be canonical (no IPv4 inside IPv6).
    pub(super) fn admit(&self, peer: IpAddr, gauge: &metrics::Gauge) -> Result<Permit, Refused> {
        // What was taken is given back by its drop where a later step refuses.
        let all = Held::take(&self.all).ok_or(Refused::Process)?;
        let listener = Held::take(&self.listener.open).ok_or(Refused::Listener)?;
        let limits = self.listener.limits.load();
        let client = if limits.exempt.iter().any(|network| network.contains(&peer)) {
            None
        } else {
            let counted = Counted::take(&self.clients, peer, limits.connections_per_client);
            Some(counted.ok_or(Refused::Client)?)
        };
        Ok(Permit {
            _all: all,
            _listener: listener,
            _client: client,
            _gauge: Raised::by_one(gauge),
        })
    }
}

/// The right to one connection; given back when dropped. Lives on the worker that accepted it.
#[derive(Debug)]
pub struct Permit {
    _all: Held,
    _listener: Held,
    _client: Option<Counted>,
    _gauge: Raised,
}

/// How many there are, and how many there may be.
#[derive(Debug)]
struct Count {
    open: AtomicUsize,
    limit: AtomicUsize,
}

impl Default for Count {
    fn default() -> Self {
        Self::with_limit(usize::MAX)
    }
}

impl Count {
    const fn with_limit(limit: usize) -> Self {
        Self {
            open: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
        }
    }

    fn get(&self) -> usize {
        self.open.load(Relaxed)
    }
}

/// One of a count.
#[derive(Debug)]
struct Held(Arc<Count>);

impl Held {
    fn take(count: &Arc<Count>) -> Option<Self> {
        let limit = count.limit.load(Relaxed);
        let more = |open: usize| (open < limit).then_some(open + 1);
        count
            .open
            .fetch_update(Relaxed, Relaxed, more)
            .is_ok()
            .then(|| Self(Arc::clone(count)))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// One of a gauge.
#[derive(Debug)]
struct Raised(metrics::Gauge);

impl Raised {
    fn by_one(gauge: &metrics::Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests;
