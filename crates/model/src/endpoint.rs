//! One address of a backend, and what identifies it. Counters, health and pools are carried over a reload by this
//! identity, so nothing that may change without the endpoint becoming another one belongs in it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::{BackendName, ServiceName, srv};

/// How an endpoint is spoken to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// HTTP/1.1 in clear.
    Http,
    /// HTTP over TLS; ALPN chooses HTTP/2 or HTTP/1.1.
    Https,
    /// HTTP/2 in clear, by prior knowledge.
    H2c,
}

impl Scheme {
    /// The scheme as written in a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2c => "h2c",
        }
    }

    /// The port meant when a URL names none.
    #[must_use]
    pub const fn port_default(self) -> u16 {
        match self {
            Self::Http | Self::H2c => 80,
            Self::Https => 443,
        }
    }
}

/// The identity of an endpoint: (service, backend, scheme, host, port). The host is the address, and the name it was
/// resolved from where there is one: two names on one address are two endpoints, as their certificates differ. Of an SRV
/// record only address and port are in it: its target may be named anew, and its priority and weight may change.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct EndpointId {
    /// The service.
    pub service: ServiceName,
    /// The backend.
    pub backend: BackendName,
    /// How it is spoken to.
    pub scheme: Scheme,
    /// The host name, or SRV name, the address was resolved from; `None` for an endpoint written by address.
    pub host: Option<Arc<str>>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl EndpointId {
    /// The endpoint as people name it within its backend: `10.0.1.10:8080`, or `media.example.org@10.0.1.10:8080`.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.host {
            Some(host) => format!("{host}@{}", self.address),
            None => self.address.to_string(),
        }
    }

    /// The name it is asked by, with TLS and in `Host`: the host name it was resolved from, or the domain that the SRV name is
    /// about. Never the target of an SRV record: whoever can forge DNS must not choose the name that is verified
    /// (RFC 6125 §6.2.1).
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        let host = self.host.as_deref()?;
        Some(srv::domain(host).unwrap_or(host))
    }

    /// Whether `text` names this endpoint: its [`label`](Self::label), or its address alone.
    #[must_use]
    pub fn is_named(&self, text: &str) -> bool {
        text == self.label() || text == self.address.to_string()
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.service, self.backend, self.label())
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{self}", self.scheme.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_asked_by_its_host_name_or_by_the_domain_of_its_srv_name() {
        let named = |host: Option<&str>| {
            let id = EndpointId {
                service: "meet".parse().unwrap(),
                backend: "aws".parse().unwrap(),
                scheme: Scheme::Https,
                host: host.map(Arc::from),
                address: SocketAddr::from(([10, 0, 0, 1], 443)),
            };
            (id.server_name().map(str::to_owned), id.label())
        };
        for (host, name, label) in [
            (None, None, "10.0.0.1:443"),
            (
                Some("a.example"),
                Some("a.example"),
                "a.example@10.0.0.1:443",
            ),
            (
                Some("_https._tcp.a.example"),
                Some("a.example"),
                "_https._tcp.a.example@10.0.0.1:443",
            ),
        ] {
            assert_eq!(named(host), (name.map(str::to_owned), label.to_owned()));
        }
    }
}
