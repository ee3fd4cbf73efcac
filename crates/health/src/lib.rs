//! The judge: what checks and traffic saw becomes a verdict with reasons, per endpoint, backend and provider. Pure and
//! told the time: the task that performs the checks is `probe`. It must never let worse input give a better verdict.
//! Read [`verdicts`] first (how both are put together), then [`judge`] (when what is checked), [`opinion`] (what a result
//! does to a verdict), [`agent`] (what an agent beside an endpoint says), [`passive`] (what traffic says), and [`fuse`].

pub mod agent;
pub mod fuse;
pub mod judge;
pub mod opinion;
pub mod passive;
pub mod policy;
pub mod report;
pub mod verdicts;

pub use agent::{AgentDown, AgentLine, AgentPolicy, AgentState};
pub use fuse::{Counts, Finding, Fused, Group, Placed, fuse};
pub use judge::{Action, CheckNumber, Input, Judge, Target, Transition};
pub use opinion::{CheckFailure, CheckResult};
pub use passive::{Ejection, Offence, OutlierPolicy, Watched};
pub use policy::{CheckKind, CheckPolicy, CheckTls, Initial, StatusRange};
pub use report::{Reason, Report, Verdict};
pub use verdicts::Verdicts;
