//! Which machines of a load balancer are a backend's: by address, by address and port, or by a range of addresses.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

/// A rule that machines fit or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machines(Vec<Place>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Range(IpNet),
    Socket(SocketAddr),
}

/// A text that is no such rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address, no address with a port and no range: write 10.0.0.3, 10.0.0.3:8080 or 10.0.0.0/16"
)]
pub struct MachinesError(pub String);

impl Machines {
    /// Those of any of these: `10.0.0.3`, `10.0.0.3:8080`, `10.0.0.0/16`.
    ///
    /// # Errors
    /// [`MachinesError`], with the first that is none of them.
    pub fn of<S: AsRef<str>>(places: impl IntoIterator<Item = S>) -> Result<Self, MachinesError> {
        let places = places.into_iter().map(|place| place.as_ref().parse());
        places.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn has(&self, address: IpAddr, port: u16) -> bool {
        self.0.iter().any(|place| match place {
            Place::Range(range) => range.contains(&address),
            Place::Socket(socket) => *socket == SocketAddr::new(address, port),
        })
    }
}

impl FromStr for Place {
    type Err = MachinesError;

    fn from_str(text: &str) -> Result<Self, MachinesError> {
        let range = text.parse().ok();
        let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let socket = || text.parse().ok().map(Self::Socket);
        let place = range.or_else(one).map(Self::Range).or_else(socket);
        place.ok_or_else(|| MachinesError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_fit_by_address_port_or_range() {
        let rule = Machines::of([
            "10.0.0.3",
            "10.0.0.4:80",
            "192.168.0.0/16",
            "[2001:db8::1]:80",
        ]);
        let rule = rule.unwrap();
        let has = |address: &str, port| rule.has(address.parse().unwrap(), port);
        assert!(has("10.0.0.3", 1) && has("10.0.0.4", 80) && has("192.168.7.7", 9));
        assert!(has("2001:db8::1", 80));
        assert!(!has("10.0.0.4", 81) && !has("10.0.0.5", 80) && !has("2001:db8::1", 81));
        let error = Machines::of(["10.0.0.3", "web-1"]).unwrap_err();
        assert_eq!(error, MachinesError("web-1".to_owned()));
    }
}
