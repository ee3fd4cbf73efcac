//! The origin behind the proxies: HTTP/1.1, keep-alive, answers of prebuilt bytes, one write each. It reads as little of a
//! request as it can: where the head ends, and the path. It takes no request bodies.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::runtime;

/// The longest request head; a proxy adds its fields to a short one.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// The small answer's path, and its body.
pub const SMALL: (&str, usize) = ("/small", 512);
/// The large answer's path, and its body.
pub const LARGE: (&str, usize) = ("/large", 1 << 20);
/// What health checks ask for; any other path is answered as this one.
pub const HEALTH: &str = "/health";

/// An origin that listens.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    served: Rc<Cell<u64>>,
}

#[derive(Debug)]
struct Answers {
    small: Vec<u8>,
    large: Vec<u8>,
    other: Vec<u8>,
}

impl Origin {
    /// Listens on a free port of loopback. Runs inside [`runtime::run`].
    ///
    /// # Errors
    /// The socket cannot be had.
    pub fn start() -> Result<Self> {
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let listener = TcpListener::from_std(socket)?;
        let served = Rc::<Cell<u64>>::default();
        drop(runtime::spawn(accept(listener, Rc::clone(&served))));
        Ok(Self { address, served })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests it has answered, health checks among them.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.served.get()
    }
}

impl Answers {
    fn new() -> Self {
        Self {
            small: answer(SMALL.1),
            large: answer(LARGE.1),
            other: answer(2),
        }
    }

    fn to(&self, head: &[u8]) -> &[u8] {
        match path(head) {
            Some(path) if path == SMALL.0.as_bytes() => &self.small,
            Some(path) if path == LARGE.0.as_bytes() => &self.large,
            _ => &self.other,
        }
    }
}

fn answer(length: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Tue, 24 Nov 2026 09:00:00 GMT\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len() + length, b'x');
    bytes
}

async fn accept(listener: TcpListener, served: Rc<Cell<u64>>) {
    let answers = Rc::new(Answers::new());
    // An error of the listening socket ends the origin; the clients then see failures, which are counted.
    while let Ok((stream, _)) = listener.accept().await {
        let (answers, served) = (Rc::clone(&answers), Rc::clone(&served));
        drop(runtime::spawn(async move {
            // How a proxy leaves a connection is its own affair.
            drop(serve(stream, &answers, &served).await);
        }));
    }
}

async fn serve(mut stream: TcpStream, answers: &Answers, served: &Cell<u64>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(HEAD_BYTES_MAX);
    loop {
        while let Some(end) = head_end(&buffer) {
            let answer = answers.to(buffer.get(..end).unwrap_or_default());
            stream.write_all(answer).await?;
            served.set(served.get() + 1);
            drop(buffer.drain(..end));
        }
        if buffer.len() >= HEAD_BYTES_MAX || stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Where the first head ends, its empty line included.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    let line_ends = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    line_ends.map(|at| at + 4)
}

/// The target of a request line.
fn path(head: &[u8]) -> Option<&[u8]> {
    head.split(|byte| *byte == b' ').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_its_empty_line_and_not_before() {
        assert_eq!(head_end(b"GET / HTTP/1.1\r\nHost: a\r\n"), None);
        assert_eq!(head_end(b"GET / HTTP/1.1\r\n\r\nGET"), Some(18));
    }

    #[test]
    fn each_path_gets_a_body_of_its_length() {
        let answers = Answers::new();
        let body = |head: &[u8]| {
            let answer = answers.to(head);
            answer.len() - head_end(answer).unwrap()
        };
        assert_eq!(body(b"GET /small HTTP/1.1\r\n\r\n"), 512);
        assert_eq!(body(b"GET /large HTTP/1.1\r\n\r\n"), 1 << 20);
        assert_eq!(body(b"GET /health HTTP/1.1\r\n\r\n"), 2);
    }
}
