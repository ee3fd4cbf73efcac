//! AWS as a provider. What can be set: weighted records of Route 53 ([`route53`]), weighted target groups of a load balancer
//! ([`elb`]), endpoints of Global Accelerator ([`accelerator`]). What is found: machines of an Auto Scaling group
//! ([`autoscaling`]), targets of a target group ([`targets`]), instances in Cloud Map ([`cloud_map`]). What is seen: the
//! health of targets, and what [`cloudwatch`] knows, minutes later. Credentials come by AWS's own chain ([`Account`]); calls
//! are signed and sent by [`request`] and `send`, and what AWS answers in place of a result is judged in one place, `fault`.
//! No call is repeated here but the look whether a change is done, none is held to a rate, and nothing is decided about shares:
//! that is the caller's. Read [`Account`] first.

mod account;
mod fault;
mod request;
mod send;
mod service;
mod sign;
mod weights;
mod xml;

pub mod accelerator;
pub mod autoscaling;
pub mod cloud_map;
pub mod cloudwatch;
pub mod elb;
pub mod machines;
pub mod route53;
pub mod targets;

pub use account::{Account, Identity, Options};
