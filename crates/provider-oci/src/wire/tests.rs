//! Exchanges over real sockets: connections that are kept and that end, answers that are too large, hosts that are not who
//! they should be.

use std::sync::Arc;

use bascule_testkit::Origin;
use bascule_testkit::certificate::{Signed, signed};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::*;

fn wire(roots: &Roots) -> Wire {
    Wire::new(roots, Duration::from_secs(30)).unwrap()
}

fn get(path: &str) -> Request<Full<Bytes>> {
    let request = Request::get(path).header("host", "localhost");
    request.body(Full::default()).unwrap()
}

/// Origins are started outside a runtime.
fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

#[test]
fn a_connection_is_kept_and_one_that_ended_meanwhile_is_made_anew() {
    let mut origin = Origin::start("oci").unwrap();
    let (runtime, wire) = (runtime(), wire(&Roots::Web));
    let kept = || {
        wire.idle
            .lock()
            .unwrap()
            .values()
            .map(Vec::len)
            .sum::<usize>()
    };
    let ask = |origin: &Origin, path| {
        let answer = runtime.block_on(wire.exchange(&origin.url(), get(path)));
        answer.unwrap().body.len()
    };
    for _ in 0..3 {
        assert_eq!((ask(&origin, "/bytes/1000"), kept()), (1000, 1));
    }
    origin.die();
    origin.revive().unwrap();
    assert_eq!((ask(&origin, "/bytes/7"), kept()), (7, 1));
}

#[test]
fn an_answer_that_is_too_large_is_refused() {
    let origin = Origin::start("oci").unwrap();
    let path = format!("/bytes/{}", ANSWER_MAX + 1);
    let wire = wire(&Roots::Web);
    let answer = runtime().block_on(wire.exchange(&origin.url(), get(&path)));
    assert!(matches!(answer, Err(WireError::TooLarge)));
}

#[tokio::test]
async fn what_is_no_address_of_a_host_is_said() {
    for base in ["", "localhost", "ftp://localhost", "https://"] {
        let answer = wire(&Roots::Web).exchange(base, get("/")).await;
        assert!(matches!(answer, Err(WireError::Address(_))), "{base}");
    }
}

/// Answers one request over TLS; says where.
async fn tls(certificate: &Signed) -> String {
    let chain = CertificateDer::pem_slice_iter(certificate.cert_pem.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes()).unwrap();
    let provider = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider();
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn::send("test_tls", async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that does not trust ends the handshake.
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else {
            return;
        };
        let mut head = [0; 1024];
        let _read = stream.read(&mut head).await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(answer).await.unwrap();
        stream.flush().await.unwrap();
        // Until the client ends it.
        let _end = stream.read(&mut head).await;
    })
    .detach();
    format!("https://localhost:{port}")
}

#[tokio::test]
async fn a_host_is_trusted_by_the_own_authority_and_by_no_other() {
    let certificate = signed(&["localhost"]).unwrap();
    let own = |certificate: &Signed| Roots::Own {
        file: "ca.pem".to_owned(),
        pem: certificate.ca_pem.as_bytes().into(),
    };
    let answer = wire(&own(&certificate))
        .exchange(&tls(&certificate).await, get("/"))
        .await;
    assert_eq!(answer.unwrap().body, "ok");
    let wrong_name = signed(&["other.example"]).unwrap();
    let other = signed(&["localhost"]).unwrap();
    for (roots, certificate) in [
        (Roots::Web, &certificate),
        (own(&other), &certificate),
        (own(&wrong_name), &wrong_name),
    ] {
        let answer = wire(&roots)
            .exchange(&tls(certificate).await, get("/"))
            .await;
        assert!(matches!(answer, Err(WireError::Certificate { .. })));
    }
}
