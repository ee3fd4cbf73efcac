//! HTTP/1 as bytes (RFC 9112), for both directions of a connection.
