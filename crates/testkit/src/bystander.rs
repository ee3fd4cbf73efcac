//! The client that must not feel an attack: steady requests over HTTP/1.1 (kept and fresh connections), HTTP/2 and TLS,
//! each checked byte by byte and timed. It tries nothing twice: what fails, failed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use crate::thread;

/// How a bystander talks.
#[derive(Debug, Clone)]
pub enum Way {
    /// HTTP/1.1, one connection for all requests.
    Kept,
    /// HTTP/1.1, a connection for each request.
    Fresh,
    /// HTTP/2 by prior knowledge, one connection.
    Http2,
    /// HTTP/1.1 over TLS, a connection for each request.
    FreshTls(Arc<ClientConfig>),
    /// HTTP/2 over TLS, one connection.
    Http2Tls(Arc<ClientConfig>),
}

impl Way {
    const fn keeps(&self) -> bool {
        matches!(self, Self::Kept | Self::Http2 | Self::Http2Tls(_))
    }
}

/// What a bystander asks for.
#[derive(Debug, Clone)]
pub struct Manners {
    /// The `Host` it names.
    pub host: String,
    /// Between the starts of two requests of one way; a slow answer delays the next request.
    pub every: Duration,
    /// Bytes of the bodies it sends to `/echo` and gets back; the sizes take turns.
    pub sizes: Vec<usize>,
    /// No answer within this is a failure.
    pub patience: Duration,
}

/// What bystanders saw.
#[derive(Debug, Default, Clone)]
pub struct Log {
    /// How long each request took that was answered rightly.
    pub took: Vec<Duration>,
    /// What became of the others.
    pub failures: Vec<String>,
    /// Answers with other bytes than were sent: also failures.
    pub wrong: u64,
}

impl Log {
    /// Requests made.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.took.len() + self.failures.len()
    }

    /// The share of requests that were answered rightly, in hundredths of a percent.
    #[must_use]
    pub fn success_basis_points(&self) -> usize {
        self.took.len() * 10_000 / self.requests().max(1)
    }

    /// The time that this share of the answered requests did not exceed, in percent.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.took.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }
}

/// Bystanders at work, on a thread of their own; they end when dropped.
#[derive(Debug)]
pub struct Bystander {
    log: Arc<Mutex<Log>>,
    stop: Option<watch::Sender<bool>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Bystander {
    /// Starts one for each way and address.
    ///
    /// # Errors
    /// When no thread is to be had.
    pub fn start(ways: Vec<(Way, SocketAddr)>, manners: Manners) -> Result<Self> {
        let runtime = thread::runtime()?;
        let log = Arc::new(Mutex::new(Log::default()));
        let (stop, stopped) = watch::channel(false);
        let written = Arc::clone(&log);
        let thread = thread::spawn("bystander", move || {
            runtime.block_on(join_all(ways.into_iter().map(|(way, address)| {
                let walk = Walk::new(way, address, &manners, &written);
                walk.go_on(stopped.clone())
            })));
        })?;
        Ok(Self {
            log,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// What it saw so far.
    #[must_use]
    pub fn log(&self) -> Log {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many requests it has made so far.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .requests()
    }

    /// Lets the running requests end, and tells what it saw.
    #[must_use]
    pub fn stop(mut self) -> Log {
        self.end();
        self.log()
    }

    fn end(&mut self) {
        // Dropping the sender is the word to stop.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed, and shows as requests that are missing.
            drop(thread.join());
        }
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.end();
    }
}

/// One way of one bystander.
struct Walk<'a> {
    way: Way,
    address: SocketAddr,
    manners: &'a Manners,
    log: &'a Mutex<Log>,
    kept: Option<Sender>,
    round: usize,
}

/// A connection that takes requests.
enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl<'a> Walk<'a> {
    const fn new(way: Way, address: SocketAddr, manners: &'a Manners, log: &'a Mutex<Log>) -> Self {
        Self {
            way,
            address,
            manners,
            log,
            kept: None,
            round: 0,
        }
    }

    async fn go_on(mut self, mut stopped: watch::Receiver<bool>) {
        let mut pace = tokio::time::interval(self.manners.every);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // A request that has begun is ended: only the pause is cut.
            tokio::select! {
                _ = stopped.changed() => return,
                _ = pace.tick() => self.request().await,
            }
        }
    }

    async fn request(&mut self) {
        self.round += 1;
        #[expect(clippy::disallowed_methods, reason = "tests have no telemetry clock")]
        let started = Instant::now();
        let answer = tokio::time::timeout(self.manners.patience, self.exchange()).await;
        let took = started.elapsed();
        let told = answer
            .unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in {:?}", self.manners.patience)));
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        match told {
            Ok(true) => log.took.push(took),
            Ok(false) => {
                log.wrong += 1;
                log.failures
                    .push(format!("{:?}: wrong bytes", self.way_name()));
            }
            Err(error) => {
                self.kept = None;
                log.failures
                    .push(format!("{} after {took:?}: {error:#}", self.way_name()));
            }
        }
    }

    const fn way_name(&self) -> &'static str {
        match self.way {
            Way::Kept => "kept",
            Way::Fresh => "fresh",
            Way::Http2 => "h2",
            Way::FreshTls(_) => "tls",
            Way::Http2Tls(_) => "h2 tls",
        }
    }

    /// Sends a body of this round's own to `/echo`; whether the same came back.
    async fn exchange(&mut self) -> Result<bool> {
        let size = self
            .manners
            .sizes
            .get(self.round % self.manners.sizes.len().max(1));
        let body = pattern(self.round, size.copied().unwrap_or_default());
        let mut sender = match self.kept.take() {
            Some(kept) if kept.is_open() => kept,
            _ => self.connect().await.context("connect")?,
        };
        let host = &self.manners.host;
        let response = match &mut sender {
            Sender::One(sender) => {
                sender.ready().await.context("ready")?;
                let request = http::Request::post("/echo")
                    .header("host", host)
                    .body(Full::new(body.clone()))?;
                sender.send_request(request).await
            }
            Sender::Two(sender) => {
                sender.ready().await.context("ready")?;
                let scheme = if matches!(self.way, Way::Http2Tls(_)) {
                    "https"
                } else {
                    "http"
                };
                let request = http::Request::post(format!("{scheme}://{host}/echo"))
                    .body(Full::new(body.clone()))?;
                sender.send_request(request).await
            }
        }
        .context("response")?;
        let status = response.status();
        let got = response
            .into_body()
            .collect()
            .await
            .context("body")?
            .to_bytes();
        ensure!(status == 200, "status {status}");
        if self.way.keeps() {
            self.kept = Some(sender);
        }
        Ok(got == body)
    }

    async fn connect(&self) -> Result<Sender> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        match &self.way {
            Way::Kept | Way::Fresh => one(stream).await,
            Way::Http2 => two(stream).await,
            Way::FreshTls(config) => one(self.secure(config, stream).await?).await,
            Way::Http2Tls(config) => {
                let stream = self.secure(config, stream).await?;
                if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                    bail!("no h2 by ALPN");
                }
                two(stream).await
            }
        }
    }

    async fn secure(
        &self,
        config: &Arc<ClientConfig>,
        stream: TcpStream,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let name = ServerName::try_from(self.manners.host.clone())?;
        let connector = TlsConnector::from(Arc::clone(config));
        Ok(connector.connect(name, stream).await?)
    }
}

impl Sender {
    fn is_open(&self) -> bool {
        match self {
            Self::One(sender) => !sender.is_closed(),
            Self::Two(sender) => !sender.is_closed(),
        }
    }
}

async fn one(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Sender> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    in_background(connection);
    Ok(Sender::One(sender))
}

async fn two(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Sender> {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    in_background(connection);
    Ok(Sender::Two(sender))
}

/// Drives a connection until its sender is gone. How it ends shows in the requests.
fn in_background(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) {
    #[expect(
        clippy::disallowed_methods,
        reason = "testkit stands below nothing: no telemetry"
    )]
    drop(tokio::spawn(async move { drop(connection.await) }));
}

/// Bytes that no other round has.
fn pattern(round: usize, size: usize) -> Bytes {
    let mut random = fastrand::Rng::with_seed(round as u64);
    std::iter::repeat_with(|| random.u8(..))
        .take(size)
        .collect()
}
