//! A stream of HTTP/2 whose frames are watched in both directions (`bascule_guard::http2`). The bytes pass as they are,
//! until the peer has spent a budget or broken a rule: then the engine is given an error, and the peer, from a task of its
//! own, a GOAWAY that says why and a moment to read it. Requests that the engine refused by itself are counted here.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bascule_config::Limits;
use bascule_guard::http2::{Abuse, Budgets, Peer, Watch, goaway};
use bascule_model::Instant;
use bascule_telemetry::{clock, spawn};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::http::limits;
use crate::worker::Worker;

/// How long a peer that is told to go may take to hear it, and what it may still say meanwhile: a socket that is closed
/// with bytes unread resets the connection, and the reset takes the words with it.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_BYTES: u64 = 256 * 1024;

/// The frames of one connection.
#[derive(Debug)]
pub(crate) struct FrameWatch {
    watch: RefCell<Watch>,
    abuse: Cell<Option<Abuse>>,
    /// Who counts refused requests; a client's only.
    worker: Option<Rc<Worker>>,
}

impl FrameWatch {
    /// Of a client.
    pub(crate) fn of_client(worker: Rc<Worker>, limits: &Limits) -> Self {
        let budgets = Budgets {
            resets: limits.resets,
            control_frames: limits.control_frames,
            head_bytes: limits.header_bytes,
        };
        Self::new(Peer::Client, budgets, Some(worker))
    }

    /// Of an endpoint.
    pub(crate) fn of_endpoint() -> Self {
        Self::new(Peer::Origin, limits::ENDPOINT_BUDGETS, None)
    }

    fn new(peer: Peer, budgets: Budgets, worker: Option<Rc<Worker>>) -> Self {
        Self {
            watch: RefCell::new(Watch::new(peer, budgets, clock::now())),
            abuse: Cell::new(None),
            worker,
        }
    }

    /// A request was heard.
    pub(crate) fn heard(&self) {
        self.watch.borrow_mut().heard();
    }

    /// What the connection was ended for.
    pub(crate) fn abuse(&self) -> Option<Abuse> {
        self.abuse.get()
    }

    /// Looks at bytes. `Err`: the connection is to be ended, and the engine has not done so.
    fn look(
        &self,
        look: impl FnOnce(&mut Watch, Instant) -> Result<(), Abuse>,
    ) -> Result<(), Abuse> {
        let mut watch = self.watch.borrow_mut();
        let looked = look(&mut watch, clock::now());
        while let (Some(unheard), Some(worker)) = (watch.take_unheard(), &self.worker) {
            worker.count_unheard(unheard);
        }
        let Err(abuse) = looked else { return Ok(()) };
        self.abuse.set(Some(abuse));
        match abuse {
            Abuse::Protocol | Abuse::Flood => Ok(()),
            _ => Err(abuse),
        }
    }

    /// The last words, if they can be said where the last frame ended.
    fn last_words(&self) -> Option<[u8; 17]> {
        let watch = self.watch.borrow();
        let abuse = self.abuse.get().filter(|_| watch.is_between_frames())?;
        Some(goaway(watch.last_stream(), abuse))
    }
}

/// A stream that is watched.
#[derive(Debug)]
pub(crate) struct Framed<S> {
    /// Gone once the peer was told to go.
    stream: Option<S>,
    frames: Rc<FrameWatch>,
    /// The engine where it waits for bytes.
    reader: Option<Waker>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Framed<S> {
    /// Watches `stream`.
    pub(crate) const fn new(stream: S, frames: Rc<FrameWatch>) -> Self {
        let reader = None;
        let stream = Some(stream);
        Self {
            stream,
            frames,
            reader,
        }
    }

    /// Tells the peer to go, and the engine that it is gone.
    fn part(&mut self, abuse: Abuse) -> io::Error {
        if let Some(stream) = self.stream.take() {
            spawn::local("farewell", farewell(stream, self.frames.last_words())).detach();
        }
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        io::Error::other(abuse)
    }

    fn gone(&self) -> io::Error {
        match self.frames.abuse() {
            Some(abuse) => io::Error::other(abuse),
            None => io::ErrorKind::NotConnected.into(),
        }
    }

    fn note_written(&mut self, slices: &[IoSlice<'_>], count: usize) {
        let looked = self.frames.look(|watch, now| {
            let mut left = count;
            for slice in slices {
                let written = slice.get(..left.min(slice.len())).unwrap_or_default();
                watch.sent(now, written)?;
                left = left.saturating_sub(written.len());
            }
            Ok(())
        });
        // The bytes are written all the same; the engine hears of it when it reads.
        if let Err(abuse) = looked {
            self.part(abuse);
        }
    }
}

async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, words: Option<[u8; 17]>) {
    let said = async {
        if let Some(words) = words {
            stream.write_all(&words).await?;
        }
        stream.shutdown().await?;
        let mut rest = stream.take(FAREWELL_BYTES);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    // A peer that does not listen is closed all the same.
    tokio::select! {
        _ = said => {}
        () = clock::sleep_until(clock::now() + FAREWELL) => {}
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> AsyncRead for Framed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else {
            return Poll::Ready(Err(this.gone()));
        };
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(stream).poll_read(cx, buf) else {
            this.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let bytes = buf.filled().get(before..).unwrap_or_default();
        let looked = this.frames.look(|watch, now| watch.received(now, bytes));
        if let Err(abuse) = looked {
            buf.set_filled(before);
            return Poll::Ready(Err(this.part(abuse)));
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> AsyncWrite for Framed<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else {
            return Poll::Ready(Err(this.gone()));
        };
        let written = Pin::new(stream).poll_write_vectored(cx, slices);
        if let Poll::Ready(Ok(count)) = &written {
            this.note_written(slices, *count);
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream
            .as_ref()
            .is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}
