//! What tests need around the product: [`origin`]s that count, break and heal, a [`strict`] one that judges every byte, a
//! [`faulty`] one that falls ill when told, [`breaking`] ones that fail at every point of a request; [`nginx`] as a real
//! peer; [`client`] calls, [`steady`] clients at a constant rate, long [`sessions`], [`frames`] for HTTP/2 that may be
//! wrong; [`attack`]s, and the [`bystander`] that must not feel them; pretended clouds with a memory, [`oci`] and [`aws`]; a
//! [`name_server`] and a [`crowd`] that it names; and the [`daemon`] itself as a child process. Never a production dependency. Everything
//! listens on loopback, on ports that were free, and stops what it started by its process id.

pub mod attack;
pub mod aws;
pub mod breaking;
pub mod bystander;
pub mod certificate;
pub mod client;
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "its functions are the bodies of tests"
)]
pub mod contract;
pub mod crowd;
pub mod daemon;
pub mod faulty;
pub mod frames;
pub mod gateway;
pub mod meddler;
pub mod name_server;
pub mod nginx;
pub mod oci;
pub mod origin;
pub mod process;
pub mod sessions;
pub mod steady;
pub mod strict;
mod thread;
pub mod wait;

pub use crowd::Crowd;
pub use daemon::Daemon;
pub use name_server::NameServer;
pub use nginx::Nginx;
pub use oci::Oci;
pub use origin::Origin;
pub use strict::StrictOrigin;
