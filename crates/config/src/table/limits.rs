//! The keys under `defaults.limits` and under `limits` of a listener: the same but for `connections`, which is the
//! process's in the one and the listener's own in the other.

use super::Reload::Live;
use super::{Key, Shape, Type, optional, shape};
use crate::form::Form;

const COUNT_MAX: u64 = 10_000_000;

pub(super) static DEFAULTS: Shape = shape(
    "`limits`",
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

pub(super) static LISTENER: Shape = shape(
    "`limits`",
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
