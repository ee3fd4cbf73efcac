//! What people ask of the control plane, and how it refuses. A refusal carries evidence, not prose: the rim (CLI, API)
//! turns it into a status, an exit code and a sentence.

use std::time::Duration;

use bascule_model::share::Percent;

use bascule_model::{
    AdminState, AdminTarget, BackendName, BasisPoints, ProviderName, Revision, ServiceName, Shares,
};

/// One command with who asked and on what ground.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Chosen by the asker; the reply carries it.
    pub id: u64,
    /// Who asked, for audit: `uid:1000`, `token:ops`.
    pub actor: String,
    /// The revision the asker saw; `None` for `If-Match: *`. Another current revision refuses the command.
    pub if_match: Option<Revision>,
    /// Check and answer, change nothing.
    pub dry_run: bool,
    /// Why, in the asker's words; kept in history. May be empty.
    pub reason: String,
    /// What is asked.
    pub command: Command,
}

/// What people can ask.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Move a service to these shares by an override; backends not named keep their proportion. Share 0 is off.
    Shift {
        /// The service.
        service: ServiceName,
        /// The shares asked for.
        set: Vec<(BackendName, BasisPoints)>,
        /// How fast.
        pace: Pace,
        /// When the override ends; `None`: the service's default.
        expires_in: Option<Duration>,
    },
    /// End a service's override: ramp back to what is declared.
    ClearOverride {
        /// The service.
        service: ServiceName,
        /// How fast.
        pace: Pace,
    },
    /// Hold a running shift where it stands.
    Pause {
        /// Its id.
        shift: String,
    },
    /// Let a paused shift go on; of one that is held, take the step for good without further judgement.
    Resume {
        /// Its id.
        shift: String,
    },
    /// End a shift by ramping back to where it came from, at the same pace unless the other side is down.
    Abort {
        /// Its id.
        shift: String,
    },
    /// Take a provider out of every service: ramp to off, drain, prove.
    Evacuate {
        /// The provider.
        provider: ProviderName,
        /// In one step instead of three.
        fast: bool,
        /// When the evacuation ends in a gated restore; `None`: the default.
        expires_in: Option<Duration>,
    },
    /// Bring a provider back, slower than it left, gated by health.
    Restore {
        /// The provider.
        provider: ProviderName,
    },
    /// Go back to the overrides and admin states of a revision; `None`: to those before the last change.
    Undo {
        /// The revision to go back to.
        to: Option<Revision>,
    },
    /// Set an admin state.
    SetAdmin {
        /// On what.
        target: AdminTarget,
        /// To what.
        state: AdminState,
    },
}

/// How fast a ramp goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// The service's step and bake time.
    #[default]
    Policy,
    /// One step.
    Now,
    /// This step and bake time.
    Steps {
        /// The largest change of a backend's share in one step; above zero.
        step: BasisPoints,
        /// How long a step is watched.
        bake: Duration,
    },
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The state moved since the asker looked.
    #[error("the state is at revision {current}, not {seen}")]
    Stale {
        /// The revision the asker gave.
        seen: Revision,
        /// The current one.
        current: Revision,
    },
    /// The service does not exist.
    #[error("there is no service `{service}`")]
    UnknownService {
        /// As asked.
        service: ServiceName,
        /// Those there are.
        known: Vec<ServiceName>,
    },
    /// The service does not have the backend.
    #[error("service `{service}` has no backend `{backend}`")]
    UnknownBackend {
        /// The service.
        service: ServiceName,
        /// As asked.
        backend: BackendName,
        /// Those it has.
        known: Vec<BackendName>,
    },
    /// No service has a backend of the provider.
    #[error("no backend belongs to provider `{provider}`")]
    UnknownProvider {
        /// As asked.
        provider: ProviderName,
        /// Those there are.
        known: Vec<ProviderName>,
    },
    /// The admin target names an endpoint that does not exist.
    #[error("there is no {target}")]
    UnknownTarget {
        /// As asked.
        target: AdminTarget,
    },
    /// There is no such shift, or revision to go back to.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// `shift`, `revision`, `evacuation`, `override`.
        what: &'static str,
        /// As asked.
        id: String,
    },
    /// The shares cannot sum to 100 %.
    #[error("the shares given add up to {sum}")]
    Sum {
        /// What those given add up to.
        sum: Percent,
        /// Whether it is too much, or too little with nothing left to scale.
        above: bool,
    },
    /// No backend of a service could have a share: all would be off, evacuated or taken out by an admin state.
    #[error("service `{service}` would have no backend left")]
    AllOff {
        /// The service.
        service: ServiceName,
    },
    /// A shift of the service is running.
    #[error("shift `{shift}` of the service is running")]
    Busy {
        /// Its id.
        shift: String,
    },
    /// The shift is in a phase in which this cannot be asked.
    #[error("shift `{shift}` is {phase}")]
    WrongPhase {
        /// Its id.
        shift: String,
        /// The phase it is in.
        phase: &'static str,
    },
    /// A duration is zero or above what the configuration allows.
    #[error("an override lasts at most {max:?}, not {asked:?}")]
    TooLong {
        /// As asked.
        asked: Duration,
        /// The most.
        max: Duration,
    },
    /// One or more rails would break.
    #[error("refused by {} safety rules", .broken.len())]
    Rails {
        /// All that would break.
        broken: Vec<BrokenRail>,
        /// The nearest shares that pass all rails, where the change is of one service and there are any.
        nearest: Option<Shares>,
    },
    /// What was accepted could not be stored; nothing changed.
    #[error("the change could not be stored: {0}")]
    Store(String),
    /// The controller is stopping or gone.
    #[error("the controller does not answer")]
    Unavailable,
}

/// A rail that a request breaks.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BrokenRail {
    /// Its name: `max_step`, `min_providers`, `bounds` as in the configuration, or `receiver_up`, `off`, `evacuated`.
    pub rule: String,
    /// The service.
    pub service: ServiceName,
    /// The backend it speaks of, where it is one.
    pub backend: Option<BackendName>,
    /// What was asked for, and the limit, in words with numbers: `65 points in one change, limit 20`.
    pub detail: String,
    /// The nearest shares that pass this rail, where there are any.
    pub nearest: Option<Shares>,
}

impl Command {
    /// The word used in history and audit.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Shift { .. } => "shift",
            Self::ClearOverride { .. } => "clear",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Abort { .. } => "abort",
            Self::Evacuate { .. } => "evacuate",
            Self::Restore { .. } => "restore",
            Self::Undo { .. } => "undo",
            Self::SetAdmin { .. } => "admin",
        }
    }

    /// What it is about, as history and audit name it: `meet`, `provider/aws`, `s-0001`, `42`.
    #[must_use]
    pub fn object(&self) -> String {
        match self {
            Self::Shift { service, .. } | Self::ClearOverride { service, .. } => {
                service.to_string()
            }
            Self::Pause { shift } | Self::Resume { shift } | Self::Abort { shift } => shift.clone(),
            Self::Evacuate { provider, .. } | Self::Restore { provider } => {
                format!("provider/{provider}")
            }
            Self::Undo { to: Some(revision) } => revision.to_string(),
            Self::Undo { to: None } => String::new(),
            Self::SetAdmin { target, .. } => target.to_string(),
        }
    }
}
