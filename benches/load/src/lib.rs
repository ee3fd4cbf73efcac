//! Load for proxies: an [`origin`] that answers prebuilt bytes, a [`client`] that asks with prebuilt bytes, and the [`bench`]
//! that runs proxies side by side and accounts for their CPU time. It shares no code with the proxy it measures, and must
//! stay much cheaper than any proxy: no parser, no header map, no allocation for a request. What it measures and what it
//! does not: `benches/README.md`.

pub mod accounting;
pub mod bench;
pub mod client;
pub mod cores;
pub mod origin;
pub mod peers;
pub mod round;
pub mod runtime;
pub mod scenario;
pub mod statistics;
pub mod table;
pub mod versions;
