//! The port: three small traits that clouds implement, and the plain data they speak in. One object is one thing in a cloud:
//! a [`Discover`] is one source of endpoints (a pool, a target group), an [`Apply`] is one actuator (a record set, a backend
//! set). All calls are made by the control plane, never on the request path, and one at a time for each object.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{BackendName, RecordType, Timestamp};

use crate::Error;

/// A call that is under way.
pub type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Finds the endpoints of one source.
pub trait Discover: Debug + Send + Sync {
    /// The source as people name it: `instance-pool/ocid1.instancepool…`, `asg/media-use1`.
    fn source(&self) -> &str;

    /// All of its endpoints now. Complete or an error: an answer whose second page fails is an error, and an instance whose
    /// address cannot be read is one too.
    ///
    /// # Errors
    /// [`Error`], with what a person can do where one is needed.
    fn discover(&self) -> Call<'_, Set>;
}

/// A complete set of what a source has; equal sets have equal revisions, whatever the order of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Set {
    /// By the cloud's id.
    pub instances: BTreeMap<Arc<str>, Instance>,
}

/// One machine, or one address, of a set.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Instance {
    /// Where it is reached: its private address, unless the source is told to give the public one.
    pub address: IpAddr,
    /// Its port, where the source knows one (a target group, a backend set).
    pub port: Option<u16>,
    /// Its availability zone or domain, where it is known.
    pub zone: Option<Arc<str>>,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
}

/// Where a machine is in its life. Only what runs gets requests; what stops gets nothing new.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// It is being made, or warms up.
    Starting,
    /// It runs.
    Running,
    /// It is about to end.
    Stopping,
    /// It does not run.
    Stopped,
}

/// Sees how one thing in a cloud is.
pub trait Observe: Debug + Send + Sync {
    /// What is observed as people name it.
    fn source(&self) -> &str;

    /// What the cloud says now; each value with the time it is of, which may be minutes ago.
    ///
    /// # Errors
    /// [`Error`], with what a person can do where one is needed.
    fn observe(&self) -> Call<'_, Vec<Observation>>;
}

/// How much is asked where some of it costs money or needs a permission of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// What whoever may find the endpoints may ask, and gets for nothing: health, sizes.
    Free,
    /// Metrics too.
    All,
}

/// One thing the cloud says.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Observation {
    /// Of what: an instance's id, `address:port`, or the source itself.
    pub of: Arc<str>,
    /// What.
    pub what: Seen,
    /// When it was so, by the cloud's own clock.
    pub at: Timestamp,
}

/// What a cloud can say.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// The cloud's own verdict of health.
    Health(CloudHealth),
    /// Part of the processors in use, 0 to 1.
    Cpu(f64),
    /// How many machines the pool may have at most.
    SizeMax(u32),
    /// How many it is asked to have.
    SizeWanted(u32),
}

impl Seen {
    /// The processors' use from percent, within 0 to 1 whatever was rounded where; none for what is no number.
    #[must_use]
    pub fn cpu_of_percent(percent: f64) -> Option<Self> {
        let part = (percent / 100.0).clamp(0.0, 1.0);
        percent.is_finite().then_some(Self::Cpu(part))
    }
}

/// The cloud's own verdict of health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CloudHealth {
    /// It takes requests.
    Healthy,
    /// It works in part.
    Warning,
    /// It does not.
    Unhealthy,
    /// It is drained.
    Draining,
    /// The cloud has not looked yet, or does not know.
    Unknown,
}

impl CloudHealth {
    /// The word used in the API and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Warning => "warning",
            Self::Unhealthy => "unhealthy",
            Self::Draining => "draining",
            Self::Unknown => "unknown",
        }
    }
}

/// Something outside the own edges that divides traffic by numbers of its own.
pub trait Apply: Debug + Send + Sync {
    /// The actuator as people name it: `route53/Z123/meet.example.org/A`.
    fn actuator(&self) -> &str;

    /// What its numbers can say, and how soon traffic follows them.
    fn unit(&self) -> Unit;

    /// What is set there now.
    ///
    /// # Errors
    /// [`Error`]; [`Invalid`](crate::Kind::Invalid) where something of another kind is in the way.
    fn read(&self) -> Call<'_, Settings>;

    /// Sets these numbers, all or none where the cloud can do that, and returns once the cloud says that it is done. `over`:
    /// what was read before.
    ///
    /// # Errors
    /// [`Error`]; [`Conflict`](crate::Kind::Conflict) when what is there is no longer `over`.
    fn write<'a>(&'a self, over: &'a Settings, wanted: &'a Numbers) -> Call<'a, ()>;

    /// Returns once traffic follows what is set, as far as the cloud tells that from its being set: at once, unless a write was
    /// not seen to its end. Default: the cloud does not tell, and what is read is what is done.
    ///
    /// # Errors
    /// [`Error`]; [`Transient`](crate::Kind::Transient) when it is not done yet.
    fn settle(&self) -> Call<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// What an actuator's numbers can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// The largest number: 255 for Route 53, 999 for ELB, 100 for an OCI load balancer.
    pub max: u32,
    /// How long until traffic follows, as far as the cloud says so: the TTL of a record.
    pub delay: Duration,
}

/// The number of each member; *off* is a state, not a number.
pub type Numbers = BTreeMap<BackendName, Setting>;

/// What one member of an actuator is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// It gets nothing: weight 0 in a record, `drain` at a load balancer.
    Off,
    /// Its number, from 1; at a load balancer of each of its machines.
    Weight(u32),
}

/// What is set at an actuator.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Settings {
    /// What changes with every change of what is there: an etag, or a hash.
    pub version: String,
    /// Each member; those that are not there yet are missing.
    pub members: BTreeMap<BackendName, Member>,
    /// What else is there that is not ours to set, by name: it gets a part of the traffic that no share speaks of.
    pub foreign: BTreeMap<String, u32>,
    /// What DNS answers for them, where the actuator is DNS.
    pub dns: Answers,
}

/// What DNS answers for what is set. One that is not here has answers of its own that are not known: an alias, or a record that
/// is not there yet.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Answers {
    /// The type of record that is asked for; `None`: the actuator is not DNS, or its answers are not all of one type.
    pub kind: Option<RecordType>,
    /// Those of each member.
    pub members: BTreeMap<BackendName, Values>,
    /// Those of what is not ours to set.
    pub foreign: BTreeMap<String, Values>,
}

/// The values of a record, each as [`canonical`](bascule_model::dns::canonical) writes it.
pub type Values = BTreeSet<String>;

/// One member of an actuator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Member {
    /// What it is set to; where its machines are not all set alike, `None`.
    pub setting: Option<Setting>,
    /// How many machines it has there, each with the same number; 1 for a record.
    pub size: u32,
}
