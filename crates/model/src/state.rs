//! States that people set and states that are seen, and the revision that orders changes of the wanted state.

use std::fmt;

/// What a person wants of an endpoint, a backend or a provider.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum AdminState {
    /// Takes its part.
    #[default]
    Ready,
    /// Gets nothing new; what runs may end.
    Drain,
    /// As drain, and is not checked: it is being worked on.
    Maint,
    /// Gets nothing, is not checked, and its idle connections are closed.
    Offline,
}

impl AdminState {
    /// Whether new work may be sent there.
    #[must_use]
    pub const fn takes_new(self) -> bool {
        matches!(self, Self::Ready)
    }

    /// Whether it is checked.
    #[must_use]
    pub const fn is_checked(self) -> bool {
        matches!(self, Self::Ready | Self::Drain)
    }

    /// The word used in the CLI, the API and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Drain => "drain",
            Self::Maint => "maint",
            Self::Offline => "offline",
        }
    }
}

/// What checks and traffic say of an endpoint, a backend or a provider. Ordered from best to worst.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ObservedState {
    /// Works.
    Up,
    /// Works in part: some of its endpoints are not up.
    Degraded,
    /// Nothing has been seen of it yet. Treated as up until the first check round says otherwise.
    #[default]
    Unknown,
    /// Does not work.
    Down,
}

impl ObservedState {
    /// Whether new work may be sent there.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        !matches!(self, Self::Down)
    }

    /// The word used in the CLI, the API and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
            Self::Down => "down",
        }
    }
}

/// A number that only grows: one for each change of the wanted state. A receiver refuses an older one.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
