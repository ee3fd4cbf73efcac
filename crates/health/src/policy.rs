//! How endpoints are checked: what a configuration says, defaults filled in.

use std::time::Duration;

use bascule_model::BasisPoints;

/// How the endpoints of a service are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckPolicy {
    /// What is done.
    pub kind: CheckKind,
    /// Between two checks in a settled state. Default 3 s.
    pub interval: Duration,
    /// Between two checks in transition: after a result that speaks against the state, until it is settled; and at once
    /// when traffic sees a failure. Default 500 ms, or the interval if that is shorter.
    pub interval_fast: Duration,
    /// A check that takes longer has failed. Default 1 s.
    pub timeout: Duration,
    /// Failures in a row that make an endpoint down; 1 to 100. Default 3.
    pub fall: u32,
    /// Passes in a row that make it up again; 1 to 100. Default 2.
    pub rise: u32,
    /// Each wait is shortened or lengthened by up to this part, so that checks do not march in step. Default 10 %.
    pub jitter: BasisPoints,
}

impl CheckPolicy {
    /// The fast interval that belongs to an interval: 500 ms, or the interval if that is shorter.
    #[must_use]
    pub fn fast(interval: Duration) -> Duration {
        interval.min(Duration::from_millis(500))
    }
}

impl Default for CheckPolicy {
    /// A TCP connect with the built-in defaults.
    fn default() -> Self {
        let interval = Duration::from_secs(3);
        Self {
            kind: CheckKind::Tcp,
            interval,
            interval_fast: Self::fast(interval),
            timeout: Duration::from_secs(1),
            fall: 3,
            rise: 2,
            jitter: BasisPoints::saturating(1_000),
        }
    }
}

/// What a check does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckKind {
    /// Connects (for `https` endpoints with the TLS handshake) and closes.
    Tcp,
    /// Asks for a path and looks at the status.
    Http {
        /// The path, with query.
        path: String,
        /// The `Host` sent; `None`: as `host: endpoint` would send it.
        host: Option<String>,
        /// The statuses that pass. Default: 200 only.
        expect: Vec<StatusRange>,
    },
}

/// Statuses from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl StatusRange {
    /// Whether the status is in the range.
    #[must_use]
    pub const fn contains(self, status: u16) -> bool {
        self.first <= status && status <= self.last
    }
}
