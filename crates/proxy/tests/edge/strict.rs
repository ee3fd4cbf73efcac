//! What the guard does to requests, seen from outside: each refused with its reason, in its turn, and what was good before
//! it is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;

use crate::client::{Raw, ask_raw};
use crate::origin::{Speaks, full, origin};
use crate::world::{World, backend, plan, until};

/// An edge before an origin that answers with the line it got and the body, and counts.
async fn mirrored() -> (World, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let of_origin = Arc::clone(&count);
    let address = origin(Speaks::Http1, move |request| {
        of_origin.fetch_add(1, Ordering::SeqCst);
        async move {
            let (head, body) = request.into_parts();
            let body = body
                .collect()
                .await
                .map_or(Bytes::new(), |body| body.to_bytes());
            let hops = head
                .headers
                .get("max-forwards")
                .map_or("-", |hops| hops.to_str().unwrap());
            let text = format!(
                "{} {} hops={hops} [{}]",
                head.method,
                head.uri,
                String::from_utf8_lossy(&body)
            );
            Response::new(full(text))
        }
    })
    .await;
    (plan(vec![backend("aws", 1, address)]).start(), count)
}

/// The statuses that were heard, and the reasons that were given.
fn told(heard: &str) -> Vec<(&str, &str)> {
    let answers = heard.split("HTTP/1.1 ").skip(1);
    answers
        .map(|answer| {
            let reason = answer.split("details=\"").nth(1);
            (
                &answer[..3],
                reason.map_or("", |reason| reason.split('"').next().unwrap()),
            )
        })
        .collect()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A request, and the status and reason it is refused with.
type Case = (&'static str, (&'static str, &'static str));

#[rustfmt::skip]
const REFUSED: &[Case] = &[
    (
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        ("400", "malformed_request_line"),
    ),
    ("GET /\r\n\r\n", ("400", "malformed_request_line")),
    ("GET / HTTP/1.1\nHost: a\n\n", ("400", "bare_line_end")),
    (
        "GET /# HTTP/1.1\r\nHost: a\r\n\r\n",
        ("400", "malformed_target"),
    ),
    (
        "GET /../x HTTP/1.1\r\nHost: a\r\n\r\n",
        ("400", "malformed_target"),
    ),
    (
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        ("505", "unsupported_version"),
    ),
    (
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
        ("405", "connect_method"),
    ),
    (
        "TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        ("405", "trace_method"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nx : 1\r\n\r\n",
        ("400", "malformed_field_name"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nx: \u{1}\r\n\r\n",
        ("400", "malformed_field_value"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nx: 1\r\n 2\r\n\r\n",
        ("400", "obs_fold"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n",
        ("400", "malformed_host"),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na",
        ("400", "malformed_framing"),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        ("501", "transfer_coding"),
    ),
];

#[tokio::test]
async fn each_violation_has_its_status_and_its_reason() {
    let (world, reached) = mirrored().await;
    for (request, told_of) in REFUSED {
        let counter = || {
            let labels = [("reason", told_of.1)];
            world
                .registry
                .counter("bascule_requests_refused_total", &labels)
        };
        let before = counter();
        let heard = ask_raw(world.address, request).await;
        assert_eq!(told(&heard), [*told_of], "{request:?}: {heard:?}");
        assert!(heard.contains("\r\nconnection: close\r\n"), "{heard:?}");
        let says_what_is_allowed = heard.contains("\r\nallow: GET, ");
        assert_eq!(says_what_is_allowed, told_of.0 == "405", "{heard:?}");
        assert_eq!(counter(), before + 1, "{request:?}");
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_too_long_is_refused_by_what_is_too_long() {
    let (world, reached) = mirrored().await;
    let long = "x".repeat(16 * 1024);
    let lines = "x: 1\r\n".repeat(100);
    for (request, told_of) in [
        (
            format!("GET /{long} HTTP/1.1\r\n"),
            ("414", "target_too_long"),
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nx: {long}\r\n\r\n"),
            ("431", "head_too_long"),
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"),
            ("431", "too_many_fields"),
        ),
    ] {
        let heard = ask_raw(world.address, &request).await;
        assert_eq!(told(&heard), [told_of], "{heard:?}");
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_refusal_comes_in_its_turn_and_nothing_behind_it_is_read() {
    let (world, reached) = mirrored().await;
    let heard = ask_raw(
        world.address,
        &format!("{GET}{GET}GET / HTTP/1.1\r\n\r\n{GET}"),
    )
    .await;
    let answers = [("200", ""), ("200", ""), ("400", "malformed_host")];
    assert_eq!(told(&heard), answers, "{heard}");
    assert_eq!(reached.load(Ordering::SeqCst), 2);
    let logged = world.logged(3).await;
    let last = logged.last().unwrap();
    assert_eq!(
        (
            &last["http.response.status_code"],
            &last["http.request.method"]
        ),
        (&400.into(), &"GET".into())
    );
}

#[tokio::test]
async fn a_head_that_drips_in_is_the_head_it_is() {
    let (world, _) = mirrored().await;
    let mut raw = Raw::connect(world.address).await;
    raw.0.set_nodelay(true).unwrap();
    let requests =
        format!("{GET}\r\nPOST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi{GET}");
    for piece in requests.as_bytes().chunks(3) {
        raw.say(std::str::from_utf8(piece).unwrap()).await;
    }
    raw.hear("GET / hops=- []").await;
    raw.hear("POST /x hops=- [hi]").await;
    raw.hear("GET / hops=- []").await;
}

#[tokio::test]
async fn a_client_that_closes_its_side_in_the_middle_of_a_head_hears_why() {
    let (world, _) = mirrored().await;
    let mut raw = Raw::connect(world.address).await;
    raw.say("GET / HTTP/1.1\r\nHost: a\r\n").await;
    tokio::io::AsyncWriteExt::shutdown(&mut raw.0)
        .await
        .unwrap();
    assert_eq!(told(&raw.hear_all().await), [("400", "head_cut")]);
}

#[tokio::test]
async fn a_body_that_is_none_is_refused_and_cut_at_the_backend() {
    let (world, reached) = mirrored().await;
    let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, reason) in [
        ("5\r\nhello\n0\r\n\r\n", "bare_line_end"),
        ("5\r\nhelloworld\r\n0\r\n\r\n", "malformed_chunk"),
        ("+5\r\nhello\r\n0\r\n\r\n", "malformed_chunk"),
        ("0\r\nContent-Length: 5\r\n\r\n", "malformed_trailer"),
    ] {
        let heard = ask_raw(world.address, &format!("{post}{body}{GET}")).await;
        assert_eq!(told(&heard), [("400", reason)], "{body:?}: {heard:?}");
    }
    // The origin saw heads, and no body that ended: it had nothing to answer with.
    until("the requests are counted", || {
        reached.load(Ordering::SeqCst) <= 4
    })
    .await;
    let refused = world
        .registry
        .counter("bascule_requests_refused_total", &[]);
    assert_eq!(refused, 4);
}

#[tokio::test]
async fn the_path_that_is_forwarded_has_no_dot_segments() {
    let (world, _) = mirrored().await;
    let line = "GET /a/%2e%2e/b/./c?d=/../e HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let heard = ask_raw(world.address, line).await;
    assert!(heard.ends_with("GET /b/c?d=/../e hops=- []"), "{heard}");
}

#[tokio::test]
async fn a_body_in_chunks_is_forwarded_whatever_the_method() {
    let (world, _) = mirrored().await;
    for method in ["GET", "DELETE", "PATCH"] {
        let text = format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        );
        let mut raw = Raw::connect(world.address).await;
        raw.say(&text).await;
        let end = format!("{method} / hops=- [hi]");
        raw.hear(&end).await;
    }
}

#[tokio::test]
async fn a_request_goes_no_further_than_it_says() {
    let (world, reached) = mirrored().await;
    let ask = |hops: &'static str| async move {
        let text = format!(
            "OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: {hops}\r\nConnection: close\r\n\r\n"
        );
        ask_raw(world.address, &text).await
    };
    let heard = ask("0").await;
    assert!(
        heard.starts_with("HTTP/1.1 200 ") && heard.contains("\r\nallow: GET, "),
        "{heard}"
    );
    assert_eq!(reached.load(Ordering::SeqCst), 0);
    let heard = ask("7").await;
    assert!(heard.ends_with("OPTIONS * hops=6 []"), "{heard}");
}

#[tokio::test]
async fn an_expectation_of_http_1_0_is_none() {
    let (world, _) = mirrored().await;
    let text = "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi";
    let heard = ask_raw(world.address, text).await;
    assert!(
        heard.starts_with("HTTP/1.0 200 ") && heard.ends_with("[hi]"),
        "{heard}"
    );
}

/// A client that offers to upgrade is answered, and its connection ends like any: with a close that TLS can tell from a cut.
#[tokio::test]
async fn an_offer_to_upgrade_does_not_leave_the_connection_without_an_end() {
    let tls = crate::world::authority(&["meet.example"]);
    let mut plan = plan(vec![backend("aws", 1, crate::origin::named("aws").await)]);
    plan.tls = Some(tls.server());
    let world = plan.start();
    let stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let name = "meet.example".try_into().unwrap();
    let alpn = bascule_net::tls::Alpn::Http1;
    let mut stream = tls.client().connect(stream, name, alpn).await.unwrap();
    let request = "GET / HTTP/1.1\r\nHost: meet.example\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes())
        .await
        .unwrap();
    let mut heard = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut heard)
        .await
        .unwrap();
    assert!(heard.ends_with(b"aws"));
}
