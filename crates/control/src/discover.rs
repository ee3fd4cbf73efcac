//! Keeps the sets of endpoints that clouds have: asks each source as often as it wants, and tells whoever listens when what
//! is believed of one has changed. What is believed is decided in `provider::held`. A source that fails takes nothing away and
//! is asked again sooner at first, then more and more seldom; one source's failure is no other's.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::Timestamp;
use bascule_provider::held::{Held, Learned};
use bascule_provider::port::Set;
use bascule_provider::{Discover, Error, Kind};
use bascule_telemetry::events::{Bus, Event};
use bascule_telemetry::spawn::AbortOnDrop;
use bascule_telemetry::{clock, names, spawn};
use tokio::sync::mpsc;

use crate::failing::{self, Failing};

pub use kept::{Kept, keep};

mod kept;

/// Sets that wait for the listener; when full, sources wait.
const WAITING_MAX: usize = 64;

/// A source: which account, and what in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The account's name in the configuration.
    pub account: Arc<str>,
    /// The source as it is written there.
    pub source: Arc<str>,
}

/// A source to be asked.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Who asks it.
    pub source: Arc<dyn Discover>,
    /// How often.
    pub refresh: Duration,
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source) && self.refresh == other.refresh
    }
}

/// What is believed of a source has changed.
#[derive(Debug, Clone)]
pub struct Found {
    /// Which.
    pub place: Place,
    /// All that it has.
    pub set: Arc<Set>,
}

/// How a source stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Standing {
    /// Counts changes of what is believed, from 1; 0: it has never answered well.
    pub revision: u64,
    /// How many instances of it run.
    pub running: usize,
    /// How many it has in all.
    pub known: usize,
    /// When it last answered well.
    pub good_at: Option<Timestamp>,
    /// Since when answers are held back as too much is gone in them.
    pub doubted_since: Option<Timestamp>,
    /// Why the last answer failed, where it did.
    pub error: Option<Failing>,
}

/// How all sources stand, and what is believed of each.
#[derive(Debug, Clone, Default)]
pub struct Board(crate::board::Board<Place, (Standing, Option<Arc<Set>>)>);

impl Board {
    /// How all of them stand.
    #[must_use]
    pub fn all(&self) -> BTreeMap<Place, Standing> {
        let standing =
            |(place, (standing, _)): (&Place, &(Standing, _))| (place.clone(), standing.clone());
        self.0.with(|all| all.iter().map(standing).collect())
    }

    /// How one stands from now on, and what is believed of it.
    pub fn set(&self, place: Place, standing: Standing, set: Option<Arc<Set>>) {
        self.0.set(place, (standing, set));
    }
}

/// Watches sources. Dropping it ends all questions.
#[derive(Debug)]
pub struct Watcher {
    results: mpsc::Sender<Found>,
    watched: BTreeMap<Place, Watched>,
    /// What was believed before the start, of those that were not watched yet.
    kept: BTreeMap<Place, Kept>,
    board: Board,
    bus: Bus,
}

#[derive(Debug)]
struct Watched {
    wanted: Wanted,
    /// What is believed outlives who asks: another key or profile does not empty a backend.
    believed: Believed,
    _task: AbortOnDrop,
}

/// What is believed of a source.
#[derive(Debug, Clone, Default)]
struct Believed {
    held: Rc<RefCell<Held>>,
    /// When it was last good before the start, where it is from then.
    kept_at: Option<Timestamp>,
}

impl Believed {
    fn resume(kept: Kept) -> Self {
        Self {
            held: Rc::new(RefCell::new(Held::resume(kept.set))),
            kept_at: Some(kept.at),
        }
    }
}

impl Watcher {
    /// Watches nothing yet; knows what was believed before the start. Lives on a thread with a `LocalSet`: the control thread.
    #[must_use]
    pub fn start(bus: Bus, kept: Vec<Kept>) -> (Self, mpsc::Receiver<Found>) {
        let (results, receiver) = mpsc::channel(WAITING_MAX);
        let watcher = Self {
            results,
            watched: BTreeMap::new(),
            kept: kept.into_iter().map(|kept| (kept.place(), kept)).collect(),
            board: Board::default(),
            bus,
        };
        (watcher, receiver)
    }

    /// How the sources stand.
    #[must_use]
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// Watches exactly these from now on. Those that did not change go on as they are and are not told again; of one that is
    /// asked in another way now, what is believed stays. Gives those that are watched no longer.
    pub fn watch(&mut self, wanted: BTreeMap<Place, Wanted>) -> Vec<Place> {
        let left = self
            .watched
            .extract_if(.., |place, _| !wanted.contains_key(place));
        let left: Vec<Place> = left.map(|(place, _)| place).collect();
        self.board
            .0
            .with(|standings| standings.retain(|place, _| wanted.contains_key(place)));
        for (place, wanted) in wanted {
            let before = self.watched.remove(&place);
            let watched = match before {
                Some(same) if same.wanted == wanted => same,
                Some(other) => self.follow(&place, wanted, other.believed, Tell::Later),
                None => match self.resumed(&place) {
                    Some(believed) => self.follow(&place, wanted, believed, Tell::Now),
                    None => self.follow(&place, wanted, Believed::default(), Tell::Later),
                },
            };
            self.watched.insert(place, watched);
        }
        left
    }

    /// What is known of it from before the start, where that is not too old by now.
    fn resumed(&mut self, place: &Place) -> Option<Believed> {
        let kept = self.kept.remove(place)?;
        kept::is_usable(&kept, clock::wall()).then(|| Believed::resume(kept))
    }

    fn follow(&self, place: &Place, wanted: Wanted, believed: Believed, tell: Tell) -> Watched {
        let follower = Follower {
            place: place.clone(),
            wanted: wanted.clone(),
            held: Rc::clone(&believed.held),
            kept_at: believed.kept_at,
            results: self.results.clone(),
            board: self.board.clone(),
            bus: self.bus.clone(),
        };
        Watched {
            wanted,
            believed,
            _task: spawn::local("discover", follower.run(tell)).abort_on_drop(),
        }
    }
}

/// Whether what is believed is told before the first answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tell {
    /// It is from before the start: nobody knows it yet.
    Now,
    /// There is nothing, or it was told.
    Later,
}

/// Asks one source.
struct Follower {
    place: Place,
    wanted: Wanted,
    held: Rc<RefCell<Held>>,
    kept_at: Option<Timestamp>,
    results: mpsc::Sender<Found>,
    board: Board,
    bus: Bus,
}

impl Follower {
    /// For ever; ends when nobody listens.
    async fn run(self, tell: Tell) {
        if tell == Tell::Now {
            self.show();
            if !self.send().await {
                return;
            }
        }
        loop {
            let answer = self.wanted.source.discover().await;
            let kind = answer.as_ref().err().map(|error| error.kind);
            let before = self.running();
            let learned = self.held.borrow_mut().handle(clock::now(), answer);
            self.show();
            self.tell(&learned, before);
            if learned == Learned::Changed && !self.send().await {
                return;
            }
            let pause = self.pause(&learned, kind);
            clock::sleep_until(clock::now() + pause).await;
        }
    }

    fn running(&self) -> usize {
        let held = self.held.borrow();
        held.set().map_or(0, |set| set.serving().count())
    }

    async fn send(&self) -> bool {
        let set = self.held.borrow().set().cloned();
        let Some(set) = set else {
            return true;
        };
        let place = self.place.clone();
        self.results.send(Found { place, set }).await.is_ok()
    }

    fn pause(&self, learned: &Learned, failed: Option<Kind>) -> Duration {
        let failures = match learned {
            Learned::Changed | Learned::Same => 0,
            // What is doubted is asked for again as soon as after a first failure.
            Learned::Doubted { .. } => 1,
            Learned::Failed => self.held.borrow().failed().map_or(0, |failed| failed.count),
        };
        failing::pause(self.wanted.refresh, failures, failed)
    }

    fn show(&self) {
        let held = self.held.borrow();
        let wall = |at| clock::wall_of(at);
        let failing = held.failed().map(|failed| Failing {
            kind: failed.error.kind.as_str(),
            message: failed.error.to_string(),
            since: wall(failed.since),
            count: failed.count,
        });
        let standing = Standing {
            revision: held.revision(),
            running: self.running(),
            known: held.set().map_or(0, |set| set.instances.len()),
            good_at: held.good_at().map(wall).or(self.kept_at),
            doubted_since: held.doubted_since().map(wall),
            error: failing,
        };
        self.gauges(&standing);
        let believed = held.set().cloned();
        self.board.set(self.place.clone(), standing, believed);
    }

    fn gauges(&self, standing: &Standing) {
        let gauge = |name| {
            let (account, source) = (
                Arc::clone(&self.place.account),
                Arc::clone(&self.place.source),
            );
            metrics::gauge!(name, "account" => account, "source" => source)
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "no cloud has 2^52 machines; milliseconds of our time are exact"
        )]
        let number = |n: u64| n as f64;
        gauge(names::DISCOVERY_INSTANCES).set(number(standing.running as u64));
        let is_doubted = standing.doubted_since.is_some();
        gauge(names::DISCOVERY_DOUBTED).set(f64::from(u8::from(is_doubted)));
        if let Some(at) = standing.good_at {
            gauge(names::DISCOVERY_SUCCESS_TIME).set(number(at.as_millis()) / 1000.0);
        }
    }

    /// A line for the log and the stream where something changed: not one for each time that it is as it was.
    fn tell(&self, learned: &Learned, before: usize) {
        let held = self.held.borrow();
        let Place { account, source } = &self.place;
        let (kind, message) = match (learned, held.failed()) {
            (Learned::Changed, _) => {
                let now = self.running();
                let message = format!("{account} {source}: {before} → {now} instances run");
                ("endpoints_found", message)
            }
            (Learned::Doubted { gone, of, missing }, _) => {
                let message = format!(
                    "{account} {source}: {gone} of {of} instances would be gone; held back until {missing} more answers say so"
                );
                ("endpoints_doubted", message)
            }
            (Learned::Failed, Some(failed)) => {
                self.count(&failed.error);
                if failed.count > 1 {
                    return;
                }
                let message = format!("{account} {source} cannot be asked: {}", failed.error);
                ("discovery_failed", message)
            }
            (Learned::Same | Learned::Failed, _) => return,
        };
        self.bus.publish(Event::new(kind, message));
    }

    fn count(&self, error: &Error) {
        let (account, source) = (
            Arc::clone(&self.place.account),
            Arc::clone(&self.place.source),
        );
        let kind = error.kind.as_str();
        metrics::counter!(names::DISCOVERY_FAILURES, "account" => account, "source" => source, "kind" => kind)
            .increment(1);
    }
}

#[cfg(test)]
mod tests;
