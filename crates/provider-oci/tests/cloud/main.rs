//! OCI as outsiders see it: the official Python SDK is the oracle of our signatures and a client of our fake; against that
//! fake run all calls of this crate.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where"
)]

mod actuators;
mod contract;
mod credentials;
mod discovery;
mod golden;
mod observation;
mod outsider;
mod pace;
mod python;
mod signatures;
mod world;
