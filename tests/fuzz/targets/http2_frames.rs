//! Both directions of an HTTP/2 connection, watched by the guard: it never panics, says the same however the bytes are
//! cut, and what it has once found stays found. Bytes are taken as they are, or as a list of frames: then nearly every
//! input is one.

#![no_main]

use std::time::Duration;

use bascule_guard::http2::{Budgets, Peer, Watch};
use bascule_model::Instant;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(([first, cut], rest)) = data.split_first_chunk() else {
        return;
    };
    let peer = if first & 1 == 0 {
        Peer::Client
    } else {
        Peer::Origin
    };
    let bytes = if first & 2 == 0 {
        rest.to_vec()
    } else {
        frames(rest)
    };
    let is_received = |part: usize| part % 2 == usize::from(first >> 7);
    let budgets = Budgets {
        resets: 2,
        control_frames: 3,
        head_bytes: 16 * 1024,
    };
    let start = Instant::from_nanos(0);
    let mut whole = Watch::new(peer, budgets, start);
    let mut pieces = whole.clone();
    let opening = if peer == Peer::Client { PREFACE } else { b"" };
    let mut abuse = whole.received(start, opening).err();
    assert_eq!(pieces.received(start, opening).err(), abuse);
    for (n, part) in bytes.chunks(64).enumerate() {
        let now = start + Duration::from_millis(100 * n as u64);
        let show = |watch: &mut Watch, part: &[u8]| {
            if is_received(n) {
                watch.received(now, part)
            } else {
                watch.sent(now, part)
            }
        };
        let told = show(&mut whole, part).err();
        let mut cut_told = None;
        for piece in part.chunks(usize::from(cut % 16) + 1) {
            cut_told = show(&mut pieces, piece).err();
        }
        assert_eq!(told, cut_told, "cut otherwise");
        assert!(abuse.is_none() || told == abuse, "forgot what it found");
        abuse = told;
        drop(whole.take_unheard());
        drop(pieces.take_unheard());
    }
});

/// Frames with short payloads: type, flags, stream and length each from a byte.
fn frames(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(([kind, flags, stream, length], behind)) = rest.split_first_chunk() {
        let length = usize::from(length % 24);
        let payload = behind.get(..length).unwrap_or(behind);
        let size = u8::try_from(payload.len()).unwrap_or(0);
        out.extend_from_slice(&[0, 0, size, kind % 11, *flags, 0, 0, 0, *stream]);
        out.extend_from_slice(payload);
        rest = behind.get(length..).unwrap_or_default();
    }
    out
}
