//! Checks against real sockets on loopback: every way an endpoint can be ill, and well. A check that must not time out
//! gets so long that only a hang can; one that must gets little.

mod grpc;
mod say;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use bascule_health::CheckFailure::{Connect, Protocol, Status, Text, Timeout, Tls, TooLong};
use bascule_health::StatusRange;
use bascule_telemetry::spawn;
use http::header::HOST;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use super::*;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(60);
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Listens, and does this with each connection.
async fn listen<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accept = async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            spawn::send("connection", serve(stream)).detach();
        }
    };
    spawn::send("listener", accept).detach();
    address
}

/// Reads a request's head.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// An endpoint that answers every request with this text and closes. It reads what else comes, as a close with unread
/// input would be a reset.
async fn answering(text: &'static str) -> SocketAddr {
    listen(move |mut stream| async move {
        read_head(&mut stream).await;
        drop(stream.write_all(text.as_bytes()).await);
        drop(stream.shutdown().await);
        drop(stream.read_to_end(&mut Vec::new()).await);
    })
    .await
}

/// An endpoint that starts its answer with this text and then says `more` for ever.
async fn endless(start: &'static str, more: &'static str) -> SocketAddr {
    listen(move |mut stream| async move {
        read_head(&mut stream).await;
        drop(stream.write_all(start.as_bytes()).await);
        while stream.write_all(more.as_bytes()).await.is_ok() {}
    })
    .await
}

/// An endpoint that starts its answer with this text and then says nothing more.
async fn silent_after(start: &'static str) -> SocketAddr {
    listen(move |mut stream| async move {
        read_head(&mut stream).await;
        drop(stream.write_all(start.as_bytes()).await);
        std::future::pending().await
    })
    .await
}

/// Keeps a connection open and says nothing.
async fn hold(stream: TcpStream) {
    std::future::pending::<()>().await;
    drop(stream);
}

fn id(scheme: Scheme, address: SocketAddr) -> EndpointId {
    EndpointId {
        service: "meet".parse().unwrap(),
        backend: "aws".parse().unwrap(),
        scheme,
        host: None,
        address,
    }
}

fn tcp(timeout: Duration) -> CheckPolicy {
    CheckPolicy {
        timeout,
        ..CheckPolicy::default()
    }
}

fn http(timeout: Duration) -> CheckPolicy {
    let kind = CheckKind::Http {
        path: "/healthz?full".to_owned(),
        host: None,
        expect: vec![StatusRange {
            first: 200,
            last: 200,
        }],
        text: None,
    };
    CheckPolicy {
        kind,
        ..tcp(timeout)
    }
}

async fn result_of(scheme: Scheme, address: SocketAddr, policy: &CheckPolicy) -> CheckResult {
    check(&id(scheme, address), policy, None).await
}

const fn failed(failure: CheckFailure) -> CheckResult {
    CheckResult::Failed(failure)
}

/// A port that nobody listens on, and that nobody else can take while the socket is held.
fn refusing() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn an_endpoint_that_answers_as_expected_passes() {
    let address = answering(OK).await;
    for policy in [tcp(LONG), http(LONG)] {
        let result = result_of(Scheme::Http, address, &policy).await;
        assert_eq!(result, CheckResult::Passed);
    }
}

#[tokio::test]
async fn a_refused_connection_is_named_connect() {
    let (_socket, address) = refusing();
    for scheme in [Scheme::Http, Scheme::H2c, Scheme::Https] {
        for policy in [tcp(LONG), http(LONG)] {
            let result = result_of(scheme, address, &policy).await;
            assert_eq!(result, failed(Connect), "{scheme:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_reset_before_the_answer_is_named_connect() {
    let address = listen(|mut stream| async move {
        read_head(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let result = result_of(Scheme::Http, address, &http(LONG)).await;
    assert_eq!(result, failed(Connect));
}

#[tokio::test]
async fn a_black_hole_times_out_but_accepts_connections() {
    let address = silent_after("").await;
    for scheme in [Scheme::Http, Scheme::H2c] {
        let result = result_of(scheme, address, &http(SHORT)).await;
        assert_eq!(result, failed(Timeout), "{scheme:?}");
        assert_eq!(
            result_of(scheme, address, &tcp(LONG)).await,
            CheckResult::Passed
        );
    }
    let tls = tls::client(&tls::certificate("localhost"), &[]);
    let result = check(&id(Scheme::Https, address), &tcp(SHORT), Some(&tls)).await;
    assert_eq!(
        result,
        failed(Timeout),
        "a handshake that is never answered"
    );
}

#[tokio::test]
async fn another_status_fails_and_is_named() {
    for (text, status) in [
        (
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            503,
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n",
            302,
        ),
        ("HTTP/1.0 204 No Content\r\n\r\n", 204),
    ] {
        let address = answering(text).await;
        let result = result_of(Scheme::Http, address, &http(LONG)).await;
        assert_eq!(result, failed(Status { status }));
    }
}

#[tokio::test]
async fn the_statuses_of_the_policy_pass() {
    let address = answering("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    let mut policy = http(LONG);
    if let CheckKind::Http { expect, .. } = &mut policy.kind {
        expect.push(StatusRange {
            first: 400,
            last: 404,
        });
    }
    let result = result_of(Scheme::Http, address, &policy).await;
    assert_eq!(result, CheckResult::Passed);
}

#[tokio::test]
async fn interim_answers_are_skipped() {
    let address = answering(
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    let result = result_of(Scheme::Http, address, &http(LONG)).await;
    assert_eq!(result, CheckResult::Passed);
}

#[tokio::test]
async fn a_body_without_end_is_too_long_whatever_the_status() {
    for start in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        let address = endless(start, "c\r\nlorem ipsum \r\n").await;
        let result = result_of(Scheme::Http, address, &http(LONG)).await;
        assert_eq!(result, failed(TooLong));
    }
}

#[tokio::test]
async fn interim_answers_without_end_are_a_time_out() {
    let address = endless("", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n").await;
    let result = result_of(Scheme::Http, address, &http(SHORT)).await;
    assert_eq!(result, failed(Timeout));
}

#[tokio::test]
async fn a_redirect_is_named_and_not_followed() {
    let address = answering(
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    let result = result_of(Scheme::Http, address, &http(LONG)).await;
    assert_eq!(result, failed(Status { status: 302 }));
}

#[tokio::test]
async fn a_text_must_be_in_the_body_and_not_only_in_the_head() {
    let mut policy = http(LONG);
    if let CheckKind::Http { text, .. } = &mut policy.kind {
        *text = Some("ready".to_owned());
    }
    for (answer, expected) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nis ready .",
            CheckResult::Passed,
        ),
        (
            "HTTP/1.1 200 OK\r\nx: ready\r\ncontent-length: 4\r\n\r\nrea.",
            failed(Text),
        ),
        (
            "HTTP/1.1 503 No\r\ncontent-length: 5\r\n\r\nready",
            failed(Status { status: 503 }),
        ),
    ] {
        let address = answering(answer).await;
        let result = result_of(Scheme::Http, address, &policy).await;
        assert_eq!(result, expected, "{answer}");
    }
}

#[tokio::test]
async fn the_port_of_the_policy_is_checked() {
    let (_held, refused) = refusing();
    let address = answering(OK).await;
    let elsewhere = CheckPolicy {
        port: Some(address.port()),
        ..http(LONG)
    };
    let result = result_of(Scheme::Http, refused, &elsewhere).await;
    assert_eq!(result, CheckResult::Passed);
}

#[tokio::test]
async fn a_body_that_neither_ends_nor_grows_times_out() {
    let address = silent_after("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let result = result_of(Scheme::Http, address, &http(SHORT)).await;
    assert_eq!(result, failed(Timeout));
}

#[tokio::test]
async fn a_head_without_end_is_not_http() {
    for (start, more) in [
        ("HTTP/1.1 200 OK\r\n", "x-more: and more\r\n"),
        ("HTTP/1.1 200 OK\r\nx-long: ", "aaaaaaaaaaaaaaaaaaaaaaaaa"),
    ] {
        let address = endless(start, more).await;
        let result = result_of(Scheme::Http, address, &http(LONG)).await;
        assert_eq!(result, failed(Protocol));
    }
}

#[tokio::test]
async fn garbage_and_broken_answers_are_not_http() {
    for text in [
        "",
        "\0\x01\x02\x03\x04 garbage\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n..",
    ] {
        let address = answering(text).await;
        let result = result_of(Scheme::Http, address, &http(LONG)).await;
        assert_eq!(result, failed(Protocol), "{text:?}");
    }
}

/// What an endpoint is asked, as text.
async fn request_seen(host: Option<&str>, policy_host: Option<&str>) -> (SocketAddr, String) {
    let (sender, mut heads) = tokio::sync::mpsc::channel(1);
    let address = listen(move |mut stream| {
        let sender = sender.clone();
        async move {
            let head = read_head(&mut stream).await;
            drop(stream.write_all(OK.as_bytes()).await);
            sender.send(head).await.unwrap();
        }
    })
    .await;
    let mut policy = http(LONG);
    if let CheckKind::Http { host, .. } = &mut policy.kind {
        *host = policy_host.map(str::to_owned);
    }
    let mut id = id(Scheme::Http, address);
    id.host = host.map(Arc::from);
    assert_eq!(check(&id, &policy, None).await, CheckResult::Passed);
    (address, heads.recv().await.unwrap())
}

#[tokio::test]
async fn the_request_names_path_host_and_who_asks() {
    let (address, head) = request_seen(None, None).await;
    assert!(head.starts_with("GET /healthz?full HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nhost: {address}\r\n")), "{head}");
    assert!(head.contains("\r\nuser-agent: bascule-check/"), "{head}");
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    let (address, head) = request_seen(Some("media.example.org"), None).await;
    let host = format!("\r\nhost: media.example.org:{}\r\n", address.port());
    assert!(head.contains(&host), "{head}");
    let (_, head) = request_seen(Some("media.example.org"), Some("meet.example.org")).await;
    assert!(head.contains("\r\nhost: meet.example.org\r\n"), "{head}");
}

#[test]
fn the_port_is_named_unless_it_is_the_schemes_own() {
    for (scheme, address, expected) in [
        (Scheme::Http, "10.0.0.1:80", "10.0.0.1"),
        (Scheme::Http, "10.0.0.1:443", "10.0.0.1:443"),
        (Scheme::Https, "[2001:db8::1]:443", "[2001:db8::1]"),
        (Scheme::H2c, "[2001:db8::1]:8080", "[2001:db8::1]:8080"),
    ] {
        let id = id(scheme, address.parse().unwrap());
        let place = Place::of(&id, &CheckPolicy::default());
        assert_eq!(place.own_authority(), expected);
    }
}

/// Answers every request on an HTTP/2 connection with this status and a short body.
async fn serve_http2<S: AsyncRead + AsyncWrite + Unpin>(stream: S, status: u16) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        assert!(!request.headers().contains_key(HOST));
        let answer = http::Response::builder().status(status).body(()).unwrap();
        let mut body = respond.send_response(answer, false).unwrap();
        body.send_data(bytes::Bytes::from_static(b"ok"), true)
            .unwrap();
    }
}

#[tokio::test]
async fn http2_in_clear_passes_and_names_another_status() {
    let well = listen(|stream| serve_http2(stream, 200)).await;
    let result = result_of(Scheme::H2c, well, &http(LONG)).await;
    assert_eq!(result, CheckResult::Passed);
    let ill = listen(|stream| serve_http2(stream, 500)).await;
    let result = result_of(Scheme::H2c, ill, &http(LONG)).await;
    assert_eq!(result, failed(Status { status: 500 }));
}

#[tokio::test]
async fn an_endpoint_that_does_not_speak_http2_is_named_protocol() {
    for text in ["HTTP/1.1 400 Bad Request\r\n\r\n", "", "\0\0\0\x09\x01"] {
        let address = answering(text).await;
        let result = result_of(Scheme::H2c, address, &http(LONG)).await;
        assert_eq!(result, failed(Protocol), "{text:?}");
    }
}
