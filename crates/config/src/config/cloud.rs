//! Accounts in clouds, and where else a split becomes true. Which calls that takes is the providers' affair; here it is only
//! said which. Nothing of it is secret: keys and tokens stay in the files, the environment and the metadata that accounts use.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bascule_model::BackendName;
use bascule_model::dns::canonical;

use super::discover::SourceKind;

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
