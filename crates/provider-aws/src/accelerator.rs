//! Endpoints of an endpoint group of Global Accelerator as an actuator: a backend is an endpoint, its number the endpoint's
//! weight. An update replaces the whole list, so that the whole list is read, changed and written, the rest of it as it was.
//!
//! Off is weight 0 of an endpoint and never a traffic dial of 0: when no other group is healthy, Global Accelerator fails over
//! to a group whatever its dial, and would send traffic to what is off. Nor is the dial a share: it is a part of what would come
//! by nearness. It is never set here, and a group whose dial is 0 is refused, as weights in it say nothing.
//! There is no compare-and-set in this API: what is there is read right before it is written. Traffic follows once the
//! accelerator says that it is deployed, which is awaited.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bascule_model::BackendName;
use bascule_provider::port::{Numbers, Settings, Unit};
use bascule_provider::text;
use bascule_provider::{Apply, Call, Error, Kind, Patience};
use serde_json::{Value, json};

use crate::account::Account;
use crate::request::Request;
use crate::send::Answer;
use crate::service::Service;
use crate::weights::{Refusal, settings, stranger, weight};

/// The largest weight of an endpoint.
pub const WEIGHT_MAX: u32 = 255;

/// What an endpoint weighs that says nothing.
const WEIGHT_DEFAULT: u32 = 128;

/// Endpoints of a group, where AWS does not raise the number: of load balancers of layer 7 alone, or of several kinds (service
/// quotas of Global Accelerator).
const ENDPOINTS_MAX: usize = 10;

/// For an accelerator to be deployed: AWS says no time.
const PATIENCE: Patience = Patience {
    pause: Duration::from_secs(1),
    pause_max: Duration::from_secs(5),
    whole: Duration::from_mins(4),
};

const READ: &str = "globalaccelerator:DescribeEndpointGroup";
const WHOLE: &str = "globalaccelerator:DescribeAccelerator";
const UPDATE: &str = "globalaccelerator:UpdateEndpointGroup";
const PREFIX: &str = "GlobalAccelerator_V20180706";

/// The endpoints of a group.
#[derive(Debug)]
pub struct Endpoints {
    account: Arc<Account>,
    /// The ARN of the group.
    group: String,
    members: BTreeMap<BackendName, String>,
    actuator: String,
    patience: Patience,
    /// Whether what is set may not be deployed yet: also at first, by who set it before.
    is_unseen: AtomicBool,
}

/// An endpoint as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Endpoint {
    id: String,
    weight: u32,
    /// Whether it sees the client's address; not said where AWS does not say it.
    keeps_client_address: Option<bool>,
}

impl Endpoints {
    /// The endpoints of this group; `members`: the id of each backend's endpoint, which is an ARN, an allocation id of an
    /// elastic address, or an instance's id.
    #[must_use]
    pub fn new(account: Arc<Account>, group: &str, members: BTreeMap<BackendName, String>) -> Self {
        let name = group.rsplit_once(':').map_or(group, |(_, name)| name);
        Self {
            actuator: format!("globalaccelerator/{name}"),
            account,
            group: group.to_owned(),
            members,
            patience: PATIENCE,
            is_unseen: AtomicBool::new(true),
        }
    }

    /// Waits so for the accelerator to be deployed, instead of four minutes with a look each five seconds at most.
    #[must_use]
    pub const fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// The ARN of the accelerator that the group is of.
    fn accelerator(&self) -> &str {
        let parts = self.group.split_once("/listener/");
        parts.map_or(&self.group, |(accelerator, _)| accelerator)
    }

    async fn look(&self) -> Result<Vec<Endpoint>, Error> {
        let body = json!({ "EndpointGroupArn": self.group });
        let answer = self.ask(READ, &self.group, &body).await?;
        let group = part(&answer, "EndpointGroup")?;
        let dial = group.get("TrafficDialPercentage").and_then(Value::as_f64);
        if dial.is_some_and(|dial| dial <= 0.0) {
            return Err(Error::new(Kind::Invalid, READ, &*self.group)
                .detail("its traffic dial is 0: weights say nothing, and failover would ignore it")
                .fix("set the dial above 0, and backends to off here"));
        }
        endpoints(&answer, &group)
    }

    async fn ask(&self, call: &'static str, arn: &str, body: &Value) -> Result<Answer, Error> {
        let service = Service::GlobalAccelerator;
        let request = Request::json(service, call, arn, PREFIX, body);
        self.account.send(&request).await
    }

    fn settings(&self, endpoints: &[Endpoint]) -> Settings {
        let there = endpoints.iter();
        let there = there.map(|endpoint| (endpoint.id.as_str(), endpoint.weight));
        let ids = self.members.iter();
        let ids = ids.map(|(backend, id)| (backend, id.as_str()));
        settings(version(endpoints), there, ids)
    }

    async fn set(&self, over: &Settings, wanted: &Numbers) -> Result<(), Error> {
        let there = self.look().await?;
        if version(&there) != over.version {
            return Err(Error::new(Kind::Conflict, UPDATE, &*self.group).detail(
                "the endpoints are no longer what was read: something else changes them too",
            ));
        }
        let after = self.after(&there, wanted).map_err(|refusal| {
            let error = Error::new(Kind::Invalid, UPDATE, &*self.group);
            error.detail(refusal.detail).fix(refusal.fix)
        })?;
        if after == there {
            return Ok(());
        }
        let configurations: Vec<Value> = after.iter().map(configuration).collect();
        let body = json!({
            "EndpointGroupArn": self.group,
            "EndpointConfigurations": configurations,
        });
        // Before it is sent, as the caller may go away at any moment of it.
        self.is_unseen.store(true, Ordering::Relaxed);
        let answer = self.ask(UPDATE, &self.group, &body).await?;
        endpoints(&answer, &part(&answer, "EndpointGroup")?)?;
        self.deployed().await
    }

    /// Waits until what is set is where traffic is, unless that was seen.
    async fn deployed(&self) -> Result<(), Error> {
        if !self.is_unseen.load(Ordering::Relaxed) {
            return Ok(());
        }
        let arn = self.accelerator();
        let body = json!({ "AcceleratorArn": arn });
        let look = async || {
            let answer = self.ask(WHOLE, arn, &body).await?;
            let accelerator = part(&answer, "Accelerator")?;
            match accelerator.get("Status").and_then(Value::as_str) {
                Some("DEPLOYED") => Ok(Some(())),
                Some("IN_PROGRESS") => Ok(None),
                _ => Err(answer.unfit("the accelerator has no status that is known")),
            }
        };
        self.patience.until_done(WHOLE, arn, look).await?;
        self.is_unseen.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn after(&self, there: &[Endpoint], wanted: &Numbers) -> Result<Vec<Endpoint>, Refusal> {
        let mut after = there.to_vec();
        for (backend, setting) in wanted {
            let id = self.members.get(backend).ok_or_else(|| stranger(backend))?;
            let weight = weight(*setting, WEIGHT_MAX)?;
            match after.iter_mut().find(|endpoint| endpoint.id == *id) {
                Some(endpoint) => endpoint.weight = weight,
                None => after.push(Endpoint {
                    id: id.clone(),
                    weight,
                    keeps_client_address: None,
                }),
            }
        }
        if after.iter().all(|endpoint| endpoint.weight == 0) {
            return Err(Refusal::new(
                "all weights would be 0: the group would take no traffic",
                "leave one backend on",
            ));
        }
        refuse_too_many(&after)?;
        Ok(after)
    }
}

fn refuse_too_many(after: &[Endpoint]) -> Result<(), Refusal> {
    let kinds: BTreeSet<&str> = after.iter().map(|endpoint| kind(&endpoint.id)).collect();
    let is_fixed = kinds.len() > 1 || kinds.contains(BALANCER);
    if after.len() <= ENDPOINTS_MAX || !is_fixed {
        return Ok(());
    }
    Err(Refusal::new(
        format!(
            "there would be {} endpoints, and AWS takes {ENDPOINTS_MAX} where they are of several kinds or load balancers of layer 7",
            after.len()
        ),
        "remove endpoints that no backend needs, or put load balancers before them",
    ))
}

const BALANCER: &str = "application load balancer";

/// What an endpoint is, by its id.
fn kind(id: &str) -> &'static str {
    match id {
        id if id.contains(":loadbalancer/app/") => BALANCER,
        id if id.contains(":loadbalancer/net/") => "network load balancer",
        id if id.starts_with("eipalloc-") => "address",
        _ => "instance",
    }
}

/// What the answer has under this key.
fn part(answer: &Answer, key: &str) -> Result<Value, Error> {
    let mut json: Value = serde_json::from_str(&answer.body)
        .map_err(|error| answer.unfit("the answer is not JSON").because(error))?;
    let part = json.get_mut(key).map(Value::take);
    part.ok_or_else(|| answer.unfit(format!("the answer lacks {key}")))
}

fn endpoints(answer: &Answer, group: &Value) -> Result<Vec<Endpoint>, Error> {
    // A group without endpoints has no list.
    let list = group.get("EndpointDescriptions").and_then(Value::as_array);
    let mut out = Vec::new();
    for description in list.into_iter().flatten() {
        let id = description.get("EndpointId").and_then(Value::as_str);
        let id = id.ok_or_else(|| answer.unfit("an endpoint has no id"))?;
        let weight = match description.get("Weight") {
            None => WEIGHT_DEFAULT,
            Some(weight) => weight
                .as_u64()
                .and_then(|weight| u32::try_from(weight).ok())
                .ok_or_else(|| answer.unfit(format!("the weight of {id} is no number")))?,
        };
        out.push(Endpoint {
            id: id.to_owned(),
            weight,
            keeps_client_address: description
                .get("ClientIPPreservationEnabled")
                .and_then(Value::as_bool),
        });
    }
    Ok(out)
}

fn configuration(endpoint: &Endpoint) -> Value {
    let mut out = json!({ "EndpointId": endpoint.id, "Weight": endpoint.weight });
    if let (Some(keeps), Some(fields)) = (endpoint.keeps_client_address, out.as_object_mut()) {
        fields.insert("ClientIPPreservationEnabled".to_owned(), keeps.into());
    }
    out
}

fn version(endpoints: &[Endpoint]) -> String {
    let mut lines: Vec<String> = endpoints
        .iter()
        .map(|endpoint| {
            let keeps = endpoint.keeps_client_address;
            format!("{} {} {keeps:?}", endpoint.id, endpoint.weight)
        })
        .collect();
    lines.sort_unstable();
    text::version(lines)
}

impl Apply for Endpoints {
    fn actuator(&self) -> &str {
        &self.actuator
    }

    fn unit(&self) -> Unit {
        Unit {
            max: WEIGHT_MAX,
            // AWS says no time; it is seconds to a minute, and open connections stay where they are.
            delay: Duration::ZERO,
        }
    }

    fn read(&self) -> Call<'_, Settings> {
        Box::pin(async {
            let endpoints = self.look().await?;
            Ok(self.settings(&endpoints))
        })
    }

    fn write<'a>(&'a self, over: &'a Settings, wanted: &'a Numbers) -> Call<'a, ()> {
        Box::pin(self.set(over, wanted))
    }

    fn settle(&self) -> Call<'_, ()> {
        Box::pin(self.deployed())
    }
}
