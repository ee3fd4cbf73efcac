//! What a client sends over HTTP/1, read by the guard: it never panics, never passes on more than it was shown, and says
//! the same however the bytes are cut. The first byte says how they are.

#![no_main]

#[path = "support/cut.rs"]
mod cut;

use bascule_guard::http1::{Limits, Requests};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let reader = || Requests::new(Limits::of_requests(1024, 20));
    let (mut whole, mut pieces) = (reader(), reader());
    let at_once = cut::show(bytes, bytes.len(), |bytes| whole.pass(bytes));
    let in_pieces = cut::show(bytes, usize::from(first % 32) + 1, |b| pieces.pass(b));
    assert_eq!(at_once, in_pieces);
    assert_eq!(whole.is_in_body(), pieces.is_in_body());
});
