//! A request through its tries, as `proxy/attempt` performs them: pick, connect, send, wait; another beside one that takes
//! strangely long; and once more where `traffic::retry::decide` says so. What fails and when is the weather's; every
//! decision is the product's. How a single try goes is in `wire.rs`.

use std::rc::Rc;
use std::time::Duration;

use bascule_model::{FailureClass, TrafficFailure};
use bascule_traffic::retry::{self, Answered, Cause, Decision, Failure, backoff};
use bascule_traffic::suspect::Outcome;
use bascule_traffic::{Choice, PickReason, admit};

use crate::law::{Held, hold};
use crate::ledger::{Ended, Ending, Method};
use crate::request::Request;
use crate::world::{Event, Step, World};

impl World {
    /// A client begins a request.
    pub(crate) fn arrives(&mut self, edge: usize) -> Held {
        self.next_arrival(edge);
        let workers = u64::try_from(self.layout.size.workers).unwrap_or(1);
        let worker = self.chance(workers);
        let is_post = u64::try_from(self.chance(100)).is_ok_and(|n| n < self.layout.size.posts);
        let method = if is_post { Method::Post } else { Method::Get };
        self.ledger.began += 1;
        let now = self.now;
        let here = self.edges.get_mut(edge);
        let view = here
            .and_then(|e| e.worker(worker))
            .and_then(|w| w.view.clone());
        let Some(view) = view else {
            return hold(
                now,
                "an edge that is configured has a view",
                false,
                String::new,
            );
        };
        let request = Request::new(edge, worker, method, view, now);
        let Some(of_worker) = self.worker_at(edge, worker) else {
            return Ok(());
        };
        if admit::admit(&request.view.service, &mut of_worker.shedder).is_err() {
            self.end(&request, Ending::Refused);
            return Ok(());
        }
        of_worker.budget.request(now);
        let trial = self.trial(&request);
        if trial.is_some() {
            self.trials += 1;
        }
        let Some(choice) = trial.or_else(|| self.first(&request)) else {
            let detail = || format!("{:?}", request.view.service);
            return hold(now, "what serves has something to pick", false, detail);
        };
        self.hold_pick(&request, choice)?;
        let number = self.ledger.began;
        self.requests.insert(number, request);
        self.begin_try(number, choice)
    }

    /// A try goes on, if it is still open.
    pub(crate) fn goes(&mut self, number: u64, at: usize, step: Step) -> Held {
        let request = self.requests.get(&number);
        let Some(request) = request else {
            return Ok(());
        };
        if let Step::Again(choice) = step {
            self.laws.repeated(self.now, request, choice)?;
            return self.begin_try(number, choice);
        }
        if request.tries.get(at).is_none_or(|current| !current.open) {
            return Ok(());
        }
        match step {
            Step::Connected => self.send(number, at),
            Step::Refused => self.fail(number, at, Cause::Connect),
            Step::ConnectTimedOut => self.fail(number, at, Cause::ConnectTimeout),
            Step::Died => self.fail(number, at, Cause::Died),
            Step::TimedOut => self.fail(number, at, Cause::ResponseTimeout),
            Step::Silent(since) => self.silent(number, at, since),
            Step::Answered(status) => self.answered(number, at, status),
            Step::Again(_) => Ok(()),
        }
    }

    /// Nothing has been heard for strangely long. Where the endpoint has answered others meanwhile it is waited for on.
    fn silent(&mut self, number: u64, at: usize, since: bascule_model::Instant) -> Held {
        let now = self.now;
        let Some(request) = self.requests.get(&number) else {
            return Ok(());
        };
        let Some(current) = request.tries.get(at) else {
            return Ok(());
        };
        let (edge, place) = (request.edge, current.place);
        let answered = self.edges.get(edge).and_then(|e| e.answered.get(place));
        if answered.is_some_and(|at| *at > since) {
            if let Some(silence) = current.silence {
                let step = Event::Goes(number, at, Step::Silent(now));
                self.queue.push(now + silence, step);
            }
            return Ok(());
        }
        if let Some(class) = Cause::Silent.against_endpoint() {
            self.count(number, at, Err(class))?;
        }
        self.tell_outcome(number, at, Outcome::Silent);
        self.second(number)
    }

    /// A second try beside one that takes strangely long, where there may be one.
    fn second(&mut self, number: u64) -> Held {
        let now = self.now;
        let Some(request) = self.requests.get(&number) else {
            return Ok(());
        };
        let failure = Failure::new(Cause::Silent, None);
        let (facts, view) = (request.facts(), Rc::clone(&request.view));
        let policy = &view.service.spec.retry;
        if !retry::may(&failure, &facts, policy) {
            return Ok(());
        }
        let Some(choice) = self.other(request) else {
            return Ok(());
        };
        let (edge, worker) = (request.edge, request.worker);
        let Some(worker) = self.worker_at(edge, worker) else {
            return Ok(());
        };
        let decision = retry::decide(&failure, &facts, policy, &mut worker.budget, now);
        if decision != Decision::Retry {
            return Ok(());
        }
        if let Some(request) = self.requests.get(&number) {
            self.laws.repeated(now, request, choice)?;
        }
        self.begin_try(number, choice)
    }

    /// An answer came. What is wanted elsewhere is thrown away where there is another try, or one is waited for.
    pub(crate) fn answered(&mut self, number: u64, at: usize, status: u16) -> Held {
        let now = self.now;
        if self.is_swallowed(number, at) {
            return Ok(());
        }
        let Some(request) = self.requests.get(&number) else {
            return Ok(());
        };
        let Some(current) = request.tries.get(at).cloned() else {
            return Ok(());
        };
        let (edge, worker, when) = (
            request.edge,
            request.worker,
            request.view.service.spec.retry.when,
        );
        let answered = Answered {
            status,
            grpc: None,
            retry_after: None,
        };
        if let Some(at) = self
            .edges
            .get_mut(edge)
            .and_then(|e| e.answered.get_mut(current.place))
        {
            *at = now;
        }
        if let Some(worker) = self.worker_at(edge, worker) {
            worker.connected.insert(current.place);
            if let Some(watch) = worker.watches.get_mut(current.place) {
                watch.answers.record(now.since(current.began));
            }
        }
        self.tell_outcome(number, at, answered.outcome(when));
        let ended = match FailureClass::of_status(status) {
            None => Ok(now.since(current.began)),
            Some(class) => Err(class),
        };
        self.count(number, at, ended)?;
        self.close(number, at);
        if let Some(cause) = answered.cause(when) {
            if self.waits_beside(number, at) {
                return Ok(());
            }
            if let Some((choice, wait)) = self.again(number, at, &Failure::new(cause, None)) {
                return self.try_again(number, choice, wait);
            }
        }
        let ending = if status < 500 {
            Ending::Well
        } else {
            Ending::Error
        };
        self.finish(number, ending);
        Ok(())
    }

    /// A try failed: it is told to whom it concerns, and decided whether there is another.
    fn fail(&mut self, number: u64, at: usize, cause: Cause) -> Held {
        let Some(request) = self.requests.get(&number) else {
            return Ok(());
        };
        let failure = Failure::new(cause, request.endpoint(at));
        let (edge, worker) = (request.edge, request.worker);
        let place = request.tries.get(at).map_or(usize::MAX, |t| t.place);
        if let Some(worker) = self.worker_at(edge, worker) {
            worker.connected.remove(&place);
        }
        if let Some(outcome) = failure.outcome() {
            self.tell_outcome(number, at, outcome);
        }
        if let Some(class) = failure.cause.against_endpoint() {
            self.count(number, at, Err(class))?;
        }
        self.close(number, at);
        if self.waits_beside(number, at) {
            return Ok(());
        }
        match self.again(number, at, &failure) {
            Some((choice, wait)) => self.try_again(number, choice, wait),
            None => {
                self.finish(number, Ending::Failed);
                Ok(())
            }
        }
    }

    fn waits_beside(&self, number: u64, at: usize) -> bool {
        let request = self.requests.get(&number);
        request.is_some_and(|request| request.waits_beside(at))
    }

    /// How a try went is told to the endpoint's watch.
    fn tell_outcome(&mut self, number: u64, at: usize, outcome: Outcome) {
        let now = self.now;
        let Some(request) = self.requests.get(&number) else {
            return;
        };
        let Some(current) = request.tries.get(at).cloned() else {
            return;
        };
        let (edge, worker) = (request.edge, request.worker);
        let worker = self.worker_at(edge, worker);
        let Some(watch) = worker.and_then(|w| w.watches.get_mut(current.place)) else {
            return;
        };
        let is_new = watch.suspicion.handle(now, current.began, outcome);
        self.suspicions += u64::from(is_new);
    }

    /// How a try ended is counted, and told where it failed.
    fn count(&mut self, number: u64, at: usize, ended: Result<Duration, FailureClass>) -> Held {
        let Some(request) = self.requests.get(&number) else {
            return Ok(());
        };
        let place = request.tries.get(at).map_or(usize::MAX, |t| t.place);
        let choice = request.tried.get(at);
        let trial = choice.is_some_and(|choice| choice.why == PickReason::Trial);
        let (number, id) = (request.edge, request.endpoint(at));
        if let Some(edge) = self.edges.get_mut(number) {
            edge.count(place, trial, ended);
        }
        match (ended, id) {
            (Err(class), Some(endpoint)) => {
                let failure = TrafficFailure { endpoint, class };
                self.tell(number, |edge, now| edge.traffic_failed(now, failure))
            }
            _ => Ok(()),
        }
    }

    /// Where the next try goes, and after how long, if there is to be one; the budget has been charged for it.
    fn again(&mut self, number: u64, at: usize, failure: &Failure) -> Option<(Choice, Duration)> {
        let request = self.requests.get(&number)?;
        let reused = request.tries.get(at).is_some_and(|t| t.reused);
        let kept_died = reused && failure.cause == Cause::Died;
        let done = u8::try_from(request.tried.len()).unwrap_or(u8::MAX);
        let same = request.tried.last().map(|same| Choice {
            why: PickReason::Retry,
            ..*same
        });
        let (choice, wait) = match (self.other(request), same) {
            (Some(other), _) => (other, Duration::ZERO),
            (None, Some(same)) if kept_died => (same, Duration::ZERO),
            (None, Some(same)) => (same, backoff(done, &mut self.network)),
            (None, None) => return None,
        };
        let (facts, view) = (request.facts(), Rc::clone(&request.view));
        let (edge, worker) = (request.edge, request.worker);
        let now = self.now;
        let policy = &view.service.spec.retry;
        let budget = &mut self.worker_at(edge, worker)?.budget;
        let decision = retry::decide(failure, &facts, policy, budget, now);
        (decision == Decision::Retry).then_some((choice, wait))
    }

    fn try_again(&mut self, number: u64, choice: Choice, wait: Duration) -> Held {
        if wait > Duration::ZERO {
            let step = Event::Goes(number, usize::MAX, Step::Again(choice));
            self.queue.push(self.now + wait, step);
            return Ok(());
        }
        if let Some(request) = self.requests.get(&number) {
            self.laws.repeated(self.now, request, choice)?;
        }
        self.begin_try(number, choice)
    }

    /// The try gives back its place.
    pub(crate) fn close(&mut self, number: u64, at: usize) {
        let Some(request) = self.requests.get_mut(&number) else {
            return;
        };
        let Some(current) = request.tries.get_mut(at).filter(|t| t.open) else {
            return;
        };
        current.open = false;
        let (edge, place) = (request.edge, current.place);
        let edge = self.edges.get_mut(edge);
        if let Some(count) = edge.and_then(|edge| edge.in_flight.get_mut(place)) {
            *count = count.saturating_sub(1);
        }
    }

    /// The request is over, and so is every try that may still have been answered.
    fn finish(&mut self, number: u64, ending: Ending) {
        let tries = self.requests.get(&number).map_or(0, |r| r.tries.len());
        for at in 0..tries {
            self.close(number, at);
        }
        if let Some(request) = self.requests.remove(&number) {
            self.end(&request, ending);
        }
    }

    fn end(&mut self, request: &Request, ending: Ending) {
        self.ledger.ended.push(Ended {
            method: request.method,
            began: request.began,
            took: self.now.since(request.began),
            ending,
            tries: request.tries.len(),
        });
    }
}
