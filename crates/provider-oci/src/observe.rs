//! How things in OCI are: [`load`] of an instance pool by Monitoring, [`health`] of backends as a load balancer sees it. Each
//! value has the time it is of; nothing is judged here.

pub mod health;
pub mod load;

pub use health::SetHealth;
pub use load::PoolLoad;
