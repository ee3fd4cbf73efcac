//! Clients and origins that do harm, each a small struct whose doc names the attack. Bounded in count and in time, to
//! loopback only. What an attack is lives in [`connection`], [`http1`], [`body`], [`http2`], [`tls`]
//! and, on the other side of the edge, [`origin`]; how many of it at once, and
//! when it ends, is decided here. An attack never judges what it saw: it counts it in [`Seen`], and the test judges.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

use crate::thread;

pub mod body;
pub mod connection;
pub mod http1;
pub mod http2;
pub mod line;
pub mod origin;
pub mod tls;

pub use line::{Ears, Line};

/// What is attacked, and from where.
#[derive(Debug, Clone)]
pub struct Target {
    /// The listener.
    pub address: SocketAddr,
    /// The `Host` that requests name.
    pub host: String,
    /// The address that attackers come from: limits by client address shall not hit anybody else.
    pub from: IpAddr,
}

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Force {
    /// Connections at once.
    pub at_once: usize,
    /// Connections in all. One that ended is followed by another until then, so that an attack goes on.
    pub connections: u64,
    /// The longest it goes on, whatever happens.
    pub time: Duration,
}

/// How one connection of an attack ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The other side ended it. An error of the socket means the same.
    Ended,
    /// The attacker has said all it had to say, and the other side still holds the connection.
    Spent,
}

/// One kind of attack over one connection.
pub trait Attack: Debug + Send + Sync {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// Does it over one connection, until the other side ends it or there is nothing left to do.
    fn run<'a>(&'a self, line: Line<'a>, target: &'a Target)
    -> LocalBoxFuture<'a, io::Result<End>>;
}

/// What the attackers saw. Counts only grow.
#[derive(Debug, Default)]
pub struct Seen {
    opened: AtomicU64,
    refused: AtomicU64,
    ended: AtomicU64,
    spent: AtomicU64,
    units: AtomicU64,
    bytes: AtomicU64,
    answers: Mutex<BTreeMap<u16, u64>>,
    notes: Mutex<BTreeMap<String, u64>>,
}

impl Seen {
    /// Connections opened.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// Connections that could not be opened.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Connections the other side ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.ended.load(Relaxed)
    }

    /// Connections the attacker gave up, still open.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.spent.load(Relaxed)
    }

    /// What the attack counts: frames, requests, fields, handshakes.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.units.load(Relaxed)
    }

    /// Bytes sent.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Answers with this status.
    #[must_use]
    pub fn answers(&self, status: u16) -> u64 {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(&status).copied().unwrap_or_default()
    }

    /// What an attack noted, such as `goaway`, by name.
    #[must_use]
    pub fn noted(&self, what: &str) -> u64 {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.get(what).copied().unwrap_or_default()
    }

    /// Counts units of the attack.
    pub fn count(&self, units: u64) {
        self.units.fetch_add(units, Relaxed);
    }

    /// Counts bytes sent.
    pub fn count_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts an answer.
    pub fn answered(&self, status: u16) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry(status).or_default() += 1;
    }

    /// Counts something worth a name.
    pub fn note(&self, what: &str) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        *notes.entry(what.to_owned()).or_default() += 1;
    }
}

/// An attack that goes on, on a thread of its own; it ends when dropped.
#[derive(Debug)]
pub struct Running {
    seen: Arc<Seen>,
    stop: Option<watch::Sender<bool>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    /// Starts it.
    ///
    /// # Errors
    /// When the target is not on loopback, or no thread is to be had.
    pub fn start(attack: Arc<dyn Attack>, target: Target, force: Force) -> Result<Self> {
        ensure!(
            target.address.ip().is_loopback(),
            "attacks go to loopback only"
        );
        let runtime = thread::runtime()?;
        let seen = Arc::new(Seen::default());
        let (stop, stopped) = watch::channel(false);
        let counted = Arc::clone(&seen);
        let thread = thread::spawn(&format!("attack {}", attack.name()), move || {
            give_way();
            runtime.block_on(go_on(attack.as_ref(), &target, force, &counted, stopped));
        })?;
        Ok(Self {
            seen,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// What it saw so far.
    #[must_use]
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Whether it has done all it may, or its time is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.thread
            .as_ref()
            .is_none_or(std::thread::JoinHandle::is_finished)
    }

    /// Ends it and closes its connections.
    #[must_use]
    pub fn stop(mut self) -> Arc<Seen> {
        self.end();
        Arc::clone(&self.seen)
    }

    fn end(&mut self) {
        // Dropping the sender is the word to stop.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed; what it counted until then is judged by the test.
            drop(thread.join());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// An attacker has a machine of its own; here it shares ours, and must not win by taking the processor away from those
/// it attacks.
fn give_way() {
    const NICE: i32 = 5;
    // Without it the attack is only harder to stand.
    let (Ok(()) | Err(_)) = rustix::process::setpriority_process(None, NICE);
}

/// Keeps the wanted number of connections going until they are used up, the time is over or the word to stop came.
async fn go_on(
    attack: &dyn Attack,
    target: &Target,
    force: Force,
    seen: &Seen,
    mut stopped: watch::Receiver<bool>,
) {
    let over = tokio::time::sleep(force.time);
    tokio::pin!(over);
    let mut started = 0;
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < force.at_once && started < force.connections {
            started += 1;
            running.push(one(attack, target, seen));
        }
        // Connections live in the set; the other two only say that it is over.
        tokio::select! {
            next = running.next() => if next.is_none() {
                return;
            },
            _ = stopped.changed() => return,
            () = &mut over => return,
        }
    }
}

/// One connection of an attack, from its opening to its end.
async fn one(attack: &dyn Attack, target: &Target, seen: &Seen) {
    let Ok(stream) = connect(target).await else {
        seen.refused.fetch_add(1, Relaxed);
        // A listener that is full must not make the attacker spin.
        tokio::time::sleep(Duration::from_millis(5)).await;
        return;
    };
    seen.opened.fetch_add(1, Relaxed);
    match attack.run(Line::new(stream, seen), target).await {
        Ok(End::Spent) => seen.spent.fetch_add(1, Relaxed),
        Ok(End::Ended) | Err(_) => seen.ended.fetch_add(1, Relaxed),
    };
}

/// Connects from the target's `from` address.
async fn connect(target: &Target) -> io::Result<TcpStream> {
    let socket = if target.address.is_ipv6() {
        TcpSocket::new_v6()
    } else {
        TcpSocket::new_v4()
    }?;
    socket.bind(SocketAddr::new(target.from, 0))?;
    let stream = socket.connect(target.address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
