//! The binary under attack: each test runs one kind of attack of `testkit::attack` against a daemon of its own while a
//! bystander makes steady requests on other connections, and holds what must not break. [`field`] is where that is done
//! and what "must not break" means; the other files say, attack by attack, how much of it there is and what becomes of
//! the attacker.
//!
//! One assertion here is about time, against the custom of these tests: the bystander's p99 stays below 500 ms. That is
//! the promise itself, and the bound is generous: hundreds of times what a request takes, over hundreds of requests, so
//! that a busy machine does not break it and a worker that hangs does. Attacks run one at a time for the same reason.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is not as it must be"
)]

mod connections;
mod counts;
mod field;
mod http1;
mod http2;
mod origins;
mod tls;
