//! SRV names (RFC 2782) as what resolves them and what chooses endpoints both need them: one record with the addresses of its
//! target, and the domain that such a name is about. How records become endpoints is decided in `traffic::assemble`.

use std::net::IpAddr;

/// One record of an SRV name, its target resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SrvRecord {
    /// Who comes first: the lowest that has an endpoint that is not down serves.
    pub priority: u16,
    /// Its part among the records of its priority; 0 is little, not none.
    pub weight: u16,
    /// Where the target listens.
    pub port: u16,
    /// All addresses of the target, sorted; they share the weight.
    pub addresses: Vec<IpAddr>,
}

/// The domain that an SRV name is about: what stands behind `_service._proto.`. `None` for a name of another shape.
#[must_use]
pub fn domain(name: &str) -> Option<&str> {
    let (service, rest) = name.split_once('.')?;
    let (protocol, domain) = rest.split_once('.')?;
    let is_word = |label: &str| label.len() > 1 && label.starts_with('_');
    let has_name = !domain.trim_end_matches('.').is_empty();
    (is_word(service) && is_word(protocol) && has_name).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_stands_behind_service_and_protocol() {
        assert_eq!(domain("_http._tcp.a.example"), Some("a.example"));
        assert_eq!(domain("_http._tcp.consul"), Some("consul"));
        for other in [
            "_http._tcp",
            "_http._tcp.",
            "_http.a.example",
            "http._tcp.a",
            "_._tcp.a",
            "a.example",
            "",
        ] {
            assert_eq!(domain(other), None, "{other}");
        }
    }
}
