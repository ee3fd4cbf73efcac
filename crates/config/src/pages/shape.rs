//! Pages of E01: the shape of a file. Longer than a file should be, as a table is best read in one piece.

use super::{Page, file, situation};

pub(super) const PAGES: &[Page] = &[
    file(
        "E0101",
        "listen: { web: { address: \":8080\" }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Look at the place shown and the line above it: close what is open, indent with spaces, put a space behind `:` and quotes around a text that begins with a sign.",
        &["E0103", "E0107"],
    ),
    file(
        "E0102",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, weight: 30, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Keep one of the two. Two services or backends need two names.",
        &["E0104"],
    ),
    file(
        "E0103",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: \"http://10.0.1.10:8080\" }\n",
        "Write the shape that the message names. A single entry of a list stands in `[` and `]`; a fix does that.",
        &["E0105", "E0214"],
    ),
    file(
        "E0104",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { wieght: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Take the suggested key (`bascule config validate --fix` does), or one of those listed. Keys of other proxies have other names here; the note says which.",
        &["E0110", "E0190"],
    ),
    file(
        "E0105",
        "listen: { web: {} }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Add the key. [The reference](config.md) says what it takes.",
        &["E0103", "E0214"],
    ),
    file(
        "E0106",
        "listen: { web: { address: \":8080\" } }\nservices:\n  \"meet me\":\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Use letters, digits, `-`, `_` and `.`, and begin with a letter or digit.",
        &["E0104"],
    ),
    file(
        "E0107",
        "x-base: &base { weight: 70 }\nlisten: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { <<: *base, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Write it out. What many services share stands under `defaults`; a whole value can be repeated by an alias.",
        &["E0108", "E0101"],
    ),
    file(
        "E0108",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    check: *usual\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Put the anchor (`x-usual: &usual …`) above its first use. A text that begins with `*` needs quotes.",
        &["E0107"],
    ),
    file(
        "E0109",
        "# nothing but a comment\n",
        "Start from `config/minimal.yaml`, or from [the guide](../getting-started.md).",
        &["E0105"],
    ),
    file(
        "E0110",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    timeouts: { client_idle: 75s }\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Move the key to the place that the message names.",
        &["E0104"],
    ),
    situation(
        "E0111",
        "a file saved as Latin-1, in which `ü` is one byte.",
        "Save it as UTF-8: `iconv -f latin1 -t utf-8 FILE`.",
        &["E0101"],
    ),
    file(
        "E0112",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://${AWS_HOST}:8080\"] }\n",
        "Set it where bascule is started (systemd: `Environment=`), or give a default: `${AWS_HOST:-10.0.1.10}`.",
        &["E0113"],
    ),
    file(
        "E0113",
        "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://${AWS HOST}:8080\"] }\n",
        "Write `${NAME}` or `${NAME:-default}`; a literal `${` is `$${`.",
        &["E0112"],
    ),
    situation(
        "E0114",
        "a generated file with 300 000 endpoints.",
        "Name hosts instead of addresses: all addresses of a name are endpoints.",
        &["E0108"],
    ),
    situation(
        "E0120",
        "`bascule config fmt` on a file whose comments stand where no key can keep them.",
        "Move the comment above a key, then format again.",
        &["E0101"],
    ),
    file(
        "E0121",
        "version: 2\nlisten: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Use the bascule that the file was written for, or a newer one. `bascule config migrate` brings older files up to date.",
        &["E0203"],
    ),
    file(
        "E0190",
        "listen: { web: { address: \":8080\" } }\ntracing: { otlp: \"http://otel:4317\" }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Leave it out until a version has it; the changelog says when.",
        &["E0191", "E0104"],
    ),
    file(
        "E0191",
        "listen: { web: { address: \":8080\", protocols: [h1, h3] } }\nservices:\n  meet:\n    backends:\n      aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n",
        "Use one of the values that the note lists.",
        &["E0190", "E0204"],
    ),
    situation(
        "E0199",
        "none should exist.",
        "Report it with the file; `bascule support-dump --config FILE` packs what is needed.",
        &[],
    ),
];
