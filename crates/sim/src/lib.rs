//! A deterministic world in virtual time: clients that start requests at times fixed beforehand, edges with workers,
//! endpoints of several providers, and faults. What decides in it is the product's own code: the assembler of snapshots,
//! the judge, pickers, budgets, the decision about a retry. What is pretended is the network, the clock and the people.
//! The same seed gives the same history, event by event. Pure: nothing here reads a clock, a file or the environment.
//!
//! A seed is played in two phases. In the first, faults come and go, an operator shifts, drains and reloads, and the
//! [laws](law) are held against every event. Then faults and operator stop, and within a bounded time every edge must
//! stand where its targets say, and stay there ([`calm`]).
//!
//! Read [`world`] first, then [`fault`] (what can go wrong) and [`law`] (what must hold).

pub mod calm;
mod edge;
pub mod fault;
pub mod law;
pub mod layout;
pub mod ledger;
mod operator;
mod picks;
mod queue;
mod request;
pub mod script;
mod seed;
mod tries;
mod wire;
mod worker;
pub mod world;

pub use fault::{Fault, Outage};
pub use law::Broken;
pub use layout::Layout;
pub use ledger::Ledger;
pub use script::{Act, Script};
pub use seed::play;
pub use world::World;
