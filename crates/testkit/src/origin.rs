//! A small HTTP/1.1 origin that says who it is, counts what it gets, and can die and come back on the same address.
//!
//! `/bytes/N` answers N bytes; `/count` answers how many bytes it was sent; `/echo` sends back what it is sent;
//! everything else answers the origin's name.
//! Each answer carries `x-provider: NAME`.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::thread;

/// A running origin; dies when dropped.
#[derive(Debug)]
pub struct Origin {
    name: String,
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Origin {
    /// Starts one on a free port of loopback.
    ///
    /// # Errors
    /// When no port or thread is to be had.
    pub fn start(name: &str) -> Result<Self> {
        let mut origin = Self {
            name: name.to_owned(),
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            requests: Arc::default(),
            running: None,
        };
        origin.revive()?;
        Ok(origin)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests it has got.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Dies at once: the listener and all connections close.
    pub fn die(&mut self) {
        if let Some(running) = self.running.take() {
            // Dropping the sender is the word to stop.
            drop(running.stop);
            drop(running.thread.join());
        }
    }

    /// Comes back on the same address.
    ///
    /// # Errors
    /// When the port was taken meanwhile.
    pub fn revive(&mut self) -> Result<()> {
        self.die();
        let runtime = thread::runtime()?;
        let listener = runtime
            .block_on(TcpListener::bind(self.address))
            .context("bind")?;
        self.address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let (name, requests) = (self.name.clone(), Arc::clone(&self.requests));
        let thread = thread::spawn(&format!("origin {name}"), move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, name, requests) => {}
                    // A dropped sender means the same as a sent word.
                    _ = stopped => {}
                }
            });
        })?;
        self.running = Some(Running { stop, thread });
        Ok(())
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.die();
    }
}

/// Serves until dropped, with all its connections.
pub(crate) async fn serve(listener: TcpListener, name: String, requests: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        drop(stream.set_nodelay(true));
        let (name, requests) = (name.clone(), Arc::clone(&requests));
        connections.spawn(async move {
            let service = service_fn(|request| {
                requests.fetch_add(1, Ordering::SeqCst);
                answer(request, name.clone())
            });
            let http = hyper::server::conn::http1::Builder::new();
            // How a client ends its connection is its own affair.
            drop(http.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

type Body = Either<Either<Full<Bytes>, Incoming>, StreamBody<stream::Iter<Chunks>>>;

/// `n` bytes in pieces.
#[derive(Debug)]
struct Chunks {
    left: u64,
}

impl Iterator for Chunks {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn next(&mut self) -> Option<Self::Item> {
        static PIECE: [u8; 65_536] = [b'x'; 65_536];
        let size = self.left.min(PIECE.len() as u64);
        self.left -= size;
        let piece = PIECE.get(..usize::try_from(size).ok()?)?;
        (size > 0).then(|| Ok(Frame::data(Bytes::from_static(piece))))
    }
}

async fn answer(
    request: Request<Incoming>,
    name: String,
) -> Result<Response<Body>, hyper::http::Error> {
    let path = request.uri().path().to_owned();
    let response = Response::builder().header("x-provider", &name);
    if let Some(size) = path.strip_prefix("/bytes/").and_then(|n| n.parse().ok()) {
        let body = StreamBody::new(stream::iter(Chunks { left: size }));
        return response
            .header("content-length", size)
            .body(Either::Right(body));
    }
    if path == "/echo" {
        return response.body(Either::Left(Either::Right(request.into_body())));
    }
    let mut received = 0_u64;
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        received += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    let text = if path == "/count" {
        received.to_string()
    } else {
        format!("{name}\n")
    };
    response.body(Either::Left(Either::Left(Full::new(Bytes::from(text)))))
}
