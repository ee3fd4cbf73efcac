//! The edge on real sockets of the loopback interface: clients on one side, small origins on the other. Ports are free
//! ones, and every wait is for a condition.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod affinity;
mod again;
mod answers;
mod balance;
mod bodies;
mod breakers;
mod changes;
mod client;
mod connecting;
mod connections;
mod counts;
mod decisions;
mod floods;
mod frames;
mod headers;
mod hygiene;
mod judged;
mod lifecycle;
mod limits;
mod names;
mod origin;
mod pairs;
mod panics;
mod places;
mod protocols;
mod replay;
mod retries;
mod shares;
mod shed;
mod sights;
mod stalls;
mod strict;
mod world;
