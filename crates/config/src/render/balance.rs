//! How endpoints are chosen, and what is said of each.

use bascule_traffic::spec::{Balance, EndpointSpec};

use super::Lines;
use super::affinity::key_source;
use crate::form::address::show_url;
use crate::write::literal;

pub(super) fn balance(out: &mut Lines, balance: &Balance) {
    out.key("algorithm", balance.algorithm.as_str());
    if let Some(hash) = &balance.hash {
        out.key("hash", key_source(hash));
    }
    if let Some(bound) = balance.bound {
        out.key("bounded_load", format!("{}%", bound.percent()));
    }
}

/// An endpoint: a URL, or a map where there is more to say.
pub(super) fn endpoint(endpoint: &EndpointSpec) -> String {
    let url = literal(&show_url(&endpoint.url));
    let zone = endpoint
        .zone
        .as_ref()
        .map(|zone| format!("zone: {}", literal(zone)));
    let weight = endpoint.weight.map(|weight| format!("weight: {weight}"));
    let more: Vec<String> = zone.into_iter().chain(weight).collect();
    if more.is_empty() {
        return url;
    }
    format!("{{ url: {url}, {} }}", more.join(", "))
}
