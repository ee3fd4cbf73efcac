//! The health of a set's backends as its load balancer's own checks see it. The API names those that are not well; the
//! others are. It gives no time, so a verdict is of the moment it was read.

use std::collections::BTreeMap;
use std::sync::Arc;

use bascule_provider::port::{CloudHealth, Observation, Seen};
use bascule_provider::{Call, Error, Observe};
use bascule_telemetry::clock;
use serde::Deserialize;

use crate::balancer::{BackendSet, Layer};
use crate::client::Client;

/// A backend set that is observed.
#[derive(Debug)]
pub struct SetHealth(BackendSet);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    warning_state_backend_names: Vec<String>,
    critical_state_backend_names: Vec<String>,
    unknown_state_backend_names: Vec<String>,
}

impl SetHealth {
    /// The set of this name at this load balancer.
    #[must_use]
    pub fn new(client: Arc<Client>, layer: Layer, id: &str, set: &str) -> Self {
        Self(BackendSet::new(client, layer, id, set))
    }

    async fn read(&self) -> Result<Vec<Observation>, Error> {
        let set = &self.0;
        let backends = set.backends(&set.fetch().await?.data)?;
        let ask = set.ask(set.dialect.health, "/health");
        let health: Health = set.client.read(&ask).await?.data;
        let mut verdicts = BTreeMap::new();
        for (names, verdict) in [
            (health.warning_state_backend_names, CloudHealth::Warning),
            (health.critical_state_backend_names, CloudHealth::Unhealthy),
            (health.unknown_state_backend_names, CloudHealth::Unknown),
        ] {
            verdicts.extend(names.into_iter().map(|name| (name, verdict)));
        }
        let at = clock::wall();
        let observations = backends.into_iter().map(|backend| {
            let verdict = verdicts.get(&backend.name).copied();
            let verdict = match verdict.unwrap_or(CloudHealth::Healthy) {
                CloudHealth::Healthy if backend.drain || backend.offline => CloudHealth::Draining,
                verdict => verdict,
            };
            Observation {
                of: backend.name.into(),
                what: Seen::Health(verdict),
                at,
            }
        });
        Ok(observations.collect())
    }
}

impl Observe for SetHealth {
    fn source(&self) -> &str {
        &self.0.name
    }

    fn observe(&self) -> Call<'_, Vec<Observation>> {
        Box::pin(self.read())
    }
}
