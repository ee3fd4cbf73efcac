//! Accounts in clouds, and what of theirs becomes endpoints. Which calls that takes is the providers' affair; here it is only
//! said which. Nothing of it is secret: keys and tokens stay in the files, the environment and the metadata that accounts use.

use std::fmt;
use std::time::Duration;

use bascule_model::Scheme;

/// An account in a cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Which cloud.
    pub cloud: Cloud,
    /// Its region; `None`: what the profile, the environment or the machine says.
    pub region: Option<String>,
    /// How it proves who it is; `None`: for OCI the key of the profile, for AWS the standard chain.
    pub auth: Option<Auth>,
    /// The file with profiles; `None`: where the cloud's own tools look.
    pub config_file: Option<String>,
    /// The profile in it; `None`: the cloud's own default.
    pub profile: Option<String>,
    /// Where its API is, in place of the public endpoints.
    pub endpoint_url: Option<String>,
}

/// A cloud that endpoints can be found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cloud {
    /// Amazon Web Services.
    Aws,
    /// Oracle Cloud Infrastructure.
    Oci,
}

impl Cloud {
    /// As it is written.
    pub(crate) const ALL: &'static [&'static str] = &["aws", "oci"];

    /// The word used in configuration, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Oci => "oci",
        }
    }

    /// The kinds of sources that it has.
    pub(crate) fn kinds(self) -> impl Iterator<Item = SourceKind> {
        let all = SourceKind::ALL.iter().copied();
        all.filter(move |kind| kind.cloud() == self)
    }
}

/// How an account proves who it is. AWS has its standard chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// By the key that the profile names.
    ApiKey,
    /// As the machine it runs on.
    InstancePrincipal,
    /// As the resource (a function, a container) it runs in.
    ResourcePrincipal,
}

impl Auth {
    /// As it is written.
    pub(crate) const WORDS: &'static [&'static str] =
        &["api_key", "instance_principal", "resource_principal"];

    /// The word used in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::InstancePrincipal => "instance_principal",
            Self::ResourcePrincipal => "resource_principal",
        }
    }
}

/// What becomes the endpoints of a backend, beside those that are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discover {
    /// The account, by its name under `accounts`.
    pub account: String,
    /// Where in it.
    pub from: SourceName,
    /// How the endpoints are spoken to.
    pub scheme: Scheme,
    /// Their port; `None`: the source says it of each.
    pub port: Option<u16>,
    /// How often the source is asked.
    pub refresh: Duration,
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
    const ALL: &'static [Self] = &[
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
