//! How names of endpoints are looked up.

use std::net::SocketAddr;
use std::time::Duration;

/// How names of endpoints are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// The name servers; none, the default: those of the system, with its search domains.
    pub servers: Vec<SocketAddr>,
    /// An answer with a shorter life is asked for again only after this. Default 5 s: clouds rotate addresses within a minute,
    /// and a name server should not be asked more often than a health check runs.
    pub ttl_min: Duration,
    /// An answer with a longer life is asked for again after this. Default 5 min: a set that changes should not stay
    /// unnoticed longer.
    pub ttl_max: Duration,
    /// How long one question may take; it is asked twice. Default 2 s.
    pub timeout: Duration,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            ttl_min: Duration::from_secs(5),
            ttl_max: Duration::from_secs(300),
            timeout: Duration::from_secs(2),
        }
    }
}
