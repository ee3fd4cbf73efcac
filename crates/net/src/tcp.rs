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

/// Bytes that may wait unsent in a client's socket before it takes no more. Two of the proxy's buffers: while one is sent
/// the next is there.
const UNSENT_MAX: u32 = 128 * 1024;

/// Of what a client does not take, little waits in the kernel, and the edge hears soon of what is taken. What is on its way
/// does not count, so a long fat path is filled all the same.
fn bound_unsent(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_MAX)
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
