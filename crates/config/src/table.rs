//! The table of keys: every key of a configuration with its form, default, reload behaviour and meaning, and every key
//! that will exist later. One truth for reading, the schema, the reference and `fmt`. It decides which keys there are;
//! what they mean together is decided in [`meaning`](crate::meaning). The order is the canonical order.
//!
//! Longer than a file should be, as a table is best read in one piece. `table/service` has the services, `table/limits`
//! the limits of listeners, `table/tls` their TLS, `table/price` what sending costs.

use std::time::Duration;

use bascule_model::BasisPoints;

use crate::form::{Form, Later};

mod affinity;
mod cloud;
mod limits;
mod price;
pub(crate) mod service;
mod tls;

/// A map with fixed keys.
#[derive(Debug)]
pub(crate) struct Shape {
    /// As in "not a key of a backend".
    pub(crate) what: &'static str,
    /// Its heading in the reference, and its name in the schema.
    pub(crate) id: &'static str,
    /// Its keys, in canonical order.
    pub(crate) keys: &'static [Key],
    /// Keys that are not available yet.
    pub(crate) later: &'static [Later],
    /// Keys that people look for here, and where they are.
    pub(crate) elsewhere: &'static [(&'static str, &'static str)],
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) holds: Type,
    /// The default in words; empty: none.
    pub(crate) default: &'static str,
    pub(crate) need: Need,
    pub(crate) reload: Reload,
    pub(crate) doc: &'static str,
}

/// Whether a key must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
}

/// When a change of a key takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reload {
    /// With the reload; what runs is not touched.
    Live,
    /// With the next start; a reload that changes it says so.
    Start,
}

/// What a key holds.
#[derive(Debug)]
pub(crate) enum Type {
    /// A map with fixed keys.
    Map(&'static Shape),
    /// A map with names that people choose, at least so many.
    Names(&'static str, &'static Type, usize),
    /// A list, at least so many.
    List(&'static Type, usize),
    /// A single value.
    Value(Form),
    /// A single value, or a map with fixed keys.
    Either(Form, &'static Shape),
}

use Reload::{Live, Start};

pub(crate) const fn optional(
    name: &'static str,
    holds: Type,
    default: &'static str,
    reload: Reload,
    doc: &'static str,
) -> Key {
    Key {
        name,
        holds,
        default,
        need: Need::Optional,
        reload,
        doc,
    }
}

pub(crate) const fn required(name: &'static str, holds: Type, doc: &'static str) -> Key {
    Key {
        name,
        holds,
        default: "",
        need: Need::Required,
        reload: Live,
        doc,
    }
}

pub(crate) const fn later(name: &'static str, feature: &'static str) -> Later {
    Later { name, feature }
}

pub(crate) const fn shape(what: &'static str, id: &'static str, keys: &'static [Key]) -> Shape {
    Shape {
        what,
        id,
        keys,
        later: &[],
        elsewhere: &[],
    }
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Times that must not be zero: at most a day for everything that somebody waits for.
pub(crate) const WAIT: Type = Type::Value(Form::Duration(millis(1), millis(86_400_000)));
/// Times that may be zero.
pub(crate) const WAIT_OR_NONE: Type = Type::Value(Form::Duration(millis(0), millis(86_400_000)));
/// Times that span days: at most a year.
pub(crate) const SPAN: Type = Type::Value(Form::Duration(millis(1_000), millis(31_536_000_000)));
pub(crate) const PERCENT: Type = Type::Value(Form::Percent(BasisPoints::ZERO, BasisPoints::FULL));
/// Percent above zero.
pub(crate) const SOME_PERCENT: Type =
    Type::Value(Form::Percent(BasisPoints::saturating(1), BasisPoints::FULL));
pub(crate) const FILE: Type = Type::Value(Form::File);
pub(crate) const BOOL: Type = Type::Value(Form::Bool);

/// A whole file.
pub(crate) static ROOT: Shape = Shape {
    later: &[later("tracing", "export of traces over OTLP")],
    ..shape(
        "a configuration",
        "configuration",
        &[
            optional(
                "version",
                Type::Value(Form::Version),
                "1",
                Live,
                "The version of this shape.",
            ),
            optional(
                "state_dir",
                FILE,
                "the XDG state directory",
                Start,
                "Where overrides, admin states, the last good configuration and the journal are kept.",
            ),
            optional(
                "zone",
                Type::Value(Form::Text),
                "none",
                Live,
                "The zone this edge stands in. In a backend that has endpoints with this `zone` they come first; the others get what is too much for them as they fail.",
            ),
            optional(
                "dns",
                Type::Map(&DNS),
                "",
                Live,
                "How the names of endpoints are looked up. A look-up that fails takes no endpoint away.",
            ),
            required(
                "listen",
                Type::Names("listener", &Type::Map(&LISTENER), 1),
                "Where clients connect, by name.",
            ),
            optional("admin", Type::Map(&ADMIN), "", Start, "The admin API."),
            optional(
                "metrics",
                Type::Map(&METRICS),
                "",
                Start,
                "A read-only listener for /metrics, /livez and /readyz. The admin socket and listener serve them too.",
            ),
            optional("log", Type::Map(&LOG), "", Start, "The log."),
            optional("runtime", Type::Map(&RUNTIME), "", Start, "Threads."),
            optional(
                "shutdown",
                Type::Map(&SHUTDOWN),
                "",
                Live,
                "How the process stops.",
            ),
            optional(
                "defaults",
                Type::Map(&DEFAULTS),
                "",
                Live,
                "What services have that do not say otherwise, key by key; and what counts before a service is known.",
            ),
            optional(
                "accounts",
                Type::Names("account", &Type::Map(&cloud::ACCOUNT), 0),
                "",
                Live,
                "Accounts in clouds, by name. Nothing secret stands here: keys and tokens stay where the cloud's own tools have them.",
            ),
            optional(
                "commitments",
                Type::Names("commitment", &Type::Map(&price::COMMITMENT), 0),
                "",
                Live,
                "What was bought beforehand and is used up by sending, by name: credits, a volume. Each backend counts against one at most.",
            ),
            required(
                "services",
                Type::Names("service", &Type::Map(&service::SERVICE), 1),
                "What clients ask for, by name.",
            ),
        ],
    )
};

static DNS: Shape = shape(
    "`dns`",
    "dns",
    &[
        optional(
            "servers",
            Type::List(&Type::Value(Form::Socket), 1),
            "the system's, with its search domains",
            Live,
            "The name servers; what does not fit into a datagram is asked for over TCP.",
        ),
        optional(
            "ttl_min",
            Type::Value(Form::Duration(millis(10), millis(3_600_000))),
            "5s",
            Live,
            "An answer with a shorter TTL is asked for again only after this.",
        ),
        optional(
            "ttl_max",
            Type::Value(Form::Duration(millis(1_000), millis(86_400_000))),
            "5m",
            Live,
            "An answer with a longer TTL is asked for again after this.",
        ),
        optional(
            "timeout",
            WAIT,
            "2s",
            Live,
            "How long one question may take; it is asked twice.",
        ),
    ],
);

static LISTENER: Shape = Shape {
    later: &[
        later(
            "service",
            "listeners that belong to one service (UDP and TCP)",
        ),
        later("proxy_protocol", "the PROXY protocol"),
    ],
    ..shape(
        "a listener",
        "listen.NAME",
        &[
            required(
                "address",
                Type::Value(Form::Listen),
                "Where it listens. `:8080` is all addresses, IPv6 and IPv4; port 0 is any free port.",
            ),
            optional(
                "kind",
                Type::Value(Form::Choice(
                    &["http"],
                    &[
                        later("tls_passthrough", "routing TLS by SNI, bytes untouched"),
                        later("udp", "UDP sessions"),
                        later("tcp", "plain TCP"),
                    ],
                )),
                "http",
                Live,
                "What it carries.",
            ),
            optional(
                "tls",
                Type::Map(&tls::TLS),
                "clear text",
                Live,
                "Certificates; without it the listener speaks clear text.",
            ),
            optional(
                "protocols",
                Type::List(
                    &Type::Value(Form::Choice(
                        &["h1", "h2"],
                        &[later("h3", "HTTP/3 over QUIC")],
                    )),
                    1,
                ),
                "[h1, h2]",
                Live,
                "What it speaks. In clear text HTTP/2 is told by its preface, with TLS by ALPN.",
            ),
            optional(
                "trusted",
                Type::List(&Type::Value(Form::Network), 0),
                "nobody",
                Live,
                "Peers whose `Forwarded` and `X-Forwarded-*` are believed; from all others they are replaced. They are exempt from `connections_per_client`.",
            ),
            optional(
                "decision_header",
                BOOL,
                "false",
                Live,
                "Whether responses say in `x-bascule-decision` what was decided about their request: service, backends with shares, addresses of endpoints. Every client of the listener can read that; new connections take it.",
            ),
            optional(
                "limits",
                Type::Map(&limits::LISTENER),
                "`defaults.limits`",
                Live,
                "Limits of its own, key by key; new connections take them.",
            ),
        ],
    )
};

static ADMIN: Shape = Shape {
    later: &[later("roles", "roles for people and tokens")],
    ..shape(
        "`admin`",
        "admin",
        &[
            optional(
                "socket",
                FILE,
                "bascule/admin.sock in $XDG_RUNTIME_DIR",
                Start,
                "The unix socket; always on, mode 0660, the peer's uid decides.",
            ),
            optional(
                "listen",
                Type::Value(Form::Socket),
                "off",
                Start,
                "A TCP listener; read-only without a token.",
            ),
            optional(
                "auth",
                Type::Map(&AUTH),
                "",
                Start,
                "Who may change things over TCP.",
            ),
        ],
    )
};

static AUTH: Shape = Shape {
    later: &[later(
        "mtls_ca_file",
        "client certificates for the admin API",
    )],
    ..shape(
        "`auth`",
        "admin.auth",
        &[optional(
            "tokens_file",
            FILE,
            "nobody",
            Start,
            "File of tokens that may change things over TCP.",
        )],
    )
};

static METRICS: Shape = shape(
    "`metrics`",
    "metrics",
    &[optional(
        "listen",
        Type::Value(Form::Socket),
        "off",
        Start,
        "Its address.",
    )],
);

static LOG: Shape = shape(
    "`log`",
    "log",
    &[
        optional(
            "level",
            Type::Value(Form::Choice(
                &["error", "warn", "info", "debug", "trace"],
                &[],
            )),
            "info",
            Live,
            "What is logged at all.",
        ),
        optional(
            "format",
            Type::Value(Form::Choice(&["json", "text"], &[])),
            "json",
            Start,
            "One JSON object a line, or lines for people.",
        ),
        optional("access", Type::Map(&ACCESS), "", Start, "The access log."),
    ],
);

static ACCESS: Shape = shape(
    "`access`",
    "log.access",
    &[
        optional(
            "sample",
            Type::Value(Form::Ratio),
            "1.0",
            Live,
            "The part of requests that get a line.",
        ),
        optional(
            "decisions",
            Type::Value(Form::Ratio),
            "0",
            Live,
            "The part of requests that get a line, whatever `sample` says, with what was decided about them and why: route, candidates, tries. 0: nothing is kept for it.",
        ),
        optional(
            "redact_query",
            BOOL,
            "true",
            Start,
            "Whether the query is left out, as it may hold secrets.",
        ),
    ],
);

static RUNTIME: Shape = shape(
    "`runtime`",
    "runtime",
    &[optional(
        "workers",
        Type::Value(Form::IntegerOrAuto(1, 1024)),
        "auto",
        Start,
        "Data-plane threads; auto: one for each core that the process may use.",
    )],
);

static SHUTDOWN: Shape = shape(
    "`shutdown`",
    "shutdown",
    &[
        optional(
            "delay",
            WAIT_OR_NONE,
            "0s",
            Live,
            "From `/readyz` saying 503 to the listeners closing.",
        ),
        optional(
            "deadline",
            WAIT,
            "30s",
            Live,
            "How long running requests are waited for after that.",
        ),
    ],
);

static DEFAULTS: Shape = shape(
    "`defaults`",
    "defaults",
    &[
        optional(
            "check",
            Type::Map(&service::CHECK),
            "",
            Live,
            "How endpoints are checked.",
        ),
        optional(
            "outlier",
            Type::Map(&service::OUTLIER),
            "",
            Live,
            service::OUTLIER_DOC,
        ),
        optional(
            "ramp",
            Type::Map(&service::RAMP),
            "",
            Live,
            "How fast a returning endpoint or backend gets its share back.",
        ),
        optional(
            "timeouts",
            Type::Map(&TIMEOUTS),
            "",
            Live,
            "Limits of time.",
        ),
        optional(
            "retry",
            Type::Map(&service::RETRY),
            "",
            Live,
            "When a request is tried again.",
        ),
        optional(
            "limits",
            Type::Map(&limits::DEFAULTS),
            "",
            Live,
            "Limits of size and number.",
        ),
    ],
);

static TIMEOUTS: Shape = shape(
    "`timeouts`",
    "defaults.timeouts",
    &[
        optional("connect", WAIT, "1s", Live, service::CONNECT),
        optional(
            "request",
            WAIT,
            service::REQUEST_DEFAULT,
            Live,
            service::REQUEST,
        ),
        optional(
            "request_headers",
            WAIT,
            "10s",
            Live,
            "From the first byte of a request to the end of its head.",
        ),
        optional(
            "response_headers",
            WAIT,
            "60s",
            Live,
            service::RESPONSE_HEADERS,
        ),
        optional(
            "client_idle",
            WAIT,
            "75s",
            Live,
            "A client connection without requests is closed after it. Above the 60 s of cloud balancers in front, so that they close first.",
        ),
        optional(
            "client_stall",
            WAIT,
            "60s",
            Live,
            "How long a client may stand still in the middle of a request: sending its body, or taking the response.",
        ),
        optional("upstream_idle", WAIT, "30s", Live, service::UPSTREAM_IDLE),
        optional("stream_idle", WAIT, "5m", Live, service::STREAM_IDLE),
    ],
);
