//! One try at the endpoint that the exchange has a place at.

use std::pin::pin;
use std::rc::Rc;

use bascule_traffic::retry::{Cause, Failure};
use bascule_traffic::spec::HostPolicy;
use http::StatusCode;

use super::connect::Met;
use super::wait::{Found, Wait};
use super::{Answer, Attempt, classify};
use crate::http::progress::{Direction, Flow};
use crate::http::record::Exchange;
use crate::http::refuse::Refused;
use crate::upstream::{self, Connected, Endpoint, Source, Unanswered};

/// A try that ended: with an answer, or without.
pub(super) type Ended = Result<Answer, Unanswered>;

impl Attempt<'_> {
    /// One try.
    pub(super) async fn once(&mut self, mut source: Source) -> Result<Answer, Refused> {
        let Some((endpoint, host)) = self.exchange.endpoint() else {
            return Err(Failure::new(Cause::Internal, None).into());
        };
        let timeouts = &self.service.service.spec.timeouts;
        loop {
            let connected = match upstream::kept(&endpoint, timeouts, source) {
                Some(kept) => kept,
                // Boxed: most tries find one that is kept, and every request would carry its size.
                None => match Box::pin(self.connect(&endpoint, source)).await? {
                    Met::Connected(connected) => connected,
                    Met::Answered(answer) => return checked(answer, &endpoint),
                },
            };
            self.exchange.connected(connected.took);
            match self.send(connected, &endpoint, host).await? {
                Ok(answer) => return checked(answer, &endpoint),
                Err(unanswered) => source = self.after(unanswered, &endpoint, source)?,
            }
        }
    }

    /// Whether the try goes on over a fresh connection, as the one it had turned out closed; else why it failed.
    fn after(
        &mut self,
        unanswered: Unanswered,
        endpoint: &Rc<Endpoint>,
        source: Source,
    ) -> Result<Source, Refused> {
        if let Some(violation) = upstream::violation_of(&unanswered.error) {
            self.exchange.count_violation(violation);
        }
        // Once: the next connection is one that was not made before this one turned out closed.
        let from_pool = unanswered.reused && source == Source::Any;
        let stale = from_pool && unanswered.unsent.is_some();
        let failure = classify::unanswered(unanswered, endpoint, self.outgoing);
        if stale {
            Ok(Source::Fresh)
        } else {
            Err(blame(failure, self.exchange))
        }
    }

    /// Sends the request and waits for the head of the response.
    async fn send(
        &mut self,
        connected: Connected,
        endpoint: &Rc<Endpoint>,
        host: HostPolicy,
    ) -> Result<Ended, Refused> {
        let version = connected.version();
        let kept = self.exchange.client.worker.kept();
        self.outgoing
            .keep_for(version, &self.service.service.spec.retry, kept);
        let Some(request) = self.outgoing.take() else {
            return Err(Failure::new(Cause::Internal, Some(endpoint.id())).into());
        };
        let request = self.outgoing.address(request, endpoint, host, version);
        let progress = Rc::clone(&self.exchange.progress);
        progress.touch();
        let mut sent = pin!(connected.send(request, endpoint));
        let has_body = self.outgoing.has_body();
        let spec = &self.service.service.spec;
        let mut wait = Wait::begin(spec, &endpoint.watch, self.deadline, has_body);
        loop {
            // Losing the response ends the try, which closes the connection or the stream.
            tokio::select! {
                biased;
                answered = &mut sent => return Ok(answered),
                () = wait.due(&progress, &endpoint.watch) => {}
            }
            let cause = match wait.look(&progress, &endpoint.watch) {
                Found::Nothing => continue,
                Found::BodyLate => return Err(Refused::BodyTimeout),
                Found::Over(cause) => {
                    let failure = Failure::new(cause, Some(endpoint.id()));
                    return Err(blame(failure, self.exchange));
                }
                Found::Strange(cause) => cause,
            };
            // Boxed: it is rare, and every request would carry its size.
            let beside = Box::pin(self.beside(cause, sent.as_mut(), endpoint, &mut wait));
            if let Some(ended) = beside.await? {
                return Ok(ended);
            }
        }
    }
}

/// Nothing was offered to upgrade to: whoever switches all the same is no HTTP server.
fn checked(answer: Answer, endpoint: &Endpoint) -> Result<Answer, Refused> {
    if answer.0.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::new(Cause::ResponseMalformed, Some(endpoint.id())).into());
    }
    Ok(answer)
}

/// Where the request's body is what failed, it is the client's fault, or ours to refuse, whatever the backend made of it.
pub(super) fn blame(failure: Failure, exchange: &Exchange) -> Refused {
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
