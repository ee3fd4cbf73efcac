//! An HTTP/1 reader that forgives nothing, and an origin made of it: the judge of what the product sends. It reads every
//! byte by RFC 9112 alone, with a small parser of its own that shares nothing with the product or its libraries: an
//! oracle that reads as the product does would approve of what the product gets wrong. It must never repair what it
//! reads: each deviation is a fault, in words.
//!
//! [`message`] is what was read; [`head`] and [`body`] read it; [`origin`] records and answers as a case tells it;
//! [`queue`] knows whether a peer has read what was sent to it.

mod body;
mod grammar;
mod head;
pub mod message;
pub mod origin;
pub mod queue;
mod serve;

pub use message::{Field, Framing, Message, Read, read_request, read_response};
pub use origin::{Answer, Connection, Step, StrictOrigin};
