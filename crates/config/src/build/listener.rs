//! Listeners with their certificates. Files are read here, once, so that a listener holds what was checked.

use std::sync::Arc;

use bascule_model::ListenerName;

use super::{Builder, pem, policy};
use crate::config::{Certificate, Hsts, Listener, Protocols, TlsListener, TlsVersion};
use crate::diagnostic::Diagnostic;
use crate::form::Value;
use crate::lower::{Field, Item};
use crate::read::Layers;

impl Builder<'_> {
    pub(super) fn listeners(&mut self, root: &Item) -> Vec<Listener> {
        let defaults = root.get("defaults");
        let fields = root.get("listen").map(Item::fields).unwrap_or_default();
        fields
            .iter()
            .filter_map(|field| self.listener(field, defaults))
            .collect()
    }

    fn listener(&mut self, field: &Field, defaults: Option<&Item>) -> Option<Listener> {
        let map = Layers::only(Some(&field.item));
        let shared = Layers::new(Some(&field.item), defaults);
        let tls = map.get("tls").map(|tls| self.tls(tls));
        let address = match map.get("address").and_then(Item::value) {
            Some(Value::Listen(address)) => *address,
            _ => return None,
        };
        Some(Listener {
            name: ListenerName::parse(&field.name).ok()?,
            address,
            tls,
            protocols: protocols(map.get("protocols")),
            trusted: self.trusted(map.get("trusted")),
            connections: map.inside("limits").integer("connections"),
            decision_header: map.boolean("decision_header").unwrap_or_default(),
            timeouts: policy::listener_timeouts(shared.inside("timeouts")),
            limits: policy::limits(shared.inside("limits")),
        })
    }

    fn tls(&mut self, tls: &Item) -> TlsListener {
        let items = tls.get("certificates").map(Item::items).unwrap_or_default();
        let map = Layers::only(Some(tls));
        TlsListener {
            certificates: items
                .iter()
                .filter_map(|item| self.certificate(item))
                .collect(),
            strict_sni: map.boolean("strict_sni").unwrap_or_default(),
            min_version: match map.word("min_version") {
                Some("1.3") => TlsVersion::V1_3,
                _ => TlsVersion::V1_2,
            },
            hsts: map.get("hsts").map(|_| hsts(map.inside("hsts"))),
        }
    }

    fn certificate(&mut self, item: &Item) -> Option<Certificate> {
        let cert = item.get("cert_file").and_then(|i| Some((i, self.file(i)?)));
        let key = item.get("key_file").and_then(|i| Some((i, self.file(i)?)));
        if let Some((item, (path, content))) = &cert {
            self.problems
                .extend(without_certificate(item, path, content));
        }
        if let Some((item, (path, content))) = &key {
            self.problems.extend(without_key(item, path, content));
        }
        let ((_, (cert_file, cert)), (_, (key_file, key))) = (cert?, key?);
        let content_hash = pem::hash([&cert, &key]);
        let (cert_pem, key_pem) = (Arc::from(cert), Arc::from(key));
        Some(Certificate {
            cert_file,
            key_file,
            cert_pem,
            key_pem,
            content_hash,
        })
    }

    fn trusted(&mut self, item: Option<&Item>) -> Vec<ipnet::IpNet> {
        let mut networks = Vec::new();
        for item in item.map(Item::items).unwrap_or_default() {
            let Some(Value::Network(network)) = item.value() else {
                continue;
            };
            if network.prefix_len() == 0 {
                let problem = Diagnostic::warning(
                    "W0316",
                    item.span,
                    &item.pointer,
                    "every client is trusted",
                )
                .label("anybody can say who they are")
                .help("name the networks of the proxies in front");
                self.problems.push(problem);
            }
            networks.push(*network);
        }
        networks
    }

    /// The roots of a backend: kept by path, checked once they are read.
    pub(super) fn roots_of(&mut self, item: &Item) -> Option<String> {
        let (path, content) = self.file(item)?;
        self.problems
            .extend(without_certificate(item, &path, &content));
        self.roots.insert(path.clone(), Arc::from(content));
        Some(path)
    }
}

fn hsts(map: Layers<'_>) -> Hsts {
    let built_in = Hsts::default();
    Hsts {
        max_age: map.duration("max_age").unwrap_or(built_in.max_age),
        include_subdomains: map
            .boolean("include_subdomains")
            .unwrap_or(built_in.include_subdomains),
        preload: map.boolean("preload").unwrap_or(built_in.preload),
    }
}

fn without_certificate(item: &Item, path: &str, content: &[u8]) -> Option<Diagnostic> {
    let holds = pem::look(content);
    let swapped = holds.keys + holds.encrypted_keys > 0;
    let help = swapped.then(|| "it holds a private key: are the two files swapped?".to_owned());
    let problem = nothing("E0331", item, path, "certificate");
    (holds.certificates == 0).then_some(Diagnostic { help, ..problem })
}

fn without_key(item: &Item, path: &str, content: &[u8]) -> Option<Diagnostic> {
    let holds = pem::look(content);
    let help = if holds.encrypted_keys > 0 {
        Some("its key is encrypted; give one that is not".to_owned())
    } else if holds.certificates > 0 {
        Some("it holds a certificate: are the two files swapped?".to_owned())
    } else {
        None
    };
    let problem = nothing("E0332", item, path, "private key");
    (holds.keys == 0).then_some(Diagnostic { help, ..problem })
}

fn nothing(code: &'static str, item: &Item, path: &str, what: &str) -> Diagnostic {
    let message = format!("`{path}` holds no {what}");
    Diagnostic::error(code, item.span, &item.pointer, message)
        .label(format!("no PEM block of a {what} in this file"))
}

fn protocols(item: Option<&Item>) -> Protocols {
    let Some(item) = item.filter(|item| !item.items().is_empty()) else {
        return Protocols::default();
    };
    let speaks = |word: &str| {
        item.items()
            .iter()
            .any(|i| matches!(i.value(), Some(Value::Word(w)) if *w == word))
    };
    Protocols {
        h1: speaks("h1"),
        h2: speaks("h2"),
    }
}
