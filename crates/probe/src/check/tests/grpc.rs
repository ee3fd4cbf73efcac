//! Health checks of gRPC, against servers that `h2` plays.

use bascule_health::CheckFailure::{Grpc, NotServing, ServiceUnknown, ServingUnknown};
use bytes::Bytes;
use http::HeaderMap;

use super::*;

fn grpc(timeout: Duration) -> CheckPolicy {
    CheckPolicy {
        kind: CheckKind::Grpc {
            service: "meet".to_owned(),
            host: None,
        },
        ..tcp(timeout)
    }
}

/// How a server answers.
#[derive(Clone, Copy)]
struct Answer {
    status: u16,
    kind: &'static str,
    message: &'static [u8],
    /// In trailers.
    grpc_status: Option<&'static str>,
}

const SERVING: Answer = Answer {
    status: 200,
    kind: "application/grpc+proto",
    message: b"\0\0\0\0\x02\x08\x01",
    grpc_status: Some("0"),
};

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(stream: S, answer: Answer) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
        assert_eq!(request.headers()["content-type"], "application/grpc");
        assert_eq!(request.headers()["te"], "trailers");
        let head = http::Response::builder()
            .status(answer.status)
            .header("content-type", answer.kind);
        let mut body = respond
            .send_response(head.body(()).unwrap(), false)
            .unwrap();
        body.send_data(
            Bytes::from_static(answer.message),
            answer.grpc_status.is_none(),
        )
        .unwrap();
        if let Some(status) = answer.grpc_status {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", status.parse().unwrap());
            body.send_trailers(trailers).unwrap();
        }
    }
}

async fn server(how: Answer) -> SocketAddr {
    listen(move |stream| answer(stream, how)).await
}

#[tokio::test]
async fn a_service_that_serves_passes_whatever_the_scheme_of_the_traffic() {
    let address = server(SERVING).await;
    for scheme in [Scheme::H2c, Scheme::Http] {
        let result = result_of(scheme, address, &grpc(LONG)).await;
        assert_eq!(result, CheckResult::Passed);
    }
}

#[tokio::test]
async fn every_other_answer_fails_with_a_reason_of_its_own() {
    let says = |message| Answer { message, ..SERVING };
    let ends = |grpc_status| Answer {
        grpc_status,
        ..SERVING
    };
    let unavailable = Answer {
        status: 503,
        ..SERVING
    };
    let page = Answer {
        kind: "text/html",
        ..SERVING
    };
    for (how, expected) in [
        (says(b"\0\0\0\0\x02\x08\x02"), NotServing),
        (says(b"\0\0\0\0\0"), ServingUnknown),
        (says(b"\0\0\0\0\x02\x08\x03"), ServiceUnknown),
        (says(&[0; 4096]), TooLong),
        (ends(Some("5")), ServiceUnknown),
        (ends(Some("12")), Grpc { status: 12 }),
        (ends(Some("fine")), Protocol),
        (ends(None), Protocol),
        (unavailable, Status { status: 503 }),
        (page, Protocol),
    ] {
        let address = server(how).await;
        let result = result_of(Scheme::H2c, address, &grpc(LONG)).await;
        assert_eq!(result, failed(expected));
    }
}

#[tokio::test]
async fn a_server_of_http1_is_named_protocol_and_one_that_says_nothing_times_out() {
    let address = answering("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let result = result_of(Scheme::H2c, address, &grpc(LONG)).await;
    assert_eq!(result, failed(Protocol));
    let silent = listen(hold).await;
    let result = result_of(Scheme::H2c, silent, &grpc(SHORT)).await;
    assert_eq!(result, failed(Timeout));
}

async fn answer_securely(acceptor: tokio_rustls::TlsAcceptor, stream: TcpStream) {
    if let Ok(stream) = acceptor.accept(stream).await {
        answer(stream, SERVING).await;
    }
}

#[tokio::test]
async fn over_tls_it_needs_an_endpoint_that_chooses_http2() {
    let shown = tls::certificate("media.example.org");
    let tls = tls::client(&shown, &["h2", "http/1.1"]);
    for (alpn, expected) in [
        (&["h2"][..], CheckResult::Passed),
        (&["http/1.1"], failed(Protocol)),
    ] {
        let acceptor = tls::acceptor(&shown, alpn);
        let address = listen(move |stream| answer_securely(acceptor.clone(), stream)).await;
        let result = check(&id(Scheme::Https, address), &grpc(LONG), Some(&tls)).await;
        assert_eq!(result, expected);
    }
}
