//! Pages of E03 and W03: what values mean together. Longer than a file should be, as a table is best read in one piece.

use super::{Page, file};

pub(super) const PAGES: &[Page] = &[
    file(
        "E0301",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 0, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Give one backend a weight above zero. To take a service out, remove it, or evacuate its providers.",
        &["E0303", "E0304"],
    ),
    file(
        "E0302",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n      oci: { weight: 30, role: standby, endpoints: [\"http://10.1.1.10:8080\"] }\n",
        "Keep `role: standby` for a backend that waits, or the weight for one that takes part.",
        &["E0303", "E0304"],
    ),
    file(
        "E0303",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n      oci: { weight: 0, role: standby, endpoints: [\"http://10.1.1.10:8080\"] }\n",
        "Keep `weight: 0` to give it nothing whatever fails, or `role: standby` to hold it ready.",
        &["E0302", "E0301"],
    ),
    file(
        "E0304",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Add `weight: 1` where all are to get the same, or `role: standby`.",
        &["E0302", "E0301"],
    ),
    file(
        "E0305",
        "listen: { web: { address: \":8080\" }, inside: { address: \":8081\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Add `listen: [web]` to the service.",
        &["E0306", "E0307"],
    ),
    file(
        "E0306",
        "listen: { web: { address: \":8080\" }, inside: { address: \":8081\" } }\nservices:\n  meet:\n    listen: [web]\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Remove the listener, or name it in the `listen` of a service.",
        &["E0305"],
    ),
    file(
        "E0307",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    listen: [wbe]\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Name one of the listeners in the label.",
        &["E0305", "E0306"],
    ),
    file(
        "E0308",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    match: [{ hosts: [meet.example.org] }]\n    backends: { aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] } }\n  chat:\n    match: [{ hosts: [meet.example.org] }]\n    backends: { aws: { weight: 70, endpoints: [\"http://10.0.1.11:8080\"] } }\n",
        "Tell the two apart by host or path, or remove one.",
        &["E0309", "E0208"],
    ),
    file(
        "E0309",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends: { aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] } }\n  chat:\n    backends: { aws: { weight: 70, endpoints: [\"http://10.0.1.11:8080\"] } }\n",
        "Give all but one a `match`.",
        &["E0308"],
    ),
    file(
        "E0310",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\", \"http://10.0.1.10:8080\"] }\n",
        "Remove the second. To give an address more, make it a backend of its own with its own weight.",
        &["W0315"],
    ),
    file(
        "E0311",
        "listen: { web: { address: \":8080\" }, more: { address: \"127.0.0.1:8080\" } }\nservices:\n  meet:\n    listen: [web, more]\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Use another port, or one listener for both.",
        &["E0205", "E0401"],
    ),
    file(
        "E0312",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n    controller: { bounds: { asw: 20%..100% } }\n",
        "Name a backend of the service.",
        &["E0210", "E0313"],
    ),
    file(
        "E0313",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n      oci: { weight: 30, endpoints: [\"http://10.1.1.10:8080\"] }\n    controller: { bounds: { aws: 60%..90%, oci: 60%..90% } }\n",
        "Lower the lower bounds to 100 % together, or raise the upper ones to it.",
        &["E0210", "W0313"],
    ),
    file(
        "E0315",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n    safety: { override_ttl: { default: 48h, max: 24h } }\n",
        "Lower `default`, or raise `max`.",
        &["E0203"],
    ),
    file(
        "E0316",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n    safety: { min_providers: 2 }\n",
        "Lower `min_providers`, or add a backend at another provider.",
        &["W0740"],
    ),
    file(
        "E0317",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    check: { expect: { status: [200] } }\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Add `path`, or leave `host` and `expect` out for a check by connecting.",
        &["E0213"],
    ),
    file(
        "E0318",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    match: [{ path: { prefix: /api, exact: /api } }]\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Keep one, or write two entries of `match`.",
        &["E0209"],
    ),
    file(
        "E0330",
        "listen: { web: { address: \":8443\", tls: { certificates: [{ cert_file: /missing.crt, key_file: /tls.key }] } } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Put the file there, correct the path, or let the user that bascule runs as read it (a group, `SupplementaryGroups=`).",
        &["E0331", "E0332"],
    ),
    file(
        "E0331",
        "listen: { web: { address: \":8443\", tls: { certificates: [{ cert_file: /tls.key, key_file: /tls.key }] } } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Name the PEM file of the chain, the server's own certificate first.",
        &["E0330", "E0332", "E0402"],
    ),
    file(
        "E0332",
        "listen: { web: { address: \":8443\", tls: { certificates: [{ cert_file: /tls.crt, key_file: /tls.crt }] } } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Name the PEM file of the key. One with a passphrase is decrypted first: `openssl pkey -in KEY -out PLAIN`.",
        &["E0330", "E0331", "E0402"],
    ),
    file(
        "W0311",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    check: { interval: 30s }\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Shorten `interval`, or lower `fall`.",
        &["W0312"],
    ),
    file(
        "W0312",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    check: { interval: 1s, timeout: 5s }\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Make `timeout` shorter than `interval`.",
        &["W0311"],
    ),
    file(
        "W0313",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 90, endpoints: [\"http://10.0.1.10:8080\"] }\n      oci: { weight: 10, endpoints: [\"http://10.1.1.10:8080\"] }\n    controller: { bounds: { aws: 20%..80% } }\n",
        "Change the weights or the bounds.",
        &["E0313"],
    ),
    file(
        "W0314",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, ca_file: /tls.crt, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Write the endpoints with `https://`, or leave `ca_file` out.",
        &["E0403", "E0705"],
    ),
    file(
        "W0315",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n      oci: { weight: 30, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Give each backend endpoints of its own.",
        &["E0310"],
    ),
    file(
        "W0316",
        "listen: { web: { address: \":8080\", trusted: [\"0.0.0.0/0\"] } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Name the networks of the balancers in front, or leave `trusted` out.",
        &["E0207"],
    ),
    file(
        "W0317",
        "listen: { web: { address: \":8080\" } }\nadmin: { listen: \"10.0.0.1:9901\", auth: { tokens_file: /tokens } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Listen on 127.0.0.1 and reach it through a tunnel, or put something with TLS in front.",
        &["W0717"],
    ),
];
