//! An HTTP proxy between a client and a pretend cloud, that meddles: it answers in the cloud's place, lets an answer get lost,
//! cuts it, or lets another tool act first. What it does with the next requests is said beforehand. It knows no cloud: who
//! tests one says what its errors look like.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::future;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::thread;

/// What is done with a request.
pub enum Meddle {
    /// It goes on to the cloud.
    Pass,
    /// This is its answer; the cloud does not hear of it.
    Answer(Answer),
    /// It is never answered; the cloud does not hear of it.
    Silence,
    /// The connection is closed at once; the cloud does not hear of it.
    Close,
    /// The cloud acts on it, and its answer is lost.
    LoseAnswer,
    /// The cloud acts on it, and half of its answer comes.
    CutAnswer,
    /// This is done first; then it goes on.
    First(Box<dyn FnOnce() + Send>),
}

impl std::fmt::Debug for Meddle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Answer(_) => "answer",
            Self::Silence => "silence",
            Self::Close => "close",
            Self::LoseAnswer => "lose the answer",
            Self::CutAnswer => "cut the answer",
            Self::First(_) => "something first",
        })
    }
}

/// An answer in the cloud's place.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its fields.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// How.
    pub method: Method,
    /// For what, with the query.
    pub path: String,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// A running one; ends when dropped.
#[derive(Debug)]
pub struct Meddler {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Which requests a thing is done with.
pub type Which = fn(&Asked) -> bool;

#[derive(Debug, Default)]
struct Shared {
    next: VecDeque<(Which, Meddle)>,
    rest: Option<Answer>,
    asked: Vec<Asked>,
}

impl Meddler {
    /// Starts one before this, on a free port of loopback.
    ///
    /// # Errors
    /// No port or thread is to be had.
    pub fn start(upstream: SocketAddr) -> Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let runtime = thread::runtime()?;
        let here = Arc::clone(&shared);
        let thread = thread::spawn(&format!("meddler {address}"), move || {
            let serving = LocalSet::new();
            serving.block_on(&runtime, async {
                let accepting = accept(listener, upstream, here);
                future::select(std::pin::pin!(accepting), stopped).await;
            });
        })?;
        Ok(Self {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What is done with the next requests, one after the other; those after them go on.
    pub fn next(&self, next: impl IntoIterator<Item = Meddle>) {
        let all: Which = |_| true;
        let next = next.into_iter().map(|meddle| (all, meddle));
        self.shared().next = next.collect();
    }

    /// What is done with the next of these requests; others go on meanwhile.
    pub fn next_of(&self, which: Which, meddle: Meddle) {
        self.shared().next = [(which, meddle)].into();
    }

    /// All requests that nothing else is said of are answered so; `None`: they go on.
    pub fn answer_all(&self, answer: Option<Answer>) {
        self.shared().rest = answer;
    }

    /// What came since this was asked last.
    #[must_use]
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared().asked)
    }

    /// How much of what was said to be done with the next requests has not been.
    #[must_use]
    pub fn left(&self) -> usize {
        self.shared().next.len()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: std::net::TcpListener, upstream: SocketAddr, shared: Arc<Mutex<Shared>>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let shared = Arc::clone(&shared);
        thread::beside(async move {
            let service = service_fn(|request| answer(request, upstream, Arc::clone(&shared)));
            let http = hyper::server::conn::http1::Builder::new();
            // How it ends is what was to be tried.
            drop(http.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    upstream: SocketAddr,
    shared: Arc<Mutex<Shared>>,
) -> Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let meddle = {
        let mut shared = lock(&shared);
        let path = head.uri.path_and_query().map(ToString::to_string);
        let asked = Asked {
            method: head.method.clone(),
            path: path.unwrap_or_default(),
            headers: head.headers.clone(),
            body: body.clone(),
        };
        let is_next = shared.next.front().is_some_and(|(which, _)| which(&asked));
        shared.asked.push(asked);
        let next = shared.next.pop_front_if(|_| is_next).map(|(_, next)| next);
        let rest = shared.rest.clone().map(Meddle::Answer);
        next.or(rest).unwrap_or(Meddle::Pass)
    };
    let request = Request::from_parts(head, Full::new(body));
    match meddle {
        Meddle::Pass => pass(request, upstream).await,
        Meddle::Answer(answer) => answered(answer),
        Meddle::Silence => future::pending().await,
        Meddle::Close => anyhow::bail!("closed"),
        Meddle::LoseAnswer => {
            pass(request, upstream).await?;
            anyhow::bail!("lost")
        }
        Meddle::CutAnswer => cut(pass(request, upstream).await?).await,
        Meddle::First(act) => {
            act();
            pass(request, upstream).await
        }
    }
}

async fn pass(
    request: Request<Full<Bytes>>,
    upstream: SocketAddr,
) -> Result<Response<Full<Bytes>>> {
    let stream = TcpStream::connect(upstream).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    thread::beside(async { drop(connection.await) });
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Response::from_parts(head, Full::new(body)))
}

fn answered(answer: Answer) -> Result<Response<Full<Bytes>>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status)?;
    for (name, value) in answer.headers {
        let name = HeaderName::from_static(name);
        response
            .headers_mut()
            .insert(name, HeaderValue::try_from(value)?);
    }
    Ok(response)
}

/// The answer in chunks, that say it is whole, with half of its bytes: a body that ends in the middle of what it says.
async fn cut(response: Response<Full<Bytes>>) -> Result<Response<Full<Bytes>>> {
    let (mut head, body) = response.into_parts();
    let whole = body.collect().await?.to_bytes();
    let half = whole.get(..whole.len() / 2).context("a half")?;
    head.headers.remove(http::header::CONTENT_LENGTH);
    Ok(Response::from_parts(
        head,
        Full::new(Bytes::copy_from_slice(half)),
    ))
}
