//! The stream by itself: what an engine that reads it gets, however the bytes come.

use bascule_guard::Violation;
use bascule_guard::http1::Limits;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
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

fn answered(is_good: bool) -> http::response::Builder {
    let builder = Response::builder();
    if is_good {
        builder
    } else {
        builder.status(400).header("connection", "close")
    }
}

/// What an engine behind the guard makes of this: the answers, and whether it found fault with a head by itself.
fn serve(text: &[u8], piece: usize) -> (String, bool) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().unwrap();
    runtime.block_on(async {
        let (client, server) = duplex(piece);
        let intake = Rc::new(Intake::new(Limits::of_requests(1024, 20)));
        let stream = Guarded::new(server, Rc::clone(&intake));
        let service = service_fn(move |request: Request<Incoming>| {
            let verdict = intake.judge();
            async move {
                let body = request.into_body().collect().await;
                let is_good = verdict.is_ok() && body.is_ok();
                answered(is_good).body(Empty::<Bytes>::new())
            }
        });
        let engine = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let (mut hears, mut says) = tokio::io::split(client);
        let mut heard = Vec::new();
        let speak = async {
            // What is not read any more is not taken.
            drop(says.write_all(text).await);
            drop(says.shutdown().await);
        };
        // Beside it, or each side would wait for the other to read.
        let hear = async { drop(hears.read_to_end(&mut heard).await) };
        let (ended, (), ()) = tokio::join!(engine, speak, hear);
        let found_fault = ended.is_err_and(|error| error.is_parse());
        (String::from_utf8(heard).unwrap(), found_fault)
    })
}

#[test]
fn an_engine_behind_the_guard_answers_what_passed_and_then_what_did_not() {
    let (heard, found_fault) = serve(
        format!("{GET}{GET}GET / HTTP/1.1\r\n\r\n{GET}").as_bytes(),
        4096,
    );
    assert!(!found_fault);
    let count = |status: &str| heard.matches(&format!("HTTP/1.1 {status} ")).count();
    assert_eq!((count("200"), count("400")), (2, 1), "{heard}");
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    let method = prop::sample::select(vec![
        "GET",
        "POST",
        "OPTIONS",
        "-",
        "M~!#$%&'*+.^_`|",
        "get",
    ]);
    let target = prop_oneof![
        "/[!$-;=@-Z_a-z~|{}\\[\\]]{0,12}",
        prop::sample::select(vec![
            "*",
            "/%41",
            "/?",
            "/?#",
            "http://a",
            "https://a:80/x",
            "http://a?b",
            "http://[::1]/",
            "http://a_b~c/",
            "//",
            "/\\",
        ])
        .prop_map(str::to_owned),
    ];
    let name = "(host|content-length|transfer-encoding|connection|expect|upgrade|x|[!#$%&'*+.^_`|~a-zA-Z0-9-]{1,5})";
    let value = prop_oneof![
        "[ -~\t]{0,8}",
        prop::sample::select(vec![
            "a",
            "0",
            "3",
            "chunked",
            "close",
            "100-continue",
            "\u{e4}",
            ""
        ])
        .prop_map(str::to_owned),
    ];
    let fields = prop::collection::vec((name, value), 0..4);
    let version = prop::sample::select(vec!["HTTP/1.1", "HTTP/1.0"]);
    let body = prop::sample::select(vec![
        "",
        "abc",
        "3\r\nabc\r\n0\r\n\r\n",
        "1;a=\"b\"\r\nx\r\n0\r\nx: y\r\n\r\n",
        "5\r\nx",
    ]);
    let request = (method, target, version, fields, body).prop_map(
        |(method, target, version, fields, body)| {
            let lines: String = fields
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect();
            format!("{method} {target} {version}\r\nHost: a\r\n{lines}\r\n{body}").into_bytes()
        },
    );
    prop::collection::vec(request, 1..3).prop_map(|requests| requests.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    /// The guard is never laxer than the engine: what it lets through the engine makes requests of.
    #[test]
    fn an_engine_behind_the_guard_finds_no_fault(text in texts(), piece in prop::sample::select(vec![7_usize, 4096])) {
        let (heard, found_fault) = serve(&text, piece);
        prop_assert!(!found_fault, "{}: {heard}", String::from_utf8_lossy(&text));
    }
}
