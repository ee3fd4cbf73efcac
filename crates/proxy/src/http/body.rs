//! The one body pump: moves the frames of a body from the side they come from to the side that asks for them, for every
//! HTTP version and both directions. It never buffers: a frame is read when the other side's engine has room for it, so
//! a slow reader slows the writer. It counts, limits, and cleans trailers; it does not watch time (see `serve`). [`request`]
//! is the body of a request as an engine gets it, [`replay`] what is kept of one for another try.

mod replay;
mod request;

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::Version;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::http::chunk::Chunk;
use crate::http::hop;
use crate::http::progress::{Direction, Flow, Progress};
use crate::http::record::Exchange;
use crate::upstream::{self, Loan};

pub(crate) use replay::{Kept, Replay};
pub(crate) use request::RequestBody;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The side it comes from broke off, or sent what is no body.
    #[error("the body broke off")]
    Broken(#[source] hyper::Error),
    /// Its stream was reset without an error, in the middle. The engine takes that for an end.
    #[error("the body's stream was reset before its end")]
    Reset,
    /// It is longer than allowed.
    #[error("the body is longer than allowed")]
    TooLarge,
    /// Another try has taken over.
    #[error("the body belongs to another try by now")]
    TakenOver,
}

/// Moves one body.
#[derive(Debug)]
pub(crate) struct Pump {
    incoming: Incoming,
    direction: Direction,
    progress: Rc<Progress>,
    bytes_max: u64,
    /// What its source speaks.
    version: Version,
    /// A response's, held back.
    trailers: Option<Frame<Bytes>>,
}

impl Pump {
    /// Of a request's body, which may have at most `bytes_max`.
    pub(crate) const fn of_request(
        incoming: Incoming,
        version: Version,
        progress: Rc<Progress>,
        bytes_max: u64,
    ) -> Self {
        let direction = Direction::Request;
        Self {
            incoming,
            direction,
            progress,
            bytes_max,
            version,
            trailers: None,
        }
    }

    /// Of a response's body.
    const fn of_response(incoming: Incoming, version: Version, progress: Rc<Progress>) -> Self {
        let direction = Direction::Response;
        Self {
            incoming,
            direction,
            progress,
            bytes_max: u64::MAX,
            version,
            trailers: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(next) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            self.progress.starve(self.direction);
            return Poll::Pending;
        };
        Poll::Ready(match next {
            Some(Ok(frame)) => Some(self.pass(frame)),
            Some(Err(error)) => {
                self.progress.end(self.direction, Flow::Broken);
                Some(Err(BodyError::Broken(error)))
            }
            None if self.is_cut() => {
                self.progress.end(self.direction, Flow::Broken);
                Some(Err(BodyError::Reset))
            }
            None => {
                self.progress.end(self.direction, Flow::Done);
                None
            }
        })
    }

    /// Whether a body that gives no more has not ended. An answer may end with its stream being reset where the request has
    /// not (RFC 9113 §8.1); it is whole if it has its length.
    fn is_cut(&self) -> bool {
        let has_end = self.incoming.is_end_stream() || self.trailers_passed();
        let is_answer = self.direction == Direction::Response;
        let has_length = is_answer && self.incoming.size_hint().exact() == Some(0);
        self.version == Version::HTTP_2 && !has_end && !has_length
    }

    fn trailers_passed(&self) -> bool {
        self.progress.flow(self.direction) == Flow::Done
    }

    /// As [`poll`](Self::poll), for a response: in step with what its client takes.
    fn poll_response(
        &mut self,
        end: End,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, BodyError>>> {
        let ends = self.trailers.is_some() || self.incoming.is_end_stream();
        if end == End::Taken && ends {
            ready!(self.progress.poll_taken(cx));
        } else {
            ready!(self.progress.poll_room(cx));
        }
        let next = match self.trailers.take() {
            Some(trailers) => Some(Ok(trailers)),
            None => ready!(self.poll(cx)),
        };
        match next {
            Some(Ok(frame)) if frame.is_trailers() && self.holds_end(end) => {
                self.trailers = Some(frame);
                // More is untaken than may be left: it waits.
                self.poll_response(end, cx)
            }
            Some(Ok(frame)) => {
                let counted = |bytes| Chunk::counted(bytes, Rc::clone(&self.progress));
                Poll::Ready(Some(Ok(frame.map_data(counted))))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => Poll::Ready(None),
        }
    }

    /// Whether the end of the response is not said yet.
    fn holds_end(&self, end: End) -> bool {
        end == End::Taken && self.progress.is_much_untaken()
    }

    fn pass(&self, mut frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        if let Some(data) = frame.data_ref() {
            let length = u64::try_from(data.remaining()).unwrap_or(u64::MAX);
            self.progress.advance(self.direction, length);
            if self.progress.bytes(self.direction) > self.bytes_max {
                self.progress.end(self.direction, Flow::TooLarge);
                return Err(BodyError::TooLarge);
            }
        } else if let Some(trailers) = frame.trailers_mut() {
            hop::strip_trailers(trailers);
            self.progress.touch();
            self.progress.end(self.direction, Flow::Done);
        }
        Ok(frame)
    }

    /// Notes the end of a body that needed no reading to its end: the engine stops asking when it has all bytes.
    fn note_end(&self) {
        if self.progress.flow(self.direction) == Flow::Open && self.incoming.is_end_stream() {
            self.progress.end(self.direction, Flow::Done);
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.note_end();
    }
}

/// The body of a response on its way to the client. It owns the exchange: when the engine lets go of it, whatever the
/// reason, the exchange is over and recorded.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    source: Source,
    exchange: Box<Exchange>,
}

#[derive(Debug)]
enum Source {
    Text(Option<Bytes>),
    Backend {
        pump: Pump,
        loan: Option<Loan>,
        end: End,
    },
}

/// When a response's end is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With its last piece. Behind HTTP/1 there is only the socket, which is watched.
    AtOnce,
    /// Once the client has taken a large last piece: an HTTP/2 stream that has ended can no longer be reset.
    Taken,
}

impl ResponseBody {
    /// A text of ours.
    pub(crate) fn text(text: Bytes, exchange: Box<Exchange>) -> Self {
        let text = Some(text).filter(|text| !text.is_empty());
        let source = Source::Text(text);
        Self { source, exchange }
    }

    /// What the backend sends; the connection it comes over is given back when the body has ended.
    pub(crate) fn backend(
        incoming: Incoming,
        version: Version,
        loan: Loan,
        exchange: Box<Exchange>,
    ) -> Self {
        let progress = Rc::clone(&exchange.progress);
        if version == Version::HTTP_2 {
            progress.comes_by_window();
        }
        let pump = Pump::of_response(incoming, version, progress);
        let loan = Some(loan);
        let end = match exchange.version() {
            Version::HTTP_2 => End::Taken,
            _ => End::AtOnce,
        };
        let source = Source::Backend { pump, loan, end };
        Self { source, exchange }
    }
}

impl Body for ResponseBody {
    type Data = Chunk;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, BodyError>>> {
        let polled = match &mut self.source {
            Source::Text(text) => {
                let text = text.take().map(Chunk::uncounted);
                Poll::Ready(text.map(|text| Ok(Frame::data(text))))
            }
            Source::Backend { pump, end, .. } => pump.poll_response(*end, cx),
        };
        if let Poll::Ready(Some(Err(BodyError::Broken(error)))) = &polled
            && let Some(violation) = upstream::violation_of(error)
        {
            self.exchange.count_violation(violation);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Text(text) => text.is_none(),
            Source::Backend { pump, end, .. } => {
                !pump.holds_end(*end) && pump.incoming.is_end_stream()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Text(text) => {
                let length = text.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Source::Backend { pump, .. } => pump.incoming.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        match &mut self.source {
            Source::Text(text) => self.exchange.text_left(text.is_none()),
            Source::Backend { pump, loan, .. } => {
                pump.note_end();
                let done = pump.progress.flow(Direction::Response) == Flow::Done;
                if let Some(loan) = loan.take().filter(|_| done) {
                    loan.give_back();
                }
                // To HTTP/1.0 a body whose length was not said ends with the connection.
                if !done && self.exchange.version() == Version::HTTP_10 {
                    self.exchange.client.abort();
                }
            }
        }
    }
}
