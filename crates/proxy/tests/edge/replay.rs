//! Bodies that are kept and sent again: what an early answer means for one that is still being sent, and what small pieces
//! cost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use crate::again::{answering, mostly, send};
use crate::client::{http1, text};
use crate::origin::{Speaks, accepting, full, origin};
use crate::world::plan;

/// More than sockets hold between two processes.
const LENGTH: usize = 12 << 20;

/// Answers with half a text before it has read any of the body, and with the other half once that is all there.
async fn early(gone: watch::Receiver<bool>) -> SocketAddr {
    accepting(move |mut stream| {
        let mut gone = gone.clone();
        async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nearly";
            stream.write_all(begun).await.unwrap();
            gone.wait_for(|gone| *gone).await.unwrap();
            let mut body = vec![0; LENGTH];
            stream.read_exact(&mut body).await.unwrap();
            stream.write_all(b"late").await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn an_answer_that_comes_before_a_repeated_body_is_sent_does_not_end_with_it() {
    let asked = Arc::default();
    let (go, gone) = watch::channel(false);
    let failing = answering(503, 20, &asked).await;
    let mut plan = plan(mostly(failing, early(gone).await));
    plan.retry.replay_body = u64::try_from(LENGTH).unwrap();
    let world = plan.start();
    let response = send(&world, Method::PUT, vec![b'x'; LENGTH]).await;
    assert_eq!(response.status(), 200);
    go.send_replace(true);
    assert_eq!(text(response).await, "earlylate");
}

#[tokio::test]
async fn a_body_in_many_small_pieces_is_sent_again_whole() {
    const PIECES: usize = 20_000;
    let asked = Arc::default();
    let failing = answering(503, 20, &asked).await;
    let counted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&counted);
    let counting = origin(Speaks::Http1, move |request| {
        let count = Arc::clone(&count);
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            count.store(body.len(), Ordering::SeqCst);
            http::Response::new(full("counted"))
        }
    })
    .await;
    let world = plan(mostly(failing, counting)).start();
    let piece = |_| Ok::<_, std::io::Error>(hyper::body::Frame::data(Bytes::from_static(b"y")));
    let stream = futures_util::stream::iter((0..PIECES).map(piece));
    let body = http_body_util::StreamBody::new(stream);
    let body = body.map_err(|error| error.into()).boxed();
    let request = Request::put("/").header("host", "a").body(body).unwrap();
    let mut sender = http1(world.address).await;
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(text(response).await, "counted");
    assert_eq!(counted.load(Ordering::SeqCst), PIECES);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
