//! How endpoints are chosen: an algorithm by key needs a key, and what belongs to a key needs such an algorithm; zones of
//! endpoints need one of the edge's own.

use super::services;
use crate::diagnostic::Diagnostic;
use crate::lower::{Field, Item};
use crate::read::Layers;

/// The algorithms that follow a key.
const BY_KEY: [&str; 2] = ["maglev", "rendezvous"];

pub(super) fn check(service: &Field, problems: &mut Vec<Diagnostic>) {
    let Some(balance) = service.item.get("balance") else {
        return;
    };
    let algorithm = Layers::only(Some(balance)).word("algorithm");
    if balance.get("algorithm").is_some_and(Item::is_bad) {
        return;
    }
    let name = algorithm.unwrap_or("least_request");
    if BY_KEY.contains(&name) {
        if !balance.has("hash")
            && !has_affinity_key(service)
            && let Some(item) = balance.get("algorithm")
        {
            let message = format!("`{name}` has no key");
            let problem = Diagnostic::error("E0371", item.span, &item.pointer, message)
                .label("which requests belong together?")
                .help("add `hash`, such as `hash: { header: x-room }` or `hash: source_ip`");
            problems.push(problem);
        }
    } else {
        without_use(balance, name, problems);
    }
    if let Some(hash) = balance.get("hash") {
        one_key(hash, problems);
    }
}

/// Whether the service keeps requests together by something that is a key too. A cookie is none: it names the endpoint.
fn has_affinity_key(service: &Field) -> bool {
    let by = service.item.get("affinity").and_then(|a| a.get("by"));
    by.is_some_and(|by| by.value().is_some() || by.fields().iter().any(|f| f.name != "cookie"))
}

fn without_use(balance: &Item, algorithm: &str, problems: &mut Vec<Diagnostic>) {
    for name in ["hash", "bounded_load"] {
        let Some(field) = balance.field(name) else {
            continue;
        };
        let message = format!("`{name}` has no use with `{algorithm}`");
        let problem = Diagnostic::error("E0372", field.key_span, &field.item.pointer, message)
            .label("it belongs to choosing by key")
            .help("`algorithm: maglev` chooses by key; or leave it out");
        problems.push(problem);
    }
}

fn one_key(hash: &Item, problems: &mut Vec<Diagnostic>) {
    if hash.is_bad() || hash.value().is_some() {
        return;
    }
    match hash.fields() {
        [] => {
            let message = "`hash` says nothing";
            let problem = Diagnostic::error("E0373", hash.span, &hash.pointer, message)
                .label("needs `header`, `query` or `path_segment`")
                .help("or `hash: source_ip`");
            problems.push(problem);
        }
        [first, others @ ..] => {
            for second in others {
                let message = "one key is hashed, not two";
                let pointer = &second.item.pointer;
                let problem = Diagnostic::error("E0373", second.key_span, pointer, message)
                    .label("the second")
                    .related(first.key_span, "the first")
                    .help("keep one");
                problems.push(problem);
            }
        }
    }
}

/// Zones that nothing is near to.
pub(super) fn zones(root: &Item, problems: &mut Vec<Diagnostic>) {
    if root.has("zone") {
        return;
    }
    let backends = services(root).iter().filter_map(|s| s.item.get("backends"));
    let backends = backends.flat_map(Item::fields);
    let endpoints = backends
        .filter_map(|b| b.item.get("endpoints"))
        .flat_map(Item::items);
    let mut zones = endpoints.filter_map(|endpoint| endpoint.field("zone"));
    if let Some(first) = zones.next() {
        let message = "endpoints have zones, and the edge has none";
        let pointer = &first.item.pointer;
        let problem = Diagnostic::warning("W0371", first.key_span, pointer, message)
            .label("near to what?")
            .help("say where this edge stands, at the top of the file: `zone: …`");
        problems.push(problem);
    }
}

#[cfg(test)]
mod tests {
    use crate::source::MemorySource;

    /// The codes of a service that is kept together like this and chooses by key without a `hash`.
    fn codes(affinity: &str) -> Vec<String> {
        let text = format!(
            "listen: {{ web: {{ address: \":8080\" }} }}\nservices:\n  meet:\n    balance: {{ algorithm: maglev }}\n{affinity}    backends:\n      aws: {{ weight: 1, endpoints: [\"http://10.0.1.10:8080\"] }}\n"
        );
        match crate::load("t.yaml", &text, &MemorySource::default()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.items.iter().map(|p| p.code.to_owned()).collect(),
        }
    }

    #[test]
    fn a_key_of_affinity_is_one_to_choose_by_and_a_cookie_is_not() {
        assert_eq!(codes(""), ["E0371"]);
        for by in ["source_ip", "{ header: x-room }", "{ path_segment: 2 }"] {
            let affinity = format!("    affinity: {{ by: {by} }}\n");
            assert!(codes(&affinity).is_empty(), "{by}: {:?}", codes(&affinity));
        }
        let cookie = "    affinity: { by: { cookie: room }, secret_file: /none }\n";
        assert!(codes(cookie).contains(&"E0371".to_owned()));
    }
}
