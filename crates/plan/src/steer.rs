//! The control loop as a state machine: what happens, in which order, and when. Told events and the time, it gives
//! effects; it never waits, reads a clock or touches the world. One change is on its way at a time: recorded
//! ([`Effect::Store`]), and only when that is on disk believed, told and published. A change that cannot be recorded did
//! not happen.

mod event;
mod notice;
mod persisted;

use std::collections::VecDeque;
use std::sync::Arc;

use bascule_model::{Instant, Targets};

pub use event::{BackendHealth, Effect, Event, Facts, Health, Now, Probes, Record};
pub use notice::{Notice, ShiftChange, WeightChange};
pub use persisted::{Checkpoint, Persisted, ServiceRecord, ShiftRecord};

use crate::view::State;

/// The control loop of all services.
#[derive(Debug)]
pub struct Steer {
    persisted: Persisted,
    facts: Facts,
    state: Arc<State>,
    effects: VecDeque<Effect>,
}

impl Steer {
    /// Goes on from what was stored; a fresh start is `Persisted::default()`. Overrides whose time passed meanwhile end,
    /// and a shift goes on in the middle.
    #[must_use]
    pub fn restore(now: Now, persisted: Persisted, facts: Facts) -> Self {
        let mut steer = Self {
            persisted,
            facts,
            state: Arc::default(),
            effects: VecDeque::new(),
        };
        steer.handle_timeout(now);
        steer
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Now, event: Event) {
        if let Event::Facts(facts) = event {
            self.facts = facts;
        }
        self.handle_timeout(now);
    }

    /// Does what the passing of time asks for; calling it too early or too often changes nothing.
    pub fn handle_timeout(&mut self, _now: Now) {}

    /// When [`handle_timeout`](Self::handle_timeout) should be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The next effect; to be asked until there is none.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// What everybody may read; another value after each change.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// What edges should have.
    #[must_use]
    pub fn targets(&self) -> Targets {
        Targets {
            revision: self.persisted.revision,
            ..Targets::default()
        }
    }

    /// Whether a shift, an evacuation or a restore is under way: signals are then needed often.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        false
    }
}
