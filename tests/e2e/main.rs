//! The binary as a whole against real programs: nginx as upstream, curl, h2load and Python as clients, the command line as the
//! operator. Each file is one story; each test starts what it needs on free ports of loopback and stops it again.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is not as it must be"
)]

mod affinity;
mod apply;
mod bad_input;
mod bytes;
mod check;
mod clouds;
mod interop;
mod life_of_a_request;
mod life_of_a_shift;
mod loss;
mod names;
mod onboard;
mod overload;
mod prices;
mod reload;
mod retries;
mod sessions;
mod stop;
mod support;
mod survive;
mod tls;
