//! Between the accounts and sources of a configuration, the providers that know how they are asked, and the services whose
//! endpoints come of it. It decides nothing: what is believed of a source is decided in `provider::held`, how often it is
//! asked in `control::discover`. An account is opened with the first question to it, and one that cannot be is told as every
//! other failure of its sources is; the others go on. [`clouds`](crate::clouds) knows the providers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use bascule_config::{Account, Config, Discover as Wish};
use bascule_control::discover::{Board, Found, Place, Wanted, Watcher};
use bascule_provider::Discover;
use bascule_provider::port::{Lifecycle, Set};
use bascule_telemetry::Registry;
use bascule_telemetry::events::Bus;
use bascule_traffic::spec::{EndpointHost, EndpointSpec, EndpointUrl, ServiceSpec};
use tokio::sync::mpsc;

use crate::clouds::{Open, Source};
use crate::files::Files;

/// The sources that a configuration wants to be asked, and what is believed of each.
#[derive(Debug)]
pub(super) struct Asking {
    clouds: Clouds,
    watcher: Watcher,
    found: mpsc::Receiver<Found>,
    sets: Sets,
    /// Those that have not answered well yet.
    awaited: BTreeSet<Place>,
    registry: Registry,
}

impl Asking {
    /// Asks nobody yet. Relative paths of the configuration are meant as `files` says.
    pub(super) fn start(files: Files, bus: &Bus, registry: &Registry) -> Self {
        let (watcher, found) = Watcher::start(bus.clone());
        let clouds = Clouds {
            files,
            accounts: BTreeMap::new(),
            sources: BTreeMap::new(),
        };
        Self {
            clouds,
            watcher,
            found,
            sets: Sets::new(),
            awaited: BTreeSet::new(),
            registry: registry.clone(),
        }
    }

    /// How the sources stand.
    pub(super) fn board(&self) -> Board {
        self.watcher.board()
    }

    /// From now on what this configuration wants is asked.
    pub(super) fn aim(&mut self, config: &Config) {
        let wanted = self.clouds.wanted(config);
        let places: BTreeSet<Place> = wanted.keys().cloned().collect();
        for Place { account, source } in self.watcher.watch(wanted) {
            self.registry
                .forget(&[("account", &*account), ("source", &*source)]);
        }
        self.sets.retain(|place, _| places.contains(place));
        let awaited = places.into_iter();
        self.awaited = awaited
            .filter(|place| !self.sets.contains_key(place))
            .collect();
    }

    /// Whether some source has not answered well yet.
    pub(super) fn is_awaited(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// The next that has changed. Losing it loses nothing.
    pub(super) async fn recv(&mut self) -> Option<Found> {
        self.found.recv().await
    }

    /// What is believed of a source from now on; nothing where it is wanted no longer.
    pub(super) fn take(&mut self, found: Found) {
        let is_wanted = self.awaited.remove(&found.place) || self.sets.contains_key(&found.place);
        if is_wanted {
            self.sets.insert(found.place, found.set);
        }
    }

    /// The services with the endpoints that were found beside those that are written.
    pub(super) fn services(&self, config: &Config) -> Vec<Arc<ServiceSpec>> {
        services(config, &self.sets)
    }
}

/// What is believed of each source.
type Sets = BTreeMap<Place, Arc<Set>>;

/// Who asks which source, kept as long as the configuration says the same of it.
#[derive(Debug)]
struct Clouds {
    files: Files,
    accounts: BTreeMap<String, Arc<Open>>,
    sources: BTreeMap<Place, Arc<Source>>,
}

impl Clouds {
    /// What this configuration wants to be asked.
    fn wanted(&mut self, config: &Config) -> BTreeMap<Place, Wanted> {
        let open = |(name, account): (&String, &Account)| {
            let known = self.accounts.get(name);
            let same = known.filter(|open| open.account == *account).cloned();
            let files = self.files.clone();
            (
                name.clone(),
                same.unwrap_or_else(|| Open::new(account, files)),
            )
        };
        self.accounts = config.accounts.iter().map(open).collect();
        let mut wanted: BTreeMap<Place, Wanted> = BTreeMap::new();
        let mut sources = BTreeMap::new();
        for wish in config.discover.values() {
            let place = place(wish);
            let Some(account) = self.accounts.get(&wish.account) else {
                continue;
            };
            let known = self.sources.get(&place);
            let same = known.filter(|source| Arc::ptr_eq(&source.account, account));
            let new = || Source::new(account, &wish.from);
            let source = sources
                .entry(place.clone())
                .or_insert_with(|| same.map_or_else(new, Arc::clone));
            let source: Arc<dyn Discover> = Arc::clone(source) as _;
            let refresh = wish.refresh;
            let entry = wanted.entry(place).or_insert(Wanted { source, refresh });
            // Where several backends want the same, it is asked as often as the most eager does.
            entry.refresh = entry.refresh.min(refresh);
        }
        self.sources = sources;
        wanted
    }
}

fn place(wish: &Wish) -> Place {
    Place {
        account: Arc::from(wish.account.as_str()),
        source: Arc::from(wish.from.to_string()),
    }
}

fn services(config: &Config, sets: &Sets) -> Vec<Arc<ServiceSpec>> {
    let mut services = config.services.clone();
    for ((service, backend), wish) in &config.discover {
        let Some(set) = sets.get(&place(wish)) else {
            continue;
        };
        let Some(spec) = services.iter_mut().find(|spec| spec.name == *service) else {
            continue;
        };
        if let Some(backend) = Arc::make_mut(spec).backends.get_mut(backend) {
            join(&mut backend.endpoints, wish, set);
        }
    }
    services
}

/// Those that run, by address; what is written already keeps what is written of it, and two machines at one address are one.
fn join(endpoints: &mut Vec<EndpointSpec>, wish: &Wish, set: &Set) {
    let mut known: BTreeSet<EndpointUrl> = endpoints
        .iter()
        .map(|endpoint| endpoint.url.clone())
        .collect();
    for instance in set.instances.values() {
        let port = wish.port.or(instance.port);
        let Some(port) = port.filter(|_| instance.lifecycle == Lifecycle::Running) else {
            continue;
        };
        let url = EndpointUrl {
            scheme: wish.scheme,
            host: EndpointHost::Address(SocketAddr::new(instance.address, port)),
            port,
        };
        if known.insert(url.clone()) {
            endpoints.push(EndpointSpec {
                zone: instance.zone.clone(),
                ..EndpointSpec::from(url)
            });
        }
    }
}

#[cfg(test)]
mod tests;
