//! The guard reads the same bytes as the HTTP engine, before it, on both sides of the proxy. It checks heads and framing,
//! strictly by RFC 9110, 9112 and 9113, and says at which byte a peer left them. It decides nothing else: no routing, no
//! time, no answer. It has no socket and no clock; the streams in `proxy` show it bytes and do what it says.
//! [`http1`] for HTTP/1, [`http2`] for frames, [`grammar`] for what both share, [`Violation`] for what can be found.

pub mod grammar;
pub mod http1;
pub mod http2;
pub mod path;
mod violation;

pub use violation::Violation;
