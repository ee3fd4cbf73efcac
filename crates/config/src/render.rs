//! A configuration as text: every value written out, defaults included, in canonical order, so that reading it gives the
//! same configuration. For `config show --effective` and the last good configuration. It never writes what a file holds,
//! only its path.

mod backend;
mod check;
mod tries;

pub use tries::retry_when;

use std::time::Duration;

use bascule_health::OutlierPolicy;
use bascule_model::BackendName;
use bascule_plan::{Bounds, ServicePolicy};
use bascule_traffic::spec::{FailOpen, MatchSpec, PathPattern, ServiceLimits, ServiceSpec};

use crate::config::{
    Admin, Certificate, Config, Dns, Limits, Listener, ListenerTimeouts, Log, TlsListener,
};
use crate::form::address::show_host;
use crate::form::unit::{show_duration, show_rise, show_size};
use crate::write::literal;

mod affinity;
mod balance;
mod cloud;
mod price;

/// The configuration as YAML. Reading it gives an equal configuration, given the same files.
#[must_use]
pub fn render(config: &Config) -> String {
    let mut out = Lines::default();
    out.line("version: 1");
    if let Some(dir) = &config.state_dir {
        out.line(&format!("state_dir: {}", literal(dir)));
    }
    if let Some(zone) = &config.zone {
        out.key("zone", literal(zone));
    }
    out.map("dns", |out| dns(out, &config.dns));
    out.map("listen", |out| {
        for listener in config.listeners.values() {
            self::listener(out, listener, config.limits);
        }
    });
    admin(&mut out, &config.admin);
    if let Some(address) = config.metrics {
        out.map("metrics", |out| {
            out.key("listen", literal(&address.to_string()))
        });
    }
    log(&mut out, config.log);
    let workers = config
        .runtime
        .workers
        .map_or("auto".to_owned(), |n| n.to_string());
    out.map("runtime", |out| out.key("workers", workers));
    out.map("shutdown", |out| {
        out.time("delay", config.shutdown.delay);
        out.time("deadline", config.shutdown.deadline);
    });
    let timeouts = config
        .listeners
        .values()
        .next()
        .map(|l| l.timeouts)
        .unwrap_or_default();
    out.map("defaults", |out| defaults(out, config.limits, timeouts));
    if !config.accounts.is_empty() {
        out.map("accounts", |out| {
            for (name, account) in &config.accounts {
                out.map(&literal(name), |out| cloud::account(out, account));
            }
        });
    }
    if !config.commitments.is_empty() {
        out.map("commitments", |out| {
            for (name, commitment) in &config.commitments {
                out.map(&literal(name), |out| price::commitment(out, commitment));
            }
        });
    }
    out.map("services", |out| {
        for spec in &config.services {
            out.map(&literal(spec.name.as_str()), |out| {
                service(out, config, spec)
            });
        }
    });
    out.text
}

/// Text with a depth.
#[derive(Default)]
struct Lines {
    text: String,
    depth: usize,
}

impl Lines {
    fn line(&mut self, line: &str) {
        self.text.push_str(&"  ".repeat(self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn key(&mut self, key: &str, value: impl AsRef<str>) {
        self.line(&format!("{key}: {}", value.as_ref()));
    }

    fn time(&mut self, key: &str, value: Duration) {
        self.key(key, show_duration(value));
    }

    fn list(&mut self, key: &str, items: impl IntoIterator<Item = String>) {
        let items: Vec<String> = items.into_iter().collect();
        self.key(key, format!("[{}]", items.join(", ")));
    }

    fn map(&mut self, key: &str, inside: impl FnOnce(&mut Self)) {
        self.line(&format!("{key}:"));
        self.depth += 1;
        inside(self);
        self.depth -= 1;
    }
}

fn listener(out: &mut Lines, listener: &Listener, shared: Limits) {
    out.map(&literal(listener.name.as_str()), |out| {
        out.key("address", literal(&listener.address.to_string()));
        out.key("kind", "http");
        if let Some(tls) = &listener.tls {
            out.map("tls", |out| self::tls(out, tls));
        }
        let protocols = [("h1", listener.protocols.h1), ("h2", listener.protocols.h2)];
        out.list(
            "protocols",
            protocols.iter().filter(|p| p.1).map(|p| p.0.to_owned()),
        );
        out.list(
            "trusted",
            listener.trusted.iter().map(|net| literal(&net.to_string())),
        );
        out.key("decision_header", listener.decision_header.to_string());
        // One that says nothing of its own has those under `defaults`, which are written there.
        if listener.connections.is_some() || listener.limits != shared {
            out.map("limits", |out| {
                limits(out, listener.connections, listener.limits)
            });
        }
    });
}

fn tls(out: &mut Lines, tls: &TlsListener) {
    out.list("certificates", tls.certificates.iter().map(certificate));
    out.key("strict_sni", tls.strict_sni.to_string());
    out.key("min_version", literal(tls.min_version.as_str()));
    if let Some(hsts) = tls.hsts {
        out.map("hsts", |out| {
            out.time("max_age", hsts.max_age);
            out.key("include_subdomains", hsts.include_subdomains.to_string());
            out.key("preload", hsts.preload.to_string());
        });
    }
}

fn certificate(certificate: &Certificate) -> String {
    let (cert, key) = (
        literal(&certificate.cert_file),
        literal(&certificate.key_file),
    );
    format!("{{ cert_file: {cert}, key_file: {key} }}")
}

fn dns(out: &mut Lines, dns: &Dns) {
    if !dns.servers.is_empty() {
        let servers = dns.servers.iter();
        out.list(
            "servers",
            servers.map(|server| literal(&server.to_string())),
        );
    }
    out.time("ttl_min", dns.ttl_min);
    out.time("ttl_max", dns.ttl_max);
    out.time("timeout", dns.timeout);
}

fn admin(out: &mut Lines, admin: &Admin) {
    let Admin {
        socket,
        listen,
        tokens_file,
    } = admin;
    if socket.is_none() && listen.is_none() && tokens_file.is_none() {
        return;
    }
    out.map("admin", |out| {
        if let Some(socket) = socket {
            out.key("socket", literal(socket));
        }
        if let Some(listen) = listen {
            out.key("listen", literal(&listen.to_string()));
        }
        if let Some(file) = tokens_file {
            out.map("auth", |out| out.key("tokens_file", literal(file)));
        }
    });
}

fn log(out: &mut Lines, log: Log) {
    out.map("log", |out| {
        out.key("level", log.level.as_str());
        out.key("format", log.format.as_str());
        out.map("access", |out| {
            out.key("sample", format!("{:?}", log.access.sample));
            out.key("decisions", format!("{:?}", log.access.decisions));
            out.key("redact_query", log.access.redact_query.to_string());
        });
    });
}

fn defaults(out: &mut Lines, limits: Limits, timeouts: ListenerTimeouts) {
    out.map("timeouts", |out| {
        out.time("request_headers", timeouts.request_headers);
        out.time("client_idle", timeouts.client_idle);
        out.time("client_stall", timeouts.client_stall);
    });
    out.map("limits", |out| {
        self::limits(out, Some(limits.connections), limits)
    });
}

/// Limits of the process, or of a listener: `connections` is what differs.
fn limits(out: &mut Lines, connections: Option<usize>, limits: Limits) {
    if let Some(connections) = connections {
        out.key("connections", connections.to_string());
    }
    out.key(
        "connections_per_client",
        limits.connections_per_client.to_string(),
    );
    out.key("header_bytes", show_size(limits.header_bytes as u64));
    out.key("header_count", limits.header_count.to_string());
    if let Some(bytes) = limits.request_body {
        out.key("request_body", show_size(bytes));
    }
    out.key(
        "streams_per_connection",
        limits.streams_per_connection.to_string(),
    );
    out.key(
        "requests_per_connection",
        limits.requests_per_connection.to_string(),
    );
    out.key("resets", format!("{}/s", limits.resets));
    out.key("control_frames", format!("{}/s", limits.control_frames));
}

fn service(out: &mut Lines, config: &Config, spec: &ServiceSpec) {
    let checks = config.checks.get(&spec.name).map(|check| &**check);
    let traffic = config.outliers.get(&spec.name).map(|outlier| &**outlier);
    let policy = config.facts.get(&spec.name).map(|facts| &facts.policy);
    out.list(
        "listen",
        spec.listeners.iter().map(|name| literal(name.as_str())),
    );
    if !spec.matches.is_empty() {
        out.list("match", spec.matches.iter().map(show_match));
    }
    out.key("class", spec.class.as_str());
    out.map("balance", |out| balance::balance(out, &spec.balance));
    if let Some(spec) = &spec.affinity {
        out.map("affinity", |out| affinity::affinity(out, spec));
    }
    if let Some(policy) = checks {
        out.map("check", |out| check::write(out, policy));
    }
    if let Some(policy) = traffic {
        out.map("outlier", |out| outlier(out, policy));
    }
    out.map("ramp", |out| out.time("duration", spec.ramp));
    out.map("timeouts", |out| tries::timeouts(out, spec.timeouts));
    out.map("retry", |out| tries::retry(out, spec.retry));
    if spec.limits.is_limited() {
        out.map("limits", |out| service_limits(out, spec.limits));
    }
    if let Some(policy) = policy {
        out.map("session", |out| {
            out.time("drain_deadline", policy.drain_deadline)
        });
    }
    let service = &spec.name;
    out.map("backends", |out| {
        for (name, spec) in &spec.backends {
            let key = (service.clone(), name.clone());
            let (price, found) = (config.prices.get(&key), config.discover.get(&key));
            out.map(&literal(name.as_str()), |out| {
                backend::render(out, spec, price, found)
            });
        }
    });
    if let Some(policy) = policy {
        rails(out, policy, spec.fail_open);
    }
    if let Some(apply) = config.apply.get(service) {
        out.list("apply", apply.iter().map(cloud::apply));
    }
}

fn show_match(spec: &MatchSpec) -> String {
    let path = match &spec.path {
        PathPattern::Exact(path) => format!("exact: {}", literal(path)),
        PathPattern::Prefix(path) => format!("prefix: {}", literal(path)),
    };
    match show_host(&spec.host) {
        Some(host) => format!("{{ hosts: [{}], path: {{ {path} }} }}", literal(&host)),
        None => format!("{{ path: {{ {path} }} }}"),
    }
}

fn outlier(out: &mut Lines, outlier: &OutlierPolicy) {
    out.key("enabled", outlier.enabled.to_string());
    out.key("consecutive", outlier.consecutive.to_string());
    out.key("error_ratio", format!("{}%", outlier.error_ratio));
    out.time("slow_min", outlier.slow_min);
    out.time("hold", outlier.hold);
    out.time("hold_max", outlier.hold_max);
    out.time("trial_every", outlier.trial_every);
    out.time("forget", outlier.forget);
    out.key("share_max", format!("{}%", outlier.share_max));
}

fn service_limits(out: &mut Lines, limits: ServiceLimits) {
    let some = [
        ("endpoint_requests", limits.endpoint_requests),
        ("endpoint_connections", limits.endpoint_connections),
        ("backend_requests", limits.backend_requests),
    ];
    for (key, limit) in some {
        if let Some(limit) = limit {
            out.key(key, limit.to_string());
        }
    }
    out.key("endpoint_pending", limits.endpoint_pending.to_string());
    if limits.has_line() {
        out.time("pending_timeout", limits.pending_timeout);
    }
}

fn rails(out: &mut Lines, policy: &ServicePolicy, fail_open: FailOpen) {
    out.map("controller", |out| {
        out.key("mode", "off");
        if !policy.bounds.is_empty() {
            let bound = |(name, bounds): (&BackendName, &Bounds)| {
                format!(
                    "{}: {}%..{}%",
                    literal(name.as_str()),
                    bounds.min,
                    bounds.max
                )
            };
            let bounds: Vec<String> = policy.bounds.iter().map(bound).collect();
            out.key("bounds", format!("{{ {} }}", bounds.join(", ")));
        }
        out.map("step", |out| {
            out.key("max", format!("{}%", policy.step));
            out.time("every", policy.bake);
        });
    });
    out.map("guardrails", |out| {
        out.key(
            "receiver_p95",
            show_rise(policy.guardrails.receiver_p95_rise),
        );
        out.key(
            "receiver_errors",
            format!("{}%", policy.guardrails.receiver_errors),
        );
        out.time("hold", policy.guardrails.hold);
    });
    out.map("safety", |out| {
        out.key("min_providers", policy.min_providers.to_string());
        if let Some(step) = policy.max_step {
            out.key("max_step", format!("{step}%"));
        }
        out.map("override_ttl", |out| {
            out.time("default", policy.override_ttl);
            out.time("max", policy.override_ttl_max);
        });
        let fail_open = match fail_open {
            FailOpen::Never => "never",
            FailOpen::WhenNoBackendUp => "when_no_backend_up",
        };
        out.key("fail_open", fail_open);
    });
}

#[cfg(test)]
mod tests;
