//! The keys under `limits`, of two kinds. `defaults.limits` and those of a listener bound what clients bring: the same
//! keys but for `connections`, which is the process's in the one and the listener's own in the other. Those of a service
//! bound what its endpoints get, and have no defaults in the file: what one endpoint bears, another does not.

use super::Reload::Live;
use super::{Key, Shape, Type, WAIT, optional, shape};
use crate::form::Form;

const COUNT_MAX: u64 = 10_000_000;

pub(super) static DEFAULTS: Shape = clients(
    "defaults.limits",
    &[
        optional(
            "connections",
            Type::Value(Form::Integer(1, COUNT_MAX)),
            "100000",
            Live,
            "Client connections of the whole process.",
        ),
        PER_CLIENT,
        HEADER_BYTES,
        HEADER_COUNT,
        REQUEST_BODY,
        STREAMS,
        REQUESTS,
        RESETS,
        CONTROL_FRAMES,
    ],
);

pub(super) static LISTENER: Shape = clients(
    "listen.NAME.limits",
    &[
        optional(
            "connections",
            Type::Value(Form::Integer(1, COUNT_MAX)),
            "the process's",
            Live,
            "Client connections of this listener.",
        ),
        PER_CLIENT,
        HEADER_BYTES,
        HEADER_COUNT,
        REQUEST_BODY,
        STREAMS,
        REQUESTS,
        RESETS,
        CONTROL_FRAMES,
    ],
);

/// A shape of what clients may bring.
const fn clients(path: &'static str, keys: &'static [Key]) -> Shape {
    Shape {
        elsewhere: &[
            ("endpoint_requests", OF_ENDPOINTS),
            ("endpoint_connections", OF_ENDPOINTS),
            ("endpoint_pending", OF_ENDPOINTS),
            ("pending_timeout", OF_ENDPOINTS),
            ("backend_requests", OF_ENDPOINTS),
        ],
        ..shape("`limits`", path, keys)
    }
}

/// Named in the wrong one of the two kinds.
const OF_CLIENTS: &str =
    "it bounds what clients bring: `listen.NAME.limits` and `defaults.limits` have it";
const OF_ENDPOINTS: &str =
    "what endpoints get is bounded by each service: `services.NAME.limits` has it";

pub(super) static SERVICE: Shape = Shape {
    elsewhere: &[
        ("connections", OF_CLIENTS),
        ("connections_per_client", OF_CLIENTS),
        ("header_bytes", OF_CLIENTS),
        ("header_count", OF_CLIENTS),
        ("request_body", OF_CLIENTS),
        ("streams_per_connection", OF_CLIENTS),
        ("requests_per_connection", OF_CLIENTS),
    ],
    ..shape(
        "`limits` of a service",
        "services.NAME.limits",
        &[
            optional(
                "endpoint_requests",
                // 0 is refused where values are read together: what to write instead depends on what was meant.
                Type::Value(Form::Integer(0, COUNT_MAX)),
                "no limit",
                Live,
                "Requests that may run at one endpoint, of all workers; on HTTP/2 each stream is one. What is full is passed over: requests spill to another backend.",
            ),
            optional(
                "endpoint_connections",
                Type::Value(Form::Integer(0, COUNT_MAX)),
                "no limit",
                Live,
                "Connections to one endpoint, of all workers: in use, idle and being made.",
            ),
            optional(
                "backend_requests",
                Type::Value(Form::Integer(0, COUNT_MAX)),
                "no limit",
                Live,
                "Requests that may run at one backend, all its endpoints together.",
            ),
            optional(
                "endpoint_pending",
                Type::Value(Form::Integer(0, COUNT_MAX)),
                "0",
                Live,
                "Requests that may wait for a place when no backend has one, for each usable endpoint; they wait in one line for the backend. 0: they are refused at once.",
            ),
            optional(
                "pending_timeout",
                WAIT,
                "1s",
                Live,
                "How long a request may wait for a place; then 503.",
            ),
        ],
    )
};

const PER_CLIENT: Key = optional(
    "connections_per_client",
    Type::Value(Form::Integer(1, COUNT_MAX)),
    "2000",
    Live,
    "Connections of one client address (IPv6: of one /64), counted over all listeners. Peers in `trusted` are exempt.",
);

const HEADER_BYTES: Key = optional(
    "header_bytes",
    Type::Value(Form::Size(1 << 10, 1 << 20)),
    "16KiB",
    Live,
    "The head of a request.",
);

const HEADER_COUNT: Key = optional(
    "header_count",
    Type::Value(Form::Integer(1, 1_000)),
    "100",
    Live,
    "Header lines of a request.",
);

const REQUEST_BODY: Key = optional(
    "request_body",
    Type::Value(Form::Size(1, 1 << 50)),
    "no limit",
    Live,
    "The body of a request.",
);

const STREAMS: Key = optional(
    "streams_per_connection",
    Type::Value(Form::Integer(1, 10_000)),
    "100",
    Live,
    "HTTP/2 streams that a client may have open on one connection.",
);

const REQUESTS: Key = optional(
    "requests_per_connection",
    Type::Value(Form::Integer(1, 1_000_000_000)),
    "10000",
    Live,
    "Requests of one connection; the client is asked to open another after them.",
);

const RESETS: Key = optional(
    "resets",
    Type::Value(Form::Rate(1, 1_000_000)),
    "20/s",
    Live,
    "HTTP/2 streams that a client may reset, and as many that its errors may make us reset, as a mean; bursts of ten times that.",
);

const CONTROL_FRAMES: Key = optional(
    "control_frames",
    Type::Value(Form::Rate(1, 1_000_000)),
    "50/s",
    Live,
    "HTTP/2 frames that move no request on (SETTINGS, PING, PRIORITY, empty ones), as a mean; bursts of ten times that.",
);
