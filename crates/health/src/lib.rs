//! The judge: what checks and traffic saw becomes a verdict with reasons, per endpoint. Pure and told the time: the task
//! that performs the checks is `probe`. It must never let worse input give a better verdict.

pub mod policy;
pub mod report;

pub use policy::{CheckKind, CheckPolicy};
pub use report::{Reason, Report, Verdict};
