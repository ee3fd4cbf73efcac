//! Hundreds of small origins on addresses of their own in 127.1.0.0/16, all on one port and one thread: what a name with
//! hundreds of addresses leads to. Each counts what it gets.

use std::net::{self, IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, bail};
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::origin::serve;
use crate::thread;

/// Origins that run; they die when dropped.
#[derive(Debug)]
pub struct Crowd {
    port: u16,
    members: Vec<(IpAddr, Arc<AtomicU64>)>,
    running: Option<(oneshot::Sender<()>, std::thread::JoinHandle<()>)>,
}

impl Crowd {
    /// Starts so many, at most 60 000. Each answers as an [`Origin`](crate::Origin) of this name.
    ///
    /// # Errors
    /// No thread, or no port that is free on all addresses.
    pub fn start(name: &str, count: u16) -> Result<Self> {
        let (port, listeners) = bind(count)?;
        let addresses = listeners.iter().map(|(ip, _)| (*ip, Arc::default()));
        let members: Vec<(IpAddr, Arc<AtomicU64>)> = addresses.collect();
        let counts: Vec<Arc<AtomicU64>> = members.iter().map(|(_, n)| Arc::clone(n)).collect();
        let (stop, stopped) = oneshot::channel();
        let (name, runtime) = (name.to_owned(), thread::runtime()?);
        let thread = thread::spawn("crowd", move || {
            runtime.block_on(async {
                let all = listeners.into_iter().zip(counts);
                let all = all.map(|((_, listener), count)| member(listener, name.clone(), count));
                tokio::select! {
                    _ = join_all(all) => {}
                    // A dropped sender means the same as a sent word.
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self {
            port,
            members,
            running: Some((stop, thread)),
        })
    }

    /// The port of all.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Their addresses.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.members.iter().map(|(ip, _)| *ip).collect()
    }

    /// The requests that each has got.
    #[must_use]
    pub fn requests(&self) -> Vec<u64> {
        let counts = self.members.iter().map(|(_, count)| count);
        counts.map(|count| count.load(Ordering::SeqCst)).collect()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            // A crowd that panicked has made its test fail already.
            drop(thread.join());
        }
    }
}

async fn member(listener: net::TcpListener, name: String, count: Arc<AtomicU64>) {
    if let Ok(listener) = TcpListener::from_std(listener) {
        serve(listener, name, count).await;
    }
}

type Bound = Vec<(IpAddr, net::TcpListener)>;

/// One port on all addresses. One that is free on the first may be taken on another; then it is another one's turn.
fn bind(count: u16) -> Result<(u16, Bound)> {
    for _ in 0..100 {
        let first = net::TcpListener::bind((Ipv4Addr::new(127, 1, 255, 1), 0))?;
        let port = first.local_addr()?.port();
        let listener = |n: u16| {
            let [high, low] = n.to_be_bytes();
            let address = SocketAddr::from(([127, 1, high, low], port));
            let listener = net::TcpListener::bind(address).ok()?;
            listener.set_nonblocking(true).ok()?;
            Some((address.ip(), listener))
        };
        if let Some(all) = (1..=count).map(listener).collect::<Option<Bound>>() {
            return Ok((port, all));
        }
    }
    bail!("no port is free on {count} addresses")
}
