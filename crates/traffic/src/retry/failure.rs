//! A failed try: in which phase, whose fault, whether it may be tried again, and what was beneath. Complete when it is
//! made: nothing later looks at an error's text to find out.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bascule_model::{EndpointId, FailureClass};

use crate::suspect::Outcome;

/// A failed try.
#[derive(Debug, thiserror::Error)]
#[error("{cause} ({phase})")]
pub struct Failure {
    /// What happened.
    pub cause: Cause,
    /// What was being done.
    pub phase: Phase,
    /// Whose fault it is.
    pub side: Side,
    /// Whether it may be tried again.
    pub retry: Retry,
    /// The endpoint that was tried, if it had come to one.
    pub endpoint: Option<Arc<EndpointId>>,
    /// The error beneath, if there is one.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Taking the request from the client.
    Receive,
    /// Making a connection to the endpoint, TLS included.
    Connect,
    /// Sending the request, until its last byte is written.
    Send,
    /// Waiting for the first byte of the response.
    Await,
    /// Forwarding the response.
    Respond,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The client's: it went away, or sent what is not HTTP.
    Client,
    /// The endpoint's, or of the path to it.
    Upstream,
    /// Ours.
    Us,
}

/// Whether a failure may be tried again. A body that is gone forbids it in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Retry {
    /// No.
    Never,
    /// If not a byte of the request was written, whatever its method.
    IfUnsent,
    /// If not a byte was written, or the request is idempotent.
    IfIdempotent,
    /// Yes: the request certainly was not acted on.
    Always,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// The connection was refused or reset, or the address is unreachable.
    Connect,
    /// The connection was not made in time.
    ConnectTimeout,
    /// The TLS handshake failed.
    Tls,
    /// No port, file descriptor or memory is left here to connect with.
    Exhausted,
    /// An open connection turned out closed before a byte of the request was written.
    ClosedUnsent,
    /// The endpoint refused the stream unprocessed: `REFUSED_STREAM`, or a stream above the id of a `GOAWAY`
    /// (RFC 9113 §8.7).
    StreamRefused,
    /// The connection or stream died before the first byte of a response.
    Died,
    /// The endpoint answered with a status that says: not here, not now.
    Status,
    /// The endpoint answered a gRPC call with such a status, and nothing else.
    GrpcStatus,
    /// No response head came within what a try may take.
    TryTimeout,
    /// The endpoint says nothing, to this request or any other, for longer than is usual for it.
    Silent,
    /// The judge took the endpoint out while its answer was awaited.
    WentDown,
    /// All the time that the request had is over.
    Deadline,
    /// No response head came in time. Never tried again once sent: the endpoint may be at work, and twice the work is
    /// the last thing a slow one needs.
    ResponseTimeout,
    /// What came is not a response.
    ResponseMalformed,
    /// The response ended too early.
    ResponseCut,
    /// No byte moved in either direction for too long.
    Idle,
    /// The client went away.
    ClientGone,
    /// The client sent what cannot be forwarded.
    ClientMalformed,
    /// A fault of ours.
    Internal,
}

impl Cause {
    /// Every cause, for tables and tests.
    pub const ALL: [Self; 20] = [
        Self::Connect,
        Self::ConnectTimeout,
        Self::Tls,
        Self::Exhausted,
        Self::ClosedUnsent,
        Self::StreamRefused,
        Self::Died,
        Self::Status,
        Self::GrpcStatus,
        Self::TryTimeout,
        Self::Silent,
        Self::WentDown,
        Self::Deadline,
        Self::ResponseTimeout,
        Self::ResponseMalformed,
        Self::ResponseCut,
        Self::Idle,
        Self::ClientGone,
        Self::ClientMalformed,
        Self::Internal,
    ];

    /// The table that classifies: phase, side and retry of each cause.
    #[must_use]
    pub const fn class(self) -> (Phase, Side, Retry) {
        match self {
            Self::Connect | Self::ConnectTimeout | Self::Tls => {
                (Phase::Connect, Side::Upstream, Retry::Always)
            }
            Self::Exhausted => (Phase::Connect, Side::Us, Retry::Always),
            Self::ClosedUnsent | Self::StreamRefused => {
                (Phase::Send, Side::Upstream, Retry::Always)
            }
            Self::Died | Self::Status | Self::TryTimeout | Self::Silent | Self::WentDown => {
                (Phase::Await, Side::Upstream, Retry::IfIdempotent)
            }
            // Who names a gRPC status to be tried again says that the call may be made twice.
            Self::GrpcStatus => (Phase::Await, Side::Upstream, Retry::Always),
            Self::Deadline => (Phase::Await, Side::Upstream, Retry::Never),
            Self::ResponseTimeout => (Phase::Await, Side::Upstream, Retry::IfUnsent),
            Self::ResponseMalformed => (Phase::Await, Side::Upstream, Retry::Never),
            Self::ResponseCut | Self::Idle => (Phase::Respond, Side::Upstream, Retry::Never),
            Self::ClientGone | Self::ClientMalformed => {
                (Phase::Receive, Side::Client, Retry::Never)
            }
            Self::Internal => (Phase::Respond, Side::Us, Retry::Never),
        }
    }

    /// What it says against the endpoint, for the judge. Nothing where a server may do it any day, to any request: it closes
    /// connections that wait, and refuses streams while it restarts. What an answer says is counted when it is heard.
    #[must_use]
    pub const fn against_endpoint(self) -> Option<FailureClass> {
        match self {
            Self::Connect | Self::Tls => Some(FailureClass::Connect),
            Self::ConnectTimeout
            | Self::TryTimeout
            | Self::Silent
            | Self::ResponseTimeout
            | Self::Idle => Some(FailureClass::Timeout),
            Self::Died | Self::ResponseMalformed | Self::ResponseCut => Some(FailureClass::Reset),
            Self::Exhausted
            | Self::ClosedUnsent
            | Self::StreamRefused
            | Self::Status
            | Self::GrpcStatus
            | Self::WentDown
            | Self::Deadline
            | Self::ClientGone
            | Self::ClientMalformed
            | Self::Internal => None,
        }
    }

    /// The word used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::Exhausted => "exhausted",
            Self::ClosedUnsent => "closed_unsent",
            Self::StreamRefused => "stream_refused",
            Self::Died => "died",
            Self::Status => "status",
            Self::GrpcStatus => "grpc_status",
            Self::TryTimeout => "try_timeout",
            Self::Silent => "silent",
            Self::WentDown => "went_down",
            Self::Deadline => "deadline",
            Self::ResponseTimeout => "response_timeout",
            Self::ResponseMalformed => "response_malformed",
            Self::ResponseCut => "response_cut",
            Self::Idle => "idle",
            Self::ClientGone => "client_gone",
            Self::ClientMalformed => "client_malformed",
            Self::Internal => "internal",
        }
    }

    /// The status a client gets when nothing has been sent to it yet and the request is not tried again.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::ConnectTimeout
            | Self::ResponseTimeout
            | Self::TryTimeout
            | Self::Silent
            | Self::WentDown
            | Self::Deadline
            | Self::Idle => 504,
            Self::Exhausted => 503,
            Self::ClientGone | Self::ClientMalformed => 400,
            Self::Internal => 500,
            _ => 502,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "the endpoint could not be connected to",
            Self::ConnectTimeout => "the endpoint could not be connected to in time",
            Self::Tls => "the TLS handshake with the endpoint failed",
            Self::Exhausted => "no resources are left to connect with",
            Self::ClosedUnsent => "the connection had been closed",
            Self::StreamRefused => "the endpoint refused the stream",
            Self::Died => "the connection died before a response",
            Self::Status => "the endpoint answered that it cannot",
            Self::GrpcStatus => "the endpoint answered that it cannot serve the call",
            Self::TryTimeout => "no response came within what a try may take",
            Self::Silent => "the endpoint says nothing",
            Self::WentDown => "the endpoint went down before it answered",
            Self::Deadline => "all the time that the request had is over",
            Self::ResponseTimeout => "no response came in time",
            Self::ResponseMalformed => "what came is not a response",
            Self::ResponseCut => "the response ended too early",
            Self::Idle => "no byte moved for too long",
            Self::ClientGone => "the client went away",
            Self::ClientMalformed => "the client sent what cannot be forwarded",
            Self::Internal => "internal fault",
        })
    }
}

impl Phase {
    /// The word used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Connect => "connect",
            Self::Send => "send",
            Self::Await => "await",
            Self::Respond => "respond",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Side {
    /// The word used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Us => "us",
        }
    }
}

impl Failure {
    /// A failure of this cause, classified.
    #[must_use]
    pub const fn new(cause: Cause, endpoint: Option<Arc<EndpointId>>) -> Self {
        let (phase, side, retry) = cause.class();
        Self {
            cause,
            phase,
            side,
            retry,
            endpoint,
            source: None,
        }
    }

    /// With the error beneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// How it speaks against the endpoint, if it does. That a stream was refused unprocessed, or a kept connection closed,
    /// is how endpoints end connections in good order.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        let retry_after = None;
        match self.cause {
            Cause::Connect | Cause::ConnectTimeout | Cause::Tls => Some(Outcome::Refused),
            Cause::Silent => Some(Outcome::Silent),
            Cause::Died
            | Cause::Status
            | Cause::GrpcStatus
            | Cause::TryTimeout
            | Cause::ResponseTimeout
            | Cause::ResponseMalformed
            | Cause::ResponseCut => Some(Outcome::Failed { retry_after }),
            Cause::Exhausted
            | Cause::ClosedUnsent
            | Cause::StreamRefused
            | Cause::WentDown
            | Cause::Deadline
            | Cause::Idle
            | Cause::ClientGone
            | Cause::ClientMalformed
            | Cause::Internal => None,
        }
    }
}
