//! The keys under `tls` of a listener.

use std::time::Duration;

use super::Reload::Live;
use super::{BOOL, FILE, Key, Shape, Type, optional, required, shape};
use crate::form::Form;

/// A browser keeps `max_age` for so long after its last visit: zero takes the promise back, ten years is the most.
const REMEMBERED: Type = Type::Value(Form::Duration(
    Duration::ZERO,
    Duration::from_secs(3_650 * 86_400),
));

pub(super) static TLS: Shape = shape(
    "`tls`",
    "listen.NAME.tls",
    &[
        required(
            "certificates",
            Type::List(&Type::Map(&CERTIFICATE), 1),
            "Chosen by SNI; the first where none fits, unless `strict_sni`. Files are read again at each reload.",
        ),
        optional(
            "strict_sni",
            BOOL,
            "false",
            Live,
            "Whether a handshake without SNI, or with a name that no certificate is for, is refused.",
        ),
        optional(
            "min_version",
            Type::Value(Form::Choice(&["1.2", "1.3"], &[])),
            "1.2",
            Live,
            "The lowest version of TLS that is spoken; the highest is always 1.3.",
        ),
        HSTS_KEY,
    ],
);

const HSTS_KEY: Key = optional(
    "hsts",
    Type::Map(&HSTS),
    "off",
    Live,
    "Says `Strict-Transport-Security` with every response of this listener, in place of the backend's.",
);

static HSTS: Shape = shape(
    "`hsts`",
    "listen.NAME.tls.hsts",
    &[
        optional(
            "max_age",
            REMEMBERED,
            "365d",
            Live,
            "How long a browser that has been here comes back by HTTPS only. `0s` tells it to forget.",
        ),
        optional(
            "include_subdomains",
            BOOL,
            "false",
            Live,
            "Whether every name below the host is meant too.",
        ),
        optional(
            "preload",
            BOOL,
            "false",
            Live,
            "Whether the host may stand in lists that browsers are shipped with.",
        ),
    ],
);

static CERTIFICATE: Shape = shape(
    "a certificate",
    "listen.NAME.tls.certificates[]",
    &[
        required(
            "cert_file",
            FILE,
            "PEM file of the chain, the server's own certificate first.",
        ),
        required("key_file", FILE, "PEM file of its private key."),
    ],
);
