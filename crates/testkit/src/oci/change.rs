//! What is changed: backend sets, asynchronously and one change at a time for a load balancer; steering policies at once.
//! It refuses what OCI refuses: an unknown key, a missing one, a weight out of range, an outdated tag.

use serde_json::{Value, json};

use super::cloud::{Balancer, Cloud, State, Steered, Work};
use super::read::decoded;
use super::serve::Reply;

/// Keys of a backend set that may be changed, and those of a backend.
const LOAD: (&[&str], &[&str]) = (
    &[
        "policy",
        "backends",
        "backendMaxConnections",
        "healthChecker",
        "sslConfiguration",
        "sessionPersistenceConfiguration",
        "lbCookieSessionPersistenceConfiguration",
    ],
    &[
        "ipAddress",
        "port",
        "weight",
        "maxConnections",
        "backup",
        "drain",
        "offline",
    ],
);
const NETWORK: (&[&str], &[&str]) = (
    &[
        "policy",
        "isPreserveSource",
        "isFailOpen",
        "isInstantFailoverEnabled",
        "isInstantFailoverTcpResetEnabled",
        "areOperationallyActiveBackendsPreferred",
        "ipVersion",
        "backends",
        "healthChecker",
    ],
    &[
        "name",
        "ipAddress",
        "targetId",
        "port",
        "weight",
        "isBackup",
        "isDrain",
        "isOffline",
    ],
);
const STEERING: &[&str] = &[
    "displayName",
    "ttl",
    "healthCheckMonitorId",
    "template",
    "freeformTags",
    "definedTags",
    "answers",
    "rules",
];

/// A backend of this kind of load balancer; its name is `address:port`.
pub(super) fn backend(kind: Balancer, name: &str, weight: u32) -> Value {
    let (address, port) = name.rsplit_once(':').unwrap_or((name, "0"));
    let port: u16 = port.parse().unwrap_or(0);
    match kind {
        Balancer::Load => json!({
            "name": name, "ipAddress": address, "port": port, "weight": weight,
            "backup": false, "drain": false, "offline": false,
        }),
        Balancer::Network => json!({
            "name": name, "ipAddress": address, "port": port, "weight": weight,
            "isBackup": false, "isDrain": false, "isOffline": false,
        }),
    }
}

/// Says a backend by its target alone.
pub(super) fn by_target(backend: &mut Value, target: &str) {
    let name = format!("{target}:{}", backend["port"]);
    if let Some(fields) = backend.as_object_mut() {
        fields.remove("ipAddress");
    }
    extend(backend, &json!({ "targetId": target, "name": name }));
}

/// The answers of a policy.
pub(super) fn answers(policy: &Value) -> Vec<Steered> {
    let mut rules = policy["rules"].as_array().into_iter().flatten();
    let rule = rules.rfind(|rule| rule["ruleType"] == "WEIGHTED");
    let data = rule.and_then(|rule| rule["defaultAnswerData"].as_array());
    let answers = policy["answers"].as_array().into_iter().flatten();
    answers
        .map(|answer| {
            let name = answer["name"].as_str().unwrap_or_default().to_owned();
            let condition = format!("answer.name == '{name}'");
            let mut of = data.into_iter().flatten();
            let weight = of.find(|each| each["answerCondition"] == condition.as_str());
            let weight = weight.and_then(|each| each["value"].as_u64()).unwrap_or(0);
            let is_disabled = answer["isDisabled"] == true;
            Steered {
                name,
                rdata: answer["rdata"].as_str().unwrap_or_default().to_owned(),
                weight: if is_disabled { 0 } else { weight },
            }
        })
        .collect()
}

/// A `PUT`.
pub(super) fn put(
    cloud: &mut Cloud,
    path: &str,
    tag: Option<&str>,
    body: &Value,
    fails: bool,
) -> Reply {
    let path = decoded(path);
    let Some(there) = cloud.documents.get(&path).cloned() else {
        return Reply::refused(404, "NotAuthorizedOrNotFound");
    };
    if tag.is_some_and(|tag| tag != cloud.tag(&path)) {
        return Reply::refused(412, "NoEtagMatch");
    }
    let refused = if path.contains("steeringPolicies") {
        steering(body)
    } else if path.contains("networkLoadBalancers") {
        backend_set(NETWORK, 100, body)
    } else {
        backend_set(LOAD, 100, body)
    };
    if let Some(why) = refused {
        return Reply::invalid(&why);
    }
    if path.contains("steeringPolicies") {
        let mut after = there.body;
        extend(&mut after, body);
        cloud.put(&path, after.clone());
        return Reply::ok(after).header("etag", cloud.tag(&path));
    }
    // What is not written is gone: the whole set is replaced.
    let mut after = json!({ "name": there.body.get("name") });
    extend(&mut after, body);
    name_backends(&mut after);
    let of = path.split('/').nth(3).unwrap_or_default().to_owned();
    let is_busy = |work: &Work| work.of == of && work.state == State::Running;
    if cloud.work.values().any(is_busy) {
        return Reply::refused(409, "IncorrectState");
    }
    let id = format!("ocid1.workrequest.oc1..{}", cloud.next());
    let work = Work {
        of,
        calls_left: cloud.work_calls,
        path,
        body: after,
        state: if fails { State::Failed } else { State::Running },
    };
    cloud.work.insert(id.clone(), work);
    Reply {
        status: 204,
        ..Reply::text(String::new())
    }
    .header("opc-work-request-id", id)
}

fn extend(value: &mut Value, with: &Value) {
    let pairs = with.as_object().into_iter().flatten();
    if let Some(map) = value.as_object_mut() {
        map.extend(pairs.map(|(key, value)| (key.clone(), value.clone())));
    }
}

/// Backends have names, which those who write them may leave out.
fn name_backends(set: &mut Value) {
    for backend in set["backends"].as_array_mut().into_iter().flatten() {
        let address = backend["ipAddress"]
            .as_str()
            .or(backend["targetId"].as_str());
        let name = format!("{}:{}", address.unwrap_or_default(), backend["port"]);
        if backend.get("name").is_none() {
            extend(backend, &json!({ "name": name }));
        }
    }
}

fn unknown(value: &Value, known: &[&str]) -> Option<String> {
    let keys = value.as_object()?.keys();
    let mut unknown = keys.filter(|key| !known.contains(&key.as_str()));
    unknown.next().map(|key| format!("unknown key {key}"))
}

fn backend_set(keys: (&[&str], &[&str]), weight_max: u64, body: &Value) -> Option<String> {
    let (of_set, of_backend) = keys;
    let required = ["policy", "backends", "healthChecker"];
    if let Some(missing) = required.iter().find(|key| body.get(**key).is_none()) {
        return Some(format!("{missing} is required"));
    }
    unknown(body, of_set).or_else(|| {
        let mut backends = body["backends"].as_array().into_iter().flatten();
        backends.find_map(|backend| {
            let weight = backend["weight"].as_u64().unwrap_or(1);
            let is_right = (1..=weight_max).contains(&weight);
            let range = (!is_right).then(|| format!("weight {weight} is not in 1..={weight_max}"));
            unknown(backend, of_backend).or(range)
        })
    })
}

fn steering(body: &Value) -> Option<String> {
    let rules = body["rules"].as_array().into_iter().flatten();
    let mut data = rules
        .filter(|rule| rule["ruleType"] == "WEIGHTED")
        .filter_map(|rule| rule["defaultAnswerData"].as_array())
        .flatten();
    let wrong = data.find(|each| each["value"].as_u64().is_none_or(|value| value > 255));
    unknown(body, STEERING).or_else(|| wrong.map(|each| format!("no weight: {each}")))
}
