//! What must never reach a backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::client::{Raw, ask_raw};
use crate::origin::counting;
use crate::world::{World, backend, plan, until};

async fn counted() -> (World, Arc<AtomicUsize>) {
    let (address, count) = counting("reached").await;
    (plan(vec![backend("aws", 1, address)]).start(), count)
}

#[tokio::test]
async fn malformed_requests_are_answered_400_and_closed_and_never_forwarded() {
    let (world, reached) = counted().await;
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nbad name: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx: \0\r\n\r\n",
        "nonsense\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let heard = ask_raw(world.address, request).await;
        assert!(
            heard.starts_with("HTTP/1.1 400 ") || heard.starts_with("HTTP/1.0 400 "),
            "{request:?}: {heard:?}"
        );
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn tunnels_codings_and_expectations_we_do_not_know_are_refused() {
    let (world, reached) = counted().await;
    let refused = |line: &'static str, status: &'static str| async move {
        let heard = ask_raw(world.address, line).await;
        assert!(
            heard.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line:?}: {heard:?}"
        );
    };
    refused("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "405").await;
    refused(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "501",
    )
    .await;
    refused(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: a-pony\r\n\r\n",
        "417",
    )
    .await;
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_head_above_the_limit_is_refused() {
    let (world, reached) = counted().await;
    let long = "x".repeat(17 * 1024);
    let heard = ask_raw(
        world.address,
        &format!("GET / HTTP/1.1\r\nHost: a\r\nx: {long}\r\n\r\n"),
    )
    .await;
    assert!(heard.starts_with("HTTP/1.1 431 "), "{heard}");
    let many: String = (0..101).map(|n| format!("x-{n}: 1\r\n")).collect();
    let heard = ask_raw(
        world.address,
        &format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
    )
    .await;
    assert!(heard.starts_with("HTTP/1.1 431 "), "{heard}");
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn absolute_targets_and_the_whole_server_are_understood() {
    let (world, reached) = counted().await;
    for line in ["GET http://a/x HTTP/1.1", "OPTIONS * HTTP/1.1"] {
        let mut raw = Raw::connect(world.address).await;
        raw.say(&format!("{line}\r\nHost: a\r\n\r\n")).await;
        assert!(raw.hear("reached").await.starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(reached.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_idle_client_and_a_slow_head_are_both_let_go() {
    let count = crate::origin::named("aws").await;
    let mut plan = plan(vec![backend("aws", 1, count)]);
    plan.edit = |listener| {
        listener.timeouts.client_idle = std::time::Duration::from_secs(1);
        listener.timeouts.request_headers = std::time::Duration::from_secs(1);
    };
    let world = plan.start();
    assert_eq!(ask_raw(world.address, "").await, "");
    let heard = ask_raw(world.address, "GET / HTTP/1.1\r\nHost:").await;
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
    assert!(heard.contains("details=\"head_timeout\""), "{heard}");
    let heard = ask_raw(world.address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(heard.ends_with("aws"), "{heard}");
}

#[tokio::test]
async fn half_a_preface_is_waited_for_as_a_head_is_and_silence_as_idleness() {
    let mut plan = plan(vec![backend("aws", 1, crate::origin::named("aws").await)]);
    plan.edit = |listener| {
        listener.timeouts.client_idle = std::time::Duration::from_secs(3600);
        listener.timeouts.request_headers = std::time::Duration::from_secs(1);
    };
    let world = plan.start();
    let mut silent = Raw::connect(world.address).await;
    assert_eq!(ask_raw(world.address, "PRI * HT").await, "");
    let labels = [("listener", "web"), ("reason", "head_timeout")];
    let ended = || {
        world
            .registry
            .counter("bascule_connections_ended_total", &labels)
    };
    until("the count", || ended() == 1).await;
    silent.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(silent.hear("aws").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_malformed_request_behind_a_well_formed_one_is_refused_as_well() {
    let (world, reached) = counted().await;
    for second in [
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        let before = reached.load(Ordering::SeqCst);
        let both = format!("GET / HTTP/1.1\r\nHost: a\r\n\r\n{second}");
        let heard = ask_raw(world.address, &both).await;
        let answers = heard.matches("HTTP/1.1 200 ").count();
        assert_eq!(
            (answers, heard.matches("HTTP/1.1 400 ").count()),
            (1, 1),
            "{second:?}: {heard:?}"
        );
        assert_eq!(reached.load(Ordering::SeqCst), before + 1);
    }
}

/// What follows a body that nobody has read cannot be reached.
#[tokio::test]
async fn an_answer_before_the_body_was_read_says_that_the_connection_closes() {
    let (world, reached) = counted().await;
    for head in [
        "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n",
        "TRACE / HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n",
    ] {
        let with_body = format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
        let heard = ask_raw(world.address, &with_body).await;
        assert!(heard.contains("connection: close\r\n"), "{heard}");
    }
    let both = "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n\
                GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let heard = ask_raw(world.address, both).await;
    assert_eq!(heard.matches("HTTP/1.1 200 ").count(), 2, "{heard}");
    assert_eq!(reached.load(Ordering::SeqCst), 1);
}

/// A body that looks like a request is a body, and what comes after it is the next request.
#[tokio::test]
async fn requests_that_come_all_at_once_are_told_apart() {
    let (world, reached) = counted().await;
    let inner = "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n";
    let post = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{inner}",
        inner.len()
    );
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let heard = ask_raw(world.address, &format!("{get}{get}{post}{get}{last}")).await;
    assert_eq!(heard.matches("HTTP/1.1 200 ").count(), 5, "{heard}");
    assert_eq!(reached.load(Ordering::SeqCst), 5);
}
