//! A second try beside one that takes strangely long: the first answer wins, and the other try is cancelled, which closes
//! its connection or resets its stream. Only for what may be asked twice, at another endpoint, and within the budget. The
//! first is never given up for it: an endpoint that is only slow still answers.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use bascule_telemetry::clock;
use bascule_traffic::retry::{self, Cause, Decision, Failure, RequestFacts, Written};
use bascule_traffic::spec::{HostPolicy, RetryPolicy, Timeouts};
use http::Request;

use super::once::{Ended, blame};
use super::wait::{Found, Wait};
use super::{Answer, Attempt, classify};
use crate::http::body::RequestBody;
use crate::http::forward::Outgoing;
use crate::http::record::{Beside, Exchange, answered};
use crate::http::refuse::Refused;
use crate::upstream::{self, Endpoint, Source, Unanswered};

/// A second try that may be made.
pub(super) struct Second {
    /// Where it goes.
    pub(super) place: Beside,
    /// What is sent.
    pub(super) request: Request<RequestBody>,
}

impl Attempt<'_> {
    /// The first try takes strangely long: waits for it or a second one, if there may be one. `None`: the first is waited for
    /// as before.
    pub(super) async fn beside<F>(
        &mut self,
        cause: Cause,
        first: Pin<&mut F>,
        endpoint: &Rc<Endpoint>,
        wait: &mut Wait,
    ) -> Result<Option<Ended>, Refused>
    where
        F: Future<Output = Ended>,
    {
        self.exchange.strange(cause);
        let Some(second) = self.second(cause) else {
            return Ok(None);
        };
        let answer = self.race(first, endpoint, second, wait).await?;
        Ok(answer.map(Ok))
    }

    /// The second try, if there may be one; the budget has been charged for it.
    pub(super) fn second(&mut self, cause: Cause) -> Option<Second> {
        let failure = Failure::new(cause, None);
        // Whatever has been sent of it until now, the first goes on with it.
        let facts = RequestFacts {
            written: Written::Something,
            ..self.outgoing.facts(self.attempts_done())
        };
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

    /// Waits for whichever answers. `None`: the second has failed, and the first is still waited for.
    async fn race<F>(
        &mut self,
        mut first: Pin<&mut F>,
        endpoint: &Rc<Endpoint>,
        second: Second,
        wait: &mut Wait,
    ) -> Result<Option<Answer>, Refused>
    where
        F: Future<Output = Ended>,
    {
        let Second { place, request } = second;
        let (other, host) = place.endpoint();
        let progress = Rc::clone(&self.exchange.progress);
        let spec = &self.service.service.spec;
        let mut pair = Pair::of(self.exchange, self.outgoing, &spec.retry, endpoint, place);
        let second = alone(&other, host, request, self.outgoing, &spec.timeouts);
        let mut second = pin!(second);
        loop {
            // Both tries go on where they are until one has ended; losing the timer loses nothing.
            tokio::select! {
                biased;
                ended = &mut first, if pair.awaits_first() => {
                    if let Some(answer) = pair.first_ended(ended) {
                        return Ok(Some(answer));
                    }
                }
                ended = &mut second => return pair.second_ended(ended),
                () = wait.due(&progress, &endpoint.watch) => {
                    match wait.look(&progress, &endpoint.watch) {
                        Found::Over(cause) => return pair.over(cause),
                        Found::Strange(cause) if pair.awaits_first() => pair.exchange.strange(cause),
                        Found::Strange(_) | Found::BodyLate | Found::Nothing => {}
                    }
                }
            }
        }
    }
}

/// Two tries at once. The first has the exchange's place, the second one of its own; what each comes to is counted once.
pub(super) struct Pair<'a> {
    exchange: &'a mut Exchange,
    outgoing: &'a Outgoing,
    policy: &'a RetryPolicy,
    /// Where the first is.
    endpoint: &'a Rc<Endpoint>,
    first: First,
    /// Where the second is.
    place: Beside,
}

/// How the first of two tries stands.
enum First {
    /// It may still answer.
    Awaited,
    /// It answered that it cannot: better than no answer, and worse than another.
    Refused(Answer),
    /// It brought nothing.
    Failed,
}

impl First {
    fn answer(self) -> Option<Answer> {
        match self {
            Self::Refused(answer) => Some(answer),
            Self::Awaited | Self::Failed => None,
        }
    }
}

impl<'a> Pair<'a> {
    /// Both are awaited: the first at `endpoint`, the second at `place`.
    pub(super) const fn of(
        exchange: &'a mut Exchange,
        outgoing: &'a Outgoing,
        policy: &'a RetryPolicy,
        endpoint: &'a Rc<Endpoint>,
        place: Beside,
    ) -> Self {
        Self {
            exchange,
            outgoing,
            policy,
            endpoint,
            first: First::Awaited,
            place,
        }
    }

    pub(super) const fn awaits_first(&self) -> bool {
        matches!(self.first, First::Awaited)
    }

    fn is_wanted(&self, answer: &Answer) -> bool {
        let heard = answered(&answer.0, self.outgoing);
        heard.cause(self.policy.when).is_none()
    }

    /// The first has ended: its answer, if that is the one.
    fn first_ended(&mut self, ended: Ended) -> Option<Answer> {
        match ended {
            Ok(answer) => {
                let heard = self.exchange.heard(&answer.0, self.policy, self.outgoing);
                if heard.cause(self.policy.when).is_none() {
                    return Some(answer);
                }
                self.first = First::Refused(answer);
            }
            Err(unanswered) => {
                if let Some(violation) = upstream::violation_of(&unanswered.error) {
                    self.exchange.count_violation(violation);
                }
                self.first_failed(&classify::failure(unanswered, self.endpoint));
            }
        }
        None
    }

    pub(super) fn first_failed(&mut self, failure: &Failure) {
        tracing::debug!(%failure, "the first of two tries failed");
        self.exchange.failed_first(failure, &self.place);
        self.first = First::Failed;
    }

    /// What the two come to, as the second has ended. `None`: the first is still waited for.
    pub(super) fn second_ended(
        self,
        ended: Result<(Answer, Option<Duration>), Failure>,
    ) -> Result<Option<Answer>, Refused> {
        let has_failed = matches!(self.first, First::Failed);
        match ended {
            Ok((answer, took)) if has_failed || self.is_wanted(&answer) => {
                self.exchange.overtaken(self.place, took);
                if let Some(worse) = self.first.answer() {
                    upstream::discard(worse, Rc::clone(self.endpoint));
                }
                Ok(Some(answer))
            }
            Ok((answer, _)) => {
                let heard = answered(&answer.0, self.outgoing);
                self.exchange.heard_beside(&self.place, &heard, self.policy);
                let (other, _) = self.place.endpoint();
                upstream::discard(answer, other);
                Ok(self.first.answer())
            }
            Err(failure) if has_failed => {
                self.exchange.overtaken(self.place, None);
                Err(failure.into())
            }
            Err(failure) => {
                self.exchange.failed_beside(&self.place, &failure);
                Ok(self.first.answer())
            }
        }
    }

    /// Nothing is waited for any longer. Who came last has not had all the time that a try has: nothing is held against it
    /// unless it is the only one left.
    pub(super) fn over(self, cause: Cause) -> Result<Option<Answer>, Refused> {
        let failure = |endpoint: &Endpoint| Failure::new(cause, Some(endpoint.id()));
        match self.first {
            First::Refused(answer) => Ok(Some(answer)),
            First::Awaited => Err(blame(failure(self.endpoint), self.exchange)),
            First::Failed => {
                let (other, _) = self.place.endpoint();
                self.exchange.overtaken(self.place, None);
                Err(blame(failure(&other), self.exchange))
            }
        }
    }
}

/// One try that needs nothing of the exchange: connects, sends, and gives the answer with the time that connecting took.
pub(super) async fn alone(
    endpoint: &Rc<Endpoint>,
    host: HostPolicy,
    mut request: Request<RequestBody>,
    outgoing: &Outgoing,
    timeouts: &Timeouts,
) -> Result<(Answer, Option<Duration>), Failure> {
    let mut source = Source::Any;
    loop {
        let connected = upstream::connect(endpoint, timeouts, source).await?;
        let took = connected.took;
        let addressed = outgoing.address(request, endpoint, host, connected.version());
        match connected.send(addressed, endpoint).await {
            Ok(answer) => return Ok((answer, took)),
            Err(Unanswered {
                unsent: Some(unsent),
                reused: true,
                ..
            }) if source == Source::Any => request = unsent.map(RequestBody::opened),
            Err(unanswered) => return Err(classify::failure(unanswered, endpoint)),
        }
        source = Source::Fresh;
    }
}
