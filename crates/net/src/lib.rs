//! The wire below HTTP: [`listen`]ing sockets, [`tcp`] connections in both directions, telling HTTP/2 from HTTP/1 by its
//! [`preface`], [`tls`] in both directions, and [`resolve`]ing host names. It knows no service, route or share: what to do
//! with a connection is `proxy`'s. Parameters are small structs of its own, so that it needs no configuration.

pub mod listen;
pub mod preface;
pub mod resolve;
pub mod tcp;
pub mod tls;
