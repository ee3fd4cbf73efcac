//! What keeps requests together, as text.

use bascule_traffic::spec::{AffinityBy, AffinitySpec, KeySource, OnDrain, SameSite};

use super::Lines;
use crate::write::literal;

pub(super) fn affinity(out: &mut Lines, spec: &AffinitySpec) {
    let by = match &spec.by {
        AffinityBy::Cookie(cookie) => format!("{{ cookie: {} }}", literal(&cookie.name)),
        AffinityBy::Key(source) => key_source(source),
    };
    out.key("by", by);
    out.time("ttl", spec.ttl);
    let on_drain = match spec.on_drain {
        OnDrain::KeepRunning => "keep_running",
        OnDrain::Move => "move",
    };
    out.key("on_drain", on_drain);
    if let AffinityBy::Cookie(cookie) = &spec.by {
        out.key("secret_file", literal(&cookie.secret_file));
        let same_site = match cookie.same_site {
            SameSite::Lax => "lax",
            SameSite::Strict => "strict",
            SameSite::None => "none",
        };
        out.key("same_site", same_site);
    }
}

/// Where requests have their key.
pub(super) fn key_source(source: &KeySource) -> String {
    match source {
        KeySource::SourceIp => "source_ip".to_owned(),
        KeySource::Sni => "sni".to_owned(),
        KeySource::Header(name) => format!("{{ header: {} }}", literal(name)),
        KeySource::Query(name) => format!("{{ query: {} }}", literal(name)),
        KeySource::PathSegment(number) => format!("{{ path_segment: {number} }}"),
    }
}
