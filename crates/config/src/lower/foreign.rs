//! Keys that other proxies have, and where the same is here. Only words for what is written: nothing is taken for another.

/// By the id of a shape: the key of another tool, and what to do instead.
const FOREIGN: &[(&str, &[&str], &str)] = &[
    (
        "configuration",
        &[
            "upstreams",
            "upstream",
            "clusters",
            "cluster",
            "backends",
            "backend",
            "pools",
            "pool",
            "targets",
            "origins",
        ],
        "share-holders are the `backends` of a service: `services: { NAME: { backends: … } }`",
    ),
    (
        "configuration",
        &[
            "frontend",
            "frontends",
            "listeners",
            "listener",
            "server",
            "servers",
            "entrypoints",
            "entry_points",
            "bind",
            "port",
            "address",
        ],
        "where clients connect is `listen: { NAME: { address: \":8080\" } }`",
    ),
    (
        "configuration",
        &[
            "routes",
            "route",
            "routers",
            "router",
            "virtual_hosts",
            "vhosts",
            "rules",
            "ingress",
        ],
        "what a service takes is its `match`: hosts and paths",
    ),
    (
        "configuration",
        &[
            "http",
            "static_resources",
            "dynamic_resources",
            "global",
            "events",
            "main",
        ],
        "there is no such level here: `listen` and `services` stand at the top",
    ),
    (
        "configuration",
        &["tls", "ssl", "certificates"],
        "certificates stand under `listen.NAME.tls`",
    ),
    (
        "configuration",
        &["include", "includes", "import", "conf_d"],
        "a configuration is one file; what repeats can be an anchor under `x-…`",
    ),
    (
        "configuration",
        &["logging", "logs", "access_log", "error_log"],
        "that is `log`",
    ),
    (
        "configuration",
        &["health", "health_check", "healthcheck", "health_checks"],
        "that is `defaults.check`, or `check` of a service",
    ),
    (
        "configuration",
        &["state", "data_dir", "storage"],
        "that is `state_dir`",
    ),
    (
        "listen.NAME",
        &["port", "bind", "host", "ip", "addr", "interface"],
        "that is `address`, with the port: `\":8080\"`, `127.0.0.1:8080`",
    ),
    (
        "listen.NAME",
        &[
            "ssl",
            "certificate",
            "cert",
            "cert_file",
            "key_file",
            "https",
        ],
        "that is `tls: { certificates: [{ cert_file: …, key_file: … }] }`",
    ),
    (
        "listen.NAME",
        &["http2", "h2", "alpn", "http_version"],
        "that is `protocols: [h1, h2]`",
    ),
    (
        "listen.NAME",
        &["routes", "backend", "default_backend", "upstream"],
        "a service names its listeners, by `listen`",
    ),
    (
        "listen.NAME",
        &["trusted_proxies", "real_ip", "set_real_ip_from", "trust"],
        "that is `trusted`",
    ),
    (
        "listen.NAME.tls.certificates[]",
        &["cert", "certificate", "crt", "chain", "fullchain"],
        "that is `cert_file`",
    ),
    (
        "listen.NAME.tls.certificates[]",
        &["key", "private_key"],
        "that is `key_file`",
    ),
    (
        "listen.NAME.tls.certificates[]",
        &["password", "passphrase"],
        "encrypted keys are not read: `openssl pkey -in KEY -out PLAIN`",
    ),
    (
        "services.NAME",
        &[
            "upstreams",
            "upstream",
            "clusters",
            "servers",
            "server",
            "pools",
            "pool",
            "targets",
            "origins",
            "providers",
            "endpoints",
            "load_balancer",
        ],
        "that is `backends: { aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] } }`",
    ),
    (
        "services.NAME",
        &[
            "health_check",
            "healthcheck",
            "health_checks",
            "health",
            "healthchecks",
        ],
        "that is `check`",
    ),
    (
        "services.NAME",
        &[
            "outlier_detection",
            "outliers",
            "passive_health_check",
            "observe",
            "max_fails",
            "circuit_breaking",
        ],
        "that is `outlier`; it is on by default",
    ),
    (
        "services.NAME",
        &[
            "routes",
            "route",
            "rule",
            "rules",
            "host",
            "hosts",
            "domain",
            "domains",
            "server_name",
            "path",
            "paths",
            "prefix",
        ],
        "that is `match: [{ hosts: [meet.example.org], path: { prefix: / } }]`",
    ),
    (
        "services.NAME",
        &[
            "lb",
            "lb_policy",
            "lb_algorithm",
            "load_balancing",
            "strategy",
            "policy",
            "algorithm",
        ],
        "that is `balance: { algorithm: least_request }`",
    ),
    (
        "services.NAME",
        &[
            "timeout",
            "connect_timeout",
            "read_timeout",
            "proxy_read_timeout",
        ],
        "that is `timeouts`: connect, response_headers, stream_idle, upstream_idle",
    ),
    (
        "services.NAME",
        &["retries", "retry_policy", "num_retries"],
        "that is `retry: { attempts: 2 }`",
    ),
    (
        "services.NAME",
        &[
            "sticky",
            "sticky_sessions",
            "session_affinity",
            "stickiness",
        ],
        "that is `affinity: { by: { cookie: NAME }, secret_file: FILE }`",
    ),
    (
        "services.NAME",
        &[
            "rate_limit",
            "rate_limits",
            "ratelimit",
            "circuit_breaker",
            "outlier_detection",
        ],
        "that is not available yet",
    ),
    (
        "services.NAME",
        &["weight", "weights"],
        "each backend has its own `weight`",
    ),
    (
        "services.NAME.backends.NAME",
        &[
            "servers",
            "server",
            "targets",
            "target",
            "url",
            "urls",
            "address",
            "addresses",
            "addr",
            "hosts",
            "ip",
            "ips",
            "origins",
            "port",
            "upstreams",
        ],
        "that is `endpoints: [\"http://10.0.1.10:8080\"]`",
    ),
    (
        "services.NAME.backends.NAME",
        &[
            "backup", "standby", "passive", "priority", "failover", "down",
        ],
        "a backend that waits has `role: standby` and no weight; one that gets nothing has `weight: 0`",
    ),
    (
        "services.NAME.backends.NAME",
        &["share", "percent", "ratio", "percentage", "traffic"],
        "that is `weight`, relative to the others",
    ),
    (
        "services.NAME.backends.NAME",
        &["zone", "location", "datacenter", "dc", "availability_zone"],
        "that is `region`",
    ),
    (
        "services.NAME.backends.NAME",
        &["check", "health_check", "healthcheck", "timeouts", "retry"],
        "that belongs to the service, for all its backends",
    ),
    (
        "services.NAME.backends.NAME",
        &[
            "tls",
            "ssl",
            "https",
            "verify",
            "insecure",
            "skip_verify",
            "insecure_skip_verify",
        ],
        "TLS is the scheme of an endpoint, `https://`; certificates are always verified, by `ca_file` or the public roots",
    ),
    (
        "services.NAME.backends.NAME",
        &["cloud", "vendor"],
        "that is `provider`",
    ),
    (
        "services.NAME.check",
        &["url", "uri", "endpoint"],
        "that is `path`",
    ),
    (
        "services.NAME.check",
        &["retries", "unhealthy_threshold", "failures", "max_fails"],
        "that is `fall`: failures in a row that take an endpoint out",
    ),
    (
        "services.NAME.check",
        &["healthy_threshold", "successes"],
        "that is `rise`: passes in a row that bring it back",
    ),
    (
        "services.NAME.check",
        &["method"],
        "a check over HTTP is a GET",
    ),
    (
        "services.NAME.check",
        &["type", "protocol", "mode"],
        "that is `kind`: tcp, http or grpc",
    ),
    (
        "services.NAME.check",
        &["grpc", "grpc_service", "service_name", "grpc_health_check"],
        "that is `kind: grpc`, and `service` for one service of the server",
    ),
    (
        "services.NAME.check",
        &["agent_check", "agent_port", "agent_inter", "agent_addr"],
        "that is `agent: { port: … }`",
    ),
    (
        "services.NAME.check",
        &["init_state", "initial_state", "initial_status", "mandatory"],
        "that is `initial`: up, unknown or down",
    ),
    (
        "services.NAME.check",
        &[
            "string", "rstring", "body", "text", "match", "receive", "response",
        ],
        "that is `expect: { text: … }`",
    ),
    (
        "services.NAME.check",
        &["ssl", "https", "scheme", "check_ssl"],
        "that is `tls: true`",
    ),
    (
        "services.NAME.check",
        &["status", "codes", "expected_status", "expected_codes"],
        "that is `expect: { status: [200] }`",
    ),
    (
        "log",
        &["file", "path", "output"],
        "the log goes to standard output; what starts bascule puts it into a file",
    ),
];

/// What to do about a key of another tool.
pub(super) fn advice(shape: &str, key: &str) -> Option<&'static str> {
    let mut plain = String::with_capacity(key.len());
    for c in key.chars() {
        if c.is_ascii_uppercase() && !plain.is_empty() && !plain.ends_with('_') {
            plain.push('_');
        }
        plain.push(if c == '-' {
            '_'
        } else {
            c.to_ascii_lowercase()
        });
    }
    let mut of_shape = FOREIGN.iter().filter(|(id, ..)| *id == shape);
    of_shape.find_map(|(_, keys, text)| keys.contains(&plain.as_str()).then_some(*text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_in_any_spelling_and_only_in_their_place() {
        assert!(advice("configuration", "entryPoints").is_some());
        assert!(advice("services.NAME", "health-check").is_some());
        assert!(advice("log", "upstreams").is_none());
    }
}
