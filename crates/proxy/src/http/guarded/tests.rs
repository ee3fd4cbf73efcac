//! The stream by itself: what an engine that reads it gets, however the bytes come.

use bascule_guard::Violation;
use bascule_guard::http1::Limits;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Reads as an engine with a buffer of so many bytes does, until there is no more, and the violation it ends with.
async fn drain<S>(stream: &mut Guarded<S>, buffer: usize) -> (String, Option<Violation>)
where
    S: AsyncRead + Unpin,
{
    let mut read = Vec::new();
    let mut violation = None;
    let mut bytes = vec![0; buffer];
    loop {
        match stream.read(&mut bytes).await {
            Ok(0) => break,
            Ok(count) => read.extend_from_slice(&bytes[..count]),
            Err(error) => {
                violation = error.get_ref().unwrap().downcast_ref().copied();
                break;
            }
        }
        if stream.is_over && stream.held.is_empty() {
            break;
        }
    }
    (String::from_utf8(read).unwrap(), violation)
}

/// What the engine reads of this, sent in such pieces before the client closes.
fn read(text: &str, piece: usize, buffer: usize) -> (String, Option<Violation>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.build().unwrap();
    runtime.block_on(async {
        let (mut client, server) = duplex(piece);
        let intake = Rc::new(Intake::new(Limits::of_requests(200, 10)));
        let mut stream = Guarded::new(server, intake);
        let send = async {
            // What is not read any more is not taken.
            drop(client.write_all(text.as_bytes()).await);
            drop(client);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            read = drain(&mut stream, buffer) => read,
            () = send => unreachable!(),
        }
    })
}

#[test]
fn whole_heads_and_bodies_pass_as_they_are() {
    let post =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let text = format!("{GET}{post}{GET}");
    for (piece, buffer) in [(1, 8), (7, 8192), (500, 3), (500, 8192)] {
        assert_eq!(read(&text, piece, buffer), (text.clone(), None));
    }
}

#[test]
fn a_bad_head_is_replaced_and_nothing_behind_it_passes() {
    for (bad, stand_in) in [
        ("GET / HTTP/1.1\r\n\r\n", "GET * HTTP/1.1\r\n\r\n"),
        (
            "HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n",
            "HEAD * HTTP/1.1\r\n\r\n",
        ),
        ("GETS / HTTP/1.1\r\n\r\n", "- * HTTP/1.1\r\n\r\n"),
        ("\u{16}\u{3}\u{1}", "- * HTTP/1.1\r\n\r\n"),
        ("GET / HTTP/1.1\r\nHo", ""),
    ] {
        let behind = if stand_in.is_empty() { "" } else { GET };
        let stand_in = if stand_in.is_empty() {
            "GET * HTTP/1.1\r\n\r\n"
        } else {
            stand_in
        };
        for (piece, buffer) in [(1, 8), (7, 8192), (500, 3), (500, 8192)] {
            let found = read(&format!("{GET}{bad}{behind}"), piece, buffer);
            assert_eq!(found, (format!("{GET}{stand_in}"), None), "{bad:?}");
        }
    }
}

#[test]
fn a_bad_body_ends_with_an_error_behind_what_is_good() {
    let good = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r";
    for (piece, buffer) in [(1, 8), (500, 8192)] {
        let found = read(&format!("{good}x{GET}"), piece, buffer);
        assert_eq!(found, (good.to_owned(), Some(Violation::LineEnd)));
    }
}

#[test]
fn empty_lines_before_the_end_are_no_request() {
    assert_eq!(
        read(&format!("{GET}\r\n"), 500, 8192),
        (GET.to_owned(), None)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn how_bytes_come_and_are_asked_for_makes_no_difference(
        parts in prop::collection::vec(prop::sample::select(vec![
            GET, "GET / HTTP/1.1\r\n\r\n", "\r\n", "x", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", "0\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
        ]), 0..6),
        piece in 1_usize..60,
        buffer in 1_usize..60,
    ) {
        let text = parts.concat();
        prop_assert_eq!(read(&text, piece, buffer), read(&text, 4096, 8192));
    }
}
