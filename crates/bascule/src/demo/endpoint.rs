//! One endpoint of a pretend cloud: an HTTP/1.1 server that answers `/session` with a stream of numbered heartbeats and
//! everything else with a body whose size comes from the seed; and that breaks when told. It must behave on the wire as
//! a really broken server does: refuse means that nobody listens.

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bascule_model::Rng;
use bytes::Bytes;
use futures_util::Stream;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::clouds::Profile;
use crate::cli::args::Fault;

/// Between two heartbeats of a long session.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// What a slow answer takes more.
const SLOW: Duration = Duration::from_secs(2);
/// How long a flapping endpoint works, and refuses, in turn.
const FLAP: Duration = Duration::from_millis(700);
/// Before an address that could not be bound again is tried once more.
const REBIND: Duration = Duration::from_millis(20);
/// The largest body of an answer, in bytes; each has from half of it to this.
const BODY_BYTES_MAX: u64 = 4096;

/// What an endpoint is like; its answers follow from the seed.
#[derive(Debug, Clone)]
pub(super) struct Behaviour {
    profile: Profile,
    rng: Rc<RefCell<Rng>>,
    body: Bytes,
}

impl Behaviour {
    /// A behaviour that draws its latencies and sizes from `rng`.
    pub(super) fn new(profile: Profile, rng: Rng) -> Self {
        let body = Bytes::from(vec![b'.'; usize::try_from(BODY_BYTES_MAX).unwrap_or(0)]);
        Self {
            profile,
            rng: Rc::new(RefCell::new(rng)),
            body,
        }
    }

    fn latency(&self) -> Duration {
        self.profile
            .latency_max
            .mul_f64(self.rng.borrow_mut().ratio())
    }

    fn payload(&self) -> Bytes {
        let half = BODY_BYTES_MAX / 2;
        let size = half + self.rng.borrow_mut().below(half);
        self.body.slice(..usize::try_from(size).unwrap_or(0))
    }

    fn every_second(&self) -> bool {
        self.rng.borrow_mut().below(2) == 0
    }
}

/// Serves for ever. While the endpoint refuses, nobody listens on its address and its connections are closed.
pub(super) async fn run(
    first: std::net::TcpListener,
    behaviour: Behaviour,
    mut fault: watch::Receiver<Option<Fault>>,
) {
    let Ok(address) = first.local_addr() else {
        return;
    };
    let mut listener = listen_on(first);
    let mut flapped = false;
    loop {
        let now = *fault.borrow_and_update();
        let refuses = now == Some(Fault::Refused) || now == Some(Fault::Flap) && flapped;
        if refuses {
            listener = None;
        } else if listener.is_none() {
            listener = bind_again(address).await;
        }
        let turn = async {
            match &listener {
                Some(listener) => accept_all(listener, &behaviour, &fault).await,
                None => std::future::pending().await,
            }
        };
        let mut changed = fault.clone();
        tokio::select! {
            () = turn => {}
            _ = changed.changed() => flapped = true,
            () = tokio::time::sleep(FLAP), if now == Some(Fault::Flap) => flapped = !flapped,
        }
    }
}

fn listen_on(listener: std::net::TcpListener) -> Option<TcpListener> {
    listener.set_nonblocking(true).ok()?;
    TcpListener::from_std(listener).ok()
}

async fn bind_again(address: SocketAddr) -> Option<TcpListener> {
    loop {
        // Tokio sets SO_REUSEADDR, so connections of before do not keep the port.
        if let Ok(listener) = TcpListener::bind(address).await {
            return Some(listener);
        }
        tokio::time::sleep(REBIND).await;
    }
}

/// Accepts until dropped; then the connections end too, since each holds a receiver of the channel made here.
async fn accept_all(
    listener: &TcpListener,
    behaviour: &Behaviour,
    fault: &watch::Receiver<Option<Fault>>,
) {
    let refusing = fault.clone();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        if *fault.borrow() == Some(Fault::Reset) {
            reset(stream);
            continue;
        }
        let connection = serve(stream, behaviour.clone(), refusing.clone());
        super::spawn("cloud connection", connection);
    }
}

/// Closes with a reset instead of a clean end.
fn reset(stream: TcpStream) {
    if let Ok(stream) = stream.into_std() {
        let linger = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
        if let Err(error) = linger {
            tracing::warn!(%error, "closed in good order instead of reset");
        }
    }
}

async fn serve(stream: TcpStream, behaviour: Behaviour, mut fault: watch::Receiver<Option<Fault>>) {
    drop(stream.set_nodelay(true));
    let seen = fault.clone();
    let service =
        hyper::service::service_fn(move |request| answer(request, behaviour.clone(), seen.clone()));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let ended = fault.wait_for(|f| matches!(f, Some(Fault::Refused | Fault::Reset | Fault::Flap)));
    tokio::select! {
        // How a client ends its connection is its own affair.
        _ = connection => {}
        _ = ended => {}
    }
}

type Answer = Response<Either<Full<Bytes>, Heartbeats>>;
type Heartbeats =
    StreamBody<std::pin::Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>>>>>;

async fn answer(
    request: Request<Incoming>,
    behaviour: Behaviour,
    mut fault: watch::Receiver<Option<Fault>>,
) -> Result<Answer, Infallible> {
    if *fault.borrow() == Some(Fault::Blackhole) {
        // Whatever ends the hole, the client has long given up: the answer goes nowhere.
        drop(fault.wait_for(|f| *f != Some(Fault::Blackhole)).await);
    }
    let slow = if *fault.borrow() == Some(Fault::Slow) {
        SLOW
    } else {
        Duration::ZERO
    };
    tokio::time::sleep(behaviour.latency() + slow).await;
    let broken = match *fault.borrow() {
        Some(Fault::Unavailable) => true,
        Some(Fault::Half) => behaviour.every_second(),
        _ => false,
    };
    let mut response = match request.uri().path() {
        _ if broken => Response::new(Either::Left(Full::new(Bytes::from_static(
            b"out of order\n",
        )))),
        "/session" => Response::new(Either::Right(heartbeats())),
        _ => Response::new(Either::Left(Full::new(behaviour.payload()))),
    };
    if broken {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    let name = http::HeaderValue::from_static(behaviour.profile.name);
    response.headers_mut().insert("x-provider", name);
    Ok(response)
}

/// `0\n`, `1\n`, … one each [`HEARTBEAT`], for ever.
fn heartbeats() -> Heartbeats {
    let beats = futures_util::stream::unfold(0_u64, |n| async move {
        if n > 0 {
            tokio::time::sleep(HEARTBEAT).await;
        }
        Some((Ok(Frame::data(Bytes::from(format!("{n}\n")))), n + 1))
    });
    StreamBody::new(Box::pin(beats))
}
