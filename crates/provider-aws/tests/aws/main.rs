//! AWS as a provider against moto, with boto3 as the outsider who looks at what was done there, and against answers that are
//! said beforehand. Each file is one actuator or source; `common` has what they share.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test binary"
)]

mod accelerator;
mod cloud_map;
mod cloudwatch;
mod common;
mod credentials;
mod elb;
mod golden;
mod groups;
mod permissions;
mod route53;
mod targets;
