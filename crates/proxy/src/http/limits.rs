//! What may be held in memory for one stream, one connection and one worker, both sides together, whatever the size of a
//! body. One place, so that the sums can be seen; they are worked out in `docs/limits.md`.

use std::time::Duration;

use bascule_guard::http2::Budgets;

/// The read buffer and the write buffer of an HTTP/1 connection, and what HTTP/2 may hold unsent for one stream. A client
/// that takes nothing holds two of these; a bulk transfer makes about as few system calls as with twice as much.
pub(crate) const BUFFER_BYTES: usize = 64 * 1024;

/// What an HTTP/2 client may send on one stream ahead of being read, within the window of its connection. At 20 ms it
/// allows 100 Mbit/s a stream.
pub(crate) const CLIENT_STREAM_WINDOW: u32 = 256 * 1024;

/// What an HTTP/2 client may send on all streams of a connection ahead of being read.
pub(crate) const CLIENT_WINDOW: u32 = 1024 * 1024;

/// What an HTTP/2 endpoint may send on one stream ahead of being read: half of what clients may, because a client decides
/// by not reading how long it waits here. At 20 ms it allows 50 Mbit/s a stream.
pub(crate) const ENDPOINT_STREAM_WINDOW: u32 = 128 * 1024;

/// Bytes of request bodies that one worker keeps for another try, of all requests together; beyond it a body is not kept.
/// Some 250 of the longest that are kept by default, and far less than waits for clients.
pub(crate) const KEPT_BYTES: usize = 16 * 1024 * 1024;

/// How much of a response that no client will see is read, so that its connection can carry the next request; a longer one
/// is cut by closing the connection. Error pages fit.
pub(crate) const DISCARD_BYTES: u64 = 16 * 1024;

/// How long its end may take.
pub(crate) const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// Response bytes that may wait for one client before its streams read ahead no more; each may still hold one piece.
/// Twice what one bulk transfer holds, so that one slow stream does not slow its neighbours.
pub(crate) const WAITING_BYTES: usize = 512 * 1024;

/// A response's end is held back until its client has taken all but this: a response that has ended can no longer be cut.
pub(crate) const UNTAKEN_END_BYTES: usize = 16 * 1024;

/// Response bytes that may wait in one worker, with what may be unread behind them, before clients that stand still are
/// cut early. Some five hundred clients that do not move, however many that do.
pub(crate) const BACKLOG_BYTES: usize = 64 * 1024 * 1024;

/// How long a client may stand still once so much waits: a moment without a network is shorter than this.
pub(crate) const STALL_UNDER_PRESSURE: Duration = Duration::from_secs(10);

/// What an endpoint may do with HTTP/2 frames; see `docs/limits.md`. It answers many clients over one connection.
pub(crate) const ENDPOINT_BUDGETS: Budgets = Budgets {
    resets: 100,
    control_frames: 100,
    head_bytes: 64 * 1024,
};
