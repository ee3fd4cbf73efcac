//! A backend as text.

use bascule_model::EgressPrice;
use bascule_traffic::spec::{BackendSpec, Capacity, HostPolicy, Role};

use super::{Lines, balance, cloud, price};
use crate::config::Discover;
use crate::form::bits::show_bit_rate;
use crate::write::literal;

/// What it says, as keys.
pub(super) fn render(
    out: &mut Lines,
    spec: &BackendSpec,
    price: Option<&EgressPrice>,
    found: Option<&Discover>,
) {
    match spec.role {
        Role::Weighted(weight) => out.key("weight", weight.to_string()),
        Role::Standby => out.key("role", "standby"),
    }
    out.key("provider", literal(spec.provider.as_str()));
    if let Some(region) = &spec.region {
        out.key("region", literal(region));
    }
    let host = match spec.host {
        HostPolicy::Preserve => "preserve",
        HostPolicy::Endpoint => "endpoint",
    };
    out.key("host", host);
    if spec.capacity.is_declared() {
        out.map("capacity", |out| capacity(out, spec.capacity));
    }
    if let Some(price) = price {
        out.map("egress_price", |out| price::egress(out, price));
    }
    if !spec.endpoints.is_empty() {
        out.list("endpoints", spec.endpoints.iter().map(balance::endpoint));
    }
    if let Some(found) = found {
        out.map("discover", |out| cloud::discover(out, found));
    }
    if let Some(file) = &spec.ca_file {
        out.key("ca_file", literal(file));
    }
}

fn capacity(out: &mut Lines, capacity: Capacity) {
    if let Some(requests) = capacity.requests {
        out.key("requests", format!("{requests}/s"));
    }
    if let Some(sessions) = capacity.sessions {
        out.key("sessions", sessions.to_string());
    }
    if let Some(egress) = capacity.egress {
        out.key("egress", show_bit_rate(egress));
    }
}
