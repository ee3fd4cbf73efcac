//! What a backend is told of where a request came from: `X-Forwarded-For/-Proto/-Host`, `Forwarded` (RFC 7239) and `Via`.
//! What a client claims of itself is replaced, unless its address is in the listener's `trusted` ranges: then ours is
//! appended. The values that do not change are built once a connection.

use std::net::{IpAddr, SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};
use http::Version;
use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Where the requests of one connection come from.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The client's address; an IPv4 one also where the socket is IPv6.
    pub(crate) address: SocketAddr,
    /// Whether it may speak for others.
    trusted: bool,
    /// The address alone.
    ip: HeaderValue,
    /// `http` or `https`.
    proto: HeaderValue,
    /// The start of our element of `Forwarded`, up to the host.
    element: Bytes,
}

/// Who asks, as far as keys are found in that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer<'a> {
    /// Where the connection comes from.
    pub(crate) origin: &'a Origin,
    /// Who may speak for others at its listener.
    pub(crate) trusted: &'a [IpNet],
    /// The name it asked for with SNI, if it did.
    pub(crate) server_name: Option<&'a str>,
}

impl Peer<'_> {
    /// The address of who asks; see [`Origin::client_ip`].
    pub(crate) fn client_ip(self, headers: &HeaderMap) -> IpAddr {
        self.origin.client_ip(headers, self.trusted)
    }
}

impl Origin {
    /// Of a connection from `peer`.
    pub(crate) fn new(peer: SocketAddr, secure: bool, trusted: &[IpNet]) -> Self {
        let ip = peer.ip().to_canonical();
        let proto = if secure { "https" } else { "http" };
        let node = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            // A node with a colon is quoted and in brackets (RFC 7239 §6).
            IpAddr::V6(ip) => format!("\"[{ip}]\""),
        };
        let text =
            |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        Self {
            address: SocketAddr::new(ip, peer.port()),
            trusted: trusted.iter().any(|range| range.contains(&ip)),
            ip: text(ip.to_string()),
            proto: HeaderValue::from_static(proto),
            element: Bytes::from(format!("for={node};proto={proto}")),
        }
    }

    /// The address of who asks: the peer's, or where that is trusted what it says, from the nearest on the first that is
    /// not trusted itself. What is no address ends the search.
    pub(crate) fn client_ip(&self, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
        let mut nearest = self.address.ip();
        if !self.trusted {
            return nearest;
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let hops = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.rsplit(','));
        for hop in hops {
            let hop = hop.trim();
            let with_port = || hop.parse().map(|socket: SocketAddr| socket.ip());
            let Ok(ip) = hop.parse::<IpAddr>().or_else(|_| with_port()) else {
                break;
            };
            nearest = ip.to_canonical();
            if !trusted.iter().any(|range| range.contains(&nearest)) {
                break;
            }
        }
        nearest
    }

    /// Whether the client speaks HTTPS: to us, or to a proxy in front whose word counts.
    pub(crate) fn is_secure(&self, headers: &HeaderMap) -> bool {
        let told = headers.get(FORWARDED_PROTO).filter(|_| self.trusted);
        told.unwrap_or(&self.proto) == "https"
    }

    /// Tells the backend. `host` is what the client asked for.
    pub(crate) fn tell(&self, headers: &mut HeaderMap, host: Option<&HeaderValue>) {
        if !self.trusted {
            headers.remove(header::FORWARDED);
            headers.remove(FORWARDED_FOR);
            headers.remove(FORWARDED_PROTO);
            headers.remove(FORWARDED_HOST);
        }
        append(headers, FORWARDED_FOR, &self.ip);
        // The first proxy knows what the client spoke and asked for: a trusted one's word stands.
        headers
            .entry(FORWARDED_PROTO)
            .or_insert_with(|| self.proto.clone());
        if let Some(host) = host {
            headers
                .entry(FORWARDED_HOST)
                .or_insert_with(|| host.clone());
        }
        append(headers, header::FORWARDED, &self.element(host));
    }

    /// Our element of `Forwarded`.
    fn element(&self, host: Option<&HeaderValue>) -> HeaderValue {
        let mut element = BytesMut::with_capacity(self.element.len() + 80);
        element.extend_from_slice(&self.element);
        // The host was checked: it holds nothing that would end the quotes.
        if let Some(host) = host {
            element.extend_from_slice(b";host=\"");
            element.extend_from_slice(host.as_bytes());
            element.put_u8(b'"');
        }
        HeaderValue::from_maybe_shared(element.freeze())
            .unwrap_or(HeaderValue::from_static("for=unknown"))
    }
}

/// Adds `Via`: that the message came through us, and how it came (RFC 9110 §7.6.3).
pub(crate) fn via(headers: &mut HeaderMap, version: Version) {
    let received = match version {
        Version::HTTP_10 => "1.0 bascule",
        Version::HTTP_2 => "2 bascule",
        _ => "1.1 bascule",
    };
    append(headers, header::VIA, &HeaderValue::from_static(received));
}

/// Adds an element to a field that is a list; several lines become one.
fn append(headers: &mut HeaderMap, name: HeaderName, element: &HeaderValue) {
    let mut entry = match headers.entry(name) {
        Entry::Vacant(entry) => {
            entry.insert(element.clone());
            return;
        }
        Entry::Occupied(entry) => entry,
    };
    let mut list = BytesMut::new();
    for value in entry.iter() {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(element.as_bytes());
    if let Ok(list) = HeaderValue::from_maybe_shared(list.freeze()) {
        entry.insert(list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(peer: &str, trusted: &str, claims: &[(&'static str, &'static str)]) -> Vec<String> {
        let origin = Origin::new(peer.parse().unwrap(), true, &[trusted.parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for (name, value) in claims {
            headers.append(*name, HeaderValue::from_static(value));
        }
        origin.tell(
            &mut headers,
            Some(&HeaderValue::from_static("a.example:8443")),
        );
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut lines: Vec<String> = headers.iter().map(line).collect();
        lines.sort();
        lines
    }

    const CLAIMS: [(&str, &str); 4] = [
        ("x-forwarded-for", "192.0.2.9"),
        ("x-forwarded-for", "192.0.2.10"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "for=192.0.2.9"),
    ];

    #[test]
    fn what_a_client_claims_of_itself_is_replaced() {
        let lines = told("198.51.100.7:5000", "10.0.0.0/8", &CLAIMS);
        let expected = [
            "forwarded: for=198.51.100.7;proto=https;host=\"a.example:8443\"",
            "x-forwarded-for: 198.51.100.7",
            "x-forwarded-host: a.example:8443",
            "x-forwarded-proto: https",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_trusted_peers_claims_stand_and_ours_is_appended() {
        // An IPv4 peer on a dual-stack socket is the IPv4 peer.
        let lines = told("[::ffff:10.1.2.3]:5000", "10.0.0.0/8", &CLAIMS);
        let expected = [
            "forwarded: for=192.0.2.9, for=10.1.2.3;proto=https;host=\"a.example:8443\"",
            "x-forwarded-for: 192.0.2.9, 192.0.2.10, 10.1.2.3",
            "x-forwarded-host: a.example:8443",
            "x-forwarded-proto: http",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn an_ipv6_peer_is_quoted_in_forwarded_and_plain_in_the_other() {
        let lines = told("[2001:db8::1]:5000", "10.0.0.0/8", &[]);
        assert_eq!(
            lines[0],
            "forwarded: for=\"[2001:db8::1]\";proto=https;host=\"a.example:8443\""
        );
        assert_eq!(lines[1], "x-forwarded-for: 2001:db8::1");
    }
}
