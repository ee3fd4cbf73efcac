//! A second try beside one that takes strangely long: the first answer wins, and the other try is cancelled, which closes
//! its connection or resets its stream. Only for what may be asked twice, at another endpoint, and within the budget. The
//! first is never given up for it: an endpoint that is only slow still answers.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use bascule_telemetry::clock;
use bascule_traffic::retry::{self, Cause, Decision, Failure};
use bascule_traffic::spec::{HostPolicy, Timeouts};
use http::Request;

use super::once::{Ended, blame};
use super::wait::{Found, Wait};
use super::{Answer, Attempt, classify};
use crate::http::body::RequestBody;
use crate::http::forward::Outgoing;
use crate::http::record::{Beside, Exchange, answered};
use crate::http::refuse::Refused;
use crate::upstream::{self, Endpoint, Source};

/// A second try that may be made.
struct Second {
    place: Beside,
    request: Request<RequestBody>,
}

impl Attempt<'_> {
    /// The first try takes strangely long: waits for it or a second one, if there may be one. `None`: the first is waited for
    /// as before.
    pub(super) async fn beside<F>(
        &mut self,
        cause: Cause,
        first: Pin<&mut F>,
        wait: &mut Wait,
    ) -> Result<Option<Ended>, Refused>
    where
        F: Future<Output = Ended>,
    {
        self.exchange.strange(cause);
        match self.second(cause) {
            Some(second) => self.race(first, second, wait).await,
            None => Ok(None),
        }
    }

    /// The second try, if there may be one; the budget has been charged for it.
    fn second(&mut self, cause: Cause) -> Option<Second> {
        let failure = Failure::new(cause, None);
        let facts = self.outgoing.facts(self.attempts_done());
        if !retry::may(&failure, &facts, self.policy()) {
            return None;
        }
        let choice = self.service.other(&self.tried)?;
        let request = self.outgoing.second()?;
        let mut budget = self.service.budget().borrow_mut();
        let decision = retry::decide(&failure, &facts, self.policy(), &mut budget, clock::now());
        drop(budget);
        if decision != Decision::Retry {
            return None;
        }
        let lease = self.service.lease(choice)?;
        self.tried.push(choice);
        self.exchange.retrying(Some(&lease), cause);
        let place = self.exchange.beside(lease);
        Some(Second { place, request })
    }

    /// Waits for whichever answers. `None`: the second has failed.
    async fn race<F>(
        &mut self,
        mut first: Pin<&mut F>,
        second: Second,
        wait: &mut Wait,
    ) -> Result<Option<Ended>, Refused>
    where
        F: Future<Output = Ended>,
    {
        let Second { place, request } = second;
        let (endpoint, host) = place.endpoint();
        let progress = Rc::clone(&self.exchange.progress);
        let timeouts = &self.service.service.spec.timeouts;
        let (policy, outgoing) = (&self.service.service.spec.retry, &*self.outgoing);
        let mut other = pin!(alone(&endpoint, host, request, outgoing, timeouts));
        let mut first_waits = true;
        loop {
            // Both tries go on where they are until one has ended; losing the timer loses nothing.
            tokio::select! {
                biased;
                ended = &mut first, if first_waits => {
                    match ended {
                        Ok(answer) => {
                            self.exchange.cancelled(&place);
                            return Ok(Some(Ok(answer)));
                        }
                        Err(unanswered) => {
                            tracing::debug!(error = %unanswered.error, "the first of two tries failed");
                            first_waits = false;
                        }
                    }
                }
                ended = &mut other => {
                    let is_wanted = |answer: &Answer| {
                        let answered = answered(&answer.0, outgoing);
                        answered.cause(policy.when).is_none()
                    };
                    let ended = second_ended(self.exchange, ended, place, first_waits, is_wanted);
                    return ended.map(|answer| answer.map(Ok));
                }
                () = clock::sleep_until(wait.until(&progress)) => {
                    if let Found::Over(cause) = wait.look(&progress, &endpoint.watch) {
                        let failure = Failure::new(cause, Some(endpoint.id()));
                        return Err(blame(failure, self.exchange));
                    }
                }
            }
        }
    }
}

/// What the second try comes to. `None`: nothing, and the first is still waited for.
fn second_ended(
    exchange: &mut Exchange,
    ended: Result<(Answer, Option<Duration>), Failure>,
    place: Beside,
    first_waits: bool,
    is_wanted: impl Fn(&Answer) -> bool,
) -> Result<Option<Answer>, Refused> {
    match ended {
        Ok((answer, _)) if first_waits && !is_wanted(&answer) => {
            let failure = Failure::new(Cause::Status, None);
            exchange.failed_beside(&place, &failure);
            let (response, loan) = answer;
            upstream::discard(response, loan);
            Ok(None)
        }
        Ok((answer, took)) => {
            exchange.overtaken(place, took);
            Ok(Some(answer))
        }
        Err(failure) if first_waits => {
            exchange.failed_beside(&place, &failure);
            Ok(None)
        }
        Err(failure) => {
            exchange.overtaken(place, None);
            Err(failure.into())
        }
    }
}

/// One try that needs nothing of the exchange: connects, sends, and gives the answer with the time that connecting took.
async fn alone(
    endpoint: &Rc<Endpoint>,
    host: HostPolicy,
    mut request: Request<RequestBody>,
    outgoing: &Outgoing,
    timeouts: &Timeouts,
) -> Result<(Answer, Option<Duration>), Failure> {
    let mut source = Source::Any;
    loop {
        let connected = upstream::connect(endpoint, timeouts, source, None).await?;
        let took = connected.took;
        let addressed = outgoing.address(request, endpoint, host, connected.version());
        let mut unanswered = match connected.send(addressed, endpoint).await {
            Ok(answer) => return Ok((answer, took)),
            Err(unanswered) => unanswered,
        };
        let is_stale = unanswered.reused && source == Source::Any;
        match unanswered.unsent.take().filter(|_| is_stale) {
            Some(unsent) => request = unsent.map(RequestBody::opened),
            None => return Err(classify::failure(unanswered, endpoint)),
        }
        source = Source::Fresh;
    }
}
