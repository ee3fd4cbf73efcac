//! The shift path's decisions, pure and told the time. [`steer`] is the control loop as a state machine, events in and
//! effects out; [`check`] holds the rails, written from the rules; [`view`] is what everybody reads of it. Later the
//! optimiser joins as `solve`, which `check` must never import.

pub mod check;
pub mod command;
pub mod policy;
pub mod steer;
pub mod view;

pub use command::{Command, Pace, Refusal, Request};
pub use policy::{Bounds, Guardrails, ServiceFacts, ServicePolicy};
pub use steer::{Effect, Event, Facts, Notice, Now, Persisted, Record, Steer};
pub use view::State;
