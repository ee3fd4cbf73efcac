//! What of an account becomes endpoints, and what the cloud is asked about it beside that.

use std::fmt;
use std::time::Duration;

use bascule_model::Scheme;

use super::cloud::Cloud;

/// What becomes the endpoints of a backend, beside those that are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discover {
    /// The account, by its name under `accounts`.
    pub account: String,
    /// Where in it.
    pub from: SourceName,
    /// Which address of a machine is meant, where it has several.
    pub addresses: Addresses,
    /// How the endpoints are spoken to.
    pub scheme: Scheme,
    /// Their port; `None`: the source says it of each.
    pub port: Option<u16>,
    /// How often the source is asked.
    pub refresh: Duration,
    /// What the cloud is asked about it beside that.
    pub observe: Observe,
    /// How often.
    pub observe_every: Duration,
}

impl Discover {
    /// What is asked, as people name it: the source, and the addresses where they are not those that one expects.
    #[must_use]
    pub fn asked(&self) -> String {
        match self.addresses {
            Addresses::Private => self.from.to_string(),
            Addresses::Public => format!("{} by public address", self.from),
        }
    }
}

/// Which address of a machine is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// The private one: edge and machine are in one network, or in networks that are joined.
    Private,
    /// The public one: they are in different clouds.
    Public,
}

impl Addresses {
    /// As it is written.
    pub(crate) const WORDS: &'static [&'static str] = &["private", "public"];

    /// The word used in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

/// What a cloud is asked about a source, for people and plans to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observe {
    /// Nothing.
    Off,
    /// What whoever may find the endpoints may ask, and gets for nothing: health, sizes.
    Free,
    /// Metrics too, which AWS charges for and OCI needs another permission for.
    All,
}

impl Observe {
    /// As it is written.
    pub(crate) const WORDS: &'static [&'static str] = &["off", "free", "all"];

    /// The word used in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Free => "free",
            Self::All => "all",
        }
    }
}

/// A source as people write it: `instance-pool/ocid1.instancepool…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceName {
    /// What it is.
    pub kind: SourceKind,
    /// Which one: an id, a name; a backend set is a balancer's id, `/` and the name of the set.
    pub id: String,
}

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// An instance pool of OCI, by OCID.
    InstancePool,
    /// A backend set of a load balancer of OCI, by OCID and name.
    LoadBalancer,
    /// A backend set of a network load balancer of OCI, by OCID and name.
    NetworkLoadBalancer,
    /// An Auto Scaling group of AWS, by name.
    AutoScalingGroup,
    /// A target group of an AWS load balancer, by ARN.
    TargetGroup,
    /// A service of AWS Cloud Map, by namespace and name.
    CloudMap,
}

impl SourceKind {
    pub(super) const ALL: &'static [Self] = &[
        Self::InstancePool,
        Self::LoadBalancer,
        Self::NetworkLoadBalancer,
        Self::AutoScalingGroup,
        Self::TargetGroup,
        Self::CloudMap,
    ];

    /// The word in front of the id.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InstancePool => "instance-pool",
            Self::LoadBalancer => "load-balancer",
            Self::NetworkLoadBalancer => "network-load-balancer",
            Self::AutoScalingGroup => "auto-scaling-group",
            Self::TargetGroup => "target-group",
            Self::CloudMap => "cloud-map",
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn cloud(self) -> Cloud {
        match self {
            Self::InstancePool | Self::LoadBalancer | Self::NetworkLoadBalancer => Cloud::Oci,
            Self::AutoScalingGroup | Self::TargetGroup | Self::CloudMap => Cloud::Aws,
        }
    }

    /// Whether it says the port of each endpoint.
    #[must_use]
    pub const fn has_ports(self) -> bool {
        !matches!(self, Self::InstancePool | Self::AutoScalingGroup)
    }

    /// Whether it has machines, which may have several addresses.
    #[must_use]
    pub const fn has_machines(self) -> bool {
        matches!(
            self,
            Self::InstancePool | Self::AutoScalingGroup | Self::TargetGroup
        )
    }

    /// Whether its id is of two parts.
    const fn is_nested(self) -> bool {
        matches!(
            self,
            Self::LoadBalancer | Self::NetworkLoadBalancer | Self::CloudMap
        )
    }
}

impl SourceName {
    /// Reads `kind/id`; `None`: it is not of that form, or there is no such kind.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once('/')?;
        let kind = *SourceKind::ALL.iter().find(|one| one.as_str() == kind)?;
        let is_whole = match id.split_once('/') {
            Some((outer, inner)) if kind.is_nested() => !outer.is_empty() && !inner.is_empty(),
            _ => !kind.is_nested() && !id.is_empty(),
        };
        is_whole.then(|| Self {
            kind,
            id: id.to_owned(),
        })
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.id)
    }
}
