//! What an origin sends over HTTP/1, read by the guard, each answer asked for when the one before is over. The first byte
//! says how the bytes are cut, and what was asked.

#![no_main]

#[path = "support/cut.rs"]
mod cut;

use bascule_guard::http1::{Asked, Limits, Responses};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let reader = || {
        let mut responses = Responses::new(Limits::of_responses(1024, 20));
        responses.ask(if first & 0x80 == 0 {
            Asked::Other
        } else {
            Asked::Head
        });
        responses.sent();
        responses
    };
    let (mut whole, mut pieces) = (reader(), reader());
    let at_once = cut::show(bytes, bytes.len(), |bytes| whole.pass(bytes));
    let in_pieces = cut::show(bytes, usize::from(first % 32) + 1, |b| pieces.pass(b));
    assert_eq!(at_once, in_pieces);
    assert_eq!(whole.may_be_reused(), pieces.may_be_reused());
});
