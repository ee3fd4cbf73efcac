//! What a world is made of: a configuration, read by the product's own reader, so that its defaults are those of the
//! product; and how many edges, workers and clients there are. Endpoints are numbered over the whole world: their places.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bascule_config::{Config, MemorySource};
use bascule_health::{CheckPolicy, OutlierPolicy};
use bascule_model::{BackendName, EndpointId, Instant, ProviderName, Rng, ServiceName};
use bascule_traffic::spec::{Role, ServiceSpec};
use bascule_traffic::{Assembler, Input};

/// A configuration that a world cannot be made of.
#[derive(Debug, thiserror::Error)]
#[error("no world can be made of this configuration: {0}\n{1}")]
pub struct Unusable(String, String);

/// One endpoint.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its identity.
    pub id: Arc<EndpointId>,
    /// Who runs it.
    pub provider: ProviderName,
    /// What a good answer takes, at the least.
    pub latency: Duration,
}

/// How much of everything there is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Edges.
    pub edges: usize,
    /// Workers of each.
    pub workers: usize,
    /// Requests a second at each edge; 0: no traffic.
    pub rate: u32,
    /// Of a hundred requests, how many are POSTs.
    pub posts: u64,
}

/// The world before anything happens.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The configuration's text.
    pub text: String,
    /// Its one service.
    pub spec: Arc<ServiceSpec>,
    /// How that is checked.
    pub check: Arc<CheckPolicy>,
    /// How traffic judges its endpoints.
    pub outlier: Arc<OutlierPolicy>,
    /// Its endpoints.
    pub places: Vec<Place>,
    /// How much there is.
    pub size: Size,
    by_id: BTreeMap<Arc<EndpointId>, usize>,
}

impl Layout {
    /// A world of this configuration, which has one service.
    ///
    /// # Errors
    /// It is not valid, or has not one service.
    pub fn read(text: &str, size: Size) -> Result<Self, Unusable> {
        let unusable = |why: String| Unusable(why, text.to_owned());
        let loaded = bascule_config::load("sim.yaml", text, &MemorySource::default());
        let config = loaded
            .map_err(|diagnostics| unusable(format!("{diagnostics:?}")))?
            .config;
        let [spec] = config.services.as_slice() else {
            return Err(unusable("it has not one service".to_owned()));
        };
        let check = check_of(&config, &spec.name);
        let check = check.ok_or_else(|| unusable("nothing is checked".to_owned()))?;
        let outlier = config.outliers.get(&spec.name).map(Arc::clone);
        let outlier = outlier.ok_or_else(|| unusable("nothing is watched".to_owned()))?;
        let places = places(spec);
        let numbered = places.iter().enumerate();
        let by_id = numbered.map(|(n, place)| (Arc::clone(&place.id), n));
        Ok(Self {
            text: text.to_owned(),
            spec: Arc::clone(spec),
            check,
            outlier,
            by_id: by_id.collect(),
            places,
            size,
        })
    }

    /// One by chance: two to four providers, up to five backends with one to three endpoints each, now and then a standby
    /// or one that is off.
    ///
    /// # Errors
    /// None that a seed can bring about.
    pub fn random(rng: &mut Rng) -> Result<Self, Unusable> {
        let size = Size {
            edges: 1 + below(rng, 3) / 2,
            workers: 1 + below(rng, 3),
            rate: 30,
            posts: 20,
        };
        Self::read(&random_text(rng), size)
    }

    /// The place of an endpoint.
    #[must_use]
    pub fn place(&self, id: &EndpointId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The places of one provider.
    #[must_use]
    pub fn of_provider(&self, provider: &str) -> Vec<usize> {
        self.where_is(|place| place.provider.as_str() == provider)
    }

    /// The places of one backend.
    #[must_use]
    pub fn of_backend(&self, backend: &BackendName) -> Vec<usize> {
        self.where_is(|place| &place.id.backend == backend)
    }

    fn where_is(&self, wanted: impl Fn(&Place) -> bool) -> Vec<usize> {
        let numbered = self.places.iter().enumerate();
        numbered
            .filter(|(_, place)| wanted(place))
            .map(|(n, _)| n)
            .collect()
    }

    /// The backends that take part in the row: neither off nor standby.
    #[must_use]
    pub fn weighted(&self) -> Vec<BackendName> {
        let has_part = |role: &Role| matches!(role, Role::Weighted(weight) if *weight > 0);
        let backends = self.spec.backends.iter();
        let taking = backends.filter(|(_, backend)| has_part(&backend.role));
        taking.map(|(name, _)| name.clone()).collect()
    }
}

fn check_of(config: &Config, service: &ServiceName) -> Option<Arc<CheckPolicy>> {
    config.checks.get(service).map(Arc::clone)
}

fn places(spec: &Arc<ServiceSpec>) -> Vec<Place> {
    let mut assembler = Assembler::new();
    let services = Input::Services(vec![Arc::clone(spec)]);
    if assembler.handle(Instant::ZERO, services).is_err() {
        return Vec::new(); // Only targets can be refused.
    }
    let targets = assembler.check_targets().into_iter();
    (0..)
        .zip(targets)
        .map(|(n, target)| Place {
            id: Arc::new(target.id),
            provider: target.provider,
            latency: Duration::from_millis(2 + 3 * (n % 5)),
        })
        .collect()
}

pub(crate) fn below(rng: &mut Rng, bound: u64) -> usize {
    usize::try_from(rng.below(bound)).unwrap_or(0)
}

/// One of these.
pub(crate) fn choose<'a, T>(rng: &mut Rng, of: &'a [T]) -> Option<&'a T> {
    let bound = u64::try_from(of.len()).unwrap_or(u64::MAX);
    of.get(below(rng, bound))
}

fn random_text(rng: &mut Rng) -> String {
    let providers = 2 + rng.below(3);
    let backends = providers + rng.below(2);
    let check = choose(
        rng,
        &[
            "{ path: /healthz, interval: 500ms, timeout: 300ms, fall: 2, rise: 2 }",
            "{ interval: 500ms, timeout: 300ms, fall: 2, rise: 2, jitter: 0% }",
            "{ path: /healthz, interval: 1s, timeout: 500ms }",
        ],
    );
    let fail_open = choose(rng, &["never", "never", "when_no_backend_up"]);
    let algorithm = choose(rng, &["least_request", "round_robin", "random"]);
    let attempts = 2 + rng.below(2);
    let mut text = format!(
        "listen: {{ web: {{ address: \":8080\" }} }}\nservices:\n  meet:\n    balance: {{ algorithm: {} }}\n    \
         check: {}\n    ramp: {{ duration: 2s }}\n    safety: {{ fail_open: {} }}\n    retry: {{ attempts: {attempts} }}\n    \
         timeouts: {{ connect: 300ms, response_headers: 1s }}\n    backends:\n",
        algorithm.unwrap_or(&"least_request"),
        check.unwrap_or(&"{}"),
        fail_open.unwrap_or(&"never"),
    );
    for n in 0..backends {
        let provider = if n < providers {
            n
        } else {
            rng.below(providers)
        };
        let endpoints: Vec<String> = (1..=1 + rng.below(3))
            .map(|endpoint| format!("\"http://10.{n}.0.{endpoint}:80\""))
            .collect();
        // The first two always take part, so that there is something to divide.
        let role = match (n, rng.below(10)) {
            (2.., 0) => "weight: 0".to_owned(),
            (2.., 1) => "role: standby".to_owned(),
            _ => format!("weight: {}", 1 + rng.below(100)),
        };
        let line = format!(
            "      b{n}: {{ {role}, provider: p{provider}, endpoints: [{}] }}\n",
            endpoints.join(", ")
        );
        text += &line;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_gives_a_configuration_that_is_valid() {
        for seed in 0..500 {
            let layout = Layout::random(&mut Rng::new(seed)).unwrap();
            assert!(layout.weighted().len() >= 2, "{}", layout.text);
            for (n, place) in layout.places.iter().enumerate() {
                assert_eq!(layout.place(&place.id), Some(n));
            }
        }
    }
}
