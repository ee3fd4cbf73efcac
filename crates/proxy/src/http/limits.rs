//! What one stream may hold in memory, both sides together: a few hundred KiB, whatever the size of a body. One place,
//! so that the sum can be seen: an HTTP/1 read buffer, the chunk between the sides, and a write buffer; or a window of
//! HTTP/2 instead.

use std::time::Duration;

use bascule_guard::http2::Budgets;

/// The read buffer and the write buffer of an HTTP/1 connection, and what HTTP/2 may hold unsent for one stream. Large
/// enough that a bulk transfer makes few system calls.
pub(crate) const BUFFER_BYTES: usize = 128 * 1024;

/// What an HTTP/2 peer may send on one stream ahead of being read. At 20 ms it allows 100 Mbit/s a stream.
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;

/// What an HTTP/2 client may send on all streams of a connection ahead of being read.
pub(crate) const CLIENT_WINDOW: u32 = 1024 * 1024;

/// Response bytes that may wait for one client before its streams read ahead no more; each may still hold one piece.
/// Twice what one bulk transfer holds, so that one slow stream does not slow its neighbours.
pub(crate) const WAITING_BYTES: usize = 512 * 1024;

/// A response's end is held back until its client has taken all but this: a response that has ended can no longer be cut.
pub(crate) const UNTAKEN_END_BYTES: usize = 16 * 1024;

/// Response bytes that may wait in one worker before clients that stand still are cut early.
pub(crate) const BACKLOG_BYTES: usize = 32 * 1024 * 1024;

/// How long a client may stand still once so much waits. A client on a bad mobile link stalls for about as long.
pub(crate) const STALL_UNDER_PRESSURE: Duration = Duration::from_secs(3);

/// What an endpoint may do with HTTP/2 frames; see `docs/limits.md`. It answers many clients over one connection.
pub(crate) const ENDPOINT_BUDGETS: Budgets = Budgets {
    resets: 100,
    control_frames: 100,
    head_bytes: 64 * 1024,
};
