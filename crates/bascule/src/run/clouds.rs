//! Between the accounts and sources of a configuration, the providers that know how they are asked, and the services whose
//! endpoints come of it. It decides nothing: what is believed of a source is decided in `provider::held`, how often it is
//! asked in `control::discover`. An account is opened with the first question to it, and one that cannot be is told as every
//! other failure of its sources is; the others go on. [`clouds`](crate::clouds) knows the providers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bascule_config::{Account, Config, Discover as Wish, Observe};
use bascule_control::apply::{self, Applier, Rows};
use bascule_control::discover::{Board, Found, Kept, Place, Wanted, Watcher};
use bascule_control::observe::{self, Observer};
use bascule_provider::Discover;
use bascule_provider::drive::OnDrift;
use bascule_provider::port::{Extent, Set};
use bascule_telemetry::Registry;
use bascule_telemetry::events::Bus;
use bascule_traffic::spec::ServiceSpec;
use tokio::sync::{mpsc, watch};

use crate::clouds::{self, Actuator, Observed, Open, Source};
use crate::files::Files;

/// The sources that a configuration wants to be asked, and what is believed of each.
#[derive(Debug)]
pub(super) struct Asking {
    clouds: Clouds,
    watcher: Watcher,
    observer: Observer,
    found: mpsc::Receiver<Found>,
    sets: Sets,
    /// Those that have not answered well yet.
    awaited: BTreeSet<Place>,
    applier: Applier,
    registry: Registry,
}

impl Asking {
    /// Asks nobody yet; knows what was `kept` of sources. Relative paths of the configuration are meant as `files` says.
    /// Actuators follow `rows`.
    pub(super) fn start(
        files: Files,
        kept: Vec<Kept>,
        rows: watch::Receiver<Arc<Rows>>,
        bus: &Bus,
        registry: &Registry,
    ) -> Self {
        let (watcher, found) = Watcher::start(bus.clone(), kept);
        let clouds = Clouds {
            files,
            accounts: BTreeMap::new(),
            sources: BTreeMap::new(),
            observed: BTreeMap::new(),
            actuators: BTreeMap::new(),
        };
        Self {
            clouds,
            watcher,
            observer: Observer::start(bus.clone()),
            found,
            sets: Sets::new(),
            awaited: BTreeSet::new(),
            applier: Applier::start(rows, bus.clone()),
            registry: registry.clone(),
        }
    }

    /// How the sources stand.
    pub(super) fn board(&self) -> Board {
        self.watcher.board()
    }

    /// What the clouds say of the sources.
    pub(super) fn observed(&self) -> observe::Board {
        self.observer.board()
    }

    /// How the actuators stand.
    pub(super) fn actuators(&self) -> apply::Board {
        self.applier.board()
    }

    /// From now on what this configuration wants is asked, and what it names follows.
    pub(super) fn aim(&mut self, config: &Config) {
        let wanted = self.clouds.wanted(config);
        let places: BTreeSet<Place> = wanted.keys().cloned().collect();
        for Place { account, source } in self.watcher.watch(wanted) {
            self.registry
                .forget(&[("account", &*account), ("source", &*source)]);
        }
        self.observer.watch(self.clouds.observed(config));
        for left in self.applier.follow(self.clouds.actuators(config)) {
            let (service, account) = (left.service.as_str(), &*left.account);
            let actuator = ("actuator", &*left.actuator);
            self.registry
                .forget(&[("service", service), ("account", account), actuator]);
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
    observed: BTreeMap<Place, Arc<Observed>>,
    actuators: BTreeMap<apply::Place, Arc<Actuator>>,
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
            let new = || Source::new(account, wish);
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

    /// What this configuration wants to be observed. To be asked after [`wanted`](Self::wanted), which opens the accounts.
    fn observed(&mut self, config: &Config) -> BTreeMap<Place, observe::Wanted> {
        let mut wishes: BTreeMap<Place, (&Wish, Extent, Duration)> = BTreeMap::new();
        for wish in config.discover.values() {
            let extent = match wish.observe {
                Observe::Off => continue,
                Observe::Free => Extent::Free,
                Observe::All => Extent::All,
            };
            let every = wish.observe_every;
            let entry = wishes.entry(place(wish)).or_insert((wish, extent, every));
            // Where several backends want the same, it is asked as much and as often as the most eager does.
            (entry.1, entry.2) = (entry.1.max(extent), entry.2.min(every));
        }
        let mut observed = BTreeMap::new();
        let mut wanted = BTreeMap::new();
        for (place, (wish, extent, every)) in wishes {
            let Some(account) = self.accounts.get(&wish.account) else {
                continue;
            };
            let known = self.observed.get(&place);
            let is_same = |known: &&Arc<Observed>| {
                Arc::ptr_eq(&known.account, account) && known.extent == extent
            };
            let new = || Observed::new(account, &wish.from, extent);
            let same = known.filter(is_same).map(Arc::clone);
            let Some(source) = same.or_else(new) else {
                continue;
            };
            let asked: Arc<dyn bascule_provider::Observe> = Arc::clone(&source) as _;
            observed.insert(place.clone(), source);
            wanted.insert(
                place,
                observe::Wanted {
                    source: asked,
                    every,
                },
            );
        }
        self.observed = observed;
        wanted
    }

    /// What follows in this configuration. To be asked after [`wanted`](Self::wanted), which opens the accounts.
    fn actuators(&mut self, config: &Config) -> BTreeMap<apply::Place, apply::Wanted> {
        let mut actuators = BTreeMap::new();
        let mut wanted = BTreeMap::new();
        let wishes = config.apply.iter();
        let wishes = wishes.flat_map(|(service, all)| all.iter().map(move |wish| (service, wish)));
        for (service, wish) in wishes {
            let place = apply::Place {
                service: service.clone(),
                account: Arc::from(wish.account.as_str()),
                actuator: Arc::from(wish.to.to_string()),
            };
            let Some(account) = self.accounts.get(&wish.account) else {
                continue;
            };
            let known = self.actuators.get(&place);
            let is_same = |known: &&Arc<Actuator>| {
                Arc::ptr_eq(&known.account, account)
                    && known.wish == *wish
                    && known.patience == config.dns.timeout
            };
            let new = || Actuator::new(account, wish, config.dns.timeout);
            let actuator = known.filter(is_same).map_or_else(new, Arc::clone);
            let follows = apply::Wanted {
                port: Arc::clone(&actuator) as _,
                on_drift: match wish.on_drift {
                    bascule_config::OnDrift::Revert => OnDrift::Revert,
                    bascule_config::OnDrift::Adopt => OnDrift::Adopt,
                },
                verify: wish.verify,
                dns: wish.dns.is_some().then(|| Arc::clone(&actuator) as _),
            };
            actuators.insert(place.clone(), actuator);
            wanted.insert(place, follows);
        }
        self.actuators = actuators;
        wanted
    }
}

fn place(wish: &Wish) -> Place {
    Place {
        account: Arc::from(wish.account.as_str()),
        source: Arc::from(wish.asked()),
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
            clouds::join(&mut backend.endpoints, wish, set);
        }
    }
    services
}

#[cfg(test)]
mod tests;
