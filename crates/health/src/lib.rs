//! The judge: what checks and traffic saw becomes a verdict with reasons, per endpoint, backend and provider. Pure and
//! told the time: the task that performs the checks is `probe`. It must never let worse input give a better verdict.
//! Read [`judge`] first (when what is checked), then [`opinion`] (what a result does to a verdict), then [`fuse`].

pub mod fuse;
pub mod judge;
pub mod opinion;
pub mod policy;
pub mod report;

pub use fuse::{Counts, Finding, Fused, Group, Placed, fuse};
pub use judge::{Action, CheckNumber, Input, Judge, Target, Transition};
pub use opinion::{CheckFailure, CheckResult};
pub use policy::{CheckKind, CheckPolicy, StatusRange};
pub use report::{Reason, Report, Verdict};
