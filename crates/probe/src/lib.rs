//! Health checks on the wire, and the task that feeds the judge and publishes its verdicts. Every edge runs it, with or
//! without a controller. It decides nothing: when and what is checked and what a result means is `health`'s; who gets
//! traffic is `traffic`'s. Read [`prober`] (the task), then [`check`] (one check); `line` says which goes first when
//! there are many, `agent` asks the agents beside endpoints.

mod agent;
pub mod check;
mod line;
mod looks;
mod meter;
pub mod prober;

pub use looks::Traffic;
pub use prober::{ProbeTarget, Prober, ProberHandle, Settings};
