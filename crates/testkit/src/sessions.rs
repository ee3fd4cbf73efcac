//! Long sessions: requests that stay open while bytes go both ways. Each sends numbered heartbeats to `/echo` and reads
//! them back, in order and without a gap, until it is told to end; then the last must come back and the answer end well.
//! What ends otherwise was cut.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::thread;

/// Between two heartbeats of a session.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// Sessions on one HTTP/2 connection.
const STREAMS: usize = 25;

/// What they ask for.
const HOST: &str = "meet.example.org";

/// How a session talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, a connection for each session.
    Http1,
    /// HTTP/2 by prior knowledge, 25 sessions on a connection.
    Http2,
}

/// What became of sessions.
#[derive(Debug, Default)]
struct Tally {
    /// Heartbeats that came back.
    beats: AtomicU64,
    /// Sessions that got one back.
    running: AtomicU64,
    /// Why sessions ended that were to go on, or ended badly.
    cut: Mutex<Vec<String>>,
}

/// Sessions that run; they end when dropped.
#[derive(Debug)]
pub struct Sessions {
    tally: Arc<Tally>,
    end: watch::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

type Beats = StreamBody<std::pin::Pin<Box<dyn stream::Stream<Item = Beat> + Send>>>;
type Beat = Result<Frame<Bytes>, Infallible>;

impl Sessions {
    /// Begins so many.
    ///
    /// # Errors
    /// No thread is to be had.
    pub fn start(proxy: SocketAddr, protocol: Protocol, count: usize) -> Result<Self> {
        let tally = Arc::<Tally>::default();
        let (end, told) = watch::channel(());
        let here = Arc::clone(&tally);
        let runtime = thread::runtime()?;
        let thread = thread::spawn("sessions", move || {
            runtime.block_on(all(proxy, protocol, count, here, told))
        })?;
        Ok(Self {
            tally,
            end,
            thread: Some(thread),
        })
    }

    /// How many have got a heartbeat back.
    #[must_use]
    pub fn running(&self) -> u64 {
        self.tally.running.load(Ordering::SeqCst)
    }

    /// Heartbeats that came back, of all of them.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.tally.beats.load(Ordering::SeqCst)
    }

    /// Ends them, and tells of those that were cut, or that lost a heartbeat.
    #[must_use]
    pub fn finish(mut self) -> Vec<String> {
        self.stop();
        let mut cut = self
            .tally
            .cut
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *cut)
    }

    fn stop(&mut self) {
        // The end of the channel is the word to end.
        let (gone, _) = watch::channel(());
        drop(std::mem::replace(&mut self.end, gone));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn all(
    proxy: SocketAddr,
    protocol: Protocol,
    count: usize,
    tally: Arc<Tally>,
    told: watch::Receiver<()>,
) {
    let mut running = JoinSet::new();
    match protocol {
        Protocol::Http1 => {
            for _ in 0..count {
                let (tally, told) = (Arc::clone(&tally), told.clone());
                running.spawn(async move {
                    let ended = over_http1(proxy, &tally, told).await;
                    tally.note(ended);
                });
            }
        }
        Protocol::Http2 => {
            for start in (0..count).step_by(STREAMS) {
                let (tally, told) = (Arc::clone(&tally), told.clone());
                let streams = STREAMS.min(count - start);
                running.spawn(async move {
                    let ended = over_http2(proxy, streams, &tally, &told).await;
                    tally.note(ended);
                });
            }
        }
    }
    while running.join_next().await.is_some() {}
}

impl Tally {
    fn note(&self, ended: Result<()>) {
        if let Err(error) = ended {
            let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
            cut.push(format!("{error:#}"));
        }
    }
}

async fn over_http1(proxy: SocketAddr, tally: &Tally, told: watch::Receiver<()>) -> Result<()> {
    let stream = TcpStream::connect(proxy).await?;
    stream.set_nodelay(true)?;
    let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
    let (request, beats) = request(Protocol::Http1)?;
    // It takes the sender along: without one the driver ends too.
    let session = async move {
        let response = sender.send_request(request).await?;
        session(response, beats, tally, told).await
    };
    let (ended, _) = tokio::join!(session, driver_of(driver));
    ended
}

/// Drives a connection; how it ends is seen by who uses it.
async fn driver_of(driver: impl Future<Output = hyper::Result<()>>) {
    drop(driver.await);
}

async fn over_http2(
    proxy: SocketAddr,
    streams: usize,
    tally: &Arc<Tally>,
    told: &watch::Receiver<()>,
) -> Result<()> {
    let stream = TcpStream::connect(proxy).await?;
    stream.set_nodelay(true)?;
    let (sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(driver_of(driver));
    for _ in 0..streams {
        let (mut sender, tally, told) = (sender.clone(), Arc::clone(tally), told.clone());
        tasks.spawn(async move {
            let ended = async {
                let (request, beats) = request(Protocol::Http2)?;
                let response = sender.send_request(request).await?;
                session(response, beats, &tally, told).await
            };
            let ended = ended.await;
            tally.note(ended);
        });
    }
    drop(sender);
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    Ok(())
}

/// A request whose body is what is put into the channel.
fn request(protocol: Protocol) -> Result<(Request<Beats>, mpsc::Sender<Bytes>)> {
    let (beats, receiver) = mpsc::channel::<Bytes>(4);
    let body = stream::unfold(receiver, |mut receiver| async move {
        let beat = receiver.recv().await?;
        Some((Ok(Frame::data(beat)), receiver))
    });
    // HTTP/2 makes its pseudo-header fields of the whole URI; HTTP/1.1 names the host in a field.
    let request = match protocol {
        Protocol::Http1 => Request::post("/echo").header("host", HOST),
        Protocol::Http2 => Request::post(format!("http://{HOST}/echo")),
    };
    let request = request.body(StreamBody::new(Box::pin(body) as _))?;
    Ok((request, beats))
}

/// Sends and reads until told to end.
async fn session(
    response: Response<Incoming>,
    beats: mpsc::Sender<Bytes>,
    tally: &Tally,
    mut told: watch::Receiver<()>,
) -> Result<()> {
    ensure!(response.status() == 200, "status {}", response.status());
    let mut body = response.into_body();
    let mut beats = Some(beats);
    let (mut sent, mut read, mut partial) = (0_u64, 0_u64, Vec::new());
    let mut pulse = tokio::time::interval(HEARTBEAT);
    loop {
        // Cancellation: a tick, a frame and the end of the channel are lost by none of the others.
        tokio::select! {
            _ = pulse.tick(), if beats.is_some() => {
                if let Some(beats) = &beats {
                    let sending = beats.send(Bytes::from(format!("{sent}\n"))).await;
                    ensure!(sending.is_ok(), "its body was taken no more after {sent} heartbeats");
                    sent += 1;
                }
            }
            _ = told.changed(), if beats.is_some() => beats = None,
            frame = body.frame() => match frame {
                None if beats.is_none() => break,
                None => bail!("it ended after {read} heartbeats"),
                Some(frame) => {
                    let frame = frame.with_context(|| format!("after {read} heartbeats"))?;
                    partial.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
                    take(&mut partial, &mut read, tally)?;
                }
            },
        }
    }
    ensure!(
        read == sent,
        "{sent} heartbeats were sent, {read} came back"
    );
    Ok(())
}

/// The whole lines of what has come: each is the next number.
fn take(partial: &mut Vec<u8>, read: &mut u64, tally: &Tally) -> Result<()> {
    while let Some(end) = partial.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = partial.drain(..=end).collect();
        let text = String::from_utf8_lossy(&line);
        ensure!(
            text.trim_end() == read.to_string(),
            "{text:?} instead of {read}"
        );
        if *read == 0 {
            tally.running.fetch_add(1, Ordering::SeqCst);
        }
        *read += 1;
        tally.beats.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Origin, wait};

    #[test]
    fn a_session_that_ends_when_told_is_not_cut() {
        let origin = Origin::start("aws").unwrap();
        let sessions = Sessions::start(origin.address(), Protocol::Http1, 10).unwrap();
        wait::until("beats", || (sessions.beats() > 30).then_some(())).unwrap();
        assert_eq!(sessions.running(), 10);
        assert_eq!(sessions.finish(), Vec::<String>::new());
    }

    #[test]
    fn each_session_that_is_cut_is_told() {
        let mut origin = Origin::start("aws").unwrap();
        let sessions = Sessions::start(origin.address(), Protocol::Http1, 10).unwrap();
        wait::until("all", || (sessions.running() == 10).then_some(())).unwrap();
        origin.die();
        assert_eq!(sessions.finish().len(), 10);
    }
}
