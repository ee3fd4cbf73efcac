//! **attempt**: pick → connect → forward the head, and once more where `traffic::retry::decide` says so. It executes
//! decisions, it takes none: what failed is classified here, whether that may be tried again is decided there, and where is
//! `pick`'s to say. A connection from the pool that turns out closed before anything was sent is no failed try. One try is
//! in [`once`], how it gets a new connection in [`mod@connect`], how long it is waited for in [`wait`], and what is done
//! beside one that nothing is heard of in [`beside`].

mod beside;
mod classify;
mod connect;
mod once;
mod wait;

use std::time::Duration;

use bascule_model::{Instant, Rng};
use bascule_telemetry::clock;
use bascule_traffic::admit::Rejection;
use bascule_traffic::hash::Key;
use bascule_traffic::retry::{self, Cause, Decision, Failure};
use bascule_traffic::spec::RetryPolicy;
use bascule_traffic::{Choice, PickReason, PickRefused};
use http::Response;
use hyper::body::Incoming;
use smallvec::SmallVec;

use crate::http::forward::Outgoing;
use crate::http::record::Exchange;
use crate::http::refuse::Refused;
use crate::upstream::{self, Loan, Source};
use crate::view::{Lease, NoPlace, ServiceView};

/// The head of a response, its body to come, and the connection it comes over.
pub(crate) type Answer = (Response<Incoming>, Loan);

/// Tries until there is an answer, or it is decided that there will be none.
pub(crate) async fn run(
    service: &ServiceView,
    key: Option<Key>,
    outgoing: &mut Outgoing,
    exchange: &mut Exchange,
) -> Result<Answer, Refused> {
    service.budget().borrow_mut().request(clock::now());
    let policy = &service.service.spec.retry;
    outgoing.keep(policy, exchange.client.worker.kept());
    exchange.note_candidates(service, key, outgoing.repeatable());
    let whole = service.service.spec.timeouts.request;
    let deadline = whole.map(|whole| exchange.started() + whole);
    let mut lease = match first(service, key, outgoing, exchange) {
        // In a box, so that those that find a place at once do not carry the room for it.
        Err(PickRefused::Full) => {
            let place = exchange.bond().and_then(|bond| bond.place);
            Box::pin(service.wait(place, key, outgoing.repeatable(), deadline))
                .await
                .map_err(|why| no_place(service, why))?
        }
        found => found.map_err(|refused| Rejection::of_pick(refused, &service.service))?,
    };
    let mut attempt = Attempt {
        deadline,
        tried: SmallVec::new(),
        service,
        outgoing,
        exchange,
    };
    let mut source = Source::Any;
    loop {
        attempt.tried.push(lease.choice);
        attempt.exchange.trying(lease);
        let tried = attempt.once(source).await;
        let again = match attempt.settle(tried)? {
            Settled::Answered(answer) => return Ok(answer),
            Settled::Again(again) => again,
        };
        if let Some(wait) = again.wait {
            // Boxed: it is rare, and every request would carry its size.
            Box::pin(clock::sleep_until(clock::now() + wait)).await;
        }
        source = again.source;
        let next = service.lease(again.choice);
        attempt.exchange.retrying(next.as_ref(), again.cause);
        lease = next.ok_or_else(|| nothing_left(service))?;
    }
}

/// What the client hears that has waited for nothing.
fn no_place(service: &ServiceView, why: NoPlace) -> Refused {
    match why {
        NoPlace::Full => Rejection::of_pick(PickRefused::Full, &service.service).into(),
        NoPlace::Deadline => Failure::new(Cause::Deadline, None).into(),
    }
}

/// A place for the first try.
fn first(
    service: &ServiceView,
    key: Option<Key>,
    outgoing: &Outgoing,
    exchange: &Exchange,
) -> Result<Lease, PickRefused> {
    let (bond, repeatable) = (exchange.bond(), outgoing.repeatable());
    // One that belongs somewhere is nobody's trial.
    let belongs = bond.is_some_and(|bond| bond.place.is_some());
    let trial = (!belongs).then(|| service.trial(repeatable)).flatten();
    match trial {
        Some(trial) => Ok(trial),
        None => service.first(bond, key, repeatable),
    }
}

/// All tries of one request.
struct Attempt<'a> {
    service: &'a ServiceView,
    outgoing: &'a mut Outgoing,
    exchange: &'a mut Exchange,
    /// Where it has been tried, in order.
    tried: SmallVec<[Choice; 5]>,
    /// When all its time is over.
    deadline: Option<Instant>,
}

/// What a try comes to.
enum Settled {
    /// The answer that the client gets.
    Answered(Answer),
    /// Another try.
    Again(Again),
}

/// A try that brought nothing, or an answer that says: not here, not now.
struct Lost {
    failure: Failure,
    answer: Option<Answer>,
    /// The endpoint asked to be left alone for so long.
    pause: Option<Duration>,
}

/// Where it is tried once more.
struct Again {
    choice: Choice,
    /// Why.
    cause: Cause,
    source: Source,
    /// How long is waited before, where it is the endpoint that has just failed.
    wait: Option<Duration>,
}

impl<'a> Attempt<'a> {
    /// What a try comes to; not a step that waits, as each of those carries what it holds from place to place.
    fn settle(&mut self, tried: Result<Answer, Refused>) -> Result<Settled, Refused> {
        let lost = match tried {
            Ok(answer) => match self.heard(&answer) {
                (None, _) => return Ok(Settled::Answered(self.accept(answer))),
                (Some(cause), pause) => Lost {
                    failure: Failure::new(cause, None),
                    answer: Some(answer),
                    pause,
                },
            },
            Err(Refused::Failed(failure)) => {
                self.exchange.failed(&failure);
                Lost {
                    failure,
                    answer: None,
                    pause: None,
                }
            }
            Err(refused) => return Err(refused),
        };
        match (self.again(&lost), lost.answer) {
            (Some(again), Some(answer)) => {
                self.exchange.thrown_away();
                if let Some((endpoint, _)) = self.exchange.endpoint() {
                    upstream::discard(answer, endpoint);
                }
                Ok(Settled::Again(again))
            }
            (Some(again), None) => Ok(Settled::Again(again)),
            // An answer that says that it cannot is better than none.
            (None, Some(answer)) => Ok(Settled::Answered(self.accept(answer))),
            (None, None) => Err(lost.failure.into()),
        }
    }

    /// Why another answer is wanted in place of this one, if it is, and for how long the endpoint wants to be left alone.
    fn heard(&mut self, answer: &Answer) -> (Option<Cause>, Option<Duration>) {
        let policy = self.policy();
        let heard = self.exchange.heard(&answer.0, policy, self.outgoing);
        (heard.cause(policy.when), heard.retry_after)
    }

    fn policy(&self) -> &'a RetryPolicy {
        &self.service.service.spec.retry
    }

    fn attempts_done(&self) -> u8 {
        u8::try_from(self.tried.len()).unwrap_or(u8::MAX)
    }

    /// The answer goes to the client: there will be no other try.
    fn accept(&self, answer: Answer) -> Answer {
        self.outgoing.release();
        answer
    }

    /// Where it is tried once more, if it is; the budget has been charged for it.
    fn again(&self, lost: &Lost) -> Option<Again> {
        let failure = &lost.failure;
        let cause = failure.cause;
        let attempts_done = self.attempts_done();
        let again = match (self.service.other(&self.tried), self.tried.last()) {
            (Some(choice), _) => Again {
                choice,
                cause,
                source: Source::Any,
                wait: None,
            },
            // Servers close connections that wait, and sometimes a request is on its way by then. That is no reason to
            // leave the endpoint alone for a moment.
            (None, Some(same)) if self.exchange.kept_connection_died(failure) => Again {
                choice: once_more(*same),
                cause,
                source: Source::Fresh,
                wait: None,
            },
            (None, Some(same)) if lost.pause.is_none() => {
                let mut rng = Rng::new(fastrand::u64(..));
                Again {
                    choice: once_more(*same),
                    cause,
                    source: Source::Any,
                    wait: Some(retry::backoff(attempts_done, &mut rng)),
                }
            }
            (None, _) => return None,
        };
        let now = clock::now();
        let begins = now + again.wait.unwrap_or_default();
        if self.deadline.is_some_and(|deadline| begins >= deadline) {
            return None;
        }
        let facts = self.outgoing.facts(attempts_done);
        let mut budget = self.service.budget().borrow_mut();
        match retry::decide(failure, &facts, self.policy(), &mut budget, now) {
            Decision::Retry => Some(again),
            Decision::GiveUp(reason) => {
                tracing::debug!(reason = reason.as_str(), %failure, "not tried again");
                None
            }
        }
    }
}

fn once_more(choice: Choice) -> Choice {
    let why = PickReason::Retry;
    Choice { why, ..choice }
}

/// A snapshot that serves has something to pick; if not, the client hears what it would in the next moment.
fn nothing_left(service: &ServiceView) -> Rejection {
    Rejection::of_pick(PickRefused::Nothing, &service.service)
}
