//! Accounts in clouds, and what of theirs becomes endpoints. Which calls that takes is the providers' affair; here it is only
//! said which. Nothing of it is secret: keys and tokens stay in the files, the environment and the metadata that accounts use.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bascule_model::dns::canonical;
use bascule_model::{BackendName, Scheme};

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
    /// What the cloud is asked about it beside that.
    pub observe: Observe,
    /// How often.
    pub observe_every: Duration,
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

/// Where else a service's split becomes true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apply {
    /// The account, by its name under `accounts`.
    pub account: String,
    /// What in it.
    pub to: ActuatorName,
    /// What each backend is there: values of a record, the id of a target group or endpoint, names of answers, addresses. Empty
    /// for a record that is there already and only gets its weight.
    pub members: BTreeMap<BackendName, Vec<String>>,
    /// The TTL of records that are made; those that are there keep theirs.
    pub ttl: Duration,
    /// What becomes of what another tool changed.
    pub on_drift: OnDrift,
    /// How often it is looked at while nothing moves.
    pub verify: Duration,
    /// How DNS is asked what it answers, where it is.
    pub dns: Option<AskDns>,
}

/// How DNS is asked what it answers for an actuator's members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskDns {
    /// The name servers of the zone; not a cache, which has one answer for a whole TTL.
    pub servers: Vec<SocketAddr>,
    /// The name that is asked for, in lower case.
    pub name: String,
    /// How many questions a look is.
    pub questions: u32,
}

/// What becomes of what another tool changed at an actuator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDrift {
    /// It is set back.
    Revert,
    /// It stays until shares change.
    Adopt,
}

impl OnDrift {
    /// As it is written.
    pub(crate) const WORDS: &'static [&'static str] = &["revert", "adopt"];

    /// The word used in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revert => "revert",
            Self::Adopt => "adopt",
        }
    }
}

/// An actuator as people write it: `route53/Z123/meet.example.org/A`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActuatorName {
    /// What it is.
    pub kind: ActuatorKind,
    /// Which one: its parts, as many as [`ActuatorKind::parts`] says.
    pub parts: Vec<String>,
}

/// What an actuator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActuatorKind {
    /// Weighted records of Route 53: zone, name, type.
    Route53,
    /// Weighted target groups of an AWS load balancer: the ARN of a listener or a rule.
    TargetGroups,
    /// Endpoints of an endpoint group of Global Accelerator: its ARN.
    GlobalAccelerator,
    /// A DNS steering policy of OCI: its OCID.
    SteeringPolicy,
    /// A backend set of a load balancer of OCI: OCID and name.
    LoadBalancer,
    /// A backend set of a network load balancer of OCI: OCID and name.
    NetworkLoadBalancer,
}

impl ActuatorKind {
    const ALL: &'static [Self] = &[
        Self::Route53,
        Self::TargetGroups,
        Self::GlobalAccelerator,
        Self::SteeringPolicy,
        Self::LoadBalancer,
        Self::NetworkLoadBalancer,
    ];

    /// The word in front of its parts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Route53 => "route53",
            Self::TargetGroups => "target-groups",
            Self::GlobalAccelerator => "global-accelerator",
            Self::SteeringPolicy => "steering-policy",
            Self::LoadBalancer => "load-balancer",
            Self::NetworkLoadBalancer => "network-load-balancer",
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn cloud(self) -> Cloud {
        match self {
            Self::Route53 | Self::TargetGroups | Self::GlobalAccelerator => Cloud::Aws,
            Self::SteeringPolicy | Self::LoadBalancer | Self::NetworkLoadBalancer => Cloud::Oci,
        }
    }

    /// Whether it is DNS, which can be asked what it answers.
    #[must_use]
    pub const fn is_dns(self) -> bool {
        matches!(self, Self::Route53 | Self::SteeringPolicy)
    }

    /// Its parts, as they are shown.
    #[must_use]
    pub const fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Route53 => &["ZONE", "NAME", "TYPE"],
            Self::TargetGroups | Self::GlobalAccelerator => &["ARN"],
            Self::SteeringPolicy => &["OCID"],
            Self::LoadBalancer | Self::NetworkLoadBalancer => &["OCID", "SET"],
        }
    }

    /// The kinds that a cloud has, as they are shown.
    pub(crate) fn shown(cloud: Option<Cloud>) -> Vec<String> {
        let fits = |kind: &&Self| cloud.is_none_or(|cloud| kind.cloud() == cloud);
        let kinds = Self::ALL.iter().filter(fits);
        kinds
            .map(|kind| format!("`{}/{}`", kind.as_str(), kind.parts().join("/")))
            .collect()
    }
}

impl ActuatorName {
    /// The name that DNS is asked for, in lower case. A wildcard has none, nor has a policy, which is attached to domains.
    pub(crate) fn asked(&self) -> Option<String> {
        let name = self.parts.get(1)?;
        let is_one = self.kind == ActuatorKind::Route53 && !name.starts_with(['*', '\\']);
        is_one.then(|| canonical(name))
    }

    /// Reads `kind/part/part`; `None`: it is not of that form, or there is no such kind.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('/')?;
        let kind = *ActuatorKind::ALL.iter().find(|one| one.as_str() == kind)?;
        // The last part may have slashes of its own: an ARN.
        let parts: Vec<String> = rest
            .splitn(kind.parts().len(), '/')
            .map(str::to_owned)
            .collect();
        let is_whole = parts.len() == kind.parts().len() && parts.iter().all(|p| !p.is_empty());
        let is_known = kind != ActuatorKind::Route53
            || matches!(
                parts.last().map(String::as_str),
                Some("A" | "AAAA" | "CNAME")
            );
        (is_whole && is_known).then_some(Self { kind, parts })
    }
}

impl fmt::Display for ActuatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.parts.join("/"))
    }
}
