//! How endpoints are checked: which kind of check the keys of a `check` say, and its policy. A service that names a kind of
//! its own takes nothing of another kind from `defaults`.

use bascule_health::AgentPolicy;
use bascule_health::policy::{CheckKind, CheckPolicy, CheckTls, Initial, StatusRange};

use crate::form::Value;
use crate::lower::{Field, Item};
use crate::read::Layers;

/// What a check does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    Http,
    Grpc,
}

impl Kind {
    fn of(word: &str) -> Option<Self> {
        match word {
            "tcp" => Some(Self::Tcp),
            "http" => Some(Self::Http),
            "grpc" => Some(Self::Grpc),
            _ => None,
        }
    }
}

/// The keys that say the kind: `kind`, or one that only one kind has.
pub(crate) fn naming(check: &Item) -> impl Iterator<Item = (&Field, Kind)> {
    let said = check
        .field("kind")
        .and_then(|field| match field.item.value() {
            Some(Value::Word(word)) => Some((field, Kind::of(word)?)),
            _ => None,
        });
    let kinds = [
        ("path", Kind::Http),
        ("service", Kind::Grpc),
        ("send", Kind::Tcp),
    ];
    let named = move |(name, kind)| check.field(name).map(|field| (field, kind));
    said.into_iter().chain(kinds.into_iter().filter_map(named))
}

/// The kind of a check, and the layers that its keys are taken from.
pub(crate) fn kind(check: Layers<'_>) -> (Kind, Layers<'_>) {
    let named = |item: Option<&Item>| item.and_then(|item| naming(item).next().map(|(_, k)| k));
    let (own, base) = (named(check.own_item()), named(check.base_item()));
    match (own, base) {
        (Some(own), Some(base)) if own != base => (own, Layers::only(check.own_item())),
        (own, base) => (own.or(base).unwrap_or(Kind::Tcp), check),
    }
}

pub(super) fn policy(check: Layers<'_>) -> CheckPolicy {
    let built_in = CheckPolicy::default();
    let interval = check.duration("interval").unwrap_or(built_in.interval);
    let tls = match check.boolean("tls") {
        None => CheckTls::AsEndpoint,
        Some(true) => CheckTls::On,
        Some(false) => CheckTls::Off,
    };
    let initial = match check.word("initial") {
        Some("up") => Initial::Up,
        Some("down") => Initial::Down,
        _ => Initial::Unknown,
    };
    CheckPolicy {
        kind: asked(check),
        tls,
        port: check.integer("port"),
        interval,
        interval_fast: CheckPolicy::fast(interval),
        timeout: check.duration("timeout").unwrap_or(built_in.timeout),
        fall: check.integer("fall").unwrap_or(built_in.fall),
        rise: check.integer("rise").unwrap_or(built_in.rise),
        jitter: check.percent("jitter").unwrap_or(built_in.jitter),
        initial,
        agent: agent(check.inside("agent")),
    }
}

fn agent(agent: Layers<'_>) -> Option<AgentPolicy> {
    Some(AgentPolicy {
        port: agent.integer("port")?,
        interval: agent.duration("interval").unwrap_or(AgentPolicy::INTERVAL),
    })
}

fn asked(check: Layers<'_>) -> CheckKind {
    let (kind, keys) = kind(check);
    let text = |name: &str| keys.text(name).map(str::to_owned);
    let expected = || keys.inside("expect").text("text").map(str::to_owned);
    match kind {
        Kind::Tcp => CheckKind::Tcp {
            send: text("send"),
            expect: expected(),
        },
        Kind::Http => CheckKind::Http {
            path: text("path").unwrap_or_else(|| "/".to_owned()),
            host: text("host"),
            expect: statuses(keys.inside("expect").get("status")),
            text: expected(),
        },
        Kind::Grpc => CheckKind::Grpc {
            service: text("service").unwrap_or_default(),
            host: text("host"),
        },
    }
}

fn statuses(item: Option<&Item>) -> Vec<StatusRange> {
    let items = item.map(Item::items).unwrap_or_default();
    let status = |item: &Item| match item.value() {
        Some(Value::Status(range)) => Some(*range),
        _ => None,
    };
    let ranges: Vec<StatusRange> = items.iter().filter_map(status).collect();
    if ranges.is_empty() {
        vec![StatusRange {
            first: 200,
            last: 200,
        }]
    } else {
        ranges
    }
}
