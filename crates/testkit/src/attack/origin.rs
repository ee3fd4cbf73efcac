//! Origins that do harm: what an endpoint that is broken, or in wrong hands, can do to the edge that asks it. An
//! [`IllOrigin`] accepts connections and behaves on each as its [`Ill`] says; [`Ask`] is the client that makes the edge
//! ask. What is said over HTTP/1 is in [`http1`], over HTTP/2 in [`http2`].

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Result;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::{Attack, End, Line, Target};

use crate::thread;

pub mod http1;
pub mod http2;

/// What an origin does on each of its connections.
pub trait Ill: std::fmt::Debug + Send + Sync + 'static {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// How a URL for it begins.
    fn scheme(&self) -> &'static str {
        "http"
    }

    /// Does it; returns when it has done all it wants or the edge has closed the connection.
    fn run<'a>(
        &'a self,
        stream: TcpStream,
        said: &'a AtomicU64,
    ) -> LocalBoxFuture<'a, io::Result<()>>;
}

/// An origin that does harm; ends when dropped.
#[derive(Debug)]
pub struct IllOrigin {
    url: String,
    name: &'static str,
    said: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl IllOrigin {
    /// Starts one on a free port of loopback.
    ///
    /// # Errors
    /// When no port or thread is to be had.
    pub fn start(ill: impl Ill) -> Result<Self> {
        let runtime = thread::runtime()?;
        let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let listener = runtime.block_on(TcpListener::bind(any))?;
        let url = format!("{}://{}", ill.scheme(), listener.local_addr()?);
        let (stop, stopped) = oneshot::channel();
        let (name, said) = (ill.name(), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&said);
        let thread = thread::spawn(&format!("origin {name}"), move || {
            super::give_way();
            runtime.block_on(async {
                tokio::select! {
                    () = serve(&listener, &ill, &counted) => {}
                    // A dropped sender means the same as a sent word.
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self {
            url,
            name,
            said,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name in tables.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it counts: how often it has said its piece.
    #[must_use]
    pub fn said(&self) -> u64 {
        self.said.load(Relaxed)
    }
}

impl Drop for IllOrigin {
    fn drop(&mut self) {
        // Dropping the sender is the word to stop.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed.
            drop(thread.join());
        }
    }
}

async fn serve(listener: &TcpListener, ill: &impl Ill, said: &AtomicU64) {
    let mut connections = FuturesUnordered::new();
    loop {
        // Connections live in the set; accepting loses none.
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.push(ill.run(stream, said));
            },
            // How a connection ends is its own affair.
            Some(_) = connections.next() => {}
        }
    }
}

/// The client that makes the edge ask an ill origin: one request a connection, an honest one.
#[derive(Debug)]
pub struct Ask {
    /// Its name in tables: the origin's.
    pub name: &'static str,
    /// Bytes of body it sends, all at once.
    pub body: usize,
    /// How long it waits for the end of the answer before it leaves.
    pub patience: Duration,
}

impl Attack for Ask {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let method = if self.body == 0 { "GET" } else { "POST" };
            let head = format!(
                "{method} /ill HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                target.host, self.body
            );
            let answered = tokio::time::timeout(self.patience, async {
                line.send_reading(head.as_bytes()).await?;
                line.send_reading(&vec![b'b'; self.body]).await?;
                line.read_until_end().await
            });
            let answered = answered.await.unwrap_or(Ok(End::Spent));
            line.seen.count(1);
            answered
        })
    }
}
