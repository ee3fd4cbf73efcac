//! Services with their backends and routes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bascule_health::{CheckPolicy, OutlierPolicy};
use bascule_model::{BackendName, EgressPrice, ListenerName, ProviderName, ServiceName, Shares};
use bascule_plan::policy::BackendFacts;
use bascule_plan::{ServiceFacts, ServicePolicy};
use bascule_traffic::spec::{
    BackendSpec, Capacity, EndpointSpec, HostPattern, HostPolicy, MatchSpec, PathPattern, Role,
    ServiceSpec,
};

use super::{Builder, check, cloud, policy, price};
use crate::config::{Apply, Discover, Listener};
use crate::form::Value;
use crate::lower::{Field, Item};
use crate::read::Layers;

/// One service, in the types of all who need it.
pub(super) struct Service {
    pub(super) spec: ServiceSpec,
    pub(super) check: CheckPolicy,
    pub(super) outlier: OutlierPolicy,
    pub(super) facts: ServiceFacts,
    pub(super) prices: BTreeMap<BackendName, EgressPrice>,
    pub(super) discover: BTreeMap<BackendName, Discover>,
    pub(super) apply: Vec<Apply>,
}

impl Builder<'_> {
    /// `None` only when a problem was reported, here or before.
    pub(super) fn service(
        &mut self,
        field: &Field,
        defaults: Option<&Item>,
        listeners: &[Listener],
        zone: Option<&Arc<str>>,
    ) -> Option<Service> {
        let layers = Layers::new(Some(&field.item), defaults);
        let own = Layers::only(Some(&field.item));
        let fields = own.get("backends").map(Item::fields).unwrap_or_default();
        let (mut backends, mut discover, mut prices) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for field in fields {
            let Some(backend) = self.backend(field) else {
                continue;
            };
            let name = BackendName::parse(&field.name).ok()?;
            let found = Layers::only(Some(&field.item)).inside("discover");
            discover.extend(cloud::discover(found).map(|found| (name.clone(), found)));
            let price = price::egress(field.item.get("egress_price"));
            prices.extend(price.map(|price| (name.clone(), price)));
            backends.insert(name, backend);
        }
        if backends.len() < fields.len() {
            return None;
        }
        let weight = |(name, spec): (&BackendName, &BackendSpec)| match spec.role {
            Role::Weighted(weight) => (name.clone(), u64::from(weight)),
            Role::Standby => (name.clone(), 0),
        };
        let declared = Shares::from_weights(backends.iter().map(weight)).ok()?;
        let affinity = self.affinity(own.get("affinity"));
        let facts = ServiceFacts {
            declared: declared.clone(),
            backends: backends
                .iter()
                .map(|(name, spec)| (name.clone(), facts(spec)))
                .collect(),
            policy: ServicePolicy {
                keyed: affinity.as_ref().is_some_and(|a| a.by.key().is_some()),
                ..policy::rails(own)
            },
        };
        let check = check::policy(layers.inside("check"));
        let spec = ServiceSpec {
            name: ServiceName::parse(&field.name).ok()?,
            listeners: reached_through(own.get("listen"), listeners),
            matches: matches(own.get("match")),
            backends,
            declared,
            class: policy::class(own),
            balance: policy::balance(own.inside("balance")),
            zone: zone.cloned(),
            timeouts: policy::timeouts(layers.inside("timeouts")),
            retry: policy::retry(layers.inside("retry")),
            limits: policy::service_limits(own.inside("limits")),
            ramp: layers
                .inside("ramp")
                .duration("duration")
                .unwrap_or(policy::RAMP),
            fail_open: policy::fail_open(own),
            retry_after: policy::retry_after(&check),
            affinity,
            initial: check.initial.state(),
        };
        let outlier = policy::outlier(layers.inside("outlier"));
        Some(Service {
            spec,
            check,
            outlier,
            facts,
            prices,
            discover,
            apply: cloud::apply(own.get("apply")),
        })
    }

    fn backend(&mut self, field: &Field) -> Option<BackendSpec> {
        let map = Layers::only(Some(&field.item));
        let ca_file = map.get("ca_file").and_then(|item| self.roots_of(item));
        let role = match (map.word("role"), map.integer("weight")) {
            (Some(_), _) => Role::Standby,
            (None, Some(weight)) => Role::Weighted(weight),
            (None, None) => return None,
        };
        let provider = match map.text("provider") {
            Some(name) => ProviderName::parse(name).ok()?,
            None => ProviderName::from(&BackendName::parse(&field.name).ok()?),
        };
        let endpoints = map.get("endpoints").map(endpoints).unwrap_or_default();
        let host = match map.word("host") {
            Some("endpoint") => HostPolicy::Endpoint,
            _ => HostPolicy::Preserve,
        };
        let region = map.text("region").map(str::to_owned);
        Some(BackendSpec {
            provider,
            region,
            role,
            host,
            capacity: capacity(map.inside("capacity")),
            endpoints,
            ca_file,
        })
    }
}

fn capacity(map: Layers<'_>) -> Capacity {
    Capacity {
        requests: map.rate("requests").map(u64::from),
        sessions: map.integer("sessions"),
        egress: map.bit_rate("egress"),
    }
}

fn facts(spec: &BackendSpec) -> BackendFacts {
    BackendFacts {
        provider: spec.provider.clone(),
        off: spec.role == Role::Weighted(0),
        standby: spec.role == Role::Standby,
    }
}

fn endpoints(list: &Item) -> Vec<EndpointSpec> {
    let url = |item: &Item| match item.value() {
        Some(Value::Url(url)) => Some(url.clone()),
        _ => None,
    };
    let endpoint = |item: &Item| {
        let map = Layers::only(Some(item));
        Some(EndpointSpec {
            url: url(map.get("url").unwrap_or(item))?,
            zone: map.text("zone").map(Arc::from),
            weight: map.integer("weight"),
        })
    };
    list.items().iter().filter_map(endpoint).collect()
}

/// The listeners named, or the only one there is.
fn reached_through(item: Option<&Item>, listeners: &[Listener]) -> Vec<ListenerName> {
    let name = |item: &Item| match item.value() {
        Some(Value::Text(name)) => ListenerName::parse(name).ok(),
        _ => None,
    };
    match item {
        Some(item) => item.items().iter().filter_map(name).collect(),
        None => listeners.iter().map(|l| l.name.clone()).collect(),
    }
}

/// Every host of every entry with the path of the entry.
fn matches(item: Option<&Item>) -> Vec<MatchSpec> {
    let entries = item.map(Item::items).unwrap_or_default();
    entries.iter().flat_map(expand).collect()
}

/// What one entry of `match` takes.
pub(crate) fn expand(entry: &Item) -> Vec<MatchSpec> {
    let map = Layers::only(Some(entry));
    let path = match (
        map.inside("path").text("exact"),
        map.inside("path").text("prefix"),
    ) {
        (Some(exact), _) => PathPattern::Exact(exact.to_owned()),
        (None, Some(prefix)) => PathPattern::Prefix(prefix.to_owned()),
        (None, None) => PathPattern::Prefix("/".to_owned()),
    };
    let host = |item: &Item| match item.value() {
        Some(Value::Host(host)) => Some(host.clone()),
        _ => None,
    };
    let hosts: Vec<HostPattern> = match map.get("hosts") {
        Some(hosts) => hosts.items().iter().filter_map(host).collect(),
        None => vec![HostPattern::Any],
    };
    hosts
        .into_iter()
        .map(|host| MatchSpec {
            host,
            path: path.clone(),
        })
        .collect()
}
