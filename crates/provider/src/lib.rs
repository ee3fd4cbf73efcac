//! What bascule asks of a cloud, in one small port: find endpoints ([`Discover`]), see how they are ([`Observe`]), and make a
//! split true outside the own edges ([`Apply`]). Beside the port stands what every cloud needs and none should build again:
//! [`held`] keeps the last good set, [`pace`] keeps the rate that an account allows, [`round`] turns shares into an actuator's
//! numbers, [`drive`] brings an actuator to a row and proves that it is there, [`patience`] waits for what a cloud has not done
//! yet, [`heard`] says whether DNS answers as an actuator's numbers say, [`identity`] says who asks and by which clock,
//! [`renewal`] renews credentials before they end, [`text`] and [`fields`] are the small change of every call. Nothing here knows
//! a cloud; each has a crate of its own (`provider-oci`, `provider-aws`). No decision about shares is taken here. Read [`port`]
//! first.

pub mod drive;
pub mod error;
pub mod fields;
pub mod heard;
pub mod held;
pub mod identity;
pub mod pace;
pub mod patience;
pub mod port;
pub mod renewal;
pub mod round;
pub mod text;

pub use error::{Error, Kind};
pub use identity::Identity;
pub use patience::Patience;
pub use port::{Apply, Call, Discover, Observe};
