//! A check as text.

use bascule_health::CheckPolicy;
use bascule_health::policy::{CheckKind, CheckTls, StatusRange};

use super::Lines;
use crate::write::literal;

pub(super) fn write(out: &mut Lines, check: &CheckPolicy) {
    kind(out, &check.kind);
    match check.tls {
        CheckTls::AsEndpoint => {}
        CheckTls::On => out.key("tls", "true"),
        CheckTls::Off => out.key("tls", "false"),
    }
    if let Some(port) = check.port {
        out.key("port", port.to_string());
    }
    out.time("interval", check.interval);
    out.time("timeout", check.timeout);
    out.key("fall", check.fall.to_string());
    out.key("rise", check.rise.to_string());
    out.key("jitter", format!("{}%", check.jitter));
    out.key("initial", check.initial.as_str());
    if let Some(agent) = check.agent {
        out.map("agent", |out| {
            out.key("port", agent.port.to_string());
            out.time("interval", agent.interval);
        });
    }
    expected(out, &check.kind);
}

fn kind(out: &mut Lines, kind: &CheckKind) {
    match kind {
        CheckKind::Tcp { send, .. } => {
            out.key("kind", "tcp");
            if let Some(send) = send {
                out.key("send", literal(send));
            }
        }
        CheckKind::Http { path, host, .. } => {
            out.key("kind", "http");
            out.key("path", literal(path));
            if let Some(host) = host {
                out.key("host", literal(host));
            }
        }
        CheckKind::Grpc { service, host } => {
            out.key("kind", "grpc");
            if let Some(host) = host {
                out.key("host", literal(host));
            }
            if !service.is_empty() {
                out.key("service", literal(service));
            }
        }
    }
}

fn expected(out: &mut Lines, kind: &CheckKind) {
    let (statuses, text) = match kind {
        CheckKind::Tcp { expect, .. } => (None, expect),
        CheckKind::Http { expect, text, .. } => (Some(expect), text),
        CheckKind::Grpc { .. } => return,
    };
    if statuses.is_none() && text.is_none() {
        return;
    }
    out.map("expect", |out| {
        if let Some(statuses) = statuses {
            out.list("status", statuses.iter().map(range));
        }
        if let Some(text) = text {
            out.key("text", literal(text));
        }
    });
}

fn range(range: &StatusRange) -> String {
    match range.first == range.last {
        true => range.first.to_string(),
        false => format!("{}-{}", range.first, range.last),
    }
}
