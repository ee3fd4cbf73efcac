//! Names over TLS: which requests a connection carries, who gets one at all, and the promise of HTTPS.

use std::time::Duration;

use bascule_config::Hsts;
use bascule_net::tls::{Protocols, TlsOptions, Version};
use http::{Request, Response, Version as Http};

use crate::client::{Raw, ask_raw, get2, https1, https2, text};
use crate::origin::{Body, Speaks, full, named, origin};
use crate::world::{Authority, World, authority, backend, plan, until};

fn of_host(host: &str) -> Request<Body> {
    Request::get("/")
        .header("host", host)
        .body(full(""))
        .unwrap()
}

async fn world(authority: &Authority) -> World {
    let mut plan = plan(vec![backend("aws", 1, named("aws").await)]);
    plan.tls = Some(authority.server());
    plan.start()
}

/// Waits until one handshake has ended like this: it is counted after the client was told.
async fn counted(world: &World, result: &str) {
    let labels = [("listener", "web"), ("result", result)];
    let handshakes = "bascule_tls_handshakes_total";
    let count = || world.registry.counter(handshakes, &labels);
    until(result, || count() == 1).await;
}

#[tokio::test]
async fn a_request_for_a_name_the_connection_is_not_for_is_misdirected_over_http1() {
    let authority = authority(&["a.test", "*.b.test", "192.0.2.1"]);
    let world = world(&authority).await;
    let mut sender = https1(world.address, &authority.client(), "a.test").await;
    for (host, status) in [
        ("a.test", 200),
        ("A.Test:443", 200),
        ("c.test", 421),
        ("x.b.test", 200),
        ("x.y.b.test", 421),
        ("192.0.2.1", 200),
        ("[::1]", 421),
        ("a.test.", 200),
    ] {
        let response = sender.send_request(of_host(host)).await.unwrap();
        assert_eq!(response.status(), status, "{host}");
        let details = response.headers().get("proxy-status").cloned();
        let body = text(response).await;
        if status == 421 {
            let expected = "bascule; error=http_request_error; details=\"misdirected\"";
            assert_eq!(details.unwrap(), expected);
            assert!(body.contains("misdirected"), "{body}");
        } else {
            assert_eq!(body, "aws");
        }
    }
    let refused = "bascule_requests_refused_total";
    let labels = [("reason", "misdirected")];
    assert_eq!(world.registry.counter(refused, &labels), 3);
}

#[tokio::test]
async fn a_request_for_a_name_the_connection_is_not_for_is_misdirected_over_http2() {
    let authority = authority(&["a.test", "*.b.test"]);
    let world = world(&authority).await;
    let mut sender = https2(world.address, &authority.client(), "a.test").await;
    for (uri, status) in [
        ("https://c.test/", 421),
        ("https://x.b.test/", 200),
        ("https://a.test:8443/", 200),
    ] {
        let response = sender.send_request(get2(uri)).await.unwrap();
        assert_eq!(
            (response.status(), response.version()),
            (status.try_into().unwrap(), Http::HTTP_2),
            "{uri}"
        );
        text(response).await;
    }
}

#[tokio::test]
async fn a_connection_without_a_name_carries_every_host() {
    let authority = authority(&["127.0.0.1"]);
    let world = world(&authority).await;
    let mut sender = https1(world.address, &authority.client(), "127.0.0.1").await;
    let response = sender.send_request(of_host("anything.test")).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_strict_listener_counts_whom_it_refuses() {
    let authority = authority(&["a.test"]);
    let mut plan = plan(vec![backend("aws", 1, named("aws").await)]);
    plan.tls = Some(authority.server_of(TlsOptions {
        protocols: Protocols { h1: true, h2: true },
        strict_sni: true,
        version_min: Version::Tls12,
    }));
    let world = plan.start();
    let stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let connect = authority.client();
    let name = "b.test".try_into().unwrap();
    let alpn = bascule_net::tls::Alpn::Both;
    let error = connect.connect(stream, name, alpn).await.unwrap_err();
    assert!(error.to_string().contains("UnrecognisedName"), "{error}");
    counted(&world, "refused_sni").await;
    https1(world.address, &authority.client(), "a.test").await;
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_ended_and_counted() {
    let authority = authority(&["a.test"]);
    let mut plan = plan(vec![backend("aws", 1, named("aws").await)]);
    plan.tls = Some(authority.server());
    plan.edit = |listener| listener.timeouts.request_headers = Duration::from_millis(50);
    let world = plan.start();
    let mut raw = Raw::connect(world.address).await;
    // The head of a record, and never the rest of it.
    raw.say("\u{16}\u{3}\u{1}\u{1}\u{1}").await;
    assert_eq!(raw.hear_all().await, "");
    counted(&world, "timeout").await;
}

#[tokio::test]
async fn every_response_over_tls_promises_https_in_place_of_the_backend() {
    let backend_says = |_| async {
        let response = Response::builder().header("strict-transport-security", "max-age=1");
        response.body(full("aws")).unwrap()
    };
    let authority = authority(&["a.test"]);
    let mut plan = plan(vec![backend(
        "aws",
        1,
        origin(Speaks::Http1, backend_says).await,
    )]);
    plan.tls = Some(authority.server());
    plan.edit = |listener| {
        listener.tls.as_mut().unwrap().hsts = Some(Hsts {
            include_subdomains: true,
            ..Hsts::default()
        });
    };
    let world = plan.start();
    let mut sender = https1(world.address, &authority.client(), "a.test").await;
    for (host, status) in [("a.test", 200), ("c.test", 421)] {
        let response = sender.send_request(of_host(host)).await.unwrap();
        assert_eq!(response.status(), status);
        let said = response.headers().get_all("strict-transport-security");
        let said: Vec<_> = said.iter().collect();
        assert_eq!(said, ["max-age=31536000; includeSubDomains"]);
        text(response).await;
    }
}

#[tokio::test]
async fn in_clear_nothing_is_promised() {
    let world = plan(vec![backend("aws", 1, named("aws").await)]).start();
    let request = "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";
    let answer = ask_raw(world.address, request).await.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    assert!(!answer.contains("strict-transport-security"), "{answer}");
}
