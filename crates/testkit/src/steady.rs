//! Clients that begin requests at times fixed beforehand, whatever becomes of the others (an open loop): a stall is felt
//! by all the requests it delays, and a proxy that is slow gets no rest by it. Each request goes over a kept connection
//! that is free, or a new one; none is sent twice. What is kept is what clients saw.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::thread;
use crate::wait::now;

/// A client gives up after it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With a whole answer of this status.
    Status(u16),
    /// Without one.
    Failed,
}

/// One request as its client saw it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its number; it is the end of the path too.
    pub number: u64,
    /// When it was to begin.
    pub began: Instant,
    /// From then to its end.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// Who answered, by `x-provider`.
    pub provider: Option<String>,
    /// Whether the answer said when to come back.
    pub retry_after: bool,
}

/// Clients that run; they end when dropped.
#[derive(Debug)]
pub struct Clients {
    stop: Arc<AtomicBool>,
    samples: Arc<Mutex<Vec<Sample>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Clients {
    /// Begins so many requests a second: `/METHOD/NUMBER`. Every second POST has 16 bytes of body; the others have none, so
    /// that whoever keeps no bodies could send them twice all the same.
    ///
    /// # Errors
    /// No thread is to be had.
    pub fn start(proxy: SocketAddr, method: Method, rate: u32) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let samples = Arc::default();
        let (stop_here, samples_here) = (Arc::clone(&stop), Arc::clone(&samples));
        let runtime = thread::runtime()?;
        let thread = thread::spawn("clients", move || {
            let pace = pace(proxy, method, rate, stop_here, samples_here);
            LocalSet::new().block_on(&runtime, pace);
        })?;
        Ok(Self {
            stop,
            samples,
            thread: Some(thread),
        })
    }

    /// What ended so far.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.samples
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Begins no more, waits for those under way, and gives all, in order of their numbers.
    #[must_use]
    pub fn finish(mut self) -> Vec<Sample> {
        self.end();
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = std::mem::take(&mut *samples);
        all.sort_by_key(|sample| sample.number);
        all
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.end();
    }
}

type Idle = Rc<RefCell<Vec<SendRequest<Full<Bytes>>>>>;

async fn pace(
    proxy: SocketAddr,
    method: Method,
    rate: u32,
    stop: Arc<AtomicBool>,
    samples: Arc<Mutex<Vec<Sample>>>,
) {
    let start = now();
    let idle = Idle::default();
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0_u32.. {
        let began = start + Duration::from_secs(1) * number / rate;
        tokio::time::sleep_until(began.into()).await;
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let (idle, samples, method) = (Rc::clone(&idle), Arc::clone(&samples), method.clone());
        under_way.spawn_local(async move {
            let number = u64::from(number);
            let exchange = exchange(proxy, &method, number, &idle);
            let answer = tokio::time::timeout(PATIENCE, exchange).await;
            let answer = answer.ok().flatten();
            let header = |name| answer.as_ref().and_then(|a| a.headers().get(name));
            let provider = header("x-provider").and_then(|value| value.to_str().ok());
            let sample = Sample {
                number,
                began,
                took: now() - began,
                outcome: answer
                    .as_ref()
                    .map_or(Outcome::Failed, |a| Outcome::Status(a.status().as_u16())),
                provider: provider.map(str::to_owned),
                retry_after: header("retry-after").is_some(),
            };
            samples
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(sample);
        });
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}

/// One request and its whole answer; `None` when there was none.
async fn exchange(
    proxy: SocketAddr,
    method: &Method,
    number: u64,
    idle: &Idle,
) -> Option<Response<()>> {
    let mut connection = connection(proxy, idle).await?;
    let body = match *method {
        Method::POST if number.is_multiple_of(2) => Bytes::from_static(b"sixteen bytes..."),
        _ => Bytes::new(),
    };
    let request = Request::builder()
        .method(method)
        .uri(format!("/{}/{number}", method.as_str().to_lowercase()))
        .header("host", "meet.example.org")
        .body(Full::new(body))
        .ok()?;
    let answer: Response<Incoming> = connection.send_request(request).await.ok()?;
    let (parts, body) = answer.into_parts();
    body.collect().await.ok()?;
    if connection.ready().await.is_ok() {
        idle.borrow_mut().push(connection);
    }
    Some(Response::from_parts(parts, ()))
}

async fn connection(proxy: SocketAddr, idle: &Idle) -> Option<SendRequest<Full<Bytes>>> {
    loop {
        let kept = idle.borrow_mut().pop();
        match kept {
            Some(kept) if kept.is_closed() => {}
            Some(kept) => return Some(kept),
            None => break,
        }
    }
    let stream = TcpStream::connect(proxy).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .ok()?;
    thread::beside(async { drop(driver.await) });
    Some(sender)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faulty::{Ailment, Faulty};
    use crate::wait;

    #[test]
    fn every_request_is_seen_by_its_client_and_its_origin_once() {
        let origin = Faulty::start("aws", 1).unwrap();
        let clients = Clients::start(origin.address(), Method::POST, 500).unwrap();
        wait::until("fifty answers", || (clients.ended() >= 50).then_some(())).unwrap();
        let samples = clients.finish();
        assert!(samples.iter().all(|s| s.outcome == Outcome::Status(200)));
        assert!(samples.iter().all(|s| s.provider.as_deref() == Some("aws")));
        let mut numbers: Vec<_> = origin.seen().iter().filter_map(|s| s.number).collect();
        numbers.sort_unstable();
        assert_eq!(
            numbers,
            samples.iter().map(|s| s.number).collect::<Vec<_>>()
        );
    }

    #[test]
    fn an_origin_that_dies_fails_requests_and_each_is_kept() {
        let origin = Faulty::start("aws", 1).unwrap();
        origin.suffer(Ailment::Resets);
        let clients = Clients::start(origin.address(), Method::GET, 500).unwrap();
        wait::until("twenty ends", || (clients.ended() >= 20).then_some(())).unwrap();
        let samples = clients.finish();
        assert!(samples.iter().all(|s| s.outcome == Outcome::Failed));
    }
}
