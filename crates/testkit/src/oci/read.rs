//! What is read: regions; pools, their instances and network cards, page by page; whatever else is there; health, work,
//! metrics.

use std::collections::BTreeMap;

use http::Uri;
use serde_json::{Value, json};

use super::COMPARTMENT;
use super::cloud::{Cloud, Machine, State};
use super::serve::Reply;

pub(super) const METRICS: &str = "/20180401/metrics/actions/summarizeMetricsData";

/// Answers a `GET`, or the question for metrics.
pub(super) fn read(cloud: &mut Cloud, uri: &Uri, body: &Value) -> Reply {
    let parameters = parameters(uri.query().unwrap_or_default());
    let parameter = |name: &str| parameters.get(name).map(String::as_str);
    let there = match uri.path() {
        METRICS => parameter("compartmentId")
            .filter(|id| *id == COMPARTMENT)
            .and_then(|_| metrics(cloud, body)),
        "/20160918/vnicAttachments" => parameter("compartmentId")
            .filter(|id| *id == COMPARTMENT)
            .map(|_| {
                let all = attachments(cloud, parameter("instanceId"));
                page(cloud, all, &parameters)
            }),
        "/20160918/privateIps" => {
            parameter("subnetId").map(|subnet| page(cloud, addresses(cloud, subnet), &parameters))
        }
        path => match path.strip_prefix("/20160918/") {
            Some(rest) => core(cloud, rest, &parameters),
            None => other(cloud, path),
        },
    };
    there.unwrap_or_else(|| Reply::refused(404, "NotAuthorizedOrNotFound"))
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect()
}

/// Without `%XX`.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let high = (byte == b'%').then(|| rest.next()).flatten();
        let pair = high.zip(high.and_then(|_| rest.next()));
        let pair = pair.map(|(high, low)| [high, low]);
        let hex = pair.and_then(|pair| String::from_utf8(pair.to_vec()).ok());
        bytes.push(
            hex.and_then(|hex| u8::from_str_radix(&hex, 16).ok())
                .unwrap_or(byte),
        );
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn core(cloud: &Cloud, path: &str, parameters: &BTreeMap<String, String>) -> Option<Reply> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["instancePools", id] => {
            let size = cloud.pools.get(*id)?.len();
            Some(Reply::ok(json!({
                "id": id, "compartmentId": COMPARTMENT, "displayName": id, "lifecycleState": "RUNNING",
                "instanceConfigurationId": "ocid1.instanceconfiguration.oc1..x",
                "placementConfigurations": [], "size": size, "timeCreated": "2026-01-01T00:00:00Z",
            })))
        }
        ["instancePools", id, "instances"] => {
            let machines = cloud.pools.get(*id)?;
            parameters
                .get("compartmentId")
                .filter(|id| *id == COMPARTMENT)?;
            let all = machines.iter().map(instance).collect();
            Some(page(cloud, all, parameters))
        }
        ["regions"] => {
            let region = json!({ "key": "FRA", "name": super::REGION });
            Some(Reply::ok(json!([region])))
        }
        ["instances", id] => {
            let mut machines = cloud.pools.values().flatten();
            let machine = machines.find(|machine| machine.id == *id)?;
            Some(Reply::ok(json!({
                "id": id, "compartmentId": COMPARTMENT, "availabilityDomain": machine.zone,
                "lifecycleState": machine.state.to_uppercase(), "region": super::REGION,
                "shape": "VM.Standard.E5.Flex", "timeCreated": "2026-01-01T00:00:00Z",
            })))
        }
        ["privateIps", id] => cards(cloud)
            .find(|card| card.private_ip().get("id").is_some_and(|of| of == *id))
            .map(|card| Reply::ok(card.private_ip())),
        ["vnics", id] => cards(cloud)
            .find(|card| card.id == *id)
            .map(|card| Reply::ok(card.vnic())),
        _ => None,
    }
}

fn other(cloud: &Cloud, path: &str) -> Option<Reply> {
    if let Some(set) = path.strip_suffix("/health") {
        return health(cloud, &decoded(set));
    }
    if let Some((_, id)) = path.rsplit_once("orkRequests/") {
        return work(cloud, id);
    }
    let path = decoded(path);
    let document = cloud.documents.get(&path)?;
    let reply = Reply::ok(document.body.clone());
    let tagged = cloud.has_tags || path.contains("steeringPolicies");
    Some(if tagged {
        reply.header("etag", cloud.tag(&path))
    } else {
        reply
    })
}

fn page(cloud: &Cloud, all: Vec<Value>, parameters: &BTreeMap<String, String>) -> Reply {
    let number = |name: &str| parameters.get(name).and_then(|text| text.parse().ok());
    let size: usize = number("limit").unwrap_or(50).min(cloud.page_max);
    let start: usize = number("page").unwrap_or(0);
    let end = start + size;
    let more = end < all.len();
    let part: Vec<Value> = all.into_iter().skip(start).take(size).collect();
    let reply = Reply::ok(Value::Array(part));
    if more {
        reply.header("opc-next-page", end.to_string())
    } else {
        reply
    }
}

fn instance(machine: &Machine) -> Value {
    json!({
        "id": machine.id, "availabilityDomain": machine.zone, "compartmentId": COMPARTMENT,
        "displayName": machine.id, "faultDomain": "FAULT-DOMAIN-1", "region": super::REGION,
        "instanceConfigurationId": "ocid1.instanceconfiguration.oc1..x",
        "shape": "VM.Standard.E5.Flex", "state": machine.state, "timeCreated": "2026-01-01T00:00:00Z",
    })
}

/// A network card.
struct Card<'a> {
    id: String,
    subnet: String,
    machine: &'a Machine,
    address: std::net::IpAddr,
    is_primary: bool,
}

impl Card<'_> {
    fn private_ip(&self) -> Value {
        json!({
            "id": format!("ocid1.privateip.oc1..{}", self.id), "compartmentId": COMPARTMENT,
            "ipAddress": self.address, "isPrimary": true, "subnetId": self.subnet, "vnicId": self.id,
            "timeCreated": "2026-01-01T00:00:00Z",
        })
    }

    fn vnic(&self) -> Value {
        json!({
            "id": self.id, "availabilityDomain": self.machine.zone, "compartmentId": COMPARTMENT,
            "lifecycleState": "AVAILABLE", "subnetId": self.subnet, "isPrimary": self.is_primary,
            "privateIp": self.address, "timeCreated": "2026-01-01T00:00:00Z",
            "publicIp": self.machine.public.filter(|_| self.is_primary),
        })
    }
}

/// All cards there are; those of a pool are in one subnet.
fn cards(cloud: &Cloud) -> impl Iterator<Item = Card<'_>> {
    cloud.pools.iter().flat_map(|(pool, machines)| {
        machines.iter().flat_map(move |machine| {
            // The second comes first: who takes the first card for the primary one is wrong.
            let cards = [(machine.second, false), (machine.address, true)];
            cards.into_iter().filter_map(move |(address, is_primary)| {
                let number = usize::from(!is_primary);
                Some(Card {
                    id: format!("ocid1.vnic.oc1..{}-{number}", machine.id),
                    subnet: format!("ocid1.subnet.oc1..{pool}"),
                    machine,
                    address: address?,
                    is_primary,
                })
            })
        })
    })
}

fn attachments(cloud: &Cloud, instance: Option<&str>) -> Vec<Value> {
    let attachment = |card: Card<'_>| {
        json!({
            "id": format!("ocid1.vnicattachment.oc1..{}", card.id), "compartmentId": COMPARTMENT,
            "availabilityDomain": card.machine.zone, "instanceId": card.machine.id,
            "lifecycleState": "ATTACHED", "subnetId": card.subnet, "vnicId": card.id,
            "timeCreated": "2026-01-01T00:00:00Z",
        })
    };
    let of_instance = cards(cloud).filter(|card| instance.is_none_or(|id| card.machine.id == id));
    of_instance.map(attachment).collect()
}

fn addresses(cloud: &Cloud, subnet: &str) -> Vec<Value> {
    let of_subnet = cards(cloud).filter(|card| card.subnet == subnet);
    of_subnet.map(|card| card.private_ip()).collect()
}

fn health(cloud: &Cloud, set: &str) -> Option<Reply> {
    let backends = cloud.documents.get(set)?.body.get("backends")?.as_array()?;
    let told = cloud.health.get(set);
    let of = |wanted: &str| -> Vec<&String> {
        let told = told.into_iter().flatten();
        let found = told.filter(|(_, state)| *state == wanted);
        found.map(|(name, _)| name).collect()
    };
    let worst = ["CRITICAL", "UNKNOWN", "WARNING"]
        .into_iter()
        .find(|state| !of(state).is_empty());
    Some(Reply::ok(json!({
        "status": worst.unwrap_or("OK"), "totalBackendCount": backends.len(),
        "warningStateBackendNames": of("WARNING"), "criticalStateBackendNames": of("CRITICAL"),
        "unknownStateBackendNames": of("UNKNOWN"),
    })))
}

fn work(cloud: &Cloud, id: &str) -> Option<Reply> {
    let work = cloud.work.get(id)?;
    let state = match work.state {
        State::Running => "IN_PROGRESS",
        State::Done => "SUCCEEDED",
        State::Failed => "FAILED",
    };
    // As a machine may have written it: on lines, coloured, without end.
    let message = format!("failed by a test\n\u{1b}[31m{}", "x".repeat(100_000));
    let errors = match work.state {
        State::Failed => json!([{ "errorCode": "BAD_INPUT", "message": message }]),
        _ => json!([]),
    };
    // The two services name the same thing differently.
    Some(Reply::ok(json!({
        "id": id, "loadBalancerId": work.of, "compartmentId": COMPARTMENT, "type": "UpdateBackendSet",
        "lifecycleState": state, "message": "", "errorDetails": errors,
        "timeAccepted": "2026-01-01T00:00:00Z",
        "status": state, "operationType": "UPDATE_BACKENDSET", "percentComplete": 50.0, "resources": [],
    })))
}

/// One stream for each machine of the pools that have a load, each with one value.
fn metrics(cloud: &Cloud, body: &Value) -> Option<Reply> {
    let query = body["query"].as_str()?;
    let mut streams = Vec::new();
    for (pool, percent) in &cloud.cpu {
        if !query.starts_with("CpuUtilization") || !query.contains(pool.as_str()) {
            continue;
        }
        streams.push(json!({
            "namespace": body["namespace"], "compartmentId": COMPARTMENT, "name": "CpuUtilization",
            "dimensions": { "instancePoolId": pool },
            "aggregatedDatapoints": [
                { "timestamp": body["startTime"], "value": 1.0 },
                { "timestamp": body["endTime"], "value": percent },
            ],
        }));
    }
    Some(Reply::ok(Value::Array(streams)))
}
