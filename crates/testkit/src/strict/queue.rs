//! Whether the other side of a connection on this machine has read what was sent to it, as the kernel tells it. A test
//! that sends in pieces waits for this between them: so the pieces arrive as pieces, without waiting for time.

use std::net::{SocketAddr, SocketAddrV4, TcpStream};

use anyhow::Result;

use crate::wait;

/// Waits until the peer has read everything that was sent, or is gone.
///
/// # Errors
/// When it does not read, or the connection is not one of IPv4.
pub fn until_read(stream: &TcpStream) -> Result<()> {
    let (SocketAddr::V4(own), SocketAddr::V4(peer)) = (stream.local_addr()?, stream.peer_addr()?)
    else {
        anyhow::bail!("only for IPv4");
    };
    wait::until("the peer to read", || is_read(own, peer))
}

fn is_read(own: SocketAddrV4, peer: SocketAddrV4) -> Option<()> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let is_empty = |from, to| queues(&table, from, to).is_none_or(|queues| queues);
    // Ours: all is acknowledged. The peer's: nothing waits to be read.
    let unsent = sent_all(&table, own, peer).unwrap_or(true);
    (unsent && is_empty(peer, own)).then_some(())
}

/// Whether the receive queue of the socket from `own` to `peer` is empty; `None`: there is no such socket.
fn queues(table: &str, own: SocketAddrV4, peer: SocketAddrV4) -> Option<bool> {
    row(table, own, peer).map(|(_, received)| received == 0)
}

fn sent_all(table: &str, own: SocketAddrV4, peer: SocketAddrV4) -> Option<bool> {
    row(table, own, peer).map(|(sent, _)| sent == 0)
}

/// The send and receive queues of a socket.
fn row(table: &str, own: SocketAddrV4, peer: SocketAddrV4) -> Option<(u64, u64)> {
    let (own, peer) = (written(own), written(peer));
    let mut rows = table.lines().map(str::split_whitespace);
    rows.find_map(|mut words| {
        let is_it = words.nth(1) == Some(&own) && words.next() == Some(&peer);
        let (sent, received) = words.nth(1)?.split_once(':')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        is_it.then_some((number(sent)?, number(received)?))
    })
}

/// An address as the kernel's table has it.
fn written(address: SocketAddrV4) -> String {
    let ip = u32::from_le_bytes(address.ip().octets());
    format!("{ip:08X}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_was_sent_is_read_when_the_peer_has_read_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"abc").unwrap();
        let (SocketAddr::V4(own), SocketAddr::V4(peer)) =
            (client.local_addr().unwrap(), client.peer_addr().unwrap())
        else {
            panic!("IPv4");
        };
        assert_eq!(is_read(own, peer), None);
        server.read_exact(&mut [0; 3]).unwrap();
        until_read(&client).unwrap();
    }
}
