//! The actor: one task that feeds `plan::steer` with what happens and performs what that asks for, in order. Runs on the
//! control thread. It decides nothing but how often it looks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{Instant, Revision};
use bascule_plan::steer::{Effect, Event, Facts, Health, Now, Steer};
use bascule_plan::view::Accepted;
use bascule_plan::{Refusal, Request, State};
use bascule_telemetry::events::Bus;
use bascule_telemetry::{clock, spawn};
use tokio::sync::{mpsc, oneshot, watch};

use crate::handle::{Handle, Message, REQUESTS_MAX, Shared};
use crate::metrics::Metrics;
use crate::ports::{EdgeLink, InProcess, Lease, Prove};
use crate::store::{Disk, Memory, Store, StoreError};
use crate::{news, probes};

/// How often signals and health are collected while something moves: fine enough for a bake of a second.
const COLLECT_MOVING: Duration = Duration::from_millis(250);
/// How often otherwise: the usual p95 must be known when a shift begins.
const COLLECT_RESTING: Duration = Duration::from_secs(1);
/// How often the edge is asked what its workers use, while that is awaited: they should have it within 50 ms.
const CONFIRM: Duration = Duration::from_millis(2);
/// The same when they did not take it at once.
const CONFIRM_LATE: Duration = Duration::from_millis(50);
/// When that is.
const LATE: Duration = Duration::from_millis(200);

/// What the controller is told at its start.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where state is kept; `None`: in memory, gone with the process.
    pub state_dir: Option<PathBuf>,
}

/// Why the controller cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory cannot be used.
    #[error("the state directory cannot be used")]
    Store(#[from] StoreError),
}

/// The controller of this process.
#[derive(Debug)]
pub struct Controller;

impl Controller {
    /// Opens the state directory, goes on from what it holds and starts the task, which ends with the last handle. Must be
    /// called inside a `LocalSet`.
    ///
    /// # Errors
    /// [`StartError`] when the state directory cannot be used.
    pub fn start(
        settings: Settings,
        facts: Facts,
        edge: Arc<dyn EdgeLink>,
        prove: Arc<dyn Prove>,
        bus: Bus,
    ) -> Result<Handle, StartError> {
        let store: Arc<dyn Store> = match &settings.state_dir {
            Some(directory) => Arc::new(Disk::open(directory)?),
            None => Arc::new(Memory::default()),
        };
        Ok(Self::start_with(store, facts, edge, prove, bus)?)
    }

    /// The same with a store that is open already.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn start_with(
        store: Arc<dyn Store>,
        facts: Facts,
        edge: Arc<dyn EdgeLink>,
        prove: Arc<dyn Prove>,
        bus: Bus,
    ) -> Result<Handle, StoreError> {
        let persisted = store.load()?.unwrap_or_default();
        let steer = Steer::restore(now(), persisted, facts.clone());
        let (messages, inbox) = mpsc::channel(REQUESTS_MAX);
        let (changed_sender, changed) = watch::channel(steer.state().revision);
        let (done, finished) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::default());
        let mut actor = Actor {
            steer,
            store: Arc::clone(&store),
            edge,
            prove,
            lease: Box::new(InProcess),
            bus,
            shared: Arc::clone(&shared),
            changed: changed_sender,
            done,
            replies: BTreeMap::new(),
            asked: 0,
            collect_at: clock::now(),
            awaited: None,
            shown: None,
            metrics: Metrics::new(facts),
        };
        actor.perform();
        actor.show();
        spawn::local("controller", actor.run(inbox, finished)).detach();
        Ok(Handle {
            messages,
            shared,
            changed,
            store,
        })
    }
}

/// What the task owns.
struct Actor {
    steer: Steer,
    store: Arc<dyn Store>,
    edge: Arc<dyn EdgeLink>,
    prove: Arc<dyn Prove>,
    lease: Box<dyn Lease>,
    bus: Bus,
    shared: Arc<Shared>,
    changed: watch::Sender<Revision>,
    /// What effects that take time report. At most one record and one round of probes are on their way.
    done: mpsc::UnboundedSender<Event>,
    replies: BTreeMap<u64, oneshot::Sender<Result<Accepted, Refusal>>>,
    asked: u64,
    collect_at: Instant,
    /// The revision that workers should take, and since when.
    awaited: Option<(Revision, Instant)>,
    shown: Option<Arc<State>>,
    metrics: Metrics,
}

impl Actor {
    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Message>,
        mut finished: mpsc::UnboundedReceiver<Event>,
    ) {
        loop {
            let timeout = self.steer.poll_timeout();
            let confirm_at = self.confirm_at();
            // All branches are channels and timers: one that loses has lost nothing.
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => break,
                },
                Some(event) = finished.recv() => self.steer.handle(now(), event),
                () = clock::sleep_until_some(confirm_at) => self.confirm(),
                () = clock::sleep_until(self.collect_at) => self.collect(),
                () = clock::sleep_until_some(timeout) => self.steer.handle_timeout(now()),
            }
            self.perform();
            self.show();
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Request(request, reply) => self.ask(*request, reply),
            Message::Facts(facts, reply) => {
                self.metrics.set_facts(facts.clone());
                self.steer.handle(now(), Event::Facts(facts));
                self.show();
                if reply.send(()).is_err() {
                    tracing::debug!("whoever told the new configuration did not wait");
                }
            }
        }
    }

    fn ask(&mut self, request: Request, reply: oneshot::Sender<Result<Accepted, Refusal>>) {
        if !self.lease.leads() {
            drop(reply.send(Err(Refusal::Unavailable)));
            return;
        }
        self.asked += 1;
        self.replies.insert(self.asked, reply);
        // What is up is looked at before it is decided on, not up to a second ago.
        self.tell_health();
        let request = Request {
            id: self.asked,
            ..request
        };
        self.steer.handle(now(), Event::Request(request));
    }

    fn collect(&mut self) {
        let period = if self.steer.is_moving() {
            COLLECT_MOVING
        } else {
            COLLECT_RESTING
        };
        self.collect_at = clock::now() + period;
        self.metrics.leads(self.lease.leads());
        self.tell_health();
        let signals = self.edge.signals();
        self.steer.handle(now(), Event::Signals(signals));
    }

    fn tell_health(&mut self) {
        let health: Health = self.edge.health();
        self.steer.handle(now(), Event::Health(health));
    }

    /// When to ask next what the workers use.
    fn confirm_at(&self) -> Option<Instant> {
        let (_, since) = self.awaited?;
        let now = clock::now();
        let is_late = now.since(since) >= LATE;
        Some(now + if is_late { CONFIRM_LATE } else { CONFIRM })
    }

    fn confirm(&mut self) {
        let Some((awaited, _)) = self.awaited else {
            return;
        };
        let confirmed = self.edge.confirmed();
        if confirmed.revision < awaited || confirmed.workers == 0 {
            return;
        }
        self.awaited = None;
        let event = Event::Confirmed {
            revision: confirmed.revision,
            workers: confirmed.workers,
        };
        self.steer.handle(now(), event);
    }

    /// Performs what the control loop asks for.
    fn perform(&mut self) {
        while let Some(effect) = self.steer.poll_effect() {
            self.dispatch(effect);
        }
    }

    fn dispatch(&mut self, effect: Effect) {
        match effect {
            Effect::Store(record) => self.put(*record),
            Effect::Publish(targets) => {
                self.awaited = Some((targets.revision, clock::now()));
                self.shared.targets.store(Arc::new(targets.clone()));
                self.edge.publish(targets);
            }
            Effect::Prove {
                evacuation,
                services,
                probes,
            } => {
                let (prove, done) = (Arc::clone(&self.prove), self.done.clone());
                let asking = async move {
                    let seen = probes::send(&*prove, evacuation, services, probes).await;
                    report(&done, Event::Proved(seen));
                };
                spawn::local("prove", asking).detach();
            }
            Effect::Reply { id, result } => {
                // Read-your-writes: who is answered finds the new state.
                self.show();
                if let Some(reply) = self.replies.remove(&id) {
                    // The asker may have gone; what it asked for holds all the same.
                    drop(reply.send(*result));
                }
            }
            Effect::Notice(notice) => {
                self.metrics.count(&notice);
                self.bus.publish(news::event(&notice));
            }
        }
    }

    fn put(&self, record: bascule_plan::Record) {
        let (store, done, number) = (Arc::clone(&self.store), self.done.clone(), record.number);
        let written = spawn::blocking("store", move || store.write(&record));
        let waiting = async move {
            let event = match written.await {
                Ok(Ok(())) => Event::Stored(number),
                Ok(Err(error)) => failed(number, &error),
                Err(error) => failed(number, &error),
            };
            report(&done, event);
        };
        spawn::local("stored", waiting).detach();
    }

    /// Lets everybody read the state, when it is another one.
    fn show(&mut self) {
        let state = self.steer.state();
        let is_same = |shown: &Arc<State>| Arc::ptr_eq(shown, &state);
        if self.shown.as_ref().is_some_and(is_same) {
            return;
        }
        self.metrics.show(&state);
        self.shared.state.store(Arc::clone(&state));
        self.changed.send_replace(state.revision);
        self.shown = Some(state);
    }
}

/// The error with its causes, as one line.
fn failed(number: u64, error: &dyn std::error::Error) -> Event {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let error = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    tracing::error!(event = "store_failed", error);
    Event::StoreFailed { number, error }
}

fn report(done: &mpsc::UnboundedSender<Event>, event: Event) {
    // The controller is gone: the process stops, and what was stored is found at the next start.
    drop(done.send(event));
}

fn now() -> Now {
    Now {
        instant: clock::now(),
        wall: clock::wall(),
    }
}
