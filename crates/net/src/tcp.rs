//! TCP connections: accepted from clients within limits ([`accept`], [`limit`]), and opened to endpoints within a time
//! ([`connect`]). It sets what every connection needs (no delay, keep-alive) and nothing else.

mod accept;
mod clients;
mod connect;
mod limit;

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

pub use accept::{Accepted, Acceptor};
pub use connect::{ConnectError, connect};
pub use limit::{Connections, ListenerLimits, Permit, Refused};

/// A peer that is silent this long is asked whether it still lives, below the 350 s after which clouds forget a flow.
const KEEPALIVE: Duration = Duration::from_secs(120);

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
