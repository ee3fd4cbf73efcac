//! Keeps what clouds say of their own things: asks each as often as it wants and shows what it said, each value with the time
//! it is of. What fails keeps its last values, which grow old. It is for people and for plans: nothing here is an input of
//! what edges do, and no endpoint is taken out by it. Where endpoints come from is [`discover`](crate::discover).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::Timestamp;
use bascule_provider::port::Observation;
use bascule_provider::{Error, Observe};
use bascule_telemetry::events::{Bus, Event};
use bascule_telemetry::spawn::AbortOnDrop;
use bascule_telemetry::{clock, names, spawn};

use crate::discover::Place;
use crate::failing::{self, Failing};

/// Something to be observed.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Who asks.
    pub source: Arc<dyn Observe>,
    /// How often.
    pub every: Duration,
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source) && self.every == other.every
    }
}

/// What a cloud last said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seeing {
    /// Everything of its last answer; stays while it fails.
    pub observations: Vec<Observation>,
    /// When that came.
    pub read_at: Option<Timestamp>,
    /// Why the last question failed, where it did.
    pub failing: Option<Failing>,
}

/// What is said of each source.
pub type Board = crate::board::Board<Place, Seeing>;

/// Observes. Dropping it ends all questions.
#[derive(Debug)]
pub struct Observer {
    watched: BTreeMap<Place, Watched>,
    board: Board,
    bus: Bus,
}

#[derive(Debug)]
struct Watched {
    wanted: Wanted,
    _task: AbortOnDrop,
}

impl Observer {
    /// Observes nothing yet. Lives on a thread with a `LocalSet`: the control thread.
    #[must_use]
    pub fn start(bus: Bus) -> Self {
        Self {
            watched: BTreeMap::new(),
            board: Board::default(),
            bus,
        }
    }

    /// What is seen.
    #[must_use]
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// Observes exactly these from now on. What was said of one that is asked in another way now stays.
    pub fn watch(&mut self, wanted: BTreeMap<Place, Wanted>) {
        self.watched.retain(|place, _| wanted.contains_key(place));
        self.board
            .with(|seen| seen.retain(|place, _| wanted.contains_key(place)));
        for (place, wanted) in wanted {
            let same = self.watched.get(&place);
            if same.is_some_and(|same| same.wanted == wanted) {
                continue;
            }
            let asker = Asker {
                place: place.clone(),
                wanted: wanted.clone(),
                board: self.board.clone(),
                bus: self.bus.clone(),
            };
            let _task = spawn::local("observe", asker.run()).abort_on_drop();
            self.watched.insert(place, Watched { wanted, _task });
        }
    }
}

/// Asks one.
struct Asker {
    place: Place,
    wanted: Wanted,
    board: Board,
    bus: Bus,
}

impl Asker {
    async fn run(self) {
        loop {
            let answer = self.wanted.source.observe().await;
            let kind = answer.as_ref().err().map(|error| error.kind);
            let failures = match answer {
                Ok(observations) => self.saw(observations),
                Err(error) => self.failed(&error),
            };
            let pause = failing::pause(self.wanted.every, failures, kind);
            clock::sleep_until(clock::now() + pause).await;
        }
    }

    /// No failures any more.
    fn saw(&self, observations: Vec<Observation>) -> u32 {
        let seeing = Seeing {
            observations,
            read_at: Some(clock::wall()),
            failing: None,
        };
        self.board.set(self.place.clone(), seeing);
        0
    }

    /// How many failures in a row there are now. Only the first has an event.
    fn failed(&self, error: &Error) -> u32 {
        let Place { account, source } = &self.place;
        metrics::counter!(names::OBSERVE_FAILURES, "account" => Arc::clone(account), "source" => Arc::clone(source),
            "kind" => error.kind.as_str())
        .increment(1);
        let count = self.board.with(|seen| {
            let seeing = seen.entry(self.place.clone()).or_default();
            let failing = Failing::after(seeing.failing.as_ref(), error);
            seeing.failing.insert(failing).count
        });
        if count == 1 {
            let message = format!("{account} {source} cannot be observed: {error}");
            self.bus.publish(Event::new("observation_failed", message));
        }
        count
    }
}

#[cfg(test)]
mod tests;
