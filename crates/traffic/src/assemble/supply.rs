//! How much of each service fits where, when services share machines: two backends of different services that name an
//! endpoint in common, directly or through others, are one *site*, and what is declared of its capacity holds for all that
//! comes there. The more important class is served first and the next gets what it leaves: so bulk is shed first. Services
//! of one class share in proportion to what their targets bring. Judgements are in decision 0014.

use std::collections::{BTreeMap, BTreeSet};

use bascule_model::{BasisPoints, ProviderName};

use crate::capacity::{Capacity, Class, Demand, Unit, room};
use crate::spec::{EndpointHost, ServiceSpec};

/// A backend, by the index of its service and its own.
type Place = (usize, usize);

/// The sites of a configuration that have a capacity.
#[derive(Debug, Default)]
pub(super) struct Sites {
    sites: Vec<Site>,
    of: BTreeMap<Place, usize>,
    /// By service: the first service of those that share a site with it, directly or through others.
    group: Vec<usize>,
    /// The services in the order in which they are served.
    order: Vec<usize>,
    /// By the first service of a group: the providers whose loss concerns it.
    providers: BTreeMap<usize, BTreeSet<ProviderName>>,
}

#[derive(Debug)]
struct Site {
    capacity: Capacity,
    members: Vec<(Place, Class)>,
}

/// What a service wants of a backend.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    pub(super) demand: Demand,
    pub(super) target: BasisPoints,
    /// The part of its endpoints that is up and can be used, by weight; 0 to 1.
    pub(super) up: f64,
}

/// What has been given away at each site, in one state of the world.
#[derive(Debug, Clone)]
pub(super) struct Supply {
    used: Vec<Demand>,
    /// What the targets of the services that are not served yet bring, by site and class.
    waiting: Vec<BTreeMap<Class, Demand>>,
}

impl Sites {
    /// Of these services.
    pub(super) fn of(specs: &[&ServiceSpec]) -> Self {
        let joined = join(specs);
        let mut sites = Self {
            group: (0..specs.len()).collect(),
            order: (0..specs.len()).collect(),
            ..Self::default()
        };
        sites
            .order
            .sort_by_key(|index| specs.get(*index).map(|spec| spec.class));
        for members in joined {
            sites.add(specs, &members);
        }
        for (index, spec) in specs.iter().enumerate() {
            let group = sites.group_of(index);
            let providers = spec.backends.values().map(|b| b.provider.clone());
            sites.providers.entry(group).or_default().extend(providers);
        }
        sites
    }

    fn add(&mut self, specs: &[&ServiceSpec], members: &[Place]) {
        let spec = |place: &Place| specs.get(place.0).copied();
        let declared = |place: &Place| {
            let backend = spec(place)?.backends.values().nth(place.1)?;
            Some(backend.capacity)
        };
        let capacity = members
            .iter()
            .filter_map(declared)
            .fold(Capacity::default(), Capacity::least);
        if !capacity.is_declared() {
            return;
        }
        let class = |place: &Place| Some((*place, spec(place)?.class));
        let site = Site {
            capacity,
            members: members.iter().filter_map(class).collect(),
        };
        self.of
            .extend(members.iter().map(|place| (*place, self.sites.len())));
        self.sites.push(site);
        let groups = || members.iter().map(|place| self.group_of(place.0));
        let (all, first): (BTreeSet<usize>, _) = (groups().collect(), groups().min());
        for group in &mut self.group {
            if all.contains(group) {
                *group = first.unwrap_or(*group);
            }
        }
    }

    /// The first of the services that share sites with this one, directly or through others.
    pub(super) fn group_of(&self, service: usize) -> usize {
        self.group.get(service).copied().unwrap_or(service)
    }

    /// The services in the order in which they are served.
    pub(super) fn order(&self) -> impl Iterator<Item = usize> + '_ {
        self.order.iter().copied()
    }

    /// Whether one's row depends on the other's.
    pub(super) fn are_joined(&self, a: usize, b: usize) -> bool {
        self.group_of(a) == self.group_of(b)
    }

    /// The providers whose loss concerns a service, its own and those of the services it shares a site with.
    pub(super) fn providers(&self, service: usize) -> BTreeSet<ProviderName> {
        let group = self.group_of(service);
        self.providers.get(&group).cloned().unwrap_or_default()
    }

    /// Whether a service has a capacity to keep.
    pub(super) fn has_capacity(&self, service: usize) -> bool {
        self.of_service(service).next().is_some()
    }

    /// The least that one of a service's sites can take, unit by unit.
    pub(super) fn capacity_least(&self, service: usize) -> Capacity {
        let sites = self.of_service(service).filter_map(|i| self.sites.get(i));
        sites.fold(Capacity::default(), |least, site| {
            least.least(site.capacity)
        })
    }

    /// The sites of a service's backends.
    fn of_service(&self, service: usize) -> impl Iterator<Item = usize> + '_ {
        let backends = self.of.range((service, 0)..=(service, usize::MAX));
        backends.map(|(_, site)| *site)
    }

    /// Nothing given away yet; `wants` says what each backend of the services that are made anew is wanted for.
    pub(super) fn supply(&self, wants: impl Fn(Place) -> Option<Want>) -> Supply {
        let waiting = |site: &Site| {
            let mut waiting: BTreeMap<Class, Demand> = BTreeMap::new();
            let members = site.members.iter();
            for (class, want) in members.filter_map(|(place, class)| Some((class, wants(*place)?)))
            {
                let sum = waiting.entry(*class).or_default();
                *sum = sum.plus(&want.demand.part(want.target));
            }
            waiting
        };
        Supply {
            used: vec![Demand::default(); self.sites.len()],
            waiting: self.sites.iter().map(waiting).collect(),
        }
    }
}

impl Supply {
    /// How much of a service's demand all endpoints of a backend can take, in basis points; `None`: as much as comes.
    pub(super) fn room(
        &self,
        sites: &Sites,
        place: Place,
        class: Class,
        want: &Want,
    ) -> Option<u64> {
        let index = *sites.of.get(&place)?;
        let (site, used) = (sites.sites.get(index)?, self.used.get(index)?);
        let waiting = self.waiting.get(index).and_then(|site| site.get(&class));
        let own = want.demand.part(want.target);
        let free = |unit: Unit| {
            #[expect(clippy::cast_precision_loss, reason = "capacities are far below 2^52")]
            let capacity = site.capacity.of(unit)? as f64;
            // What others use they use of the endpoints that are up.
            let free = (capacity - used.of(unit) / want.up.max(0.000_1)).max(0.0);
            let (own, all) = (own.of(unit), waiting.map_or(0.0, |sum| sum.of(unit)));
            let is_shared = own > 0.0 && all > own;
            Some((unit, if is_shared { free * own / all } else { free }))
        };
        let free: Vec<(Unit, f64)> = Unit::ALL.into_iter().filter_map(free).collect();
        room(&free, &want.demand)
    }

    /// A backend gets this part of its service's demand; its service is served.
    pub(super) fn take(
        &mut self,
        sites: &Sites,
        place: Place,
        class: Class,
        want: &Want,
        share: BasisPoints,
    ) {
        let Some(index) = sites.of.get(&place) else {
            return;
        };
        if let Some(used) = self.used.get_mut(*index) {
            *used = used.plus(&want.demand.part(share));
        }
        let own = want.demand.part(want.target);
        let waiting = self
            .waiting
            .get_mut(*index)
            .and_then(|site| site.get_mut(&class));
        if let Some(waiting) = waiting {
            *waiting = waiting
                .plus(&own.each(|load| -load))
                .each(|load| load.max(0.0));
        }
    }
}

/// Backends that name an endpoint in common, together; each of the others alone. None where nothing has a capacity.
fn join(specs: &[&ServiceSpec]) -> Vec<Vec<Place>> {
    let mut backends = specs.iter().flat_map(|spec| spec.backends.values());
    if !backends.any(|backend| backend.capacity.is_declared()) {
        return Vec::new();
    }
    // Each endpoint names the group it was last seen in; a backend with endpoints of several groups makes them one.
    let mut groups: Vec<Vec<Place>> = Vec::new();
    let mut of: BTreeMap<(&EndpointHost, u16), usize> = BTreeMap::new();
    for (service, spec) in specs.iter().enumerate() {
        for (backend, spec) in spec.backends.values().enumerate() {
            let endpoints = || spec.endpoints.iter().map(|e| (&e.url.host, e.url.port));
            let known: BTreeSet<usize> = endpoints().filter_map(|e| of.get(&e).copied()).collect();
            let mut places = vec![(service, backend)];
            for group in &known {
                let members = groups.get_mut(*group).map(std::mem::take);
                places.extend(members.unwrap_or_default());
            }
            let moved = of.values_mut().filter(|group| known.contains(group));
            moved.for_each(|group| *group = groups.len());
            of.extend(endpoints().map(|endpoint| (endpoint, groups.len())));
            groups.push(places);
        }
    }
    groups.retain(|places| !places.is_empty());
    groups
}
