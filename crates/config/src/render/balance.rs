//! How endpoints are chosen, and what is said of each.

use bascule_traffic::spec::{Balance, EndpointSpec, HashKey};

use super::Lines;
use crate::form::address::show_url;
use crate::write::literal;

pub(super) fn balance(out: &mut Lines, balance: &Balance) {
    out.key("algorithm", balance.algorithm.as_str());
    if let Some(hash) = &balance.hash {
        out.key(
            "hash",
            match hash {
                HashKey::SourceIp => "source_ip".to_owned(),
                HashKey::Header(name) => format!("{{ header: {} }}", literal(name)),
                HashKey::Query(name) => format!("{{ query: {} }}", literal(name)),
                HashKey::PathSegment(number) => format!("{{ path_segment: {number} }}"),
            },
        );
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
