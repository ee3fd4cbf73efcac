//! Limits and TLS of listeners that say something else than is meant: a limit that another reaches first, a promise that
//! browsers' lists do not take. Warnings all: what is written is done.

use std::time::Duration;

use crate::config::{Hsts, Limits};
use crate::diagnostic::Diagnostic;
use crate::lower::Item;
use crate::read::Layers;

/// What the lists that browsers are shipped with ask for at least.
const PRELOAD_AGE_MIN: Duration = Duration::from_secs(365 * 86_400);

pub(super) fn check(root: &Item, problems: &mut Vec<Diagnostic>) {
    let defaults = root.get("defaults").and_then(|item| item.get("limits"));
    let process = Layers::only(defaults);
    if let Some(item) = defaults {
        limits(item, process, problems);
    }
    for field in root.get("listen").map(Item::fields).unwrap_or_default() {
        if let Some(item) = field.item.get("limits") {
            limits(item, process, problems);
        }
        if let Some(item) = field.item.get("tls").and_then(|tls| tls.get("hsts")) {
            hsts(item, problems);
        }
    }
}

/// The keys that count connections, against the limit of the whole process.
fn limits(item: &Item, process: Layers<'_>, problems: &mut Vec<Diagnostic>) {
    let all: usize = process
        .integer("connections")
        .unwrap_or(Limits::default().connections);
    let own = Layers::only(Some(item));
    for key in ["connections", "connections_per_client"] {
        let (Some(value), Some(at)) = (own.integer::<usize>(key), own.get(key)) else {
            continue;
        };
        if value <= all {
            continue;
        }
        let message = format!("`{key}` is never reached");
        let problem = Diagnostic::warning("W0319", at.span, &at.pointer, message)
            .label(format!("the whole process takes {all}"))
            .help("lower it, or raise `defaults.limits.connections`");
        problems.push(match process.get("connections") {
            Some(limit) => problem.related(limit.span, "the process's limit is here"),
            None => problem,
        });
    }
}

fn hsts(item: &Item, problems: &mut Vec<Diagnostic>) {
    let map = Layers::only(Some(item));
    let Some(preload) = map
        .get("preload")
        .filter(|_| map.boolean("preload") == Some(true))
    else {
        return;
    };
    let built_in = Hsts::default();
    let age = map.duration("max_age").unwrap_or(built_in.max_age);
    let subdomains = map
        .boolean("include_subdomains")
        .unwrap_or(built_in.include_subdomains);
    let missing = match (subdomains, age < PRELOAD_AGE_MIN) {
        (true, false) => return,
        (false, false) => "needs `include_subdomains: true`",
        (true, true) => "needs `max_age: 365d` or more",
        (false, true) => "needs `include_subdomains: true` and `max_age: 365d` or more",
    };
    let message = "browsers' lists will not take this host";
    let problem = Diagnostic::warning("W0318", preload.span, &preload.pointer, message)
        .label(format!("`preload` {missing}"))
        .help("leave `preload` out until the rest is meant");
    problems.push(problem);
}
