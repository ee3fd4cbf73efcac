//! What every other crate uses to see and to be seen: the [`clock`], task [`spawn`]ing, [`names`] of metrics and the
//! [`recorder`] behind them, [`events`], the [`log`] and the [`access`] log. It decides nothing about traffic and must
//! never block a data-plane worker.

pub mod access;
pub mod clock;
pub mod events;
pub mod log;
pub mod names;
pub mod recorder;
pub mod spawn;

pub use recorder::Registry;
