//! Sources of endpoints: [`pool`] reads the machines of an instance pool, [`set`] the backends of a load balancer. Each answer
//! is complete or an error. Nothing is kept here, and nothing is left out because it is odd.

pub mod pool;
pub mod set;

pub use pool::{Addresses, InstancePool};
pub use set::SetSource;
