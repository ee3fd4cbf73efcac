//! The backends of a load balancer as endpoints: what somebody else registered there.

use std::sync::Arc;

use bascule_provider::port::{Instance, Lifecycle, Set};
use bascule_provider::{Call, Discover};

use crate::balancer::{Backend, BackendSet, Layer};
use crate::client::Client;

/// A backend set as a source.
#[derive(Debug)]
pub struct SetSource(BackendSet);

impl SetSource {
    /// The set of this name at this load balancer.
    #[must_use]
    pub fn new(client: Arc<Client>, layer: Layer, id: &str, set: &str) -> Self {
        Self(BackendSet::new(client, layer, id, set))
    }
}

impl Discover for SetSource {
    fn source(&self) -> &str {
        &self.0.name
    }

    fn discover(&self) -> Call<'_, Set> {
        Box::pin(async {
            let there = self.0.read().await?;
            // Whether one that is not to be found is gone, or may only not be seen, nobody can tell: it is not left out.
            if let Some(error) = there.unknown.into_iter().next() {
                return Err(error);
            }
            let backends = self.0.backends(&there.data)?;
            let instances = backends.iter().filter_map(instance).collect();
            Ok(Set { instances })
        })
    }
}

fn instance(backend: &Backend) -> Option<(Arc<str>, Instance)> {
    let lifecycle = match (backend.offline, backend.drain) {
        (true, _) => Lifecycle::Stopped,
        (false, true) => Lifecycle::Stopping,
        (false, false) => Lifecycle::Running,
    };
    let instance = Instance {
        address: backend.address?,
        port: Some(backend.port),
        zone: None,
        lifecycle,
    };
    Some((backend.name.as_str().into(), instance))
}
