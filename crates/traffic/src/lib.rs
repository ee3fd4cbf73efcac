//! All an edge decides per request, as plain calls on immutable data: which service ([`route`]), whether at all
//! ([`admit`]), which backend and endpoint ([`pick`]), whether once more ([`retry`]); and the state these decisions
//! read, a [`Snapshot`], which [`assemble`] builds from what is wanted and what is seen. Pure: no socket, no clock.

pub mod route;
pub mod snapshot;
pub mod spec;

pub use snapshot::Snapshot;
