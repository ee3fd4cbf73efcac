//! The load generator: hundreds of client connections through the proxy, on a thread of their own. Requests start at
//! times fixed beforehand (open loop), so a stall is seen by all the requests that it delays. What is kept here is what
//! clients saw; it is the only source of the demo's figures.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use bascule_model::{Histogram, Instant};
use bascule_telemetry::clock;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Requests started a second, over all connections.
pub(super) const RATE: u32 = 500;
/// Connections that carry the requests.
const CONNECTIONS: u32 = 200;
/// Long sessions held open beside them.
pub(super) const SESSIONS: u32 = 400;
/// A client gives up after it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Before a client that could not connect, or was cut, tries again.
const AGAIN: Duration = Duration::from_millis(100);

/// What became of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A full answer with status 200.
    Ok,
    /// Another status.
    Status(u16),
    /// The connection failed, the body was cut, or the client gave up.
    Failed,
}

/// One request as its client saw it.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// Its place in the order of starts.
    pub(super) number: u64,
    /// When it was answered, or given up.
    pub(super) ended: Instant,
    /// From its intended start to its end.
    pub(super) latency: Duration,
    /// What became of it.
    pub(super) outcome: Outcome,
    /// Who answered, by `x-provider`.
    pub(super) provider: Option<String>,
}

/// A long session that was cut, or skipped a beat.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    /// When.
    pub(super) at: Instant,
    /// Who had served it.
    pub(super) provider: String,
    /// Whether a heartbeat was missing, rather than the stream cut.
    pub(super) gap: bool,
}

/// What the clients saw, all of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Every request.
    pub(super) samples: Vec<Sample>,
    /// Running sessions by provider.
    pub(super) sessions: std::collections::BTreeMap<String, u32>,
    /// Sessions that were cut.
    pub(super) cuts: Vec<Cut>,
    /// When the first request was answered with 200.
    pub(super) first_answer: Option<Instant>,
}

/// A running load generator.
#[derive(Debug, Clone)]
pub(super) struct Load {
    seen: Arc<Mutex<Seen>>,
}

impl Load {
    /// Starts all clients against the proxy.
    pub(super) fn start(proxy: SocketAddr) -> Result<Self> {
        let load = Self {
            seen: Arc::default(),
        };
        let clients = load.clone();
        super::thread("load", async move {
            let start = clock::now();
            for n in 0..CONNECTIONS {
                super::spawn("load client", clients.clone().requests(proxy, start, n));
            }
            for _ in 0..SESSIONS {
                super::spawn("load session", clients.clone().sessions(proxy));
            }
            std::future::pending::<()>().await;
        })?;
        Ok(load)
    }

    /// Reads what was seen so far.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Seen) -> T) -> T {
        read(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, write: impl FnOnce(&mut Seen)) {
        write(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// One client: its share of the starts, over one connection that is renewed when it breaks.
    async fn requests(self, proxy: SocketAddr, start: Instant, client: u32) {
        let mut connection = None;
        let mut number = u64::from(client);
        loop {
            let intended =
                start + Duration::from_secs(1) / RATE * u32::try_from(number).unwrap_or(u32::MAX);
            clock::sleep_until(intended).await;
            let (outcome, provider) =
                match tokio::time::timeout(PATIENCE, exchange(&mut connection, proxy)).await {
                    Ok(Some(answer)) => answer,
                    Ok(None) | Err(_) => {
                        connection = None;
                        (Outcome::Failed, None)
                    }
                };
            let ended = clock::now();
            let sample = Sample {
                number,
                ended,
                latency: ended.since(intended),
                outcome,
                provider,
            };
            self.write(|seen| {
                let first = Some(ended).filter(|_| outcome == Outcome::Ok);
                seen.first_answer = seen.first_answer.or(first);
                seen.samples.push(sample);
            });
            number += u64::from(CONNECTIONS);
        }
    }

    /// One person in a call: a session that is held for ever, and joined again when it is cut.
    async fn sessions(self, proxy: SocketAddr) {
        loop {
            let mut connection = None;
            let response = send(&mut connection, proxy, "/session").await;
            if let Some(response) = response.filter(|r| r.status() == 200) {
                self.session(provider_of(&response), response.into_body())
                    .await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn session(&self, provider: String, mut body: Incoming) {
        self.write(|seen| *seen.sessions.entry(provider.clone()).or_default() += 1);
        let mut expected = 0_u64;
        let mut gap = false;
        while let Some(Ok(frame)) = body.frame().await {
            for beat in frame
                .data_ref()
                .map(Bytes::as_ref)
                .unwrap_or_default()
                .split(|b| *b == b'\n')
            {
                let number = std::str::from_utf8(beat)
                    .ok()
                    .and_then(|text| text.parse::<u64>().ok());
                gap |= number.is_some_and(|n| n != expected);
                expected = number.map_or(expected, |n| n + 1);
            }
        }
        self.write(|seen| {
            if let Some(running) = seen.sessions.get_mut(&provider) {
                *running = running.saturating_sub(1);
            }
            seen.cuts.push(Cut {
                at: clock::now(),
                provider,
                gap,
            });
        });
    }
}

type Connection = Option<SendRequest<Empty<Bytes>>>;

async fn exchange(
    connection: &mut Connection,
    proxy: SocketAddr,
) -> Option<(Outcome, Option<String>)> {
    let response = send(connection, proxy, "/join").await?;
    let status = response.status().as_u16();
    let provider = Some(provider_of(&response)).filter(|name| !name.is_empty());
    response.into_body().collect().await.ok()?;
    let outcome = if status == 200 {
        Outcome::Ok
    } else {
        Outcome::Status(status)
    };
    Some((outcome, provider))
}

async fn send(
    connection: &mut Connection,
    proxy: SocketAddr,
    path: &'static str,
) -> Option<http::Response<Incoming>> {
    if connection.as_ref().is_none_or(SendRequest::is_closed) {
        let stream = TcpStream::connect(proxy).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .ok()?;
        super::spawn("load connection", async { drop(driver.await) });
        *connection = Some(sender);
    }
    let sender = connection.as_mut()?;
    sender.ready().await.ok()?;
    let request = Request::get(path)
        .header("host", "meet.example.org")
        .body(Empty::new())
        .ok()?;
    sender.send_request(request).await.ok()
}

fn provider_of<T>(response: &http::Response<T>) -> String {
    let name = response
        .headers()
        .get("x-provider")
        .and_then(|value| value.to_str().ok());
    name.unwrap_or_default().to_owned()
}

/// Figures over some of the requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    /// Requests ended.
    pub(super) requests: u64,
    /// Requests that did not end with 200.
    pub(super) errors: u64,
    /// Answers by provider, errors with a provider included.
    pub(super) by_provider: std::collections::BTreeMap<String, u64>,
    /// Latencies from the intended start.
    pub(super) latency: Histogram,
}

impl Figures {
    /// Over the samples that `takes` accepts.
    pub(super) fn of(seen: &Seen, takes: impl Fn(&Sample) -> bool) -> Self {
        let mut figures = Self::default();
        for sample in seen.samples.iter().filter(|sample| takes(sample)) {
            figures.requests += 1;
            figures.errors += u64::from(sample.outcome != Outcome::Ok);
            figures.latency.record(sample.latency);
            if let Some(provider) = &sample.provider {
                *figures.by_provider.entry(provider.clone()).or_default() += 1;
            }
        }
        figures
    }

    /// The part of the answers that a provider gave, as percent.
    pub(super) fn percent(&self, provider: &str) -> f64 {
        let total: u64 = self.by_provider.values().sum();
        let part = self.by_provider.get(provider).copied().unwrap_or(0);
        #[expect(
            clippy::cast_precision_loss,
            reason = "thousands of requests, for display"
        )]
        let percent = part as f64 * 100.0 / total.max(1) as f64;
        percent
    }

    /// The p95 in milliseconds; 0 without requests.
    pub(super) fn p95_millis(&self) -> f64 {
        self.latency
            .quantile(0.95)
            .unwrap_or_default()
            .as_secs_f64()
            * 1000.0
    }
}
