//! `load(render(c)) = c`, on configurations made at random from the table of keys, so that a key which is added to the
//! table and forgotten in `render` or `build` is found.

use bascule_model::Rng;
use proptest::prelude::*;

use super::*;
use crate::form::Form;
use crate::form::bits::show_bit_rate;
use crate::source::MemorySource;
use crate::table::service::SERVICE;
use crate::table::{Key, ROOT, Shape, Type};
use crate::{load, schema};

/// The files that a made configuration names.
fn world() -> MemorySource {
    let block = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    let both = block("CERTIFICATE") + &block("PRIVATE KEY");
    let files = ["/etc/a.pem", "/tmp/with space: #.pem", "/${X}/ü.pem"];
    let mut world = MemorySource {
        files: files
            .map(|path| (path.to_owned(), both.clone().into_bytes()))
            .into(),
        ..MemorySource::default()
    };
    world.files.insert("/etc/secret".to_owned(), vec![b'x'; 32]);
    world
}

/// Makes the text of a configuration.
struct Maker {
    rng: Rng,
    /// Counts up, so that addresses, endpoints and routes differ.
    number: u32,
}

impl Maker {
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.rng.below(n as u64)).unwrap()
    }

    fn one_of(&mut self, options: &[&str]) -> String {
        let at = self.below(options.len());
        options[at].to_owned()
    }

    fn next(&mut self) -> u32 {
        self.number += 1;
        self.number
    }

    fn map(&mut self, shape: &'static Shape) -> String {
        let mut parts = Vec::new();
        for key in shape.keys {
            let needed = key.need == crate::table::Need::Required;
            if needed || self.below(2) == 0 {
                parts.extend(self.key(shape, key));
            }
        }
        format!("{{ {} }}", parts.join(", "))
    }

    fn key(&mut self, shape: &Shape, key: &'static Key) -> Option<String> {
        let value = match (shape.id, key.name) {
            ("configuration", "services" | "listen" | "accounts" | "commitments") | ("services.NAME", "listen" | "match") => {
                return None;
            }
            // What only makes sense beside another key.
            (
                "defaults.check, services.NAME.check",
                "host" | "expect" | "path" | "kind" | "service" | "send",
            ) => {
                return None;
            }
            // An algorithm by key needs one, and others have no use for it.
            ("services.NAME.balance", "algorithm") => {
                self.one_of(&["least_request", "peak_ewma", "round_robin", "random"])
            }
            ("services.NAME.balance", "hash" | "bounded_load") => return None,
            ("services.NAME", "affinity") => self.affinity(),
            ("services.NAME", "apply") => self.apply(),
            ("services.NAME.match[].path", "exact") | ("services.NAME.safety", "min_providers") => {
                return None;
            }
            // For all backends of a service, or for none.
            ("services.NAME.backends.NAME", "role" | "weight" | "capacity") => return None,
            ("services.NAME.backends.NAME", "egress_price") => self.price(),
            // One of the two, at least.
            ("services.NAME.backends.NAME", "endpoints" | "discover") => return None,
            // A hold is no longer than the longest.
            ("defaults.outlier, services.NAME.outlier", "hold") => self.one_of(&["1ms", "29s"]),
            ("defaults.outlier, services.NAME.outlier", "hold_max") => self.one_of(&["30s", "1h"]),
            ("services.NAME", "limits") => self.one_of(&[
                "{ endpoint_requests: 4 }",
                "{ endpoint_connections: 10000000, endpoint_pending: 0 }",
                "{ backend_requests: 1, endpoint_pending: 3 }",
                "{ endpoint_requests: 9, backend_requests: 8, endpoint_pending: 7, pending_timeout: 20ms }",
            ]),
            // Names are looked up again no later than they may live.
            ("dns", "ttl_min") => self.one_of(&["10ms", "5s", "1m"]),
            ("dns", "ttl_max") => self.one_of(&["1m", "1m30s", "1d"]),
            ("services.NAME.safety.override_ttl", "default") => self.one_of(&["1s", "23h", "24h"]),
            ("services.NAME.safety.override_ttl", "max") => self.one_of(&["72h", "365d", "24h"]),
            _ => self.holds(&key.holds),
        };
        Some(format!("{}: {value}", key.name))
    }

    fn holds(&mut self, holds: &'static Type) -> String {
        match holds {
            Type::Map(shape) => self.map(shape),
            Type::List(holds, min) => {
                let count = (*min).max(self.below(4));
                let items: Vec<String> = (0..count).map(|_| self.holds(holds)).collect();
                format!("[{}]", items.join(", "))
            }
            Type::Names("backend", Type::Map(shape), _) => self.backends(shape),
            // Bounds within which every split is.
            Type::Names(..) => "{ aws: 0%..100%, b-1: 0.01%..99.99% }".to_owned(),
            Type::Value(form) => self.value(*form),
            Type::Either(form, _) if self.below(2) == 0 => self.value(*form),
            Type::Either(_, shape) => self.map(shape),
        }
    }

    fn backends(&mut self, shape: &'static Shape) -> String {
        let capacity = self.capacity();
        let mut parts = Vec::new();
        for name in ["aws", "b-1", "\"7\""] {
            let rest = self.map(shape);
            let part = match self.below(4) {
                0 if name != "aws" => "role: standby".to_owned(),
                1 if name != "aws" => "weight: 0".to_owned(),
                _ => format!("weight: {}", 1 + self.below(1_000_000)),
            };
            let found = self.found(shape);
            parts.push(rest.replacen('{', &format!("{name}: {{ {part}, {capacity} {found},"), 1));
        }
        format!("{{ {} }}", parts.join(", "))
    }

    /// Endpoints that are written, or found in one of the accounts, or both.
    fn found(&mut self, shape: &'static Shape) -> String {
        let written = shape.keys.iter().find(|key| key.name == "endpoints");
        let written = format!("endpoints: {}", self.holds(&written.unwrap().holds));
        let found = self.one_of(&[
            "account: o, from: instance-pool/ocid1.x, port: 65535",
            "account: o, from: load-balancer/ocid1.x/a b, scheme: https, observe: all, observe_every: 1h",
            "account: \"7\", from: \"target-group/arn:aws:x:1:targetgroup/a/b\", port: 1, refresh: 1h",
            "account: \"7\", from: cloud-map/media/join, scheme: h2c, refresh: 1500ms, observe: off",
            "account: \"7\", from: auto-scaling-group/x, addresses: public, port: 80",
        ]);
        match self.below(4) {
            0 => format!("discover: {{ {found} }}"),
            1 => format!("{written}, discover: {{ {found} }}"),
            _ => written,
        }
    }

    /// A flat price or tiers, in the currency of the service.
    fn price(&mut self) -> String {
        let price = self.one_of(&[
            "price: 0.0085 USD/GB",
            "price: 0 USD/GB, source: \"a: b\"",
            "tiers: [{ up_to: 10TB, price: 0 USD/GB }, { price: 0.0085 USD/GB }]",
            "tiers: [{ up_to: 1B, price: 1000 USD/GB }, { up_to: 1500MB, price: 0.000001 USD/GB }, { price: 0 USD/GB }]",
        ]);
        format!("{{ {price}, as_of: 2026-11-01 }}")
    }

    /// One of them at most covers a backend.
    fn commitments(&mut self, service: &str) -> String {
        let remaining = self.one_of(&["2PB", "1500GB", "250000.5 USD", "0 USD"]);
        let covers = self.one_of(&["S/b-1", "S/\"7\", S/b-1"]).replace('"', "");
        let covers = covers.replace('S', service);
        let one = format!(
            "{{ remaining: {remaining}, as_of: 2026-11-01, period_ends: 2027-03-31, covers: [{covers}] }}"
        );
        self.one_of(&["{}", &format!("{{ credits: {one} }}")])
    }

    fn apply(&mut self) -> String {
        let one = self.one_of(&[
            "account: o, to: steering-policy/ocid1.x, members: { aws: [a, b c], b-1: [\"7\"] }",
            "account: o, to: load-balancer/ocid1.x/a b, members: { \"7\": [10.0.0.0/8] }, verify: 1h",
            "account: \"7\", to: route53/Z1/a.example.org/AAAA, members: { aws: [], b-1: [\"::1\"] }, ttl: 1s",
            "account: \"7\", to: route53/Z1/A.example.org./A, members: { aws: [10.0.0.1] }, dns: { servers: [10.0.0.1:53, \"[::1]:5353\"] }",
            "account: o, to: steering-policy/ocid1.x, members: { aws: [a] }, dns: { servers: [10.0.0.1:53], name: A.b, questions: 1000 }",
            "account: \"7\", to: \"target-groups/arn:aws:x:listener/a/b\", members: { aws: [\"arn:x/y\"] }, on_drift: adopt",
        ]);
        format!("[{{ {one} }}]")
    }

    fn accounts(&mut self) -> String {
        let oci = self.one_of(&[
            "",
            ", region: a b, auth: instance_principal",
            ", config_file: /x, profile: \"null\"",
        ]);
        let aws = self.one_of(&["", ", endpoint_url: \"http://[::1]:80\""]);
        format!("{{ o: {{ cloud: oci{oci} }}, \"7\": {{ cloud: aws{aws} }} }}")
    }

    fn capacity(&mut self) -> String {
        let n = self.next();
        let units = [
            format!("requests: {n}/s"),
            format!("sessions: {n}"),
            self.one_of(&["egress: 25Gbit/s", "egress: 1500kbit/s"]),
        ];
        let mut some = units.to_vec();
        some.retain(|_| self.below(2) == 0);
        match some.is_empty() {
            true => String::new(),
            false => format!("capacity: {{ {} }},", some.join(", ")),
        }
    }

    fn value(&mut self, form: Form) -> String {
        let n = self.next();
        match form {
            Form::Text => literal(&self.one_of(&[
                "us-east-1",
                "a b",
                "${X}",
                "ü: #",
                "7",
                "true",
                "- x",
                "\"",
                "\\n",
            ])),
            Form::Bool => self.one_of(&["true", "false"]),
            Form::File => {
                literal(&self.one_of(&["/etc/a.pem", "/tmp/with space: #.pem", "/${X}/ü.pem"]))
            }
            Form::Name => literal(&self.one_of(&["aws", "7", "null", "a_b.c-d", "1e3"])),
            Form::Version => crate::migrate::VERSION.to_string(),
            Form::Integer(min, max) | Form::IntegerOrAuto(min, max) => {
                (min + self.rng.below(max - min + 1)).to_string()
            }
            Form::Ratio => self.one_of(&["0", "1", "0.1", "0.333", "1.0", "5e-2"]),
            Form::Duration(..) => self.one_of(&["1s", "1500ms", "1m30s", "90m", "24h", "1d"]),
            Form::Size(..) => self.one_of(&["1KiB", "1025B", "64KiB", "1023KiB"]),
            Form::Percent(..) => self.one_of(&["0.01%", "10%", "33.33%", "50%"]),
            Form::WholePercent(min, max) => {
                format!(
                    "{}%",
                    u64::from(min) + self.rng.below(u64::from(max - min) + 1)
                )
            }
            Form::Cookie => literal(&self.one_of(&["bascule", "__Host-s", "1"])),
            Form::Field => literal(&self.one_of(&["x-room", "X-User", "1"])),
            Form::Rise => self.one_of(&["+30%", "+0.01%", "+1000%", "+12.5%"]),
            Form::PercentRange => "0%..100%".to_owned(),
            Form::Rate(min, max) => {
                format!("{}/s", [min, 10, max][self.below(3)])
            }
            Form::BitRate(min, max) => {
                let rate = [min, 25_000_000_000, max][self.below(3)];
                show_bit_rate(rate)
            }
            // Made whole, with the key that they are part of.
            Form::Price | Form::Volume(..) | Form::Remaining => unreachable!("{form:?}"),
            Form::Date => self.one_of(&["1970-01-01", "2028-02-29"]),
            Form::Status => self.one_of(&["200", "\"204\"", "200-299"]),
            Form::Listen | Form::Socket => literal(&format!(
                "127.0.{}.{}:{}",
                n / 250,
                1 + n % 250,
                1 + self.below(65_000)
            )),
            Form::Url => literal(&self.url(n)),
            Form::Network => literal(&self.one_of(&["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"])),
            Form::Host => literal(&format!("{}h{n}.example.org", self.one_of(&["", "*."]))),
            Form::Authority => {
                literal(&self.one_of(&["a.example.org", "[::1]:80", "10.0.0.1:8080"]))
            }
            Form::Path | Form::Prefix => literal(&format!(
                "/p{n}{}",
                self.one_of(&["", "/a", "/%20", "/~a:b"])
            )),
            Form::Wire(..) => literal(&self.one_of(&["PING\r\n", "ok", "\u{0}ü\u{7f}", "${X}"])),
            Form::Target => literal(&self.one_of(&["/", "/healthz", "/h?x=1&y=2", "/a%20b"])),
            Form::Choice(words, _) => self.one_of(words),
        }
    }

    fn url(&mut self, n: u32) -> String {
        match self.below(4) {
            0 => format!("http://10.0.{}.{}:8080", n / 250, n % 250),
            1 => format!("h2c://[fd00::{n:x}]:80"),
            2 => format!("https+srv://_e{n}._tcp.example.org"),
            _ => format!("https://e{n}.example.org"),
        }
    }

    /// Choosing by key, with everything that belongs to it.
    fn balance_by_key(&mut self) -> String {
        let algorithm = self.one_of(&["maglev", "rendezvous"]);
        let hash = self.one_of(&[
            "source_ip",
            "{ header: X-Room }",
            "{ query: \"a b\" }",
            "{ path_segment: 2 }",
        ]);
        let bound = self.one_of(&["", ", bounded_load: 125%", ", bounded_load: 1000%"]);
        format!("balance: {{ algorithm: {algorithm}, hash: {hash}{bound} }}")
    }

    /// One thing, and what a cookie alone has.
    fn affinity(&mut self) -> String {
        let by = self.one_of(&[
            "source_ip",
            "sni",
            "{ cookie: bascule }, secret_file: /etc/secret",
            "{ cookie: \"1\" }, secret_file: /etc/secret, same_site: none",
            "{ header: X-Room }",
            "{ query: \"a b\" }",
            "{ path_segment: 2 }",
        ]);
        let rest = self.one_of(&[
            "",
            ", ttl: 90m",
            ", on_drain: move",
            ", ttl: 1d, on_drain: keep_running",
        ]);
        format!("{{ by: {by}{rest} }}")
    }

    fn configuration(&mut self) -> String {
        let root = self.map(&ROOT);
        let mut listeners = Vec::new();
        let mut services = Vec::new();
        let listener = ROOT
            .keys
            .iter()
            .find(|key| key.name == "listen")
            .map(|key| &key.holds);
        let Some(Type::Names(_, Type::Map(listener), _)) = listener else {
            panic!("the table has no listeners")
        };
        for name in ["web", "l-2"] {
            listeners.push(format!("{name}: {}", self.map(listener)));
            let service = self.map(&SERVICE);
            let n = self.next();
            let check = self.one_of(&[
                "check: { path: /x, host: a.example.org, expect: { status: [200, 300-399] } }",
                "check: { path: /x, tls: true, port: 9000, expect: { text: \"$${X} ü\" } }",
                "check: { kind: grpc, initial: down }",
                "check: { service: a.b.C, host: a.example.org, initial: up }",
                "check: { send: \"PING\\r\\n\\0\", expect: { text: +PONG } }",
                "check: { expect: { text: \"\\x07\" } }",
            ]);
            let service = if service.contains("check:") {
                service
            } else {
                service.replacen('{', &format!("{{ {check},"), 1)
            };
            let service = if service.contains("balance:") {
                service
            } else {
                service.replacen('{', &format!("{{ {},", self.balance_by_key()), 1)
            };
            let takes = self.one_of(&["", "match: [{ path: { exact: /x } }, { hosts: [a.org] }],"]);
            services.push(service.replacen('{', &format!("s{n}: {{ listen: [{name}], {takes}"), 1));
        }
        let (listeners, services) = (listeners.join(", "), services.join(", "));
        let accounts = self.accounts();
        let commitments = self.commitments(&format!("s{}", self.number));
        root.replacen(
            '{',
            &format!(
                "{{ listen: {{ {listeners} }}, accounts: {accounts}, commitments: {commitments}, services: {{ {services} }},"
            ),
            1,
        )
        .replace(", }", " }")
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_rendered_is_read_the_same(seed in any::<u64>()) {
        let text = Maker { rng: Rng::new(seed), number: 0 }.configuration();
        let made = load("made.yaml", &text, &world());
        prop_assert!(made.is_ok(), "{}\n{}", text, made.unwrap_err());
        let config = made.unwrap().config;
        let rendered = render(&config);
        let again = load("rendered.yaml", &rendered, &world());
        prop_assert!(again.is_ok(), "{}\n{}", rendered, again.unwrap_err());
        let again = again.unwrap().config;
        prop_assert_eq!(&again, &config, "{}", rendered);
        prop_assert_eq!(render(&again), rendered.clone());
        prop_assert_eq!(crate::fmt("rendered.yaml", &rendered).unwrap(), rendered.clone());
        let different = crate::diff((&config, &text), (&again, &rendered));
        prop_assert!(different.is_empty(), "{}\n{:?}", text, different);
        let shown = crate::show_defaults(&config, &text);
        let shown_again = load("shown.yaml", &shown, &world());
        prop_assert!(shown_again.is_ok(), "{}\n{}", shown, shown_again.unwrap_err());
        prop_assert_eq!(shown_again.unwrap().config, config, "{}", shown);
    }
}

#[test]
fn the_schema_is_an_object() {
    assert_eq!(schema()["type"], "object");
}
