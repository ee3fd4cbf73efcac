//! What one stream may hold in memory, both sides together: a few hundred KiB, whatever the size of a body. One place,
//! so that the sum can be seen: an HTTP/1 read buffer, the chunk between the sides, and a write buffer; or a window of
//! HTTP/2 instead.

/// The read buffer and the write buffer of an HTTP/1 connection, and what HTTP/2 may hold unsent for one stream. Large
/// enough that a bulk transfer makes few system calls.
pub(crate) const BUFFER_BYTES: usize = 128 * 1024;

/// What an HTTP/2 peer may send on one stream ahead of being read. At 20 ms it allows 100 Mbit/s a stream.
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;

/// What an HTTP/2 client may send on all streams of a connection ahead of being read.
pub(crate) const CLIENT_WINDOW: u32 = 1024 * 1024;
