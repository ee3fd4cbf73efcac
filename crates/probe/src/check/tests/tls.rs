//! Checks of `https` endpoints.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::*;

pub(super) fn certificate(name: &str) -> CertifiedKey<rcgen::KeyPair> {
    generate_simple_self_signed(vec![name.to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Trusts this certificate alone.
pub(super) fn client(trusted: &CertifiedKey<rcgen::KeyPair>, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

pub(super) fn acceptor(shown: &CertifiedKey<rcgen::KeyPair>, alpn: &[&str]) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(shown.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![shown.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// An `https` endpoint that answers 200, over the version that ALPN chose.
async fn secure_endpoint(shown: &CertifiedKey<rcgen::KeyPair>, alpn: &[&str]) -> SocketAddr {
    let acceptor = acceptor(shown, alpn);
    listen(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                serve_http2(stream, 200).await;
            } else {
                read_head(&mut stream).await;
                drop(stream.write_all(OK.as_bytes()).await);
                drop(stream.shutdown().await);
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_trusted_endpoint_passes_over_either_version() {
    let shown = certificate("media.example.org");
    for alpn in [&["h2", "http/1.1"][..], &["h2"], &["http/1.1"], &[]] {
        let address = secure_endpoint(&shown, alpn).await;
        let tls = client(&shown, &["h2", "http/1.1"]);
        let by_address = id(Scheme::Https, address);
        let mut by_name = by_address.clone();
        by_name.host = Some(Arc::from("media.example.org"));
        for (id, policy) in [
            (&by_address, tcp(LONG)),
            (&by_address, http(LONG)),
            (&by_name, http(LONG)),
        ] {
            let result = check(id, &policy, Some(&tls)).await;
            assert_eq!(result, CheckResult::Passed, "{alpn:?} {id}");
        }
    }
}

#[tokio::test]
async fn an_untrusted_certificate_or_one_of_another_name_is_named_tls() {
    let shown = certificate("media.example.org");
    let address = secure_endpoint(&shown, &[]).await;
    let stranger = client(&certificate("media.example.org"), &[]);
    let mut id = id(Scheme::Https, address);
    for policy in [tcp(LONG), http(LONG)] {
        assert_eq!(check(&id, &policy, Some(&stranger)).await, failed(Tls));
    }
    id.host = Some(Arc::from("other.example.org"));
    let trusting = client(&shown, &[]);
    assert_eq!(check(&id, &http(LONG), Some(&trusting)).await, failed(Tls));
}

#[tokio::test]
async fn tls_to_a_plain_port_is_named_tls() {
    // Answers at once, as a plain server does when it sees no request line.
    let address = listen(|mut stream| async move {
        drop(stream.read(&mut [0; 16]).await);
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
    })
    .await;
    let tls = client(&certificate("localhost"), &[]);
    for policy in [tcp(LONG), http(LONG)] {
        let result = check(&id(Scheme::Https, address), &policy, Some(&tls)).await;
        assert_eq!(result, failed(Tls));
    }
}

#[tokio::test]
async fn plain_http_to_a_tls_port_is_not_http() {
    let address = secure_endpoint(&certificate("localhost"), &[]).await;
    let result = result_of(Scheme::Http, address, &http(LONG)).await;
    assert_eq!(result, failed(Protocol));
}

#[tokio::test]
async fn the_policy_says_whether_a_check_is_over_tls() {
    let shown = certificate("localhost");
    let tls = client(&shown, &["h2", "http/1.1"]);
    let secure = secure_endpoint(&shown, &[]).await;
    let plain = answering(OK).await;
    for (scheme, address, over) in [
        (Scheme::Http, secure, CheckTls::On),
        (Scheme::H2c, secure, CheckTls::On),
        (Scheme::Https, plain, CheckTls::Off),
    ] {
        let policy = CheckPolicy {
            tls: over,
            ..http(LONG)
        };
        let result = check(&id(scheme, address), &policy, Some(&tls)).await;
        assert_eq!(result, CheckResult::Passed, "{scheme:?}");
    }
}

async fn greet(acceptor: TlsAcceptor, stream: TcpStream) {
    if let Ok(mut stream) = acceptor.accept(stream).await {
        drop(stream.write_all(b"* OK ready\r\n").await);
        drop(stream.read_to_end(&mut Vec::new()).await);
    }
}

#[tokio::test]
async fn a_protocol_that_is_not_http_is_asked_without_the_names_of_http() {
    let shown = certificate("localhost");
    let acceptor = acceptor(&shown, &["imap"]);
    let address = listen(move |stream| greet(acceptor.clone(), stream)).await;
    let kind = CheckKind::Tcp {
        send: None,
        expect: Some("* OK".to_owned()),
    };
    let policy = CheckPolicy { kind, ..tcp(LONG) };
    let tls = client(&shown, &["h2", "http/1.1"]);
    let result = check(&id(Scheme::Https, address), &policy, Some(&tls)).await;
    assert_eq!(result, CheckResult::Passed);
}
