//! A chunked body, read by the guard behind a head that is right: what it passes, an independent reading of chunks must
//! find whole and in the same place. The first byte says how the bytes are cut.

#![no_main]

#[path = "support/cut.rs"]
mod cut;

use bascule_guard::http1::{Limits, Requests};

const HEAD: &[u8] =
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else {
        return;
    };
    let reader = || {
        let mut requests = Requests::new(Limits::of_requests(1024, 20));
        assert_eq!(requests.pass(HEAD).bytes, HEAD.len());
        requests
    };
    let (mut whole, mut pieces) = (reader(), reader());
    let at_once = cut::show(body, body.len(), |bytes| whole.pass(bytes));
    let in_pieces = cut::show(body, usize::from(first % 32) + 1, |b| pieces.pass(b));
    assert_eq!(at_once, in_pieces);
    if !whole.is_in_body() && !at_once.is_bad() {
        assert_eq!(end(body), Some(at_once.bytes), "where the body ends");
    }
});

/// Where a chunked body ends, by the grammar of RFC 9112 §7.1 read as plainly as can be.
fn end(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = line(body, &mut at)?;
        let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let size = std::str::from_utf8(line.get(..digits)?).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            break;
        }
        at = at.checked_add(size)?;
        if body.get(at..at + 2)? != b"\r\n" {
            return None;
        }
        at += 2;
    }
    while !line(body, &mut at)?.is_empty() {}
    Some(at)
}

fn line<'a>(body: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let rest = body.get(*at..)?;
    let length = rest.windows(2).position(|pair| pair == b"\r\n")?;
    *at += length + 2;
    rest.get(..length)
}
