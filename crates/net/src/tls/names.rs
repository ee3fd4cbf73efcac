//! For which names a certificate is, as it counts on a connection: looked at for every request that comes under another
//! name than the handshake's, so without allocating. [`look`] reads the certificate.

use std::net::IpAddr;

use bascule_model::Timestamp;

use super::look;

/// What is read from a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// What it is for.
    pub(super) names: Names,
    /// Its name for people.
    pub(super) label: String,
    /// When it ends.
    pub(super) not_after: Timestamp,
}

/// What a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Names {
    /// In lower case, in their order; `*.` starts a wildcard.
    dns: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Names {
    /// The DNS names in lower case, in their order; `*.` starts a wildcard.
    pub(super) fn dns(&self) -> &[String] {
        &self.dns
    }

    /// These and those.
    pub(super) fn with(&self, other: &Self) -> Self {
        Self {
            dns: self.dns.iter().chain(&other.dns).cloned().collect(),
            addresses: self
                .addresses
                .iter()
                .chain(&other.addresses)
                .copied()
                .collect(),
        }
    }

    /// Whether a host (without port) is one of them. A wildcard stands for exactly one label (RFC 6125 §6.4.3).
    pub(super) fn cover(&self, host: &str) -> bool {
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        let domain = host.split_once('.').filter(|(label, _)| !label.is_empty());
        self.dns
            .iter()
            .any(|name| match (name.strip_prefix("*."), domain) {
                (None, _) => name.eq_ignore_ascii_case(host),
                (Some(name), Some((_, domain))) => name.eq_ignore_ascii_case(domain),
                (Some(_), None) => false,
            })
    }
}

/// The host of an authority: without port, brackets and the dot at the end.
pub(super) fn without_port(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(address, _)| address),
        None => {
            let host = authority
                .split_once(':')
                .map_or(authority, |(host, _)| host);
            host.strip_suffix('.').unwrap_or(host)
        }
    }
}

/// Reads a certificate in DER.
pub(super) fn read(der: &[u8]) -> Result<Facts, String> {
    let facts = look::facts(der)?;
    Ok(Facts {
        names: Names {
            dns: facts.names,
            addresses: facts.addresses,
        },
        label: facts.label,
        not_after: facts.not_after,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_authority_is_found_whatever_stands_around_it() {
        for (authority, host) in [
            ("a.test", "a.test"),
            ("a.test:8443", "a.test"),
            ("a.test.", "a.test"),
            ("a.test.:443", "a.test"),
            ("127.0.0.1:443", "127.0.0.1"),
            ("[::1]", "::1"),
            ("[::1]:443", "::1"),
            ("", ""),
        ] {
            assert_eq!(without_port(authority), host, "{authority}");
        }
    }

    #[test]
    fn names_cover_hosts_as_clients_verify_them() {
        let names = Names {
            dns: vec!["a.test".to_owned(), "*.b.test".to_owned()],
            addresses: vec![[127, 0, 0, 1].into()],
        };
        for (host, covered) in [
            ("a.test", true),
            ("A.Test", true),
            ("x.a.test", false),
            ("x.b.test", true),
            ("X.B.TEST", true),
            ("b.test", false),
            ("x.y.b.test", false),
            (".b.test", false),
            ("*.b.test", true),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("::1", false),
            ("", false),
        ] {
            assert_eq!(names.cover(host), covered, "{host}");
        }
    }
}
