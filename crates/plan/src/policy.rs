//! What a configuration says of shifts: pace, guardrails and rails of a service, defaults filled in. Plain data.

use std::collections::BTreeMap;
use std::time::Duration;

use bascule_model::{BackendName, BasisPoints, ProviderName, Shares};

/// What the control plane knows of a service from the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceFacts {
    /// The weights of the file, normalised.
    pub declared: Shares,
    /// Its backends.
    pub backends: BTreeMap<BackendName, BackendFacts>,
    /// Its pace and rails.
    pub policy: ServicePolicy,
}

/// What the control plane knows of a backend from the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendFacts {
    /// Who runs it.
    pub provider: ProviderName,
    /// `weight: 0` in the file.
    pub off: bool,
    /// `role: standby` in the file.
    pub standby: bool,
}

/// Pace and rails of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServicePolicy {
    /// The largest change of a backend's share in one step of a ramp (`controller.step.max`). Default 5 %.
    pub step: BasisPoints,
    /// How long a step is watched before the next (`controller.step.every`). Default 3 min.
    pub bake: Duration,
    /// What stops a ramp.
    pub guardrails: Guardrails,
    /// Shares that a shift must stay within; a backend that is not named may have 0 to 100 %. Off is always allowed.
    pub bounds: BTreeMap<BackendName, Bounds>,
    /// How many providers must keep a share or stand by (`safety.min_providers`); evacuations are exempt. Default 1.
    pub min_providers: usize,
    /// The largest change of a backend's share that a person may ask for at once (`safety.max_step`); evacuations and
    /// restores are exempt. Default: no limit.
    pub max_step: Option<BasisPoints>,
    /// How long an override lasts when nothing is said (`safety.override_ttl.default`). Default 24 h.
    pub override_ttl: Duration,
    /// The longest an override may last (`safety.override_ttl.max`). Default 72 h.
    pub override_ttl_max: Duration,
    /// How long running requests of a drained backend are waited for (`session.drain_deadline`). Default 30 min.
    pub drain_deadline: Duration,
    /// Whether requests find their backend by a key (`affinity`), so that the target row is kept as a bucket map as well.
    /// Default false.
    pub keyed: bool,
}

/// What stops a ramp: measured at the receivers, the backends whose share grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guardrails {
    /// How much the p95 may rise above what it was when the shift began; a ratio. Default 0.3.
    pub receiver_p95_rise: f64,
    /// Errors per request above which the ramp is stopped. Default 0.5 %.
    pub receiver_errors: BasisPoints,
    /// How long a limit must be broken before the ramp turns back. Default 30 s.
    pub hold: Duration,
}

/// The least and the most a backend's share may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least.
    pub min: BasisPoints,
    /// The most.
    pub max: BasisPoints,
}

impl Default for ServicePolicy {
    fn default() -> Self {
        const HOUR: u64 = 3600;
        Self {
            step: BasisPoints::saturating(500),
            bake: Duration::from_secs(180),
            guardrails: Guardrails::default(),
            bounds: BTreeMap::new(),
            min_providers: 1,
            max_step: None,
            override_ttl: Duration::from_secs(24 * HOUR),
            override_ttl_max: Duration::from_secs(72 * HOUR),
            drain_deadline: Duration::from_secs(1800),
            keyed: false,
        }
    }
}

impl Default for Guardrails {
    fn default() -> Self {
        Self {
            receiver_p95_rise: 0.3,
            receiver_errors: BasisPoints::saturating(50),
            hold: Duration::from_secs(30),
        }
    }
}
