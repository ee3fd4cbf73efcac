//! Oracle Cloud Infrastructure as a provider, by its own signed REST calls: no SDK for Rust fits (decision 0023). [`sign`]
//! signs requests as OCI documents it, [`auth`] has the keys and tokens, [`client`] makes one call and says in the port's
//! words why it failed; the other modules are what bascule asks of a cloud. Nothing here decides about shares or keeps
//! sets; the pace of calls is kept by `bascule-provider`. A key, a token or a pass phrase must never stand in an error, a log or
//! a debug output. Read [`client`] first.

pub mod apply;
pub mod auth;
mod balancer;
pub mod client;
pub mod discover;
mod network;
pub mod observe;
pub mod region;
pub mod sign;
pub mod surroundings;
mod wire;

pub use apply::{Machines, SetActuator, SteeringPolicy};
pub use auth::{Auth, Way};
pub use balancer::Layer;
pub use client::{Client, LIMIT, Settings};
pub use discover::{Addresses, InstancePool, SetSource};
pub use observe::{PoolLoad, SetHealth};
pub use region::{Region, Service};
pub use surroundings::{Surroundings, System};
