//! Hears what the name servers of a zone answer for one name, many times: each question on its own, without a cache, to one
//! server after the other in turn. What does not fit into a datagram is asked for over TCP. It says what was answered and what
//! was not, and judges nothing. Only what a server answers with authority counts: a cache has one answer for a whole TTL.
//! [`message`] writes questions and reads answers.

mod message;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bascule_model::RecordType;
use futures_util::stream::{self, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use message::{Answered, Asking};

/// Questions under way at once: a hundred are done in a second or two, and no name server takes it for a flood.
const AT_ONCE: usize = 4;
/// How often one question is asked before its server counts as silent: a datagram may be lost.
const ATTEMPTS: usize = 2;
/// The longest answer in a datagram that is asked for without EDNS (RFC 1035 §4.2.1); some servers send more all the same.
const DATAGRAM_MAX: usize = 4_096;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The name servers of the zone; asked in turn.
    pub servers: Vec<SocketAddr>,
    /// The full name.
    pub name: String,
    /// The type of record.
    pub kind: RecordType,
    /// How often.
    pub times: u32,
    /// How long one question may take; it is asked twice.
    pub timeout: Duration,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// The values of each answer, as [`canonical`](bascule_model::dns::canonical) writes them. Empty: there is no such record.
    pub answers: Vec<BTreeSet<String>>,
    /// Why a server's answers are missing. It is asked no more once it has failed.
    pub failures: BTreeMap<SocketAddr, String>,
}

/// Asks. Dropping the future ends it.
pub async fn ask(question: &Question) -> Asked {
    let asked = RefCell::new(Asked::default());
    let each = stream::iter(0..question.times).map(|turn| one(question, turn, &asked));
    each.buffer_unordered(AT_ONCE).collect::<()>().await;
    asked.into_inner()
}

/// Asks the server whose turn it is, of those that have not failed yet.
async fn one(question: &Question, turn: u32, asked: &RefCell<Asked>) {
    let server = {
        let asked = asked.borrow();
        let well = |server: &&SocketAddr| !asked.failures.contains_key(server);
        let servers: Vec<SocketAddr> = question.servers.iter().filter(well).copied().collect();
        let turn = usize::try_from(turn).unwrap_or(0);
        servers.get(turn % servers.len().max(1)).copied()
    };
    let Some(server) = server else {
        return;
    };
    let answer = patiently(question, server).await;
    let mut asked = asked.borrow_mut();
    match answer {
        Ok(values) => asked.answers.push(values),
        Err(failure) => drop(asked.failures.insert(server, failure)),
    }
}

async fn patiently(question: &Question, server: SocketAddr) -> Result<BTreeSet<String>, String> {
    for _ in 0..ATTEMPTS {
        let asking = Asking::new(&question.name, question.kind)?;
        let answered = tokio::time::timeout(question.timeout, exchange(server, &asking)).await;
        match answered {
            Ok(Ok(Answered::Values(values))) => return Ok(values),
            Ok(Ok(Answered::Refused(why))) => return Err(why),
            Ok(Ok(Answered::Cut)) => return Err("its answer is cut off over TCP too".to_owned()),
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => {}
        }
    }
    Err(format!("no answer in {:?}, twice", question.timeout))
}

async fn exchange(server: SocketAddr, asking: &Asking) -> io::Result<Answered> {
    match by_datagram(server, asking).await? {
        Answered::Cut => by_connection(server, asking).await,
        answered => Ok(answered),
    }
}

/// From a port of its own, which makes an answer hard to forge (RFC 5452 §4.5).
async fn by_datagram(server: SocketAddr, asking: &Asking) -> io::Result<Answered> {
    let from: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((from, 0)).await?;
    socket.connect(server).await?;
    socket.send(&asking.bytes).await?;
    let mut buffer = vec![0; DATAGRAM_MAX];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // What is no answer to this question may be forged, or late: the true one may still come.
        if let Some(answered) = asking.answered(buffer.get(..length).unwrap_or_default()) {
            return Ok(answered);
        }
    }
}

async fn by_connection(server: SocketAddr, asking: &Asking) -> io::Result<Answered> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(asking.bytes.len()).unwrap_or(u16::MAX);
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(&asking.bytes).await?;
    let length = stream.read_u16().await?;
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await?;
    let stranger = || io::Error::new(io::ErrorKind::InvalidData, "no answer to what was asked");
    asking.answered(&buffer).ok_or_else(stranger)
}

#[cfg(test)]
mod tests;
