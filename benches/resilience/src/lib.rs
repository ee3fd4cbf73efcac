//! Proxies side by side while providers fail: each of the [`scenario`]s is played against each of the [`peers`], with
//! origins and clients of our own (`testkit::faulty`, `testkit::steady`), and [`figures`] are what these saw. It asks no
//! proxy how well it did. What the figures mean: `docs/resilience.md`, which [`page`] writes.

pub mod figures;
pub mod page;
pub mod peers;
pub mod play;
pub mod scenario;
