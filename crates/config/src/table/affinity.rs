//! The part of the table that speaks of keeping requests together. See [`table`](super) for what an entry is.

use super::Reload::Live;
use super::{FILE, SPAN, Shape, Type, optional, required, shape};
use crate::form::Form;

/// Above this no path has a segment that tells sessions apart.
const SEGMENT_MAX: u64 = 32;

pub(crate) static AFFINITY: Shape = shape(
    "`affinity`",
    "services.NAME.affinity",
    &[
        required(
            "by",
            Type::Either(Form::Choice(&["source_ip", "sni"], &[]), &BY),
            "What is the same in requests that belong together: `source_ip`, the client's address (of IPv6 the /64), `sni`, the name it asked for with TLS, or something of the request. A request without it goes by the shares.",
        ),
        optional(
            "ttl",
            SPAN,
            "12h",
            Live,
            "How long a cookie counts, and how long a key after its last request.",
        ),
        optional(
            "on_drain",
            Type::Value(Form::Choice(&["keep_running", "move"], &[])),
            "keep_running",
            Live,
            "What becomes of the keys and cookies of an endpoint that is drained: they stay until they end, or go elsewhere with their next request. New ones go elsewhere.",
        ),
        optional(
            "secret_file",
            FILE,
            "",
            Live,
            "File of the secrets that seal the cookie, one a line of at least 32 characters, up to 4; the first seals, all open. Mode 0600 or 0640. Needed with `cookie`.",
        ),
        optional(
            "same_site",
            Type::Value(Form::Choice(&["lax", "strict", "none"], &[])),
            "lax",
            Live,
            "When a browser sends the cookie from another site. `none`, for embedded pages, needs HTTPS. With `cookie`.",
        ),
    ],
);

static BY: Shape = shape(
    "`by`",
    "services.NAME.affinity.by",
    &[
        optional(
            "cookie",
            Type::Value(Form::Cookie),
            "",
            Live,
            "A cookie of this name, which bascule sets and seals; it names the endpoint.",
        ),
        optional(
            "header",
            Type::Value(Form::Field),
            "",
            Live,
            "The value of this header field. There must be one of it.",
        ),
        optional(
            "query",
            Type::Value(Form::Text),
            "",
            Live,
            "The value of this parameter of the query, decoded. There must be one of it.",
        ),
        optional(
            "path_segment",
            Type::Value(Form::Integer(1, SEGMENT_MAX)),
            "",
            Live,
            "This segment of the path, decoded: of `/rooms/42` the first is `rooms`.",
        ),
    ],
);
