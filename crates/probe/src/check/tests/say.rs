//! Checks that say something over bare TCP, and read what comes back.

use super::*;

fn saying(send: Option<&str>, expect: Option<&str>, timeout: Duration) -> CheckPolicy {
    CheckPolicy {
        kind: CheckKind::Tcp {
            send: send.map(str::to_owned),
            expect: expect.map(str::to_owned),
        },
        ..tcp(timeout)
    }
}

/// A server that answers one line with another, and stays.
async fn parrot(asked: &'static str, answer: &'static str) -> SocketAddr {
    listen(move |mut stream| async move {
        let mut line = vec![0; asked.len()];
        if stream.read_exact(&mut line).await.is_ok() && line == asked.as_bytes() {
            drop(stream.write_all(answer.as_bytes()).await);
        }
        std::future::pending().await
    })
    .await
}

#[tokio::test]
async fn an_answer_with_the_text_passes_while_the_connection_stays_open() {
    let address = parrot("PING\r\n", "+PONG\r\n").await;
    let policy = saying(Some("PING\r\n"), Some("+PONG"), LONG);
    let result = result_of(Scheme::Http, address, &policy).await;
    assert_eq!(result, CheckResult::Passed);
}

#[tokio::test]
async fn a_greeting_is_waited_for_without_saying_anything() {
    let address = listen(|mut stream| async move {
        for piece in ["220 ma", "il read", "y\r\n"] {
            drop(stream.write_all(piece.as_bytes()).await);
            tokio::task::yield_now().await;
        }
        std::future::pending().await
    })
    .await;
    let result = result_of(
        Scheme::Http,
        address,
        &saying(None, Some("mail ready"), LONG),
    )
    .await;
    assert_eq!(result, CheckResult::Passed);
}

#[tokio::test]
async fn another_answer_fails_by_how_it_ends() {
    let closing = answering_at_once("-ERR\r\n").await;
    let policy = saying(None, Some("+PONG"), LONG);
    assert_eq!(
        result_of(Scheme::Http, closing, &policy).await,
        failed(Text)
    );

    let staying = parrot("PING\r\n", "-ERR\r\n").await;
    let policy = saying(Some("PING\r\n"), Some("+PONG"), SHORT);
    assert_eq!(
        result_of(Scheme::Http, staying, &policy).await,
        failed(Timeout)
    );

    let streaming =
        listen(
            |mut stream| async move { while stream.write_all(b"lorem ipsum ").await.is_ok() {} },
        )
        .await;
    let policy = saying(None, Some("+PONG"), LONG);
    assert_eq!(
        result_of(Scheme::Http, streaming, &policy).await,
        failed(TooLong)
    );
}

#[tokio::test]
async fn what_is_said_without_a_text_to_expect_needs_no_answer() {
    let address = listen(hold).await;
    let result = result_of(Scheme::Http, address, &saying(Some("hello"), None, LONG)).await;
    assert_eq!(result, CheckResult::Passed);
}

/// Says this at once and closes.
async fn answering_at_once(text: &'static str) -> SocketAddr {
    listen(move |mut stream| async move {
        drop(stream.write_all(text.as_bytes()).await);
        drop(stream.shutdown().await);
        drop(stream.read_to_end(&mut Vec::new()).await);
    })
    .await
}
