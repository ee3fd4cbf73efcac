//! What an edge tells the controller: totals since its start, so that a lost report loses nothing.

use crate::{BackendName, Histogram, Instant, ServiceName};

/// Totals of one backend at one edge at one instant. Only grows (but for `in_flight`); the receiver takes differences.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendSignal {
    /// When the totals were read.
    pub at: Instant,
    /// The service.
    pub service: ServiceName,
    /// The backend.
    pub backend: BackendName,
    /// Requests finished with this backend's answer or failure.
    pub requests: u64,
    /// Of these, those that the client or the proxy saw fail for the backend's fault: 5xx, cut, refused, timed out.
    pub errors: u64,
    /// Picks by share: what the share decides about, retries and affinity excluded.
    pub picks: u64,
    /// Requests running now.
    pub in_flight: u64,
    /// Time from request to response head of finished requests, in seconds.
    pub latency: Histogram,
}
