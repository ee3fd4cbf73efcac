//! How many connections each client address has. An entry exists only while a connection does, so that memory is bounded
//! by the connections that are open, whatever addresses come. In parts with a lock each, as workers accept at the same
//! time; a lock is held for one look into a map.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More parts than most machines have workers, so that two of them seldom meet.
const PARTS: usize = 32;
/// A map that is this much larger than what it holds gives memory back: a flood must not leave its size behind.
const SLACK: usize = 4;
/// Below this many places a map is not worth shrinking.
const SMALL: usize = 64;

type Part = Mutex<HashMap<Client, usize>>;

/// The counts. The hash has a secret, so that nobody can choose addresses that fall together.
#[derive(Debug, Default)]
pub(super) struct Clients {
    secret: RandomState,
    parts: [Part; PARTS],
}

impl Clients {
    fn part(&self, client: Client) -> MutexGuard<'_, HashMap<Client, usize>> {
        let hash = self.secret.hash_one(client);
        let at = usize::try_from(hash % PARTS as u64).unwrap_or_default();
        // The first is never taken: `at` is below the length.
        let [first, ..] = &self.parts;
        let part = self.parts.get(at).unwrap_or(first);
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many clients have a connection.
    pub(super) fn len(&self) -> usize {
        let len = |part: &Part| part.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.parts.iter().map(len).sum()
    }
}

/// Whom a connection is counted for: an IPv4 address, or the first half of an IPv6 address, as whoever has one address of
/// a /64 has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Client(IpAddr);

impl From<IpAddr> for Client {
    fn from(peer: IpAddr) -> Self {
        Self(match peer.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => match behind_nat64(v6) {
                Some(v4) => IpAddr::V4(v4),
                None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            },
        })
    }
}

/// The IPv4 address inside one of NAT64's well-known prefix (RFC 6052, 64:ff9b::/96), where one /64 holds everybody.
fn behind_nat64(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    match v6.octets() {
        [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => {
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

/// One connection of a client; given back when dropped.
#[derive(Debug)]
pub(super) struct Counted {
    clients: Arc<Clients>,
    client: Client,
}

impl Counted {
    /// One more for this address, if it has fewer than `limit`.
    pub(super) fn take(clients: &Arc<Clients>, peer: IpAddr, limit: usize) -> Option<Self> {
        let client = Client::from(peer);
        let mut part = clients.part(client);
        match part.entry(client) {
            Entry::Occupied(mut open) if *open.get() < limit => *open.get_mut() += 1,
            Entry::Vacant(none) if limit > 0 => {
                none.insert(1);
            }
            _ => return None,
        }
        drop(part);
        let clients = Arc::clone(clients);
        Some(Self { clients, client })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut part = self.clients.part(self.client);
        if let Entry::Occupied(mut open) = part.entry(self.client) {
            *open.get_mut() = open.get().saturating_sub(1);
            if *open.get() == 0 {
                open.remove();
            }
        }
        if part.capacity() > SMALL.max(part.len().saturating_mul(SLACK * 2)) {
            let keep = part.len().saturating_mul(2);
            part.shrink_to(keep);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Client {
        Client::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn addresses_of_one_client_are_one() {
        for (a, b, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("64:ff9b::192.0.2.1", "192.0.2.1", true),
            ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", false),
            ("64:ff9b:1::1", "64:ff9b:1::2", true),
        ] {
            assert_eq!(client(a) == client(b), same, "{a} {b}");
        }
    }

    #[test]
    fn memory_goes_with_the_connections() {
        let clients = Arc::<Clients>::default();
        let open: Vec<Counted> = (0..100_000_u32)
            .map(|n| Counted::take(&clients, IpAddr::V4(n.into()), 1).unwrap())
            .collect();
        let capacity = || -> usize {
            let of = |part: &Part| part.lock().unwrap().capacity();
            clients.parts.iter().map(of).sum()
        };
        assert_eq!(clients.len(), 100_000);
        assert!(capacity() >= 100_000);
        drop(open);
        assert_eq!(clients.len(), 0);
        assert!(capacity() <= PARTS * SMALL, "{}", capacity());
    }
}
