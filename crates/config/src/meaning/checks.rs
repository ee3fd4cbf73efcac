//! What can be wrong about a `check` as a whole: keys that have no use for what it does, times that do not fit, TLS where
//! there is none.

use std::time::Duration;

use bascule_model::Scheme;

use super::backends::url_item;
use super::services;
use crate::build::check::{Kind, kind, naming};
use crate::diagnostic::Diagnostic;
use crate::form::Value;
use crate::form::unit::show_duration;
use crate::lower::{Field, Item};
use crate::read::Layers;

/// Above this a check is warned of: three times what the built-in check needs to find a dead endpoint.
const DETECT_MAX: Duration = Duration::from_secs(30);

/// The check of a service.
pub(super) fn check(service: &Field, defaults: Option<&Item>, problems: &mut Vec<Diagnostic>) {
    let layers = layers(service, defaults);
    if let Some(own) = service.item.get("check") {
        two_kinds(own, problems);
        without_use(own, &[kind(layers).0], problems);
    }
    times(layers, problems);
    tls(service, layers, problems);
}

/// Whether a service's endpoints are checked over TLS, whatever their scheme.
pub(super) fn is_over_tls(service: &Field, defaults: Option<&Item>) -> bool {
    layers(service, defaults).boolean("tls") == Some(true)
}

/// What `defaults` alone can be wrong about.
pub(super) fn defaults(root: &Item, problems: &mut Vec<Diagnostic>) {
    let defaults = root.get("defaults");
    let Some(check) = defaults.and_then(|d| d.get("check")) else {
        return;
    };
    two_kinds(check, problems);
    let of_service = |service: &Field| kind(layers(service, defaults)).0;
    let own = kind(Layers::only(Some(check))).0;
    let kinds = services(root).iter().map(of_service);
    let kinds: Vec<Kind> = std::iter::once(own).chain(kinds).collect();
    without_use(check, &kinds, problems);
}

fn layers<'a>(service: &'a Field, defaults: Option<&'a Item>) -> Layers<'a> {
    let base = defaults.and_then(|defaults| defaults.get("check"));
    Layers::new(service.item.get("check"), base)
}

fn two_kinds(check: &Item, problems: &mut Vec<Diagnostic>) {
    let named: Vec<(&Field, Kind)> = naming(check).collect();
    let [(first, meant), others @ ..] = named.as_slice() else {
        return;
    };
    for (field, _) in others.iter().filter(|(_, kind)| kind != meant) {
        let (one, other) = (&first.name, &field.name);
        let message = format!("`{one}` and `{other}` are of two kinds of check");
        let problem = Diagnostic::error("E0381", field.key_span, &field.item.pointer, message)
            .label("another kind of check")
            .related(first.key_span, "the first")
            .help("leave one of the two out");
        problems.push(problem);
    }
}

/// Keys that speak of what no check of these kinds does.
fn without_use(check: &Item, kinds: &[Kind], problems: &mut Vec<Diagnostic>) {
    let expect = |name: &str| check.get("expect").and_then(|expect| expect.field(name));
    for (field, fits) in [
        (check.field("host"), &[Kind::Http, Kind::Grpc][..]),
        (expect("status"), &[Kind::Http]),
        (expect("text"), &[Kind::Http, Kind::Tcp]),
    ] {
        let Some(field) = field.filter(|_| !kinds.iter().any(|kind| fits.contains(kind))) else {
            continue;
        };
        let is_grpc = kinds.contains(&Kind::Grpc);
        let (without, label, help) = if is_grpc {
            let label = "gRPC says in its answer whether it serves";
            ("in a check of gRPC", label, "leave it out")
        } else {
            let label = "a TCP connect has no answer of HTTP to look at";
            let help = "add `path`, such as `path: /healthz`";
            ("without `path`", label, help)
        };
        let message = format!("`{}` has no use {without}", field.name);
        let problem = Diagnostic::error("E0317", field.key_span, &field.item.pointer, message)
            .label(label)
            .help(help);
        problems.push(problem);
    }
}

fn times(check: Layers<'_>, problems: &mut Vec<Diagnostic>) {
    let interval = check.duration("interval").unwrap_or(Duration::from_secs(3));
    let timeout = check.duration("timeout").unwrap_or(Duration::from_secs(1));
    let fall: u32 = check.integer("fall").unwrap_or(3);
    let detect = interval.saturating_mul(fall);
    let place = check.get("interval").or_else(|| check.get("fall"));
    if let Some(item) = place.filter(|_| detect >= DETECT_MAX) {
        let plural = if fall == 1 { "failure" } else { "failures" };
        let label = format!(
            "{} × {fall} {plural} = {} to detect",
            show_duration(interval),
            show_duration(detect)
        );
        let message = "a dead endpoint is found late";
        let problem = Diagnostic::warning("W0311", item.span, &item.pointer, message)
            .label(label)
            .help("interval: 3s");
        problems.push(problem);
    }
    if let Some(item) = check
        .get("timeout")
        .or_else(|| check.get("interval"))
        .filter(|_| timeout > interval)
    {
        let label = format!(
            "{} is longer than the interval of {}",
            show_duration(timeout),
            show_duration(interval)
        );
        let problem = Diagnostic::warning(
            "W0312",
            item.span,
            &item.pointer,
            "a check may take longer than the interval",
        )
        .label(label);
        problems.push(problem);
    }
}

/// TLS on the very port that traffic uses without it, or the reverse: such a check can only fail.
fn tls(service: &Field, check: Layers<'_>, problems: &mut Vec<Diagnostic>) {
    let (Some(over_tls), Some(item)) = (check.boolean("tls"), check.get("tls")) else {
        return;
    };
    let backends = service.item.get("backends").map(Item::fields);
    let endpoints = backends.unwrap_or_default().iter().flat_map(|backend| {
        let list = backend.item.get("endpoints").map(Item::items);
        list.unwrap_or_default().iter().filter_map(url_item)
    });
    let differs = |item: &&Item| match item.value() {
        Some(Value::Url(url)) => (url.scheme == Scheme::Https) != over_tls,
        _ => false,
    };
    let Some(endpoint) = endpoints.clone().find(differs) else {
        return;
    };
    if check.get("port").is_some() {
        return;
    }
    let message = if over_tls {
        "a check over TLS on a port that traffic uses in clear"
    } else {
        "a check in clear on a port that traffic uses over TLS"
    };
    let problem = Diagnostic::warning("W0381", item.span, &item.pointer, message)
        .label("of all endpoints, whatever their scheme")
        .related(endpoint.span, "this one for instance")
        .help("name the port that is meant by `port`, or leave `tls` out");
    problems.push(problem);
}
