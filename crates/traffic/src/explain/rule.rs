//! Which entry of a service's `match` took a request, in words.

use crate::route::Route;
use crate::spec::{HostPattern, MatchSpec, PathPattern, ServiceSpec};

/// The entry in words.
#[must_use]
pub fn matched(spec: &ServiceSpec, route: Route) -> String {
    match route.rule.and_then(|at| spec.matches.get(at)) {
        Some(rule) => words(rule),
        None => "no match of its own: it takes what is left".to_owned(),
    }
}

fn words(rule: &MatchSpec) -> String {
    let host = match &rule.host {
        HostPattern::Exact(host) => format!("host {host}"),
        HostPattern::Wildcard(parent) => format!("host *.{parent}"),
        HostPattern::Any => "any host".to_owned(),
    };
    match &rule.path {
        PathPattern::Exact(path) => format!("{host}, path {path} exactly"),
        PathPattern::Prefix(path) if path == "/" => host,
        PathPattern::Prefix(path) => format!("{host}, path {path} and below"),
    }
}
