//! Heads, as the backend and the client get them.

use bascule_traffic::spec::HostPolicy;
use http::Response;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{Raw, ask_raw, get, get2, http1, http2, text};
use crate::origin::{Speaks, accepting, full, origin};
use crate::world::{Backend, backend, plan};

/// Answers with the head it got, sorted.
async fn head_mirror() -> std::net::SocketAddr {
    origin(Speaks::Http1, |request| async move {
        let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut lines: Vec<String> = request.headers().iter().map(line).collect();
        lines.sort();
        let mut response = Response::new(full(lines.join("\n")));
        for (name, value) in [
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("x-end", "1"),
        ] {
            response
                .headers_mut()
                .insert(name, http::HeaderValue::from_static(value));
        }
        response
    })
    .await
}

#[tokio::test]
async fn what_belongs_to_a_hop_stays_on_it_and_what_a_proxy_adds_is_there() {
    let world = plan(vec![backend("aws", 1, head_mirror().await)]).start();
    let heard = ask_raw(
        world.address,
        "GET / HTTP/1.1\r\nHost: meet.example\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\n\
         Upgrade: websocket\r\nX-Forwarded-For: 192.0.2.1\r\nX-Request-Id: abc\r\nX-Bascule-Probe: wrong\r\n\
         traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
    )
    .await;
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    let expected = [
        "connection: te",
        "forwarded: for=127.0.0.1;proto=http;host=\"meet.example\"",
        "host: meet.example",
        "te: trailers",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "via: 1.1 bascule",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: meet.example",
        "x-forwarded-proto: http",
        "x-request-id: abc",
    ];
    assert_eq!(body.lines().collect::<Vec<_>>(), expected);
    assert!(head.contains("x-end: 1") && !head.contains("x-hop") && !head.contains("keep-alive"));
    assert!(!head.contains("x-bascule-backend"));
}

#[tokio::test]
async fn the_endpoints_own_host_is_sent_where_asked_for() {
    let address = head_mirror().await;
    let own = Backend {
        host: HostPolicy::Endpoint,
        ..backend("aws", 1, address)
    };
    let world = plan(vec![own]).start();
    let mut sender = http1(world.address).await;
    let body = text(sender.send_request(get("/")).await.unwrap()).await;
    assert!(body.contains(&format!("\nhost: {address}\n")), "{body}");
    assert!(body.contains("x-forwarded-host: meet.example"), "{body}");
}

#[tokio::test]
async fn only_the_token_is_told_which_backend_answers() {
    let world = plan(vec![backend("aws", 1, head_mirror().await)]).start();
    let mut sender = http2(world.address).await;
    let mut request = get2("http://meet.example/");
    request
        .headers_mut()
        .insert("x-bascule-probe", "secret".parse().unwrap());
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.headers()["x-bascule-backend"], "aws");
    assert!(!text(response).await.contains("probe"));
}

#[tokio::test]
async fn answers_without_a_body_keep_their_length_and_their_connection() {
    let address = accepting(|mut stream| async move {
        let mut head = [0; 4096];
        loop {
            let count = stream.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..count]);
            let answer = match head.split(' ').nth(1) {
                Some("/204") => "HTTP/1.1 204 No Content\r\n\r\n",
                Some("/304") => "HTTP/1.1 304 Not Modified\r\ncontent-length: 1234\r\n\r\n",
                Some(_) => "HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n",
                None => return,
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let world = plan(vec![backend("aws", 1, address)]).start();
    let mut raw = Raw::connect(world.address).await;
    // hyper's server leaves the length of what was not modified out, as it may (RFC 9110 §8.6).
    for (line, status, length) in [
        ("HEAD /", "200", true),
        ("GET /304", "304", false),
        ("GET /204", "204", false),
    ] {
        raw.say(&format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        let head = raw.hear("\r\n\r\n").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert_eq!(head.contains("content-length: 1234"), length, "{head}");
    }
    let mut sender = http2(world.address).await;
    let mut request = get2("http://a/");
    *request.method_mut() = http::Method::HEAD;
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.headers()["content-length"], "1234");
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn a_trusted_client_may_speak_for_others() {
    let mut plan = plan(vec![backend("aws", 1, head_mirror().await)]);
    plan.edit = |listener| listener.trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let world = plan.start();
    let heard = ask_raw(
        world.address,
        "GET / HTTP/1.1\r\nHost: meet.example\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.1\r\n\
         X-Forwarded-Proto: https\r\nForwarded: for=192.0.2.1\r\nVia: 1.1 other\r\n\r\n",
    )
    .await;
    for line in [
        "forwarded: for=192.0.2.1, for=127.0.0.1;proto=http;host=\"meet.example\"",
        "via: 1.1 other, 1.1 bascule",
        "x-forwarded-for: 192.0.2.1, 127.0.0.1",
        "x-forwarded-proto: https",
    ] {
        assert!(heard.lines().any(|heard| heard == line), "{line}: {heard}");
    }
}

#[tokio::test]
async fn a_request_without_ids_is_given_some_and_each_its_own() {
    let world = plan(vec![backend("aws", 1, head_mirror().await)]).start();
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let body = crate::client::ask(world.address, "/").await.1;
        let value = |name| {
            body.lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap()
        };
        let trace = value("traceparent: ");
        assert!(trace.starts_with("00-") && trace.len() == 55, "{trace}");
        assert!(ids.insert(value("x-request-id: ").to_owned()) && ids.insert(trace.to_owned()));
    }
    let logged = world.logged(10).await;
    assert!(
        logged
            .iter()
            .all(|line| ids.contains(line["request_id"].as_str().unwrap()))
    );
}

#[tokio::test]
async fn cookies_that_http2_split_are_one_line_again() {
    let world = plan(vec![backend("aws", 1, head_mirror().await)]).start();
    let mut request = get("http://meet.example/");
    for crumb in ["a=1", "b=2; c=3", "d=4"] {
        request
            .headers_mut()
            .append("cookie", crumb.parse().unwrap());
    }
    let mut sender = http2(world.address).await;
    let body = text(sender.send_request(request).await.unwrap()).await;
    let cookies: Vec<_> = body
        .lines()
        .filter(|line| line.starts_with("cookie"))
        .collect();
    assert_eq!(cookies, ["cookie: a=1; b=2; c=3; d=4"]);
}

/// An origin that answers any head with this one.
async fn always(head: &'static str) -> std::net::SocketAddr {
    crate::origin::accepting(move |mut stream| async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).await.unwrap_or(0) > 0 {
            stream.write_all(head.as_bytes()).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn no_length_is_made_up_for_an_answer_without_a_body() {
    let chunked = always("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let unchanged = always("HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n").await;
    for (address, line) in [(chunked, "HEAD"), (unchanged, "GET")] {
        let world = plan(vec![backend("aws", 1, address)]).start();
        let mut raw = Raw::connect(world.address).await;
        // Twice on one connection: nothing of a body is left on it.
        for _ in 0..2 {
            raw.say(&format!("{line} / HTTP/1.1\r\nHost: a\r\n\r\n"))
                .await;
            let head = raw.hear("\r\n\r\n").await;
            assert!(
                head.starts_with("HTTP/1.1 ") && !head.contains("content-length"),
                "{head}"
            );
        }
        let mut request = get("http://a/");
        request.headers_mut().remove("host");
        *request.method_mut() = line.parse().unwrap();
        let response = http2(world.address)
            .await
            .send_request(request)
            .await
            .unwrap();
        assert!(!response.headers().contains_key("content-length"));
        assert_eq!(text(response).await, "");
    }
}
