//! Which service is reached through which listener, and whether two of them want the same requests.

use std::collections::BTreeMap;

use bascule_traffic::spec::{HostPattern, MatchSpec, PathPattern};

use super::services;
use crate::build::expand;
use crate::diagnostic::Diagnostic;
use crate::form::Value;
use crate::form::address::show_host;
use crate::lower::{Field, Item};
use crate::origin::Span;
use crate::similar;

pub(super) fn check(root: &Item, problems: &mut Vec<Diagnostic>) {
    let Some(listen) = root.get("listen").filter(|item| !item.is_bad()) else {
        return;
    };
    let listeners = listen.fields();
    for service in services(root) {
        references(service, listeners, problems);
    }
    for listener in listeners {
        let here = services_of(listener, listeners, services(root));
        let refused = listener.item.get("kind").is_some_and(Item::is_bad);
        if here.is_empty() && !refused && !undecided(root, listeners) {
            let message = format!("listener `{}` has no service", listener.name);
            let pointer = &listener.item.pointer;
            let problem = Diagnostic::error("E0306", listener.key_span, pointer, message)
                .label("nothing could be answered here")
                .help("remove it, or name it in the `listen` of a service");
            problems.push(problem);
        }
        let routes: Vec<Route<'_>> = here.into_iter().flat_map(routes).collect();
        collisions(listener, &routes, problems);
    }
}

/// Whether a service could be meant for any listener, as what it says of listeners was refused, here or before.
fn undecided(root: &Item, listeners: &[Field]) -> bool {
    let known =
        |item: &Item| text(item).is_some_and(|name| listeners.iter().any(|l| l.name == name));
    let clear = |field: &Field| match field.item.get("listen") {
        Some(list) => !list.is_bad() && list.items().iter().all(known),
        None => !field.item.is_bad() && listeners.len() == 1,
    };
    root.get("services").is_none_or(Item::is_bad) || !services(root).iter().all(clear)
}

fn references(service: &Field, listeners: &[Field], problems: &mut Vec<Diagnostic>) {
    let names = || listeners.iter().map(|l| l.name.as_str());
    let known = names().collect::<Vec<_>>().join(", ");
    let Some(list) = service.item.get("listen") else {
        if listeners.len() > 1 && !service.item.is_bad() {
            let message = format!("service `{}` does not say which listener", service.name);
            let problem =
                Diagnostic::error("E0305", service.key_span, &service.item.pointer, message)
                    .label("needs `listen`, as there are several listeners")
                    .note(format!("there are: {known}"));
            problems.push(problem);
        }
        return;
    };
    for (at, item) in list.items().iter().enumerate() {
        let Some(name) = text(item) else { continue };
        if !names().any(|known| known == name) {
            let problem = Diagnostic::error(
                "E0307",
                item.span,
                &item.pointer,
                format!("listener `{name}` is not defined"),
            )
            .label(format!("`listen` has {known}"));
            problems.push(match similar::nearest(name, names()) {
                Some(meant) => problem
                    .help(format!("did you mean `{meant}`?"))
                    .fix(item.span, meant),
                None => problem,
            });
        }
        let first = list
            .items()
            .iter()
            .take(at)
            .find(|other| text(other) == Some(name));
        if let Some(first) = first {
            let problem = Diagnostic::error(
                "E0308",
                item.span,
                &item.pointer,
                format!("listener `{name}` is named twice"),
            )
            .related(first.span, "the first");
            problems.push(problem);
        }
    }
}

fn text(item: &Item) -> Option<&str> {
    match item.value() {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

/// One thing a service takes on a listener.
struct Route<'a> {
    service: &'a Field,
    span: Span,
    pointer: &'a str,
    /// `None`: what no other takes.
    takes: Option<MatchSpec>,
}

/// The services that are reached through a listener.
fn services_of<'a>(listener: &Field, listeners: &[Field], services: &'a [Field]) -> Vec<&'a Field> {
    let here = |service: &&Field| match service.item.get("listen") {
        Some(list) => list
            .items()
            .iter()
            .any(|item| text(item) == Some(&listener.name)),
        None => listeners.len() == 1,
    };
    services.iter().filter(here).collect()
}

fn routes(service: &Field) -> Vec<Route<'_>> {
    let Some(list) = service.item.get("match") else {
        let (span, pointer) = (service.key_span, service.item.pointer.as_str());
        return vec![Route {
            service,
            span,
            pointer,
            takes: None,
        }];
    };
    list.items()
        .iter()
        .flat_map(|entry| routes_of_entry(service, entry))
        .collect()
}

fn routes_of_entry<'a>(service: &'a Field, entry: &'a Item) -> Vec<Route<'a>> {
    let hosts = entry.get("hosts").map(Item::items).unwrap_or_default();
    let readable = hosts
        .iter()
        .filter(|host| !host.is_bad())
        .map(|host| host.span);
    let path = entry.get("path");
    let path_is_bad =
        path.is_some_and(|p| p.is_bad() || p.fields().iter().any(|f| f.item.is_bad()));
    if path_is_bad || entry.is_bad() {
        return Vec::new();
    }
    let spans = readable.chain(std::iter::once(entry.span));
    let route = |(span, takes)| Route {
        service,
        span,
        pointer: &entry.pointer,
        takes: Some(takes),
    };
    spans.zip(expand(entry)).map(route).collect()
}

fn collisions(listener: &Field, routes: &[Route<'_>], problems: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<MatchSpec, &Route<'_>> = BTreeMap::new();
    for route in routes {
        let first = *seen.entry(effective(&route.takes)).or_insert(route);
        if std::ptr::eq(first, route) {
            continue;
        }
        let (name, other, listener) = (&route.service.name, &first.service.name, &listener.name);
        let problem = if route.takes.is_none() && first.takes.is_none() {
            let message = format!(
                "services `{other}` and `{name}` both have no `match` on listener `{listener}`"
            );
            Diagnostic::error("E0309", route.span, route.pointer, message)
                .label("only one service can take what no other takes")
                .help("give one of them a `match`")
        } else {
            let what = route
                .takes
                .as_ref()
                .or(first.takes.as_ref())
                .map(show)
                .unwrap_or_default();
            let message = match name == other {
                true => format!("service `{name}` matches {what} twice on listener `{listener}`"),
                false => format!(
                    "services `{other}` and `{name}` both match {what} on listener `{listener}`"
                ),
            };
            Diagnostic::error("E0308", route.span, route.pointer, message).label("the second")
        };
        problems.push(problem.related(first.span, "the first"));
    }
}

/// What a route takes; without a match it is what every host and path would be.
fn effective(takes: &Option<MatchSpec>) -> MatchSpec {
    let all = || MatchSpec {
        host: HostPattern::Any,
        path: PathPattern::Prefix("/".to_owned()),
    };
    takes.clone().unwrap_or_else(all)
}

fn show(takes: &MatchSpec) -> String {
    let host = show_host(&takes.host).unwrap_or_else(|| "every host".to_owned());
    match &takes.path {
        PathPattern::Exact(path) => format!("{host} with path {path}"),
        PathPattern::Prefix(path) if path == "/" => host,
        PathPattern::Prefix(path) => format!("{host} with paths below {path}"),
    }
}
