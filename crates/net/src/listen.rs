//! Listening sockets: one for each worker on the same port, among which the kernel spreads connections (`SO_REUSEPORT`).
//! The first is bound and listens *without* that option and gets it afterwards: otherwise a second program of the same
//! user, or a second instance of this one, would share the port in silence. Must never take a port somebody else has.

mod holder;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted, for each worker; the kernel's `somaxconn` (4096 by default) bounds it too.
const BACKLOG: i32 = 4096;

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenAddress {
    /// The address; `None`: all of them, IPv6 and IPv4 in one socket, or IPv4 alone where there is no IPv6.
    pub ip: Option<IpAddr>,
    /// The port; 0: any free one.
    pub port: u16,
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(ip) => SocketAddr::new(ip, self.port).fmt(f),
            None => write!(f, ":{}", self.port),
        }
    }
}

/// Sockets that listen.
#[derive(Debug)]
pub struct Bound {
    /// The address they share, with the port that was chosen.
    pub address: SocketAddr,
    /// One for each worker; not blocking.
    pub sockets: Vec<TcpListener>,
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {reason}")]
pub struct BindError {
    /// The address asked for.
    pub address: ListenAddress,
    /// What is wrong with it.
    pub reason: BindReason,
    /// The operating system's error.
    #[source]
    pub source: io::Error,
}

/// What is wrong with an address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindReason {
    /// Somebody listens there; who, when it can be seen.
    InUse(Option<String>),
    /// The port is below 1024 and the process may not.
    Privileged,
    /// No interface has the address.
    NoSuchAddress,
    /// Something else.
    Other(io::ErrorKind),
}

impl fmt::Display for BindReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(Some(holder)) => write!(f, "the port is in use by {holder}"),
            Self::InUse(None) => f.write_str("the port is in use"),
            Self::Privileged => f.write_str("ports below 1024 need a privilege"),
            Self::NoSuchAddress => f.write_str("no interface has this address"),
            Self::Other(kind) => kind.fmt(f),
        }
    }
}

impl BindError {
    fn new(address: ListenAddress, source: io::Error) -> Self {
        let reason = match source.kind() {
            io::ErrorKind::AddrInUse => BindReason::InUse(holder::find(address.port)),
            io::ErrorKind::PermissionDenied => BindReason::Privileged,
            io::ErrorKind::AddrNotAvailable => BindReason::NoSuchAddress,
            kind => BindReason::Other(kind),
        };
        Self {
            address,
            reason,
            source,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn fix(&self) -> String {
        let port = self.address.port;
        match &self.reason {
            BindReason::InUse(Some(_)) => "stop that process, or listen on another port".to_owned(),
            BindReason::InUse(None) => format!(
                "see who has it with `ss -ltnp 'sport = :{port}'` (as root), or listen on another port"
            ),
            BindReason::Privileged => format!(
                "give the program CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), or \
                 listen above 1023, for example on :{}",
                u32::from(port) + 8000
            ),
            BindReason::NoSuchAddress => {
                "`ip address` lists the addresses there are; `:PORT` listens on all of them"
                    .to_owned()
            }
            BindReason::Other(_) => "see the cause".to_owned(),
        }
    }
}

/// Binds one socket for each worker (at least one) to an address that nobody else has.
///
/// # Errors
/// [`BindError`]; then nothing is left bound.
pub fn bind(address: ListenAddress, workers: usize) -> Result<Bound, BindError> {
    let error = |source| BindError::new(address, source);
    let first = match address.ip {
        Some(ip) => bind_first(SocketAddr::new(ip, address.port)),
        None => bind_any(address.port),
    };
    let first = first.map_err(error)?;
    let bound = first.local_addr().map_err(error)?;
    let mut sockets = vec![first];
    for _ in 1..workers.max(1) {
        let socket = Sharing::Reused.socket(bound).map_err(error)?;
        sockets.push(socket);
    }
    Ok(Bound {
        address: bound,
        sockets,
    })
}

fn bind_any(port: u16) -> io::Result<TcpListener> {
    match bind_first(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
        Err(error) if is_without_ipv6(&error) => {
            bind_first(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
        }
        result => result,
    }
}

/// Whether the error says that this machine has no IPv6.
fn is_without_ipv6(error: &io::Error) -> bool {
    // EAFNOSUPPORT (97) when the kernel has none, EADDRNOTAVAIL when it is disabled by sysctl.
    error.raw_os_error() == Some(97) || error.kind() == io::ErrorKind::AddrNotAvailable
}

fn bind_first(address: SocketAddr) -> io::Result<TcpListener> {
    Sharing::None.socket(address)
}

/// Whether a socket is bound beside others of ours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// It must be the first: the port is refused when anybody listens there.
    None,
    /// It joins the first.
    Reused,
}

impl Sharing {
    fn socket(self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_nonblocking(true)?;
        // Old connections in TIME_WAIT must not keep a restart from its port; one that listens still does.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        if self == Self::Reused {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        // Only after listening, when the port is ours: from here on others of this process may join.
        socket.set_reuse_port(true)?;
        Ok(socket.into())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn loopback(port: u16) -> ListenAddress {
        let ip = Some(Ipv4Addr::LOCALHOST.into());
        ListenAddress { ip, port }
    }

    fn accept_one(sockets: &[TcpListener]) -> SocketAddr {
        loop {
            let accepted = sockets.iter().find_map(|socket| socket.accept().ok());
            if let Some((_, peer)) = accepted {
                return peer;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn all_workers_share_the_port_that_was_chosen() {
        let bound = bind(loopback(0), 4).unwrap();
        assert_ne!(bound.address.port(), 0);
        assert_eq!(bound.sockets.len(), 4);
        for socket in &bound.sockets {
            assert_eq!(socket.local_addr().unwrap(), bound.address);
        }
        let mut taken = [false; 4];
        let mut streams = Vec::new();
        while taken.contains(&false) {
            streams.push(TcpStream::connect(bound.address).unwrap());
            for (socket, taken) in bound.sockets.iter().zip(&mut taken) {
                *taken |= socket.accept().is_ok();
            }
            assert!(
                streams.len() < 2000,
                "a worker gets no connection: {taken:?}"
            );
        }
    }

    #[test]
    fn a_port_that_another_instance_shares_is_refused_and_its_holder_named() {
        let bound = bind(loopback(0), 2).unwrap();
        let port = bound.address.port();
        let error = bind(loopback(port), 2).unwrap_err();
        let BindReason::InUse(Some(holder)) = &error.reason else {
            panic!("{error}");
        };
        let process = std::process::id().to_string();
        assert!(holder.contains(&process), "{holder}");
        let any = ListenAddress { ip: None, port };
        let error = bind(any, 2).unwrap_err();
        assert!(matches!(error.reason, BindReason::InUse(_)), "{error}");
        drop(bound);
        bind(loopback(port), 2).unwrap();
    }

    #[test]
    fn an_address_without_host_is_reached_over_both_families() {
        let any = ListenAddress { ip: None, port: 0 };
        let bound = bind(any, 1).unwrap();
        let v4 = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), bound.address.port());
        let _v4 = TcpStream::connect(v4).unwrap();
        let peer = accept_one(&bound.sockets);
        assert_eq!(peer.ip().to_canonical(), Ipv4Addr::LOCALHOST);
        if bound.address.is_ipv6() {
            let v6 = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), bound.address.port());
            let _v6 = TcpStream::connect(v6).unwrap();
            assert_eq!(accept_one(&bound.sockets).ip(), Ipv6Addr::LOCALHOST);
        }
    }

    #[test]
    fn an_address_of_no_interface_is_refused_with_a_fix() {
        let ip = Some(Ipv4Addr::new(192, 0, 2, 1).into());
        let error = bind(ListenAddress { ip, port: 0 }, 1).unwrap_err();
        assert_eq!(error.reason, BindReason::NoSuchAddress);
        assert!(error.fix().contains("ip address"), "{}", error.fix());
    }
}
