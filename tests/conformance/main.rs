//! The edge against a corpus of raw cases, written from the RFCs: what must be refused, what must be forwarded and exactly
//! how, and when a connection must end. One real daemon, raw bytes on both sides of it. `http1` has the cases of HTTP/1
//! (`tests/corpus/http1`); other versions have files of their own beside it. The cases say what the RFC asks of a strict
//! gateway; what the binary does today is no argument. `differential` makes up bytes instead, and compares two readings.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it must be"
)]

mod differential;
mod http1;
mod http2;
mod peers;
mod support;
