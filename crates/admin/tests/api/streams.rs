//! Events as they happen, what was missed, and the end of a stream.

use bascule_telemetry::events::Event;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::client::{Site, To, until, with_site};
use crate::world::service;

/// Reads frames until one has this text; gives back all that was read.
async fn read_until(body: &mut Incoming, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        let frame = body.frame().await.unwrap().unwrap();
        read.push_str(&String::from_utf8_lossy(frame.data_ref().unwrap()));
    }
    read
}

async fn stream(site: &Site, path: &str, last: Option<u64>) -> Incoming {
    let mut request = http::Request::get(path);
    if let Some(last) = last {
        request = request.header("last-event-id", last.to_string());
    }
    let answer = site.open_answer(To::Tcp, request, "").await;
    assert_eq!(answer.status().as_u16(), 200);
    answer.into_body()
}

fn publish(site: &Site, kind: &'static str, text: &str) -> u64 {
    site.world
        .bus
        .publish(Event::new(kind, text).service(&service("meet")))
}

#[test]
fn a_client_that_comes_back_gets_what_it_missed_and_then_what_follows() {
    with_site(async |site| {
        let first = publish(&site, "shift", "one");
        publish(&site, "shift", "two");
        let mut body = stream(&site, "/v1/events", Some(first)).await;
        let read = read_until(&mut body, "two").await;
        assert!(!read.contains("one") && !read.contains("gap"), "{read}");
        assert!(read.contains(&format!("id: {}", first + 1)), "{read}");
        publish(&site, "shift", "three");
        let read = read_until(&mut body, "three").await;
        assert!(!read.contains("two"), "{read}");
    });
}

#[test]
fn what_is_gone_is_said_to_be_gone() {
    with_site(async |site| {
        publish(&site, "shift", "one");
        let mut body = stream(&site, "/v1/events?since=7", None).await;
        let read = read_until(&mut body, "one").await;
        assert!(
            read.contains("event: gap") && read.contains("\"after\":7"),
            "{read}"
        );
    });
}

#[test]
fn a_stream_is_filtered_by_service_and_kind_and_begins_where_it_is_asked_to() {
    with_site(async |site| {
        for text in ["one", "two", "three"] {
            publish(&site, "shift", text);
        }
        site.world.bus.publish(Event::new("shift", "of nobody"));
        publish(&site, "health_changed", "other kind");
        publish(&site, "shift", "finis");
        let path = "/v1/events?last=3&service=meet&kind=shift";
        let read = read_until(&mut stream(&site, path, None).await, "finis").await;
        assert!(read.contains("two") && read.contains("three"), "{read}");
        assert!(!read.contains("one") && !read.contains("nobody") && !read.contains("other"));
    });
}

#[test]
fn streams_are_limited_and_their_places_come_back() {
    with_site(async |site| {
        let mut open = Vec::new();
        for _ in 0..64 {
            open.push(stream(&site, "/v1/events", None).await);
        }
        let answer = site.get(To::Tcp, "/v1/events").await;
        assert_eq!(answer.refusal(), (503, "E0626".to_owned()));
        assert_eq!(answer.header("retry-after"), "1");
        drop(open);
        until(async || {
            // The place is free when the server has seen that the client is gone.
            publish(&site, "shift", "wake");
            let request = http::Request::get("/v1/events");
            site.open_answer(To::Tcp, request, "")
                .await
                .status()
                .as_u16()
                == 200
        })
        .await;
    });
}

#[test]
fn a_stop_ends_streams_and_removes_the_socket() {
    with_site(async |site| {
        let mut body = stream(&site, "/v1/events", None).await;
        assert!(site.socket.exists());
        let socket = site.socket.clone();
        site.server.stop(std::time::Duration::from_secs(30)).await;
        assert!(body.frame().await.is_none_or(|frame| frame.is_err()));
        assert!(!socket.exists());
    });
}
