//! Weights, roles and endpoints of the backends of one service.

use std::collections::BTreeMap;

use bascule_traffic::spec::EndpointUrl;

use crate::diagnostic::Diagnostic;
use crate::form::Value;
use crate::form::address::show_url;
use crate::lower::{Field, Item, Lowered};
use crate::read::Layers;

/// `checked_over_tls`: whatever the scheme of the endpoints.
pub(super) fn check(service: &Field, checked_over_tls: bool, problems: &mut Vec<Diagnostic>) {
    let Some(backends) = service.item.field("backends") else {
        return;
    };
    for backend in backends.item.fields() {
        roles(backend, problems);
        names(backend, problems);
        if !checked_over_tls {
            trust(backend, problems);
        }
    }
    weights(backends, problems);
    super::capacity::check(backends, problems);
    endpoints(backends.item.fields(), problems);
}

fn roles(backend: &Field, problems: &mut Vec<Diagnostic>) {
    let map = Layers::only(Some(&backend.item));
    let (role, weight) = (backend.item.field("role"), backend.item.field("weight"));
    let name = &backend.name;
    match (role, weight) {
        (Some(role), Some(weight)) if map.word("role").is_some() => {
            let pointer = &weight.item.pointer;
            let problem = if map.integer::<u64>("weight") == Some(0) {
                let message = format!("backend `{name}` is off and standby at once");
                Diagnostic::error("E0303", weight.item.span, pointer, message)
                    .label("0 is off: it would get nothing, whatever else fails")
                    .help("keep one: `role: standby` to hold it ready, `weight: 0` to keep it out")
            } else {
                let message = format!("backend `{name}` is standby and has a weight");
                Diagnostic::error("E0302", weight.key_span, pointer, message)
                    .label("a standby backend has no weight")
                    .help("keep one of the two")
            };
            problems.push(problem.related(role.key_span, "standby here"));
        }
        (None, None) if matches!(backend.item.lowered, Lowered::Map(_)) => {
            let message = format!("backend `{name}` has neither a weight nor a role");
            let problem =
                Diagnostic::error("E0304", backend.key_span, &backend.item.pointer, message)
                    .label("how much should it get?")
                    .help("`weight: 1`, relative to the others, or `role: standby`");
            problems.push(problem);
        }
        _ => {}
    }
}

/// A provider is a name, checked here as its form takes any text.
fn names(backend: &Field, problems: &mut Vec<Diagnostic>) {
    let Some(item) = backend.item.get("provider") else {
        return;
    };
    let Some(Value::Text(name)) = item.value() else {
        return;
    };
    if let Err(error) = bascule_model::ProviderName::parse(name) {
        let message = format!("`{name}` cannot be the name of a provider");
        problems.push(
            Diagnostic::error("E0106", item.span, &item.pointer, message).label(error.to_string()),
        );
    }
}

fn weights(backends: &Field, problems: &mut Vec<Diagnostic>) {
    let fields = backends.item.fields();
    let may_have_share = |field: &Field| {
        let map = Layers::only(Some(&field.item));
        let refused = |key: &str| field.item.get(key).is_some_and(Item::is_bad);
        let undecided = field.item.is_bad() || refused("weight") || refused("role");
        let nothing = !field.item.has("weight") && !field.item.has("role");
        undecided || nothing || map.integer::<u64>("weight").is_some_and(|w| w > 0)
    };
    if fields.is_empty() || fields.iter().any(may_have_share) {
        return;
    }
    let pointer = &backends.item.pointer;
    let problem = Diagnostic::error(
        "E0301",
        backends.key_span,
        pointer,
        "no backend has a weight above zero",
    )
    .label("nobody would get anything")
    .help("give at least one backend a weight above 0");
    problems.push(problem);
}

fn endpoints(backends: &[Field], problems: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&EndpointUrl, (&Field, &Item)> = BTreeMap::new();
    for backend in backends {
        let list = backend
            .item
            .get("endpoints")
            .map(Item::items)
            .unwrap_or_default();
        for item in list.iter().filter_map(url_item) {
            let Some(Value::Url(url)) = item.value() else {
                continue;
            };
            match seen.get(url) {
                Some(first) => problems.push(twice(url, (backend, item), *first)),
                None => {
                    seen.insert(url, (backend, item));
                }
            }
        }
    }
}

/// Where the URL of an endpoint stands, which is a URL or a map that has one.
pub(super) fn url_item(endpoint: &Item) -> Option<&Item> {
    match endpoint.lowered {
        Lowered::Map(_) => endpoint.get("url"),
        _ => Some(endpoint),
    }
}

fn twice(url: &EndpointUrl, second: (&Field, &Item), first: (&Field, &Item)) -> Diagnostic {
    let (span, pointer, shown) = (second.1.span, &second.1.pointer, show_url(url));
    let problem = if second.0.name == first.0.name {
        Diagnostic::error(
            "E0310",
            span,
            pointer,
            format!("endpoint {shown} is given twice"),
        )
        .label("the second")
    } else {
        let message = format!(
            "endpoint {shown} is in backends `{}` and `{}`",
            first.0.name, second.0.name
        );
        Diagnostic::warning("W0315", span, pointer, message).label("if it fails, both have lost it")
    };
    problem.related(first.1.span, "the first")
}

fn trust(backend: &Field, problems: &mut Vec<Diagnostic>) {
    let Some(file) = backend.item.field("ca_file") else {
        return;
    };
    let list = backend
        .item
        .get("endpoints")
        .map(Item::items)
        .unwrap_or_default();
    let tls = |item: &Item| match url_item(item).and_then(Item::value) {
        Some(Value::Url(url)) => url.scheme == bascule_model::Scheme::Https,
        _ => true,
    };
    if !list.is_empty() && !list.iter().any(tls) {
        let pointer = &file.item.pointer;
        let problem =
            Diagnostic::warning("W0314", file.key_span, pointer, "`ca_file` has no use here")
                .label("no endpoint of this backend is https");
        problems.push(problem);
    }
}
