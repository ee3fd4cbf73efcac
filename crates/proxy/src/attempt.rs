//! **attempt**: pick → connect → forward the head, and once more where `traffic::retry::decide` says so. It executes
//! decisions, it takes none: what failed is classified here, whether that may be tried again is decided there, and where is
//! `pick`'s to say. A connection from the pool that turns out closed before anything was sent is no failed try.

mod classify;

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bascule_telemetry::clock;
use bascule_traffic::admit::Rejection;
use bascule_traffic::hash::Key;
use bascule_traffic::retry::{self, Cause, Decision, Failure};
use bascule_traffic::spec::HostPolicy;
use bascule_traffic::{Choice, PickReason, PickRefused};
use http::{Response, StatusCode};
use hyper::body::Incoming;
use smallvec::SmallVec;

use crate::http::forward::Outgoing;
use crate::http::progress::{Direction, Flow};
use crate::http::record::Exchange;
use crate::http::refuse::Refused;
use crate::upstream::{self, Connected, Endpoint, Loan, Source, Unanswered};
use crate::view::ServiceView;

/// How often a client that sends a body is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The head of a response, its body to come, and the connection it comes over.
pub(crate) type Answer = (Response<Incoming>, Loan);

/// Tries until there is an answer, or it is decided that there will be none.
pub(crate) async fn run(
    service: &ServiceView,
    key: Option<Key>,
    outgoing: &mut Outgoing,
    exchange: &mut Exchange,
) -> Result<Answer, Refused> {
    let policy = &service.service.spec.retry;
    service.budget().borrow_mut().request(clock::now());
    if policy.attempts > 1 {
        outgoing.keep_spare();
    }
    let mut tried: SmallVec<[Choice; 5]> = SmallVec::new();
    let refused = |refused| Rejection::of_pick(refused, &service.service);
    let mut lease = service.first(key).map_err(refused)?;
    let mut source = Source::Any;
    loop {
        tried.push(lease.choice);
        exchange.trying(lease);
        let failure = match once(service, outgoing, exchange, source).await {
            Ok(answer) => return Ok(answer),
            Err(Refused::Failed(failure)) => failure,
            Err(refused) => return Err(refused),
        };
        exchange.failed(&failure);
        let choice = match (service.other(&tried), tried.last()) {
            (Some(other), _) => {
                source = Source::Any;
                other
            }
            // Servers close connections that wait, and sometimes a request is on its way by then. Where there is no
            // other endpoint, that is no reason to fail it.
            (None, Some(same)) if exchange.kept_connection_died(&failure) => {
                source = Source::Fresh;
                let why = PickReason::Retry;
                Choice { why, ..*same }
            }
            (None, _) => return Err(failure.into()),
        };
        let facts = outgoing.facts(u8::try_from(tried.len()).unwrap_or(u8::MAX));
        let mut budget = service.budget().borrow_mut();
        let decision = retry::decide(&failure, &facts, policy, &mut budget, clock::now());
        drop(budget);
        if let Decision::GiveUp(reason) = decision {
            tracing::debug!(reason = reason.as_str(), %failure, "not tried again");
            return Err(failure.into());
        }
        let next = service.lease(choice);
        exchange.retrying(next.as_ref(), &failure);
        lease = next.ok_or_else(|| refused(PickRefused::Nothing))?;
    }
}

/// One try at the endpoint the exchange has a place at.
async fn once(
    service: &ServiceView,
    outgoing: &mut Outgoing,
    exchange: &mut Exchange,
    mut source: Source,
) -> Result<Answer, Refused> {
    let timeouts = &service.service.spec.timeouts;
    let Some((endpoint, host)) = exchange.endpoint() else {
        return Err(Failure::new(Cause::Internal, None).into());
    };
    loop {
        let connected = upstream::connect(&endpoint, timeouts, source).await?;
        exchange.connected(connected.took);
        let sent = send(
            connected,
            outgoing,
            &endpoint,
            host,
            exchange,
            timeouts.response_headers,
        );
        match sent.await? {
            // Nothing was offered to upgrade to: whoever switches all the same is no HTTP server.
            Ok((response, _)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                return Err(Failure::new(Cause::ResponseMalformed, Some(endpoint.id())).into());
            }
            Ok(answer) => return Ok(answer),
            Err(unanswered) => {
                if let Some(violation) = upstream::violation_of(&unanswered.error) {
                    exchange.count_violation(violation);
                }
                // Once: the next connection is one that was not made before this one turned out closed.
                let from_pool = unanswered.reused && source == Source::Any;
                let stale = from_pool && unanswered.unsent.is_some();
                let failure = classify::unanswered(unanswered, &endpoint, outgoing);
                if !stale {
                    return Err(blame(failure, exchange));
                }
                source = Source::Fresh;
            }
        }
    }
}

/// Sends the request and waits for the head of the response: not longer than `patience` after the last byte went out.
async fn send(
    connected: Connected,
    outgoing: &mut Outgoing,
    endpoint: &Rc<Endpoint>,
    host: HostPolicy,
    exchange: &Exchange,
    patience: Duration,
) -> Result<Result<Answer, Unanswered>, Refused> {
    let Some(request) = outgoing.take() else {
        return Err(Failure::new(Cause::Internal, Some(endpoint.id())).into());
    };
    let request = outgoing.address(request, endpoint, host, connected.version());
    let progress = &exchange.progress;
    progress.touch();
    let mut sent = pin!(connected.send(request, endpoint));
    loop {
        let patient_until = progress.moved() + patience;
        // The client may begin to stand still at any time.
        let look_at = clock::now() + LOOK_EVERY;
        let body_until = progress.body_deadline().unwrap_or(look_at);
        let deadline = if outgoing.has_body() {
            patient_until.min(body_until)
        } else {
            patient_until
        };
        // Losing the timer loses nothing; losing the response ends the try, which closes the connection or the stream.
        tokio::select! {
            biased;
            answered = &mut sent => return Ok(answered),
            () = clock::sleep_until(deadline) => {}
        }
        let now = clock::now();
        if progress.body_deadline().is_some_and(|until| until <= now) {
            return Err(Refused::BodyTimeout);
        }
        if progress.moved() + patience > now {
            continue;
        }
        // A backend that waits for the rest of a body is not to be blamed.
        if progress.is_starved(Direction::Request) {
            return Err(Refused::BodyTimeout);
        }
        let failure = Failure::new(Cause::ResponseTimeout, Some(endpoint.id()));
        return Err(blame(failure, exchange));
    }
}

/// Where the request's body is what failed, it is the client's fault, or ours to refuse, whatever the backend made of it.
fn blame(failure: Failure, exchange: &Exchange) -> Refused {
    let violation = exchange.client.bad_body();
    match (exchange.progress.flow(Direction::Request), violation) {
        (Flow::TooLarge, _) => Refused::TooLarge,
        (Flow::Broken, Some(violation)) => violation.into(),
        (Flow::Broken, None) => Failure::new(Cause::ClientMalformed, None)
            .because(failure)
            .into(),
        (Flow::Open | Flow::Done, _) => failure.into(),
    }
}
