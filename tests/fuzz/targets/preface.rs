//! The first bytes of a connection in clear: the version is told right, and no byte is lost, however they come. The first
//! byte says in what pieces.

#![no_main]

#[allow(dead_code, reason = "the whole file is here, the target needs a part")]
#[path = "../../../crates/net/src/preface.rs"]
mod preface;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let stream = Pieces {
        bytes,
        size: usize::from(*first) + 1,
    };
    let mut sniffed = Box::pin(async {
        let (http, mut stream) = preface::tell(preface::first(stream).await.unwrap())
            .await
            .unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        (http, all)
    });
    let Poll::Ready((http, all)) = sniffed
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("it waits for bytes that are there");
    };
    assert_eq!(all, bytes);
    assert_eq!(http == preface::Http::Two, bytes.starts_with(PREFACE));
});

/// Bytes that come a few at a time.
struct Pieces<'a> {
    bytes: &'a [u8],
    size: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.size.min(buffer.remaining()).min(self.bytes.len());
        let (piece, rest) = self.bytes.split_at(count);
        buffer.put_slice(piece);
        self.bytes = rest;
        Poll::Ready(Ok(()))
    }
}
