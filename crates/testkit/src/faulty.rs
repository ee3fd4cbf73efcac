//! An origin that falls ill when told, as seen on the wire: it refuses, resets, answers errors, falls silent or slow. It
//! writes down every request when it came, so that who still sends to a sick one, and how often, is read here and not
//! asked of the proxy. `/healthz` is what checks ask for; the number at the end of any other path is the request's own.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::thread;
use crate::wait::now;

/// What checks ask for.
pub const HEALTH: &str = "/healthz";

/// Before an address that could not be bound again is tried once more.
const REBIND: Duration = Duration::from_millis(10);

/// What an origin suffers from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ailment {
    /// Nothing.
    Well,
    /// Nobody listens, and the connections there were are closed: as after `kill -9`.
    Refuses,
    /// Connections are taken, and reset once something is asked; those there were at once.
    Resets,
    /// Every answer is a 503, to checks too.
    Unavailable,
    /// By chance every second answer is a 503; checks pass.
    Half,
    /// Connections are taken and nothing is answered, to checks neither.
    Silent,
    /// Requests are not answered, checks pass.
    DataSilent,
    /// Requests are answered so much later; checks pass.
    Slow(Duration),
    /// Requests are answered once it has anything else; checks pass.
    Holds,
}

/// A request that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When its head was there.
    pub at: Instant,
    /// Its number; `None` for a check.
    pub number: Option<u64>,
    /// Whether it was answered well, as far as is known when it comes.
    pub well: bool,
}

/// A running origin; ends when dropped.
#[derive(Debug)]
pub struct Faulty {
    address: SocketAddr,
    ailment: watch::Sender<Ailment>,
    seen: Arc<Mutex<Vec<Seen>>>,
    running: Arc<Running>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug, Clone)]
struct Site {
    provider: HeaderValue,
    ailment: watch::Receiver<Ailment>,
    seen: Arc<Mutex<Vec<Seen>>>,
    running: Arc<Running>,
    chance: Rc<RefCell<fastrand::Rng>>,
}

/// How many requests, without checks, are between their head and their answer.
#[derive(Debug, Default)]
struct Running {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// One of them.
struct Run(Arc<Running>);

impl Run {
    fn begin(running: &Arc<Running>) -> Self {
        let now = running.now.fetch_add(1, Ordering::SeqCst) + 1;
        running.most.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(running))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Faulty {
    /// Starts one of this provider on a free port of loopback; the seed decides which answers of [`Ailment::Half`] fail.
    ///
    /// # Errors
    /// No port or thread is to be had.
    pub fn start(provider: &str, seed: u64) -> Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (ailment, told) = watch::channel(Ailment::Well);
        let seen = Arc::default();
        let provider = HeaderValue::from_str(provider)?;
        let runtime = thread::runtime()?;
        let running = Arc::default();
        let (seen_here, running_here) = (Arc::clone(&seen), Arc::clone(&running));
        let thread = thread::spawn(&format!("faulty {address}"), move || {
            let site = Site {
                provider,
                ailment: told,
                seen: seen_here,
                running: running_here,
                chance: Rc::new(RefCell::new(fastrand::Rng::with_seed(seed))),
            };
            LocalSet::new().block_on(&runtime, run(listener, address, site));
        })?;
        Ok(Self {
            address,
            ailment,
            seen,
            running,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Falls ill, or is well again, from now on.
    pub fn suffer(&self, ailment: Ailment) {
        self.ailment.send_replace(ailment);
    }

    /// What came so far, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many requests it has now, without checks.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.now.load(Ordering::SeqCst)
    }

    /// How many of them it has had at once.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.running.most.load(Ordering::SeqCst)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        // Its end is told by the channel's end.
        let (gone, _) = watch::channel(Ailment::Well);
        drop(std::mem::replace(&mut self.ailment, gone));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Until the channel ends.
async fn run(first: std::net::TcpListener, address: SocketAddr, site: Site) {
    let mut told = site.ailment.clone();
    let mut listener = first
        .set_nonblocking(true)
        .and_then(|()| TcpListener::from_std(first))
        .ok();
    loop {
        let refuses = *told.borrow_and_update() == Ailment::Refuses;
        if refuses {
            listener = None;
        } else if listener.is_none() {
            listener = Some(bind_again(address).await);
        }
        let accepting = async {
            match &listener {
                Some(listener) => accept(listener, &site).await,
                None => std::future::pending().await,
            }
        };
        // Accepting again after a change loses nothing: connections look at the ailment themselves, and those that are
        // not to survive it have ended by then.
        tokio::select! {
            () = accepting => {}
            changed = told.changed() => if changed.is_err() { return },
        }
    }
}

async fn bind_again(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(REBIND).await,
        }
    }
}

async fn accept(listener: &TcpListener, site: &Site) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        thread::beside(connection(stream, site.clone()));
    }
}

/// From now on the socket is closed by a reset.
fn close_by_reset(socket: &std::net::TcpStream) -> std::io::Result<()> {
    let at_once = Some(Duration::ZERO);
    Ok(rustix::net::sockopt::set_socket_linger(socket, at_once)?)
}

/// One connection, until it ends or the ailment ends it.
async fn connection(stream: TcpStream, site: Site) {
    let mut told = site.ailment.clone();
    drop(stream.set_nodelay(true));
    let Ok(stream) = stream.into_std() else {
        return;
    };
    // A second handle on the same socket: to decide how it is closed.
    let (Ok(handle), Ok(stream)) = (stream.try_clone(), TcpStream::from_std(stream)) else {
        return;
    };
    let handle = Rc::new(handle);
    let service = service_fn(|request| answer(request, site.clone(), Rc::clone(&handle)));
    let http = hyper::server::conn::http1::Builder::new();
    let serving = http.serve_connection(TokioIo::new(stream), service);
    // A connection that is made while the origin resets is let ask first.
    let from_start = *told.borrow_and_update() == Ailment::Resets;
    let ended = told.wait_for(|ailment| match ailment {
        Ailment::Refuses => true,
        Ailment::Resets => !from_start,
        _ => false,
    });
    tokio::select! {
        biased;
        ailment = ended => {
            let resets = ailment.is_ok_and(|ailment| *ailment == Ailment::Resets);
            if resets {
                // Closed in good order instead it fails all the same.
                drop(close_by_reset(&handle));
            }
        }
        // How a client ends its connection is its own affair.
        _ = serving => {}
    }
}

async fn answer(
    request: Request<Incoming>,
    site: Site,
    socket: Rc<std::net::TcpStream>,
) -> std::io::Result<Response<Full<Bytes>>> {
    let mut told = site.ailment.clone();
    let ailment = *told.borrow_and_update();
    let is_check = request.uri().path() == HEALTH;
    // Ends before the answer is sent: who has the answer may count on the place.
    let _run = (!is_check).then(|| Run::begin(&site.running));
    let number = request.uri().path().rsplit('/').next();
    let number = number.and_then(|number| number.parse().ok());
    let half = site.chance.borrow_mut().bool();
    let status = match ailment {
        Ailment::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Ailment::Half if half && !is_check => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    let silent = ailment == Ailment::Silent || ailment == Ailment::DataSilent && !is_check;
    site.seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Seen {
            at: now(),
            number: number.filter(|_| !is_check),
            well: status == StatusCode::OK && !silent && ailment != Ailment::Resets,
        });
    if request.method() == Method::POST {
        drop(request.into_body().collect().await);
    }
    if ailment == Ailment::Resets {
        close_by_reset(&socket)?;
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    if silent {
        // What ends the silence does not bring the answer: a process that hung is started anew.
        drop(told.changed().await);
        return Err(std::io::ErrorKind::ConnectionAborted.into());
    }
    if let (Ailment::Slow(more), false) = (ailment, is_check) {
        tokio::time::sleep(more).await;
    }
    if ailment == Ailment::Holds && !is_check {
        // The end of the channel ends the origin.
        drop(told.changed().await);
    }
    let mut response = Response::new(Full::new(Bytes::from_static(b"ok\n")));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert("x-provider", site.provider.clone());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{client, wait};

    fn status(origin: &Faulty, path: &str) -> Option<u16> {
        let answer = client::get(origin.address(), path).ok()?;
        Some(answer.status().as_u16())
    }

    #[test]
    fn it_falls_ill_and_is_well_again_when_told_and_writes_down_what_came() {
        let origin = Faulty::start("aws", 1).unwrap();
        assert_eq!(status(&origin, "/get/7"), Some(200));
        origin.suffer(Ailment::Unavailable);
        assert_eq!(status(&origin, "/get/8"), Some(503));
        assert_eq!(status(&origin, HEALTH), Some(503));
        origin.suffer(Ailment::Refuses);
        wait::until("nobody to listen", || {
            status(&origin, "/").is_none().then_some(())
        })
        .unwrap();
        origin.suffer(Ailment::Well);
        wait::until("it to listen", || status(&origin, HEALTH)).unwrap();
        let numbers: Vec<_> = origin.seen().iter().map(|s| (s.number, s.well)).collect();
        assert_eq!(
            numbers[..3],
            [(Some(7), true), (Some(8), false), (None, false)]
        );
    }

    #[test]
    fn by_chance_half_of_the_answers_fail_and_checks_pass() {
        let origin = Faulty::start("aws", 1).unwrap();
        origin.suffer(Ailment::Half);
        let failed = (0..100).filter(|n| status(&origin, &format!("/get/{n}")) == Some(503));
        assert!((30..70).contains(&failed.count()));
        assert!((0..20).all(|_| status(&origin, HEALTH) == Some(200)));
    }

    #[test]
    fn what_it_holds_is_answered_when_it_is_well_again_and_counted_while_it_runs() {
        let origin = Faulty::start("aws", 1).unwrap();
        origin.suffer(Ailment::Holds);
        let asked = |path: &'static str| {
            let address = origin.address();
            thread::spawn("asks", move || client::get(address, path).unwrap().status())
        };
        let asking = ["/get/1", "/get/2"].map(|path| asked(path).unwrap());
        wait::until("both", || (origin.running() == 2).then_some(())).unwrap();
        assert_eq!(status(&origin, HEALTH), Some(200));
        origin.suffer(Ailment::Well);
        let statuses = asking.map(|asked| asked.join().unwrap());
        assert_eq!(statuses, [StatusCode::OK; 2]);
        assert_eq!((origin.running(), origin.most_at_once()), (0, 2));
    }

    #[test]
    fn a_reset_is_no_answer() {
        let origin = Faulty::start("aws", 1).unwrap();
        origin.suffer(Ailment::Resets);
        assert_eq!(status(&origin, "/get/1"), None);
        origin.suffer(Ailment::Well);
        wait::until("it to answer", || status(&origin, "/get/2")).unwrap();
    }
}
