//! Makes the split true outside the own edges: each actuator follows the rows that the edges have confirmed, one step after
//! the other in its own time, and is looked at now and then while nothing moves, so that what another tool changed is seen. How
//! an actuator is brought to a row is decided in `provider::drive`, and whether DNS answers so is asked in [`hear`]. Nothing here chases load: a row is all it knows. One
//! actuator's failure is no other's, and never the edges'.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{BasisPoints, Instant, Revision, ServiceName, TargetRow, Timestamp};
use bascule_provider::drive::{Brought, Done, Drive, OnDrift};
use bascule_provider::port::Settings;
use bascule_provider::{Apply, Error};
use bascule_telemetry::events::{Bus, Event};
use bascule_telemetry::spawn::AbortOnDrop;
use bascule_telemetry::{clock, names, spawn};
use tokio::sync::watch;

use crate::failing::{self, Failing};

mod hear;

pub use hear::{Ask, Asked, Dns};

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
    /// Who asks DNS what it answers, where it is asked.
    pub dns: Option<Arc<dyn Ask>>,
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        let is_same_dns = match (&self.dns, &other.dns) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        is_same_dns
            && Arc::ptr_eq(&self.port, &other.port)
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
    /// What DNS answers, where it is asked and was.
    pub dns: Option<Dns>,
}

/// How all actuators stand.
pub type Board = crate::board::Board<Place, Standing>;

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
            let before = self.followed.get(&place);
            if before.is_some_and(|before| before.wanted == wanted) {
                continue;
            }
            let follower = self.follower(&place, &wanted);
            if before.is_some_and(|before| before.wanted.dns.is_some()) {
                // What was told is told anew, if it is so.
                follower.gauge(names::APPLY_DNS_DIFFERS).set(0.0);
            }
            let _task = spawn::local("apply", follower.run(self.rows.clone())).abort_on_drop();
            self.followed.insert(place, Followed { wanted, _task });
        }
        left
    }

    fn follower(&self, place: &Place, wanted: &Wanted) -> Follower {
        Follower {
            place: place.clone(),
            wanted: wanted.clone(),
            drive: Drive::new(Arc::clone(&wanted.port), wanted.on_drift),
            standing: RefCell::default(),
            settles_at: None,
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
    standing: RefCell<Standing>,
    /// When all name servers should know what was written last.
    settles_at: Option<Instant>,
    board: Board,
    bus: Bus,
}

impl Follower {
    /// Until the rows end.
    async fn run(mut self, mut rows: watch::Receiver<Arc<Rows>>) {
        loop {
            let now = Arc::clone(&rows.borrow_and_update());
            let service = self.place.service.clone();
            let row = now.services.get(&service);
            let pause = match row {
                Some(row) => self.bring(now.revision, row).await,
                None => failing::pause(self.wanted.verify, 0, None),
            };
            // Cancellation: a watch keeps its mark, a sleep nothing, and what was asked of DNS was about the row before.
            let there_is_more = tokio::select! {
                there_is_more = moved(&mut rows, &service, row) => there_is_more,
                () = self.rest(pause) => true,
            };
            if !there_is_more {
                return;
            }
        }
    }

    /// Asks what DNS answers, and waits until it is time to look again.
    async fn rest(&mut self, pause: Duration) {
        let look_at = clock::now() + pause;
        if self.standing.borrow().failing.is_none() {
            self.hear().await;
        }
        clock::sleep_until(look_at).await;
    }

    /// How long nothing is to be done then, if nothing moves.
    async fn bring(&mut self, revision: Revision, row: &TargetRow) -> Duration {
        self.standing.borrow_mut().wanted = revision;
        let result = self.drive.bring(revision, row).await;
        let kind = result.as_ref().err().map(|error| error.kind);
        let failures = match result {
            Ok(brought) => {
                self.written(&brought);
                self.brought(brought)
            }
            Err(error) => self.failed(&error),
        };
        self.gauges();
        self.show();
        failing::pause(self.wanted.verify, failures, kind)
    }

    fn show(&self) {
        let standing = self.standing.borrow().clone();
        self.board.set(self.place.clone(), standing);
    }

    /// No failures any more.
    fn brought(&self, brought: Brought) -> u32 {
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
        0
    }

    /// How many failures in a row there are now. Only the first has an event.
    fn failed(&self, error: &Error) -> u32 {
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
        let failing = Failing::after(standing.failing.as_ref(), error);
        let count = standing.failing.insert(failing).count;
        drop(standing);
        if count == 1 {
            let message = format!("{service}: {account} {actuator} cannot follow: {error}");
            self.bus
                .publish(Event::new("actuator_failed", message).service(service));
        }
        count
    }

    fn gauges(&self) {
        let standing = self.standing.borrow();
        let behind = standing.confirmed != Some(standing.wanted);
        self.gauge(names::APPLY_BEHIND)
            .set(f64::from(u8::from(behind)));
        self.gauge(names::APPLY_ERROR).set(standing.error.ratio());
        self.gauge(names::APPLY_FOREIGN)
            .set(standing.foreign.ratio());
    }

    fn gauge(&self, name: &'static str) -> metrics::Gauge {
        let Place {
            service,
            account,
            actuator,
        } = &self.place;
        metrics::gauge!(name, "service" => service.to_string(), "account" => Arc::clone(account), "actuator" => Arc::clone(actuator))
    }
}

/// Waits until the row is another one. False: there will be no more rows.
async fn moved(
    rows: &mut watch::Receiver<Arc<Rows>>,
    service: &ServiceName,
    row: Option<&TargetRow>,
) -> bool {
    while rows.changed().await.is_ok() {
        if rows.borrow().services.get(service) != row {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests;
