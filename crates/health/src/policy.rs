//! How endpoints are checked: what a configuration says, defaults filled in.

use std::time::Duration;

use bascule_model::{BasisPoints, ObservedState};

use crate::agent::AgentPolicy;

/// How the endpoints of a service are checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckPolicy {
    /// What is done.
    pub kind: CheckKind,
    /// Whether it is done over TLS. Default: as the endpoint's scheme says.
    pub tls: CheckTls,
    /// The port checked. `None`: the endpoint's own, which is what traffic uses and so what says most.
    pub port: Option<u16>,
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
    /// What an endpoint counts as before its first check. Default `unknown`.
    pub initial: Initial,
    /// The agent beside each endpoint that is asked too, if there is one.
    pub agent: Option<AgentPolicy>,
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
            kind: CheckKind::TCP,
            tls: CheckTls::AsEndpoint,
            port: None,
            interval,
            interval_fast: Self::fast(interval),
            timeout: Duration::from_secs(1),
            fall: 3,
            rise: 2,
            jitter: BasisPoints::saturating(1_000),
            initial: Initial::Unknown,
            agent: None,
        }
    }
}

/// What a check does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckKind {
    /// Connects, with the TLS handshake where there is TLS; says something and reads the answer where that is given; and
    /// closes.
    Tcp {
        /// What is sent first.
        send: Option<String>,
        /// What must be in what comes back. `None`: nothing is read.
        expect: Option<String>,
    },
    /// Asks for a path and looks at the status.
    Http {
        /// The path, with query.
        path: String,
        /// The `Host` sent; `None`: as `host: endpoint` would send it.
        host: Option<String>,
        /// The statuses that pass. Default: 200 only.
        expect: Vec<StatusRange>,
        /// What must be in the body. `None`: anything may.
        text: Option<String>,
    },
    /// Calls `grpc.health.v1.Health/Check`.
    Grpc {
        /// The service asked about; empty: the server as a whole.
        service: String,
        /// The `:authority` sent; `None`: as `host: endpoint` would send it.
        host: Option<String>,
    },
}

impl CheckKind {
    /// A connect and nothing more.
    pub const TCP: Self = Self::Tcp {
        send: None,
        expect: None,
    };
}

/// Whether a check is done over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum CheckTls {
    /// Where the endpoint's scheme is `https`.
    #[default]
    AsEndpoint,
    /// Always.
    On,
    /// Never.
    Off,
}

/// What an endpoint counts as before its first check. Said once, when it is first seen; a reload changes nothing about
/// what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Initial {
    /// Up: gets its part, and goes down after `fall` failures.
    Up,
    /// Not known: gets its part as if up, and shows as not known until a check says more.
    #[default]
    Unknown,
    /// Down: gets nothing until the first check passes; one pass is enough, as nothing speaks against it yet.
    Down,
}

impl Initial {
    /// The state it stands for.
    #[must_use]
    pub const fn state(self) -> ObservedState {
        match self {
            Self::Up => ObservedState::Up,
            Self::Unknown => ObservedState::Unknown,
            Self::Down => ObservedState::Down,
        }
    }

    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.state().as_str()
    }
}

/// Statuses from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
