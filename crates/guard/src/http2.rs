//! What a peer may do with HTTP/2 frames.
