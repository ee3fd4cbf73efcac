//! Makes the split true outside the own edges: each actuator follows the rows that the edges have confirmed, one step after
//! the other in its own time, and is looked at now and then while nothing moves, so that what another tool changed is seen. How
//! an actuator is brought to a row is decided in `provider::drive`. Nothing here chases load: a row is all it knows. One
//! actuator's failure is no other's, and never the edges'.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bascule_model::{BasisPoints, Revision, ServiceName, TargetRow, Timestamp};
use bascule_provider::drive::{Brought, Done, Drive, OnDrift};
use bascule_provider::port::Settings;
use bascule_provider::{Apply, Error, Kind};
use bascule_telemetry::events::{Bus, Event};
use bascule_telemetry::spawn::AbortOnDrop;
use bascule_telemetry::{clock, names, spawn};
use tokio::sync::watch;

use crate::discover::Failing;

/// After a first failure; twice as long after each further one, up to the time between two looks.
const AGAIN: Duration = Duration::from_secs(2);
/// By how much a pause may be shorter, by chance.
const JITTER: f64 = 0.1;

/// The rows that all workers of the edges use.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// Of which revision.
    pub revision: Revision,
    /// By service.
    pub services: BTreeMap<ServiceName, TargetRow>,
}

/// An actuator of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The service.
    pub service: ServiceName,
    /// The account's name in the configuration.
    pub account: Arc<str>,
    /// The actuator as it is written there.
    pub actuator: Arc<str>,
}

/// An actuator that is to follow.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Who sets it.
    pub port: Arc<dyn Apply>,
    /// What becomes of what another tool changed.
    pub on_drift: OnDrift,
    /// How often it is looked at while nothing moves.
    pub verify: Duration,
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.port, &other.port)
            && self.on_drift == other.on_drift
            && self.verify == other.verify
    }
}

/// How an actuator stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// The row it should follow.
    pub wanted: Revision,
    /// The row it was last read back with; `None`: not yet.
    pub confirmed: Option<Revision>,
    /// What is set there, as last read.
    pub settings: Option<Settings>,
    /// When that was.
    pub read_at: Option<Timestamp>,
    /// By how much a share is off as its numbers cannot say it better.
    pub error: BasisPoints,
    /// The part of its traffic that goes to what is not ours to set.
    pub foreign: BasisPoints,
    /// Since when another tool's change is left there.
    pub drifted_since: Option<Timestamp>,
    /// How long traffic takes to follow, as far as the cloud says so.
    pub delay: Duration,
    /// Why the last try failed, where it did.
    pub failing: Option<Failing>,
}

/// How all actuators stand; shared with whoever shows it.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<BTreeMap<Place, Standing>>>);

impl Board {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> BTreeMap<Place, Standing> {
        self.with(|standings| standings.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<Place, Standing>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Lets actuators follow. Dropping it leaves them as they are.
#[derive(Debug)]
pub struct Applier {
    rows: watch::Receiver<Arc<Rows>>,
    followed: BTreeMap<Place, Followed>,
    board: Board,
    bus: Bus,
}

#[derive(Debug)]
struct Followed {
    wanted: Wanted,
    _task: AbortOnDrop,
}

impl Applier {
    /// Nobody follows yet. Lives on a thread with a `LocalSet`: the control thread.
    #[must_use]
    pub fn start(rows: watch::Receiver<Arc<Rows>>, bus: Bus) -> Self {
        Self {
            rows,
            followed: BTreeMap::new(),
            board: Board::default(),
            bus,
        }
    }

    /// How the actuators stand.
    #[must_use]
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// Exactly these follow from now on; one that is left out stays as it is. Gives those that follow no longer.
    pub fn follow(&mut self, wanted: BTreeMap<Place, Wanted>) -> Vec<Place> {
        let left = self
            .followed
            .extract_if(.., |place, _| !wanted.contains_key(place));
        let left: Vec<Place> = left.map(|(place, _)| place).collect();
        self.board
            .with(|standings| standings.retain(|place, _| wanted.contains_key(place)));
        for (place, wanted) in wanted {
            let same = self.followed.get(&place);
            if same.is_none_or(|same| same.wanted != wanted) {
                let follower = self.follower(&place, &wanted);
                let _task = spawn::local("apply", follower.run()).abort_on_drop();
                self.followed.insert(place, Followed { wanted, _task });
            }
        }
        left
    }

    fn follower(&self, place: &Place, wanted: &Wanted) -> Follower {
        Follower {
            place: place.clone(),
            wanted: wanted.clone(),
            drive: Drive::new(Arc::clone(&wanted.port), wanted.on_drift),
            rows: self.rows.clone(),
            standing: Rc::default(),
            board: self.board.clone(),
            bus: self.bus.clone(),
        }
    }
}

/// Lets one actuator follow.
struct Follower {
    place: Place,
    wanted: Wanted,
    drive: Drive,
    rows: watch::Receiver<Arc<Rows>>,
    standing: Rc<RefCell<Standing>>,
    board: Board,
    bus: Bus,
}

impl Follower {
    /// Until the rows end.
    async fn run(mut self) {
        loop {
            let rows = Arc::clone(&self.rows.borrow_and_update());
            let row = rows.services.get(&self.place.service);
            let pause = match row {
                Some(row) => self.bring(rows.revision, row).await,
                None => self.wanted.verify,
            };
            let look_at = clock::now() + pause.mul_f64(1.0 - JITTER * fastrand::f64());
            if !self.until_moved(row, look_at).await {
                return;
            }
        }
    }

    /// Waits until the row is another one, or it is time to look. False: there will be no more rows.
    async fn until_moved(&mut self, row: Option<&TargetRow>, at: bascule_model::Instant) -> bool {
        loop {
            // Cancellation: a watch keeps its mark, a sleep nothing.
            tokio::select! {
                changed = self.rows.changed() => match changed {
                    Ok(()) => {
                        let rows = self.rows.borrow();
                        if rows.services.get(&self.place.service) != row {
                            return true;
                        }
                    }
                    Err(_) => return false,
                },
                () = clock::sleep_until(at) => return true,
            }
        }
    }

    /// How long nothing is to be done then, if nothing moves.
    async fn bring(&mut self, revision: Revision, row: &TargetRow) -> Duration {
        self.standing.borrow_mut().wanted = revision;
        let result = self.drive.bring(revision, row).await;
        let pause = match &result {
            Ok(_) => self.wanted.verify,
            Err(error) => self.pause(error),
        };
        match result {
            Ok(brought) => self.brought(brought),
            Err(error) => self.failed(&error),
        }
        let standing = self.standing.borrow().clone();
        self.gauges(&standing);
        self.board
            .with(|standings| standings.insert(self.place.clone(), standing));
        pause
    }

    fn pause(&self, error: &Error) -> Duration {
        let failures = self
            .standing
            .borrow()
            .failing
            .as_ref()
            .map_or(0, |f| f.count);
        let doubled = AGAIN.saturating_mul(1 << failures.min(16));
        let pause = self.wanted.verify.min(doubled);
        match error.kind {
            Kind::Throttled {
                retry_after: Some(at_least),
            } => pause.max(at_least),
            _ => pause,
        }
    }

    fn brought(&self, brought: Brought) {
        let Place {
            service,
            account,
            actuator,
        } = &self.place;
        let told = match brought.done {
            Done::Nothing => None,
            Done::Set => Some((
                "actuator_set",
                format!(
                    "{service}: {account} {actuator} has revision {}",
                    brought.revision
                ),
            )),
            Done::Reverted => Some((
                "actuator_reverted",
                format!(
                    "{service}: {account} {actuator} was changed by another tool, and set again"
                ),
            )),
            Done::Adopted if self.standing.borrow().drifted_since.is_some() => None,
            Done::Adopted => Some((
                "actuator_drifted",
                format!(
                    "{service}: {account} {actuator} was changed by another tool, and is left until the next row"
                ),
            )),
        };
        let mut standing = self.standing.borrow_mut();
        standing.confirmed = Some(brought.revision);
        standing.error = brought.error;
        standing.foreign = brought.settings.foreign_part();
        standing.settings = Some(brought.settings);
        standing.read_at = Some(clock::wall());
        standing.delay = self.wanted.port.unit().delay;
        standing.failing = None;
        standing.drifted_since = match brought.done {
            Done::Adopted => standing.drifted_since.or_else(|| Some(clock::wall())),
            Done::Nothing | Done::Set | Done::Reverted => None,
        };
        drop(standing);
        if let Some((kind, message)) = told {
            self.bus.publish(Event::new(kind, message).service(service));
        }
    }

    fn failed(&self, error: &Error) {
        let Place {
            service,
            account,
            actuator,
        } = &self.place;
        let kind = error.kind.as_str();
        metrics::counter!(names::APPLY_FAILURES, "service" => service.to_string(), "account" => Arc::clone(account),
            "actuator" => Arc::clone(actuator), "kind" => kind)
        .increment(1);
        let mut standing = self.standing.borrow_mut();
        let before = standing.failing.take();
        let is_first = before.is_none();
        let since = before
            .as_ref()
            .map_or_else(clock::wall, |failing| failing.since);
        standing.failing = Some(Failing {
            kind,
            message: error.to_string(),
            since,
            count: before.map_or(1, |failing| failing.count.saturating_add(1)),
        });
        drop(standing);
        if is_first {
            let message = format!("{service}: {account} {actuator} cannot follow: {error}");
            self.bus
                .publish(Event::new("actuator_failed", message).service(service));
        }
    }

    fn gauges(&self, standing: &Standing) {
        let Place {
            service,
            account,
            actuator,
        } = &self.place;
        let behind = standing.confirmed != Some(standing.wanted);
        let gauge = |name| metrics::gauge!(name, "service" => service.to_string(), "account" => Arc::clone(account), "actuator" => Arc::clone(actuator));
        gauge(names::APPLY_BEHIND).set(f64::from(u8::from(behind)));
        gauge(names::APPLY_ERROR).set(standing.error.ratio());
        gauge(names::APPLY_FOREIGN).set(standing.foreign.ratio());
    }
}

#[cfg(test)]
mod tests;
