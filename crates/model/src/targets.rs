//! What the control plane wants of an edge: for each service a row of target shares, which backends a person set to off,
//! and the admin states. Numbered by a revision; an edge refuses an older one. Plain data.

use std::collections::{BTreeMap, BTreeSet};

use crate::{AdminState, BackendName, BucketMap, ProviderName, Revision, ServiceName, Shares};

/// What the control plane wants of an edge. Services that are not named use their declared row.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Targets {
    /// The number of this state.
    pub revision: Revision,
    /// The row of each service.
    pub services: BTreeMap<ServiceName, TargetRow>,
    /// Admin states that are not `ready`.
    pub admin: BTreeMap<AdminTarget, AdminState>,
    /// Which backend owns which bucket, of each service whose requests have keys; always of the service's target row.
    #[serde(default)]
    pub buckets: BTreeMap<ServiceName, BucketMap>,
}

/// The target row of one service.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TargetRow {
    /// Where the ramp stands.
    pub shares: Shares,
    /// Backends that a person set to off: they get nothing, whatever else fails. Their share is 0 once a ramp to off has
    /// ended; while it lasts they still get their part of the row.
    pub off: BTreeSet<BackendName>,
}

/// What an admin state is set on.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(into = "String", try_from = "String")]
pub enum AdminTarget {
    /// All backends of a provider, in every service.
    Provider(ProviderName),
    /// One backend.
    Backend(ServiceName, BackendName),
    /// One endpoint, by label or address (see `EndpointId::is_named`).
    Endpoint(ServiceName, BackendName, String),
}

impl std::fmt::Display for AdminTarget {
    /// `provider/aws`, `backend/meet/aws`, `endpoint/meet/aws/10.0.1.10:8080`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Provider(p) => write!(f, "provider/{p}"),
            Self::Backend(s, b) => write!(f, "backend/{s}/{b}"),
            Self::Endpoint(s, b, e) => write!(f, "endpoint/{s}/{b}/{e}"),
        }
    }
}

/// A text that names no admin target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not provider/P, backend/S/B or endpoint/S/B/ADDRESS")]
pub struct AdminTargetError(String);

impl std::str::FromStr for AdminTarget {
    type Err = AdminTargetError;

    fn from_str(text: &str) -> Result<Self, AdminTargetError> {
        let error = || AdminTargetError(text.to_owned());
        let parts: Vec<&str> = text.splitn(4, '/').collect();
        let backend = |s: &str, b: &str| {
            Ok::<_, AdminTargetError>((
                s.parse().map_err(|_| error())?,
                b.parse().map_err(|_| error())?,
            ))
        };
        match parts.as_slice() {
            ["provider", p] => Ok(Self::Provider(p.parse().map_err(|_| error())?)),
            ["backend", s, b] => backend(s, b).map(|(s, b)| Self::Backend(s, b)),
            ["endpoint", s, b, e] if !e.is_empty() => {
                backend(s, b).map(|(s, b)| Self::Endpoint(s, b, (*e).to_owned()))
            }
            _ => Err(error()),
        }
    }
}

impl From<AdminTarget> for String {
    fn from(target: AdminTarget) -> Self {
        target.to_string()
    }
}

impl TryFrom<String> for AdminTarget {
    type Error = AdminTargetError;

    fn try_from(text: String) -> Result<Self, AdminTargetError> {
        text.parse()
    }
}
