//! **connect**: gives a connection to an endpoint, one that waits in the worker's pool or a new one, and sends one request
//! over it. Everything here belongs to one worker. It never decides whether a request is tried again; it says what was
//! certainly not sent, so that `attempt` can. Read [`trust`] for what is seen of an endpoint, [`pool`] for what is kept, [`dial`] for how connections are made, [`guarded`] for
//! what is read of an HTTP/1 origin before the engine reads it.

mod dial;
mod discard;
mod endpoint;
mod guarded;
mod pool;
mod send;
mod trust;

pub(crate) use discard::discard;
pub use endpoint::UpstreamTls;
pub(crate) use endpoint::{Endpoint, tls_of};
pub(crate) use guarded::violation_of;
pub(crate) use send::{Loan, Unanswered};
pub(crate) use trust::{Trust, Watch};

use std::rc::Rc;
use std::time::Duration;

use bascule_model::Instant;
use bascule_telemetry::clock;
use bascule_traffic::retry::{Cause, Failure};
use bascule_traffic::spec::Timeouts;

use pool::Connection;

/// Where a connection may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The pool, or a new one.
    Any,
    /// A new one: one from the pool has just turned out closed.
    Fresh,
}

/// A connection that is ready to send, and how long making it took; `None` when it was reused.
#[derive(Debug)]
pub(crate) struct Connected {
    connection: Connection,
    /// The time it took.
    pub(crate) took: Option<Duration>,
}

/// Gives a connection within the time-out, TLS included: one that is kept, or a new one.
pub(crate) async fn connect(
    endpoint: &Rc<Endpoint>,
    timeouts: &Timeouts,
    source: Source,
) -> Result<Connected, Failure> {
    match kept(endpoint, timeouts, source) {
        Some(kept) => Ok(kept),
        None => connect_new(endpoint, timeouts, source, None).await,
    }
}

/// A connection that is kept, if there is one and it may be taken.
pub(crate) fn kept(
    endpoint: &Rc<Endpoint>,
    timeouts: &Timeouts,
    source: Source,
) -> Option<Connected> {
    let take = || endpoint.pool.take(clock::now(), timeouts.upstream_idle);
    let connection = (source == Source::Any).then(take).flatten()?;
    let took = None;
    Some(Connected { connection, took })
}

/// Makes a connection within the time-out, TLS included, and not after the request's deadline.
pub(crate) async fn connect_new(
    endpoint: &Rc<Endpoint>,
    timeouts: &Timeouts,
    source: Source,
    deadline: Option<Instant>,
) -> Result<Connected, Failure> {
    let started = clock::now();
    let timeout = started + timeouts.connect;
    let (until, cause) = match deadline {
        Some(deadline) if deadline < timeout => (deadline, Cause::Deadline),
        _ => (timeout, Cause::ConnectTimeout),
    };
    // Losing the connecting side loses a connection that nobody has used.
    let connection = tokio::select! {
        made = make(endpoint, timeouts, source) => made?,
        () = clock::sleep_until(until) => return Err(Failure::new(cause, Some(endpoint.id()))),
    };
    let took = Some(clock::now().since(started));
    Ok(Connected { connection, took })
}

/// Makes a connection. Where many requests share one, those that come while it is made wait for it.
async fn make(
    endpoint: &Rc<Endpoint>,
    timeouts: &Timeouts,
    source: Source,
) -> Result<Connection, Failure> {
    if !endpoint.shares_connections() {
        return dial_new(endpoint, timeouts, source).await;
    }
    let mut may_take = source == Source::Any;
    loop {
        if may_take
            && let Some(connection) = endpoint.pool.take(clock::now(), timeouts.upstream_idle)
        {
            return Ok(connection);
        }
        match endpoint.pool.begin_dial() {
            Ok(turn) => {
                let dialed = dial_new(endpoint, timeouts, source).await;
                drop(turn);
                return dialed;
            }
            Err(dialing) => dialing.await,
        }
        // Whatever came out of that dial is newer than what made this request ask for a fresh one.
        may_take = true;
    }
}

/// Makes one, unless the endpoint has as many as it may. Whoever picked it has looked; but many may have waited for one
/// connection that was being made, and it has not room for all of them.
async fn dial_new(
    endpoint: &Rc<Endpoint>,
    timeouts: &Timeouts,
    source: Source,
) -> Result<Connection, Failure> {
    let spare = match source {
        Source::Any => 0,
        Source::Fresh => 1,
    };
    if !endpoint.places.may_dial(spare) {
        return Err(Failure::new(Cause::Exhausted, Some(endpoint.id())));
    }
    dial::dial(endpoint, timeouts.connect).await
}
