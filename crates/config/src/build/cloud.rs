//! Accounts, and what of theirs becomes endpoints.

use std::time::Duration;

use bascule_model::{BackendName, Scheme};
use bascule_traffic::spec::HostPattern;

use crate::config::{
    Account, ActuatorName, Addresses, Apply, AskDns, Auth, Cloud, Discover, Observe, OnDrift,
    SourceName,
};
use crate::form::Value;
use crate::lower::{Field, Item};
use crate::read::Layers;

/// Often enough that a machine that was started serves before its first minute is over; 2 000 instances in pages of 100 stay
/// far below what accounts allow.
const REFRESH: Duration = Duration::from_secs(15);

/// As fine as the clouds' own metrics are.
const OBSERVE_EVERY: Duration = Duration::from_secs(60);

/// Short enough to be out of the way before an evacuation has ended, long enough for name servers.
const TTL: Duration = Duration::from_secs(30);
/// A drift is seen within the time that a person needs to make one.
const VERIFY: Duration = Duration::from_secs(60);
/// A look of two seconds, which sees what is grossly wrong; what is subtly wrong needs ten times as many.
const QUESTIONS: u32 = 100;

/// One entry of `accounts`.
pub(super) fn account(field: &Field) -> Option<(String, Account)> {
    let map = Layers::only(Some(&field.item));
    let text = |key: &str| map.text(key).map(str::to_owned);
    let account = Account {
        cloud: match map.word("cloud")? {
            "aws" => Cloud::Aws,
            _ => Cloud::Oci,
        },
        region: text("region"),
        auth: map.word("auth").map(auth),
        config_file: text("config_file"),
        profile: text("profile"),
        endpoint_url: text("endpoint_url"),
    };
    Some((field.name.clone(), account))
}

fn auth(word: &str) -> Auth {
    match word {
        "instance_principal" => Auth::InstancePrincipal,
        "resource_principal" => Auth::ResourcePrincipal,
        _ => Auth::ApiKey,
    }
}

/// What a backend's endpoints are found by.
pub(super) fn discover(map: Layers<'_>) -> Option<Discover> {
    Some(Discover {
        account: map.text("account")?.to_owned(),
        from: SourceName::parse(map.text("from")?)?,
        addresses: match map.word("addresses") {
            Some("public") => Addresses::Public,
            _ => Addresses::Private,
        },
        scheme: match map.word("scheme") {
            Some("https") => Scheme::Https,
            Some("h2c") => Scheme::H2c,
            _ => Scheme::Http,
        },
        port: map.integer("port"),
        refresh: map.duration("refresh").unwrap_or(REFRESH),
        observe: match map.word("observe") {
            Some("off") => Observe::Off,
            Some("all") => Observe::All,
            _ => Observe::Free,
        },
        observe_every: map.duration("observe_every").unwrap_or(OBSERVE_EVERY),
    })
}

/// The entries of `apply`.
pub(super) fn apply(list: Option<&Item>) -> Vec<Apply> {
    let entries = list.map(Item::items).unwrap_or_default();
    entries.iter().filter_map(actuator).collect()
}

fn actuator(item: &Item) -> Option<Apply> {
    let map = Layers::only(Some(item));
    let members = item.get("members").map(Item::fields).unwrap_or_default();
    let member = |field: &Field| {
        let values = field
            .item
            .items()
            .iter()
            .filter_map(|item| match item.value() {
                Some(Value::Text(text)) => Some(text.clone()),
                _ => None,
            });
        Some((BackendName::parse(&field.name).ok()?, values.collect()))
    };
    let to = ActuatorName::parse(map.text("to")?)?;
    Some(Apply {
        account: map.text("account")?.to_owned(),
        dns: item.get("dns").and_then(|dns| ask_dns(dns, &to)),
        to,
        members: members.iter().filter_map(member).collect(),
        ttl: map.duration("ttl").unwrap_or(TTL),
        on_drift: match map.word("on_drift") {
            Some("adopt") => OnDrift::Adopt,
            _ => OnDrift::Revert,
        },
        verify: map.duration("verify").unwrap_or(VERIFY),
    })
}

fn ask_dns(item: &Item, to: &ActuatorName) -> Option<AskDns> {
    let map = Layers::only(Some(item));
    let name = match item.get("name").and_then(Item::value) {
        Some(Value::Host(HostPattern::Exact(name))) => Some(name.clone()),
        _ => to.asked(),
    };
    Some(AskDns {
        servers: super::sockets(item.get("servers")),
        name: name?,
        questions: map.integer("questions").unwrap_or(QUESTIONS),
    })
}
