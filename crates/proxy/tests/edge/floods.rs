//! Frames that cost work and bring nothing on, from clients and from endpoints: the connection is ended, with a word and
//! counted, and others do not feel it. What bounds one connection in requests is here too.

use std::sync::Arc;

use bascule_model::Scheme;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{Raw, ask};
use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, Frames, GET, GOAWAY, HEADERS, PING,
    PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, get,
};
use crate::origin::{accepting, named};
use crate::world::{Backend, World, backend, plan, until};

const CALM: u32 = 11;

fn ended(world: &World, reason: &str) -> u64 {
    let labels = [("listener", "web"), ("reason", reason)];
    world
        .registry
        .counter("bascule_connections_ended_total", &labels)
}

fn refused(world: &World, reason: &str) -> u64 {
    let labels = [("reason", reason)];
    world
        .registry
        .counter("bascule_requests_refused_total", &labels)
}

async fn world() -> World {
    plan(vec![backend("aws", 1, named("aws").await)]).start()
}

/// Says the bytes over and over; the frames that came back until the end.
async fn flood(world: &World, before: &[u8], bytes: &[u8], times: usize) -> Vec<Frame> {
    let mut client = Frames::connect(world.address, &frame(SETTINGS, 0, 0, &[])).await;
    client.say(before).await;
    let (mut reader, mut writer) = client.0.into_split();
    let all = bytes.repeat(times);
    let writing = async move {
        // The edge may close in the middle of it.
        drop(writer.write_all(&all).await);
        writer
    };
    let reading = async move {
        let mut heard = Vec::new();
        drop(reader.read_to_end(&mut heard).await);
        heard
    };
    let (_writer, heard) = tokio::join!(writing, reading);
    parse(&heard)
}

fn parse(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, flags, d, e, f, g, rest @ ..] = bytes {
        let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
        let (payload, rest) = rest.split_at(length.min(rest.len()));
        frames.push(Frame {
            kind: *kind,
            flags: *flags,
            stream: u32::from_be_bytes([*d, *e, *f, *g]),
            payload: payload.to_vec(),
        });
        bytes = rest;
    }
    frames
}

fn last_words(frames: &[Frame]) -> Option<u32> {
    let goaway = frames.iter().rfind(|frame| frame.kind == GOAWAY);
    goaway.map(Frame::code)
}

#[tokio::test]
async fn floods_of_frames_end_their_connection_with_a_word_and_a_count() {
    let floods = [
        ("control_frames", frame(PING, 0, 0, &[1; 8])),
        ("control_frames", frame(SETTINGS, 0, 0, &[])),
        ("control_frames", frame(2, 0, 1, &[0, 0, 0, 0, 1])),
        ("control_frames", frame(200, 0, 0, b"unknown")),
        ("window_updates", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
    ];
    for (reason, bytes) in floods {
        let world = world().await;
        let heard = flood(&world, &[], &bytes, 2000).await;
        assert_eq!(last_words(&heard), Some(CALM), "{reason} {bytes:?}");
        until("it is counted", || ended(&world, reason) == 1).await;
        assert_eq!(ask(world.address, "/").await.0, 200);
    }
}

#[tokio::test]
async fn a_head_that_never_ends_ends_its_connection() {
    let world = world().await;
    let begin = frame(HEADERS, END_STREAM, 1, GET);
    let more = frame(CONTINUATION, 0, 1, b"\x00\x01x\x01y");
    let heard = flood(&world, &begin, &more, 100).await;
    assert_eq!(last_words(&heard), Some(CALM));
    until("it is counted", || ended(&world, "continuation") == 1).await;
}

#[tokio::test]
async fn data_with_nothing_in_it_ends_its_connection() {
    let world = world().await;
    let begin = frame(HEADERS, END_HEADERS, 1, b"\x83\x86\x84\x41\x01a");
    let heard = flood(&world, &begin, &frame(DATA, 0, 1, &[]), 2000).await;
    assert_eq!(last_words(&heard), Some(CALM));
    // The engine has a limit of its own; whichever is reached first ends it.
    until("it is counted", || {
        ended(&world, "empty_frames") + ended(&world, "flood") == 1
    })
    .await;
}

#[tokio::test]
async fn requests_that_are_reset_at_once_end_their_connection() {
    let world = world().await;
    let mut bytes = Vec::new();
    for n in 0..1000 {
        bytes.extend(get(2 * n + 1));
        bytes.extend(frame(RST_STREAM, 0, 2 * n + 1, &[0, 0, 0, 8]));
    }
    let heard = flood(&world, &bytes, &[], 0).await;
    assert_eq!(last_words(&heard), Some(CALM));
    until("it is counted", || ended(&world, "resets") == 1).await;
    assert_eq!(ask(world.address, "/").await.0, 200);
}

#[tokio::test]
async fn errors_that_make_us_reset_streams_end_their_connection_and_each_is_a_refused_request() {
    let world = world().await;
    let mut bytes = Vec::new();
    for n in 0..1000 {
        // No scheme, no path.
        let head = frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, b"\x82");
        bytes.extend(head);
    }
    let heard = flood(&world, &bytes, &[], 0).await;
    assert_eq!(last_words(&heard), Some(CALM));
    until("it is counted", || ended(&world, "resets_caused") == 1).await;
    // Those that were one stream too many were refused for that.
    let refused = refused(&world, "malformed_head") + refused(&world, "too_many_streams");
    assert!((200..1000).contains(&refused), "{refused}");
}

#[tokio::test]
async fn what_the_engine_refuses_by_itself_is_counted_by_its_reason() {
    let mut plan = plan(vec![backend("aws", 1, silent().await)]);
    plan.edit = |listener| listener.limits.streams_per_connection = 2;
    let world = plan.start();
    let mut client = Frames::connect(world.address, &frame(SETTINGS, 0, 0, &[])).await;
    for stream in [1, 3, 5] {
        client.say(&get(stream)).await;
    }
    let reset = client.next_of(RST_STREAM).await.unwrap();
    assert_eq!((reset.stream, reset.code()), (5, 7));
    until("it is counted", || refused(&world, "too_many_streams") == 1).await;
    let mut long = GET.to_vec();
    for _ in 0..3 {
        // A field of 8000 bytes, not indexed.
        long.extend(b"\x00\x01x\x7f\xc1\x3d");
        long.extend([b'y'; 8000]);
    }
    let mut client = Frames::connect(world.address, &frame(SETTINGS, 0, 0, &[])).await;
    let (first, rest) = long.split_at(16_000);
    client.say(&frame(HEADERS, END_STREAM, 1, first)).await;
    client.say(&frame(CONTINUATION, END_HEADERS, 1, rest)).await;
    assert_eq!(client.next_of(HEADERS).await.unwrap().stream, 1);
    until("it is counted", || refused(&world, "head_too_long") == 1).await;
}

/// Accepts, and never says anything.
async fn silent() -> std::net::SocketAddr {
    accepting(|mut stream| async move {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).await.unwrap_or(0) > 0 {}
    })
    .await
}

#[tokio::test]
async fn a_connection_that_has_made_its_requests_is_asked_to_go_and_ended_where_it_goes_on() {
    let mut plan = plan(vec![backend("aws", 1, named("aws").await)]);
    plan.edit = |listener| {
        listener.limits.requests_per_connection = 5;
        listener.limits.streams_per_connection = 10;
    };
    let world = plan.start();
    let mut client = Frames::connect(world.address, &frame(SETTINGS, 0, 0, &[])).await;
    for n in 0..5 {
        client.say(&get(2 * n + 1)).await;
    }
    let (mut answered, mut goaway) = (0, None);
    while answered < 5 || goaway.is_none() {
        let frame = client.next().await.unwrap();
        answered += u32::from(frame.kind == DATA && frame.flags & END_STREAM != 0);
        if frame.kind == GOAWAY {
            goaway = Some(frame.code());
        }
    }
    assert_eq!(goaway, Some(0));
    // A client that does not hear it, nor answers the PING that comes with it.
    let mut more = 0;
    loop {
        client.say(&get(2 * (more + 5) + 1)).await;
        match client.next_of(DATA).await {
            Some(_) => more += 1,
            None => break,
        }
    }
    assert!(more <= 21, "{more}");
    until("it is counted", || ended(&world, "requests") == 1).await;
}

#[tokio::test]
async fn the_last_request_of_an_http1_connection_is_answered_and_closes_it() {
    let mut plan = plan(vec![backend("aws", 1, named("aws").await)]);
    plan.edit = |listener| listener.limits.requests_per_connection = 2;
    let world = plan.start();
    let mut raw = Raw::connect(world.address).await;
    raw.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let first = raw.hear("aws").await.to_ascii_lowercase();
    assert!(!first.contains("connection: close"), "{first}");
    raw.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let last = raw.hear_all().await.to_ascii_lowercase();
    assert!(
        last.contains("connection: close") && last.ends_with("aws"),
        "{last}"
    );
}

#[tokio::test]
async fn an_endpoint_that_floods_is_left_and_its_requests_fail_alone() {
    let pings = Arc::new(frame(PING, 0, 0, &[1; 8]).repeat(3000));
    let address = accepting(move |mut stream| {
        let pings = Arc::clone(&pings);
        async move {
            let mut preface = [0; PREFACE.len()];
            stream.read_exact(&mut preface).await.unwrap();
            // The edge may close in the middle of it.
            drop(stream.write_all(&frame(SETTINGS, 0, 0, &[])).await);
            drop(stream.write_all(&pings).await);
            let mut rest = Vec::new();
            drop(stream.read_to_end(&mut rest).await);
        }
    })
    .await;
    let h2c = Backend {
        scheme: Scheme::H2c,
        ..backend("aws", 1, address)
    };
    let world = plan(vec![h2c]).start();
    assert_eq!(ask(world.address, "/").await.0, 502);
    let labels = [("backend", "aws"), ("reason", "control_frames")];
    let counted = || {
        world
            .registry
            .counter("bascule_upstream_connections_ended_total", &labels)
    };
    until("it is counted", || counted() >= 1).await;
}
