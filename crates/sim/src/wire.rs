//! How a single try goes on the wire: its connection, what it meets, and what cuts it off.

use std::time::Duration;

use bascule_traffic::{Choice, PickReason};

use crate::fault::{Condition, Path};
use crate::law::{Held, hold};
use crate::ledger::Tried;
use crate::request::Try;
use crate::worker::Worker;
use crate::world::{Event, Step, World};

/// What a slow answer takes more, at the least.
const SLOW: Duration = Duration::from_millis(400);

impl World {
    pub(crate) fn worker_at(&mut self, edge: usize, worker: usize) -> Option<&mut Worker> {
        self.edges.get_mut(edge)?.workers.get_mut(worker)
    }

    /// A try begins: over a connection that is open, or one that is made.
    pub(crate) fn begin_try(&mut self, number: u64, choice: Choice) -> Held {
        let now = self.now;
        let Some(request) = self.requests.get_mut(&number) else {
            return Ok(());
        };
        let Some((place, _)) = request.view.chosen(choice) else {
            return hold(now, "what is picked exists", false, || {
                format!("{choice:?}")
            });
        };
        let (edge, worker) = (request.edge, request.worker);
        let beside = request.tries.iter().any(|other| other.open);
        let here = self.edges.get_mut(edge);
        let seen = here.and_then(|here| {
            *here.in_flight.get_mut(place)? += 1;
            if choice.why == PickReason::Trial {
                here.trial_begun(place);
            }
            let worker = here.workers.get(worker)?;
            let silence = worker.watches.get(place)?.answers.silence();
            Some((worker.connected.contains(&place), silence))
        });
        let (reused, silence) = seen.unwrap_or((false, None));
        let at = request.tries.len();
        request.tried.push(choice);
        request.tries.push(Try {
            place,
            began: now,
            reused,
            sent: None,
            open: true,
            beside,
            silence,
        });
        self.ledger.tries.push(Tried {
            at: now,
            edge,
            place,
            first: at == 0,
        });
        if reused {
            return self.send(number, at);
        }
        let latency = self.latency(place);
        let patience = self.layout.spec.timeouts.connect;
        let (step, after) = match self.weather.meet(Path::Data, edge, place, now) {
            Condition::Lost => (Step::ConnectTimedOut, patience),
            Condition::Refuses => (Step::Refused, latency / 4),
            _ => (Step::Connected, latency / 4),
        };
        self.queue.push(now + after, Event::Goes(number, at, step));
        Ok(())
    }

    /// The request goes out. When an answer comes, or that none will, is decided now, unless a cut comes first.
    pub(crate) fn send(&mut self, number: u64, at: usize) -> Held {
        let now = self.now;
        let Some(request) = self.requests.get_mut(&number) else {
            return Ok(());
        };
        let Some(current) = request.tries.get_mut(at) else {
            return Ok(());
        };
        current.sent = Some(now);
        request.written = true;
        // Of a reset nobody knows whether it came before or after what was sent; of a lost packet that it did not arrive,
        // but the edge cannot tell, and must not count on it.
        request.may_have_arrived = true;
        let (edge, place) = (request.edge, current.place);
        // A second try is not found strange: there is no third beside it.
        let patience = self.layout.spec.timeouts.response_headers;
        let silence = current.silence.filter(|_| !current.beside);
        // A request that can be made again must not fail by the limit before it is.
        if let Some(silence) = silence.map(|silence| silence.min(patience / 2)) {
            let step = Event::Goes(number, at, Step::Silent(now));
            self.queue.push(now + silence, step);
        }
        let latency = self.latency(place);
        let half = self.network.below(2) == 0;
        let late = SLOW + Duration::from_millis(self.network.below(400));
        let (step, after) = match self.weather.meet(Path::Data, edge, place, now) {
            Condition::Well => (Step::Answered(200), latency),
            Condition::Slow => (Step::Answered(200), latency + late),
            Condition::HalfErrors if half => (Step::Answered(503), latency),
            Condition::HalfErrors => (Step::Answered(200), latency),
            Condition::Unavailable => (Step::Answered(503), latency),
            Condition::Resets | Condition::Refuses => (Step::Died, latency / 2),
            Condition::Silent | Condition::Lost => (Step::TimedOut, patience),
        };
        self.queue.push(now + after, Event::Goes(number, at, step));
        Ok(())
    }

    /// Whether an answer that was on its way is swallowed, because the endpoint has fallen silent meanwhile.
    pub(crate) fn is_swallowed(&mut self, number: u64, at: usize) -> bool {
        let Some(request) = self.requests.get(&number) else {
            return false;
        };
        let current = request.tries.get(at);
        let place = current.map_or(usize::MAX, |t| t.place);
        let sent = current.and_then(|t| t.sent).unwrap_or(self.now);
        let (condition, _) = self.weather.look(Path::Data, request.edge, place, self.now);
        let swallowed = matches!(condition, Condition::Silent | Condition::Lost);
        if swallowed {
            let until = sent + self.layout.spec.timeouts.response_headers;
            let step = Event::Goes(number, at, Step::TimedOut);
            self.queue.push(until.max(self.now), step);
        }
        swallowed
    }

    /// Connections to the places of an outage are cut: idle ones are gone, and requests on the others die.
    pub(crate) fn cut(&mut self, outage: usize) -> Held {
        let places = self.weather.outages().get(outage).map(|o| o.places.clone());
        let places = places.unwrap_or_default();
        for worker in self.edges.iter_mut().flat_map(|edge| &mut edge.workers) {
            worker.connected.retain(|place| !places.contains(place));
        }
        let dies = |current: &Try| {
            current.open && current.sent.is_some() && places.contains(&current.place)
        };
        for (number, request) in &self.requests {
            let tries = request.tries.iter().enumerate();
            for (at, _) in tries.filter(|(_, current)| dies(current)) {
                let step = Event::Goes(*number, at, Step::Died);
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
        let tries = self.requests.values().flat_map(|request| &request.tries);
        let tries = u64::try_from(tries.filter(|t| t.open).count()).unwrap_or(u64::MAX);
        hold(
            self.now,
            "in flight is what is under way",
            in_flight == tries,
            || format!("{in_flight} counted, {tries} open"),
        )
    }
}
