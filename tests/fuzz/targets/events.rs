//! The stream of events that the command line reads from a daemon: the same events however the bytes are cut.

#![no_main]

#[allow(dead_code, reason = "the whole file is here, the target needs a part")]
#[path = "../../../crates/bascule/src/cli/client/sse.rs"]
mod sse;

use sse::{Message, Reader};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let mut whole = Reader::default();
    let at_once = whole.take(bytes);
    let mut pieces = Reader::default();
    let cut = bytes.chunks(usize::from(*first) + 1);
    let in_pieces: Vec<Message> = cut.flat_map(|piece| pieces.take(piece)).collect();
    assert_eq!(at_once, in_pieces);
    assert_eq!(whole.last_id(), pieces.last_id());
    pieces.reset();
    assert_eq!(whole.last_id(), pieces.last_id());
});
