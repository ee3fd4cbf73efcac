//! The thin shell around the control loop: it collects what `plan::steer` must know, performs what that decides, and
//! keeps what must outlive the process. It decides nothing. Read [`controller`] first; [`handle`] is how admin and the
//! composition talk to it, [`ports`] is what it needs from an edge, [`store`] is the state directory. [`discover`] keeps true what clouds
//! have of endpoints, [`observe`] what they say of them, [`apply`] lets what clouds have of weights follow.

pub mod apply;
pub mod board;
pub mod controller;
pub mod discover;
pub mod failing;
pub mod handle;
mod metrics;
mod news;
pub mod observe;
pub mod ports;
mod probes;
pub mod store;

#[cfg(test)]
mod tests;

pub use controller::{Controller, Settings, StartError};
pub use handle::Handle;
pub use ports::{Confirmed, EdgeLink, InProcess, Lease, Prove};
pub use store::{Recorded, Store, StoreError};
