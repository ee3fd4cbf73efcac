//! Pages of E02: single values. Longer than a file should be, as a table is best read in one piece.

use super::{Page, file};

pub(super) const PAGES: &[Page] = &[
    file(
        "E0201",
        "listen: { web: { address: \":8080\" } }\nlog: { access: { redact_query: yes } }\nservices:\n  meet:\n    backends:\n      aws: { weight: \"70\", endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Write true or false, a number without quotes, or a text in quotes, as the message says. `--fix` does it where only one thing can be meant.",
        &["E0202", "E0103"],
    ),
    file(
        "E0202",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    check: { interval: 3 }\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Add the unit: `3s`, `500ms`, `64KiB`, `10%`, `10/s`, `0.05 USD/GB`. Sizes are powers of 1024; `1MB` of other tools is mostly `1MiB`.",
        &["E0201", "E0203"],
    ),
    file(
        "E0203",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    retry: { attempts: 9 }\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Choose a value in the range that is shown.",
        &["E0202", "E0211"],
    ),
    file(
        "E0204",
        "listen: { web: { address: \":8080\" } }\nlog: { level: warning }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Take one of the words in the note.",
        &["E0191"],
    ),
    file(
        "E0205",
        "listen: { web: { address: 8080 } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Write `\":8080\"` with its quotes, or an address with a port.",
        &["E0311", "E0401"],
    ),
    file(
        "E0206",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"10.0.1.10:8080\"] }\n",
        "Write scheme, host and port, and nothing behind: `http://10.0.1.10:8080`. A path for checks is `check.path`.",
        &["E0310", "E0701"],
    ),
    file(
        "E0207",
        "listen: { web: { address: \":8080\", trusted: [\"10.1.2.3/8\"] } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Take the network or the one address that the help names.",
        &["W0316"],
    ),
    file(
        "E0208",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    match: [{ hosts: [\"*\"] }]\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Write the name without scheme, port and path. `*.` may stand in front only; leave `hosts` out to take every host.",
        &["E0209", "E0308"],
    ),
    file(
        "E0209",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    match: [{ path: { prefix: /api/ } }]\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Begin with `/`, leave the query out, and end a prefix without `/`.",
        &["E0208", "E0318"],
    ),
    file(
        "E0210",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n    controller: { bounds: { aws: 80%..20% } }\n",
        "Write the least first: `20%..80%`.",
        &["E0313", "E0312"],
    ),
    file(
        "E0211",
        "listen: { web: { address: \":8080\" } }\ndefaults: { timeouts: { connect: 0s } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Give a time above zero, or leave the key out for its default.",
        &["E0203"],
    ),
    file(
        "E0213",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    check: { path: /healthz, expect: { status: [2xx] } }\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Write the number, or a range: `200-299`.",
        &["E0317"],
    ),
    file(
        "E0214",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [] }\n",
        "Add an entry, or leave the key out where it has a default.",
        &["E0105"],
    ),
    file(
        "E0215",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, region: \"\", endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Write a text, or leave the key out.",
        &["E0103"],
    ),
    file(
        "E0216",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    balance: { algorithm: maglev, hash: { header: \"x room\" } }\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Write the name alone: `x-room`.",
        &["E0371"],
    ),
    file(
        "E0217",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    affinity: { by: { cookie: \"my session\" }, secret_file: affinity.key }\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Write the name alone: `session`.",
        &["E0352"],
    ),
    file(
        "E0218",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http+srv://_http._tcp.media.example.org:8080\"] }\n",
        "Write `http+srv://_http._tcp.media.example.org`, or `http://media.example.org:8080` where addresses are meant.",
        &["E0206", "E0701"],
    ),
    file(
        "E0219",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, egress_price: { price: 0.05 USD/GB, as_of: 01.11.2026 }, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Write year, month and day: `2026-11-01`.",
        &["E0202"],
    ),
];
