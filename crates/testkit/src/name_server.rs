//! A name server that says what the test wants: addresses of hosts and records of SRV names, with or without the addresses
//! of their targets beside, records that are drawn by weight, or a refusal. Over UDP it answers what fits into a datagram and says that the rest is cut off
//! (RFC 1035 §4.2.1); over TCP it answers all. What is not known does not exist. Every answer lives no time at all.

use std::collections::BTreeMap;
use std::net::{self, IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{CNAME, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::thread;

mod weighted;

use weighted::Draw;
pub use weighted::Weighted;

/// The longest answer in a datagram, as most servers have it.
const DATAGRAM_MAX: usize = 1_232;

/// One record of an SRV name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrvEntry {
    /// The lowest is asked first.
    pub priority: u16,
    /// Its part among those of its priority.
    pub weight: u16,
    /// Where the target listens.
    pub port: u16,
    /// The host that serves.
    pub target: String,
}

/// Questions that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// In datagrams.
    pub udp: usize,
    /// Over connections.
    pub tcp: usize,
    /// For addresses, either way.
    pub addresses: usize,
}

/// What it says.
#[derive(Debug, Default)]
struct Zone {
    hosts: BTreeMap<String, Vec<IpAddr>>,
    services: BTreeMap<String, Vec<SrvEntry>>,
    aliases: BTreeMap<String, String>,
    drawn: BTreeMap<String, Draw>,
    with_addresses: bool,
    refusal: Option<ResponseCode>,
    asked: Asked,
}

/// A name server on loopback. Dropping it ends it.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    stop: watch::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl NameServer {
    /// One that knows nothing yet.
    ///
    /// # Errors
    /// No thread, or no port that is free for both UDP and TCP.
    pub fn start() -> Result<Self> {
        let runtime = thread::runtime()?;
        let (socket, listener) = bind()?;
        let address = socket.local_addr()?;
        let zone = Arc::<Mutex<Zone>>::default();
        let zone_here = Arc::clone(&zone);
        let (stop, mut stopped) = watch::channel(());
        let thread = thread::spawn("name-server", move || {
            let serve = async move {
                thread::beside(datagrams(socket, Arc::clone(&zone_here)));
                thread::beside(connections(listener, zone_here));
                // An error says that whoever stops it is gone, which is the same.
                drop(stopped.changed().await);
            };
            LocalSet::new().block_on(&runtime, serve);
        })?;
        Ok(Self {
            address,
            zone,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it is asked.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A host has these addresses from now on; none at all: there is no such host.
    pub fn set_host(&self, host: &str, addresses: &[IpAddr]) {
        let mut zone = lock(&self.zone);
        zone.hosts.insert(host.to_owned(), addresses.to_vec());
    }

    /// An SRV name has these records from now on; none at all: there is no such name.
    pub fn set_service(&self, name: &str, entries: &[SrvEntry]) {
        let mut zone = lock(&self.zone);
        zone.services.insert(name.to_owned(), entries.to_vec());
    }

    /// A name is an alias of another, whose records come with that.
    pub fn set_alias(&self, name: &str, of: &str) {
        let mut zone = lock(&self.zone);
        zone.aliases.insert(name.to_owned(), of.to_owned());
    }

    /// Each answer of a name is one of these records from now on, drawn by weight from a seed.
    pub fn set_weighted(&self, name: &str, seed: u64, records: Vec<Weighted>) {
        self.set_drawn(name, seed, move || records.clone());
    }

    /// As [`set_weighted`](Self::set_weighted), of records that are asked for with each question: those of a pretended cloud.
    pub fn set_drawn(
        &self,
        name: &str,
        seed: u64,
        records: impl FnMut() -> Vec<Weighted> + Send + 'static,
    ) {
        let mut zone = lock(&self.zone);
        zone.drawn.insert(name.to_owned(), Draw::new(seed, records));
    }

    /// Whether the addresses of targets come with the records of an SRV name.
    pub fn give_addresses_of_targets(&self, give: bool) {
        lock(&self.zone).with_addresses = give;
    }

    /// Every question is answered with SERVFAIL from now on, or no more.
    pub fn fail(&self, fail: bool) {
        lock(&self.zone).refusal = fail.then_some(ResponseCode::ServFail);
    }

    /// What was asked so far.
    #[must_use]
    pub fn asked(&self) -> Asked {
        lock(&self.zone).asked
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.send_replace(());
        if let Some(thread) = self.thread.take() {
            // A server that panicked has made its test fail already.
            drop(thread.join());
        }
    }
}

fn lock(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One port for both. That of the datagrams may be taken for connections; then it is another one's turn.
fn bind() -> Result<(net::UdpSocket, net::TcpListener)> {
    for _ in 0..100 {
        let socket = net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        if let Ok(listener) = net::TcpListener::bind(socket.local_addr()?) {
            socket.set_nonblocking(true)?;
            listener.set_nonblocking(true)?;
            return Ok((socket, listener));
        }
    }
    anyhow::bail!("no port is free for both UDP and TCP")
}

async fn datagrams(socket: net::UdpSocket, zone: Arc<Mutex<Zone>>) {
    let Ok(socket) = UdpSocket::from_std(socket) else {
        return;
    };
    let mut buffer = vec![0; 4_096];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        let question = buffer.get(..length).unwrap_or_default();
        let answer = lock(&zone).datagram(question);
        if let Ok(answer) = answer {
            // Who does not take it asks again.
            drop(socket.send_to(&answer, peer).await);
        }
    }
}

async fn connections(listener: net::TcpListener, zone: Arc<Mutex<Zone>>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    while let Ok((stream, _)) = listener.accept().await {
        let zone = Arc::clone(&zone);
        thread::beside(async move {
            // It ends when the other side has enough.
            drop(connection(stream, &zone).await);
        });
    }
}

async fn connection(mut stream: TcpStream, zone: &Mutex<Zone>) -> Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut question = vec![0; usize::from(length)];
        stream.read_exact(&mut question).await?;
        let answer = lock(zone).whole(&question)?;
        stream.write_u16(u16::try_from(answer.len())?).await?;
        stream.write_all(&answer).await?;
    }
}

impl Zone {
    fn datagram(&mut self, question: &[u8]) -> Result<Vec<u8>> {
        self.asked.udp += 1;
        let mut answer = self.answer(question)?;
        let bytes = answer.to_vec()?;
        if bytes.len() <= DATAGRAM_MAX {
            return Ok(bytes);
        }
        answer.metadata.truncation = true;
        answer.answers.clear();
        answer.additionals.clear();
        Ok(answer.to_vec()?)
    }

    fn whole(&mut self, question: &[u8]) -> Result<Vec<u8>> {
        self.asked.tcp += 1;
        Ok(self.answer(question)?.to_vec()?)
    }

    fn answer(&mut self, question: &[u8]) -> Result<Message> {
        let question = Message::from_vec(question)?;
        let query = question.queries.first().context("a question")?.clone();
        let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
        answer.metadata.recursion_available = true;
        answer.metadata.authoritative = true;
        let name = query.name().to_string().to_lowercase();
        let mut name = name.trim_end_matches('.').to_owned();
        let mut owner = query.name().clone();
        if let Some(of) = self.aliases.get(&name) {
            let target = Name::from_ascii(format!("{of}."))?;
            let alias = RData::CNAME(CNAME(target.clone()));
            answer.answers.push(Record::from_rdata(owner, 0, alias));
            (name, owner) = (of.clone(), target);
        }
        let kind = query.query_type();
        self.asked.addresses += usize::from(matches!(kind, RecordType::A | RecordType::AAAA));
        let exists = self.hosts.get(&name).is_some_and(|all| !all.is_empty())
            || self.services.get(&name).is_some_and(|all| !all.is_empty());
        match (self.refusal, self.drawn.get_mut(&name)) {
            (Some(code), _) => answer.metadata.response_code = code,
            (None, Some(drawn)) => answer.answers.extend(drawn.answer(&owner, kind)?),
            (None, None) if !exists => answer.metadata.response_code = ResponseCode::NXDomain,
            (None, None) if kind == RecordType::SRV => self.service(&name, &owner, &mut answer)?,
            (None, None) => answer.answers.extend(self.addresses(&name, &owner, kind)),
        }
        answer.queries = vec![query];
        Ok(answer)
    }

    fn service(&self, name: &str, owner: &Name, answer: &mut Message) -> Result<()> {
        for entry in self.services.get(name).into_iter().flatten() {
            let target = Name::from_ascii(format!("{}.", entry.target))?;
            let srv = SRV::new(entry.priority, entry.weight, entry.port, target.clone());
            let record = Record::from_rdata(owner.clone(), 0, RData::SRV(srv));
            answer.answers.push(record);
            if self.with_addresses {
                let of_kind = |kind| self.addresses(&entry.target, &target, kind);
                answer.additionals.extend(of_kind(RecordType::A));
                answer.additionals.extend(of_kind(RecordType::AAAA));
            }
        }
        Ok(())
    }

    fn addresses(&self, host: &str, owner: &Name, kind: RecordType) -> Vec<Record> {
        let all = self.hosts.get(host).into_iter().flatten();
        let of_kind = all.filter(|ip| match kind {
            RecordType::A => ip.is_ipv4(),
            RecordType::AAAA => ip.is_ipv6(),
            _ => false,
        });
        let record = |ip: &IpAddr| Record::from_rdata(owner.clone(), 0, RData::from(*ip));
        of_kind.map(record).collect()
    }
}
