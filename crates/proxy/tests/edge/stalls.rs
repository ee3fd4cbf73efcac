//! Clients that stand still in the middle of a request: with their own body, or with the response.

use std::time::Duration;

use http::Response;

use crate::client::{Raw, ask};
use crate::frames::{
    DATA, END_HEADERS, Frames, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, get, window,
};
use crate::origin::{Speaks, full, origin};
use crate::world::{World, backend, plan, until};

/// Long enough that a machine under load stalls nobody else.
const STALL: Duration = Duration::from_millis(700);

async fn world(bytes: usize) -> World {
    let text = vec![b'x'; bytes];
    let address = origin(Speaks::Http1, move |request| {
        let text = text.clone();
        async move {
            // Bodies are read to the end before the answer.
            drop(http_body_util::BodyExt::collect(request.into_body()).await);
            Response::new(full(text))
        }
    });
    let mut plan = plan(vec![backend("aws", 1, address.await)]);
    plan.edit = |listener| listener.timeouts.client_stall = STALL;
    plan.start()
}

fn reset(world: &World) -> u64 {
    let labels = [("listener", "web"), ("reason", "client_stall")];
    world
        .registry
        .counter("bascule_streams_reset_total", &labels)
}

fn ended(world: &World) -> u64 {
    let labels = [("listener", "web"), ("reason", "client_stall")];
    world
        .registry
        .counter("bascule_connections_ended_total", &labels)
}

#[tokio::test]
async fn a_stream_whose_window_stays_shut_is_reset_and_its_neighbour_is_not() {
    for (room, bytes) in [(0, 10_000), (1, 100_000), (20_000, 1 << 20)] {
        let world = world(bytes).await;
        let mut client = Frames::connect(world.address, &window(room)).await;
        client.say(&get(1)).await;
        let stalled = client.next_of(RST_STREAM).await.unwrap();
        assert_eq!(stalled.stream, 1);
        assert_eq!(reset(&world), 1);
        // The next stream gets room for all of it.
        client
            .say(&frame(WINDOW_UPDATE, 0, 0, &[0, 0x20, 0, 0]))
            .await;
        client.say(&get(3)).await;
        client
            .say(&frame(WINDOW_UPDATE, 0, 3, &[0, 0x20, 0, 0]))
            .await;
        let mut heard = 0;
        while heard < bytes {
            let data = client.next_of(DATA).await.unwrap();
            heard += usize::from(data.stream == 3) * data.payload.len();
        }
        assert_eq!((reset(&world), ended(&world)), (1, 0));
    }
}

#[tokio::test]
async fn a_response_that_is_taken_whole_ends_as_one() {
    let world = world(300_000).await;
    let mut client = Frames::connect(world.address, &window(1 << 20)).await;
    client
        .say(&frame(WINDOW_UPDATE, 0, 0, &[0, 0x20, 0, 0]))
        .await;
    client.say(&get(1)).await;
    let mut heard = 0;
    loop {
        let data = client.next_of(DATA).await.unwrap();
        heard += data.payload.len();
        if data.flags & 1 != 0 {
            break;
        }
    }
    assert_eq!((heard, reset(&world)), (300_000, 0));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_with_408_over_both_versions() {
    let world = world(10).await;
    let mut raw = Raw::connect(world.address).await;
    raw.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        .await;
    assert!(raw.hear_all().await.starts_with("HTTP/1.1 408 "));
    let mut client = Frames::connect(world.address, &frame(SETTINGS, 0, 0, &[])).await;
    client
        .say(&frame(HEADERS, END_HEADERS, 1, b"\x83\x86\x84\x41\x01a"))
        .await;
    client.say(&frame(DATA, 0, 1, b"abc")).await;
    let answer = client.next_of(HEADERS).await.unwrap();
    assert_eq!(answer.stream, 1);
    let refused = |reason| {
        let labels = [("reason", reason)];
        world
            .registry
            .counter("bascule_requests_refused_total", &labels)
    };
    until("both are counted", || refused("body_timeout") == 2).await;
}

#[tokio::test]
async fn a_client_that_stops_reading_over_http1_is_cut() {
    let world = world(64 << 20).await;
    let mut raw = Raw::connect(world.address).await;
    raw.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    raw.hear("\r\n\r\n").await;
    until("it is cut", || ended(&world) == 1).await;
    assert_eq!(ask(world.address, "/").await.0, 200);
}
