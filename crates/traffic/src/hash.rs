//! Hashes of keys and of endpoints, for choosing by key: FNV-1a, then the finaliser of SplitMix64, so that every bit of the
//! text moves every bit of the hash. Fixed for ever, and the same on every machine: all edges send a key to the same place.
//! They keep nobody from making up keys that meet at one endpoint; a limit on load is what helps there.

use std::net::IpAddr;

use bascule_model::EndpointId;
use bascule_model::hash::{Fnv, mix};

/// The hash of what ties requests together: a user, a room, a client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(u64);

impl Key {
    /// Of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(finish(Fnv::new().write(bytes)))
    }

    /// Of some bytes that come one by one: the same as of all of them.
    pub fn of_each(bytes: impl IntoIterator<Item = u8>) -> Self {
        let bytes = bytes.into_iter();
        Self(finish(
            bytes.fold(Fnv::new(), |hash, byte| hash.write(&[byte])),
        ))
    }

    /// A key with this number, where a test needs one.
    #[cfg(test)]
    pub(crate) const fn from_value(value: u64) -> Self {
        Self(value)
    }

    /// Of an address. An IPv6 client has the /64 to itself and may change within it: it is one.
    #[must_use]
    pub fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self::of(&v4.octets()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, h, ..] = v6.octets();
                Self::of(&[a, b, c, d, e, f, g, h])
            }
        }
    }

    /// The number, uniform over all of `u64`.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// A number of its own for each `salt`.
    pub(crate) const fn with(self, salt: u64) -> u64 {
        mix(self.0 ^ mix(salt))
    }
}

/// Of what an endpoint is to its clients: scheme, name, address. Not of the service, whose name may change.
#[must_use]
pub fn of_endpoint(id: &EndpointId) -> u64 {
    let hash = Fnv::new()
        .write(id.scheme.as_str().as_bytes())
        .write(b"://")
        .write(id.host.as_deref().unwrap_or_default().as_bytes())
        .write(b"@");
    let hash = match id.address.ip() {
        IpAddr::V4(v4) => hash.write(&v4.octets()),
        IpAddr::V6(v6) => hash.write(&v6.octets()),
    };
    finish(hash.write(&id.address.port().to_be_bytes()))
}

const fn finish(hash: Fnv) -> u64 {
    mix(hash.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_key_is_fixed_for_ever() {
        for (text, hash) in [
            ("", 0xc381_7c01_6ba4_ff30),
            ("a", 0x5f29_c2aa_dd9b_8527),
            ("room-42", 0x2585_77be_157f_30a5),
        ] {
            assert_eq!(Key::of(text.as_bytes()).value(), hash, "{text}");
        }
    }

    #[test]
    fn clients_of_one_ipv6_network_are_one_and_a_mapped_address_is_its_own() {
        let of = |text: &str| Key::of_ip(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }

    #[test]
    fn endpoints_that_differ_in_anything_a_client_sees_have_other_hashes() {
        let id = |scheme, host: Option<&str>, address: &str, service: &str| EndpointId {
            service: service.parse().unwrap(),
            backend: "b".parse().unwrap(),
            scheme,
            host: host.map(Into::into),
            address: address.parse().unwrap(),
        };
        use bascule_model::Scheme::{Http, Https};
        let ids = [
            id(Http, None, "10.0.0.1:80", "s"),
            id(Http, None, "10.0.0.1:81", "s"),
            id(Http, None, "[::1]:80", "s"),
            id(Https, None, "10.0.0.1:80", "s"),
            id(Http, Some("a.example"), "10.0.0.1:80", "s"),
        ];
        let hashes: std::collections::BTreeSet<u64> = ids.iter().map(of_endpoint).collect();
        assert_eq!(hashes.len(), ids.len());
        assert_eq!(
            of_endpoint(&ids[0]),
            of_endpoint(&id(Http, None, "10.0.0.1:80", "t"))
        );
    }
}
