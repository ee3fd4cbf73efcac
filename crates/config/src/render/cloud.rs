//! Accounts, and what of theirs becomes endpoints, as text.

use super::Lines;
use crate::config::{Account, Addresses, Apply, AskDns, Discover};
use crate::form::unit::show_duration;
use crate::write::literal;

pub(super) fn account(out: &mut Lines, account: &Account) {
    out.key("cloud", account.cloud.as_str());
    let mut text = |key: &str, value: &Option<String>| {
        if let Some(value) = value {
            out.key(key, literal(value));
        }
    };
    text("region", &account.region);
    let auth = account.auth.map(|auth| auth.as_str().to_owned());
    text("auth", &auth);
    text("config_file", &account.config_file);
    text("profile", &account.profile);
    text("endpoint_url", &account.endpoint_url);
}

pub(super) fn discover(out: &mut Lines, found: &Discover) {
    out.key("account", literal(&found.account));
    out.key("from", literal(&found.from.to_string()));
    // Where it says nothing it may not be said either.
    if found.addresses == Addresses::Public {
        out.key("addresses", found.addresses.as_str());
    }
    out.key("scheme", found.scheme.as_str());
    if let Some(port) = found.port {
        out.key("port", port.to_string());
    }
    out.time("refresh", found.refresh);
    out.key("observe", found.observe.as_str());
    out.time("observe_every", found.observe_every);
}

/// An actuator, as an entry of a list.
pub(super) fn apply(apply: &Apply) -> String {
    let values = |values: &Vec<String>| {
        let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
        values.join(", ")
    };
    let members = apply.members.iter();
    let members: Vec<String> = members
        .map(|(name, of)| format!("{}: [{}]", literal(name.as_str()), values(of)))
        .collect();
    format!(
        "{{ account: {}, to: {}, members: {{ {} }}, ttl: {}, on_drift: {}, verify: {}{} }}",
        literal(&apply.account),
        literal(&apply.to.to_string()),
        members.join(", "),
        show_duration(apply.ttl),
        apply.on_drift.as_str(),
        show_duration(apply.verify),
        apply.dns.as_ref().map(ask_dns).unwrap_or_default(),
    )
}

fn ask_dns(dns: &AskDns) -> String {
    let servers = dns.servers.iter();
    let servers: Vec<String> = servers.map(|server| literal(&server.to_string())).collect();
    format!(
        ", dns: {{ servers: [{}], name: {}, questions: {} }}",
        servers.join(", "),
        literal(&dns.name),
        dns.questions
    )
}
