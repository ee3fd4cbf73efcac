//! The side of the edge that the judge sees: what all workers have counted of endpoints, and trials of those that are out.

use std::sync::Arc;

use bascule_model::{EndpointId, EndpointTotals, Instant};

use super::Edge;

impl Edge {
    /// What the judge is told: totals of every endpoint that a worker knows, over all workers.
    #[must_use]
    pub fn endpoint_totals(&self) -> Vec<(Arc<EndpointId>, EndpointTotals)> {
        self.0.shared.endpoint_totals()
    }

    /// Lets the next request that fits go to this endpoint, though it is not usable: to see whether it works again. One at a
    /// time; how it ended is in the totals. Never to what a person took out.
    pub fn grant_trial(&self, endpoint: &EndpointId, now: Instant) {
        self.0.shared.grant_trial(endpoint, now);
    }
}
