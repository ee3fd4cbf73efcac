//! Reload, drain, stop, and clients that leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bascule_net::listen::{self, ListenAddress};
use bascule_proxy::ListenerSetup;
use bascule_telemetry::clock;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;

use crate::client::{Raw, ask, boxed, get, get2, http1, http2, text};
use crate::origin::{Speaks, full, named, origin};
use crate::world::{PATIENCE, World, backend, beside, plan, until};

/// An edge before an origin that answers once it may, and how many requests that was asked.
async fn held_and_asked() -> (World, Arc<Semaphore>, Arc<AtomicUsize>) {
    let (go, asked) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let of_origin = (Arc::clone(&go), Arc::clone(&asked));
    let address = origin(Speaks::Http1, move |_| {
        let (go, asked) = of_origin.clone();
        async move {
            asked.fetch_add(1, Ordering::SeqCst);
            go.acquire().await.unwrap().forget();
            Response::new(full("late"))
        }
    })
    .await;
    (plan(vec![backend("aws", 1, address)]).start(), go, asked)
}

async fn held() -> (World, Arc<Semaphore>) {
    let (world, go, _) = held_and_asked().await;
    (world, go)
}

#[tokio::test]
async fn a_client_that_leaves_is_recorded_and_its_place_given_back() {
    let (world, _go, asked) = held_and_asked().await;
    let mut raw = Raw::connect(world.address).await;
    raw.say("GET /private?secret=1 HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    until("the origin is asked", || asked.load(Ordering::SeqCst) == 1).await;
    drop(raw);
    let lines = world.logged(1).await;
    let of = |key: &str| lines[0][key].clone();
    assert_eq!(
        (of("end"), of("http.response.status_code")),
        ("client:await".into(), 0.into())
    );
    assert_eq!(of("reason"), serde_json::Value::Null, "no answer is ours");
    assert_eq!(
        (of("url.path"), of("pick")),
        ("/private?…".into(), "weight".into())
    );
    until("its place is free", || world.edge.in_flight() == 0).await;
    let labels = [("backend", "aws"), ("code_class", "4xx")];
    assert_eq!(world.registry.counter("bascule_requests_total", &labels), 1);
}

#[tokio::test]
async fn a_stream_that_is_reset_is_recorded_and_the_others_go_on() {
    let (world, go, asked) = held_and_asked().await;
    let mut sender = http2(world.address).await;
    let request = || Request::get("http://a/").body(boxed("")).unwrap();
    let first = beside(sender.send_request(request()));
    until("the first is asked", || asked.load(Ordering::SeqCst) == 1).await;
    let second = sender.send_request(request());
    until("the second is asked", || asked.load(Ordering::SeqCst) == 2).await;
    first.abort();
    let lines = world.logged(1).await;
    assert_eq!(lines[0]["end"], "client:await");
    until("its place is free", || world.edge.in_flight() == 1).await;
    go.add_permits(1);
    assert_eq!(text(second.await.unwrap()).await, "late");
    let lines = world.logged(2).await;
    assert_eq!((lines.len(), &lines[1]["end"]), (2, &"ok".into()));
}

#[tokio::test]
async fn draining_lets_running_requests_end_and_then_stops() {
    let (world, go) = held().await;
    let mut raw = Raw::connect(world.address).await;
    raw.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut h2 = http2(world.address).await;
    let running = h2.send_request(get2("http://a/"));
    let idle = Raw::connect(world.address).await;
    until("both run", || world.edge.in_flight() == 2).await;
    until("all are connected", || world.edge.connections() == 3).await;
    world.edge.drain();
    assert_eq!(idle.hear_all().await, "");
    go.add_permits(2);
    let heard = raw.hear_all().await;
    assert!(
        heard.contains("connection: close") && heard.ends_with("late"),
        "{heard}"
    );
    assert_eq!(text(running.await.unwrap()).await, "late");
    assert_eq!(world.edge.stopped(clock::now() + PATIENCE).await, 0);
    assert!(tokio::net::TcpStream::connect(world.address).await.is_err());
}

#[tokio::test]
async fn an_edge_that_rests_serves_whoever_comes_and_asks_them_to_go_until_it_is_ready_again() {
    let (world, go) = held().await;
    let mut running = Raw::connect(world.address).await;
    running.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("it runs", || world.edge.in_flight() == 1).await;
    // One that has said nothing yet may be about to.
    let mut late = Raw::connect(world.address).await;
    until("both are connected", || world.edge.connections() == 2).await;
    world.edge.rest(true);
    assert!(world.edge.is_asked_to_go());
    let mut late2 = http2(world.address).await;
    late.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer2 = late2.send_request(get2("http://a/"));
    until("all three run", || world.edge.in_flight() == 3).await;
    go.add_permits(3);
    for raw in [running, late] {
        let heard = raw.hear_all().await;
        assert!(
            heard.contains("connection: close") && heard.ends_with("late"),
            "{heard}"
        );
    }
    assert_eq!(text(answer2.await.unwrap()).await, "late");
    until("all have gone", || world.edge.connections() == 0).await;

    world.edge.rest(false);
    go.add_permits(2);
    let mut kept = http1(world.address).await;
    for _ in 0..2 {
        kept.ready().await.unwrap();
        let response = kept.send_request(get("/")).await.unwrap();
        assert!(!response.headers().contains_key("connection"));
        assert_eq!(text(response).await, "late");
    }
}

#[tokio::test]
async fn what_runs_beyond_the_deadline_is_cut_and_counted() {
    let (world, _go) = held().await;
    let mut raw = Raw::connect(world.address).await;
    raw.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("it runs", || world.edge.in_flight() == 1).await;
    world.edge.drain();
    assert_eq!(world.edge.stopped(clock::now()).await, 1);
    assert_eq!(raw.hear_all().await, "");
}

#[tokio::test]
async fn a_reload_moves_a_listener_and_leaves_its_connections_alone() {
    let world = plan(vec![backend("aws", 1, named("aws").await)]).start();
    let mut old = http1(world.address).await;
    assert_eq!(text(old.send_request(get("/")).await.unwrap()).await, "aws");
    let bound = listen::bind(
        ListenAddress {
            ip: Some([127, 0, 0, 1].into()),
            port: 0,
        },
        1,
    )
    .unwrap();
    let moved = bound.address;
    let setup = |bound| ListenerSetup {
        listener: Arc::clone(&world.listener),
        bound,
        tls: None,
    };
    world.edge.set_listeners(vec![setup(Some(bound))]);
    assert_eq!(ask(moved, "/").await, (200, "aws".into()));
    until("the old socket closes", || {
        std::net::TcpStream::connect(world.address).is_err()
    })
    .await;
    assert_eq!(text(old.send_request(get("/")).await.unwrap()).await, "aws");
    world.edge.set_listeners(vec![setup(None)]);
    assert_eq!(ask(moved, "/").await, (200, "aws".into()));
    world.edge.close_listeners();
    until("it closes", || std::net::TcpStream::connect(moved).is_err()).await;
    assert_eq!(text(old.send_request(get("/")).await.unwrap()).await, "aws");
}

#[tokio::test]
async fn a_stream_that_stands_still_is_cut() {
    let address = origin(Speaks::Http1, |_| async {
        let frames = futures_util::stream::pending();
        Response::new(http_body_util::StreamBody::new(frames).boxed())
    })
    .await;
    let mut plan = plan(vec![backend("aws", 1, address)]);
    plan.timeouts.stream_idle = Duration::from_secs(1);
    let world = plan.start();
    let mut h1 = http1(world.address).await;
    let mut h2 = http2(world.address).await;
    let one = h1.send_request(get("/")).await.unwrap();
    let two = h2.send_request(get2("http://a/")).await.unwrap();
    assert!(one.into_body().collect().await.is_err());
    assert!(two.into_body().collect().await.is_err());
    let lines = world.logged(2).await;
    assert!(
        lines.iter().all(|line| line["end"] == "upstream:respond"),
        "{lines:?}"
    );
}
