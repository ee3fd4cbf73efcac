//! A request through its tries, as `proxy/attempt` performs them: pick, connect, send, wait; and once more where
//! `traffic::retry::decide` says so. What fails and when is the weather's; every decision is the product's.

use std::rc::Rc;
use std::time::Duration;

use bascule_model::Instant;
use bascule_traffic::retry::{self, Cause, Decision, Failure};
use bascule_traffic::{Choice, PickReason, admit};

use crate::fault::{Condition, Path};
use crate::law::{Held, Laws, hold};
use crate::ledger::{Ended, Ending, Method, Tried};
use crate::request::Request;
use crate::world::{Event, Step, World};

/// What a slow answer takes more, at the least.
const SLOW: Duration = Duration::from_millis(400);

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
        let Some(view) = here
            .and_then(|e| e.worker(worker))
            .and_then(|w| w.view.clone())
        else {
            return hold(
                now,
                "an edge that is configured has a view",
                false,
                String::new,
            );
        };
        let request = Request {
            edge,
            worker,
            method,
            began: now,
            tried: Vec::new(),
            place: usize::MAX,
            reused: false,
            written: false,
            may_have_arrived: false,
            view,
        };
        if admit::admit(&request.view.service).is_err() {
            self.end(&request, Ending::Refused);
            return Ok(());
        }
        self.counts_request(&request);
        let Some(choice) = self.first(&request) else {
            let detail = || format!("{:?}", request.view.service);
            return hold(now, "what serves has something to pick", false, detail);
        };
        let number = self.ledger.began;
        let backend = request.view.service.backends.get(choice.backend);
        if let Some(since) = backend.and_then(|b| self.operator.off_since(&b.name)) {
            Laws::is_off(now, since)?;
        }
        self.laws.picked(now, &request, choice)?;
        self.requests.insert(number, request);
        self.begin_try(number, choice)
    }

    /// A try goes on, if it is still that try.
    pub(crate) fn goes(&mut self, number: u64, tries: usize, step: Step) -> Held {
        let current = self
            .requests
            .get(&number)
            .map(|request| request.tried.len());
        if current != Some(tries) {
            return Ok(());
        }
        match step {
            Step::Connected => self.send_request(number),
            Step::Refused => self.fail(number, Cause::Connect),
            Step::ConnectTimedOut => self.fail(number, Cause::ConnectTimeout),
            Step::Died => self.fail(number, Cause::Died),
            Step::TimedOut => self.fail(number, Cause::ResponseTimeout),
            Step::Answered(status) => self.answered(number, status),
        }
    }

    /// Connections to the places of an outage are cut: idle ones are gone, and requests on the others die.
    pub(crate) fn cut(&mut self, outage: usize) -> Held {
        let places = self.weather.outages().get(outage).map(|o| o.places.clone());
        let places = places.unwrap_or_default();
        for worker in self.edges.iter_mut().flat_map(|edge| &mut edge.workers) {
            worker.connected.retain(|place| !places.contains(place));
        }
        for (number, request) in &self.requests {
            if request.written && places.contains(&request.place) {
                let step = Event::Goes(*number, request.tried.len(), Step::Died);
                self.queue.push(self.now, step);
            }
        }
        Ok(())
    }

    /// At the end of a run every request is either under way or has ended, once.
    pub(crate) fn settled(&self) -> Held {
        let ended = u64::try_from(self.ledger.ended.len()).unwrap_or(u64::MAX);
        let open = u64::try_from(self.requests.len()).unwrap_or(u64::MAX);
        let all = ended.saturating_add(open) == self.ledger.began;
        hold(self.now, "every request ends once", all, || {
            format!("{ended} ended, {open} open, {} began", self.ledger.began)
        })?;
        let in_flight = self.edges.iter().flat_map(|edge| &edge.in_flight);
        let in_flight: u64 = in_flight.map(|n| u64::from(*n)).sum();
        hold(
            self.now,
            "in flight is what is under way",
            in_flight == open,
            || format!("{in_flight} counted, {open} open"),
        )
    }

    fn counts_request(&mut self, request: &Request) {
        let edge = self.edges.get_mut(request.edge);
        if let Some(worker) = edge.and_then(|e| e.workers.get_mut(request.worker)) {
            worker.budget.request(self.now);
        }
    }

    fn first(&self, request: &Request) -> Option<Choice> {
        let edge = self.edges.get(request.edge)?;
        let view = &request.view;
        let load = |backend, endpoint| load(&edge.in_flight, view.place(backend, endpoint));
        view.picker.borrow_mut().first(&view.service, load)
    }

    fn other(&self, request: &Request) -> Option<Choice> {
        let edge = self.edges.get(request.edge)?;
        let view = &request.view;
        let load = |backend, endpoint| load(&edge.in_flight, view.place(backend, endpoint));
        let mut picker = view.picker.borrow_mut();
        picker.other(&view.service, &request.tried, load)
    }

    fn begin_try(&mut self, number: u64, choice: Choice) -> Held {
        let now = self.now;
        let Some(request) = self.requests.get_mut(&number) else {
            return Ok(());
        };
        let Some((place, _)) = request.view.chosen(choice) else {
            return hold(now, "what is picked exists", false, || {
                format!("{choice:?}")
            });
        };
        request.tried.push(choice);
        request.place = place;
        request.written = false;
        let tries = request.tried.len();
        let edge = request.edge;
        self.ledger.tries.push(Tried {
            at: now,
            edge,
            place,
            first: tries == 1,
        });
        let here = self.edges.get_mut(edge);
        let open = here.and_then(|here| {
            if let Some(count) = here.in_flight.get_mut(place) {
                *count += 1;
            }
            let worker = here.workers.get(request.worker)?;
            Some(worker.connected.contains(&place))
        });
        request.reused = open == Some(true);
        if request.reused {
            return self.send_request(number);
        }
        let latency = self.latency(place);
        let patience = self.layout.spec.timeouts.connect;
        let (step, after) = match self.weather.meet(Path::Data, edge, place, now) {
            Condition::Lost => (Step::ConnectTimedOut, patience),
            Condition::Refuses => (Step::Refused, latency / 4),
            _ => (Step::Connected, latency / 4),
        };
        self.queue
            .push(now + after, Event::Goes(number, tries, step));
        Ok(())
    }

    /// The request goes out. When an answer comes, or that none will, is decided now, unless a cut comes first.
    fn send_request(&mut self, number: u64) -> Held {
        let now = self.now;
        let Some(request) = self.requests.get_mut(&number) else {
            return Ok(());
        };
        let (edge, place, tries) = (request.edge, request.place, request.tried.len());
        let condition = self.weather.meet(Path::Data, edge, place, now);
        request.written = true;
        // Of a reset nobody knows whether it came before or after what was sent; of a lost packet that it did not arrive,
        // but the edge cannot tell, and must not count on it.
        request.may_have_arrived = true;
        let latency = self.latency(place);
        let half = self.network.below(2) == 0;
        let late = SLOW + Duration::from_millis(self.network.below(400));
        let patience = self.layout.spec.timeouts.response_headers;
        let (step, after) = match condition {
            Condition::Well => (Step::Answered(200), latency),
            Condition::Slow => (Step::Answered(200), latency + late),
            Condition::HalfErrors if half => (Step::Answered(503), latency),
            Condition::HalfErrors => (Step::Answered(200), latency),
            Condition::Unavailable => (Step::Answered(503), latency),
            Condition::Resets | Condition::Refuses => (Step::Died, latency / 2),
            Condition::Silent | Condition::Lost => (Step::TimedOut, patience),
        };
        self.queue
            .push(now + after, Event::Goes(number, tries, step));
        Ok(())
    }

    fn answered(&mut self, number: u64, status: u16) -> Held {
        let Some(request) = self.requests.get(&number) else {
            return Ok(());
        };
        let (edge, place) = (request.edge, request.place);
        // An answer that was on its way when the endpoint fell silent does not come.
        let (condition, _) = self.weather.look(Path::Data, edge, place, self.now);
        if matches!(condition, Condition::Silent | Condition::Lost) {
            let patience = self.layout.spec.timeouts.response_headers;
            let step = Event::Goes(number, request.tried.len(), Step::TimedOut);
            self.queue.push(self.now + patience, step);
            return Ok(());
        }
        if let Some(worker) = self.worker_of(number) {
            worker.connected.insert(place);
        }
        self.leave(number);
        if let Some(request) = self.requests.remove(&number) {
            let ending = if status < 500 {
                Ending::Well
            } else {
                Ending::Error
            };
            self.end(&request, ending);
        }
        Ok(())
    }

    /// The try failed: it is told to whom it concerns, and decided whether there is another.
    fn fail(&mut self, number: u64, cause: Cause) -> Held {
        let now = self.now;
        self.leave(number);
        let Some(request) = self.requests.get(&number) else {
            return Ok(());
        };
        let (edge, place) = (request.edge, request.place);
        let failure = Failure::new(cause, request.endpoint());
        if let (true, Some(id)) = (failure.speaks_against_endpoint(), &failure.endpoint) {
            let id = bascule_model::EndpointId::clone(id);
            self.tell(edge, |edge, now| edge.traffic_failed(now, id))?;
        }
        if let Some(worker) = self.worker_of(number) {
            worker.connected.remove(&place);
        }
        match self.decide(number, &failure) {
            Some(choice) => {
                if let Some(request) = self.requests.get(&number) {
                    self.laws.repeated(now, request, choice)?;
                }
                self.begin_try(number, choice)
            }
            None => {
                if let Some(request) = self.requests.remove(&number) {
                    self.end(&request, Ending::Failed);
                }
                Ok(())
            }
        }
    }

    /// Where the next try goes, if there is to be one.
    fn decide(&mut self, number: u64, failure: &Failure) -> Option<Choice> {
        let request = self.requests.get(&number)?;
        let kept_died = request.reused && failure.cause == Cause::Died;
        let choice = match (self.other(request), request.tried.last()) {
            (Some(other), _) => other,
            (None, Some(same)) if kept_died => Choice {
                why: PickReason::Retry,
                ..*same
            },
            (None, _) => return None,
        };
        let facts = request.facts();
        let view = Rc::clone(&request.view);
        let now = self.now;
        let worker = self.worker_of(number)?;
        let policy = &view.service.spec.retry;
        let decision = retry::decide(failure, &facts, policy, &mut worker.budget, now);
        (decision == Decision::Retry).then_some(choice)
    }

    fn worker_of(&mut self, number: u64) -> Option<&mut crate::worker::Worker> {
        let request = self.requests.get(&number)?;
        let edge = self.edges.get_mut(request.edge)?;
        edge.workers.get_mut(request.worker)
    }

    /// The current try gives back its place.
    fn leave(&mut self, number: u64) {
        let Some(request) = self.requests.get(&number) else {
            return;
        };
        let edge = self.edges.get_mut(request.edge);
        if let Some(count) = edge.and_then(|edge| edge.in_flight.get_mut(request.place)) {
            *count = count.saturating_sub(1);
        }
    }

    fn end(&mut self, request: &Request, ending: Ending) {
        let now: Instant = self.now;
        self.ledger.ended.push(Ended {
            method: request.method,
            began: request.began,
            took: now.since(request.began),
            ending,
            tries: request.tried.len(),
        });
    }
}

/// How many requests are in flight there.
fn load(in_flight: &[u32], place: Option<usize>) -> u32 {
    place
        .and_then(|place| in_flight.get(place).copied())
        .unwrap_or(0)
}
