//! Both sides of TLS against each other over a pipe, with certificates made here.

use std::net::Ipv4Addr;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::tls::client::{self, Alpn, ClientTls, Roots, server_name};

const BOTH: Protocols = Protocols { h1: true, h2: true };

fn material(names: &[&str]) -> CertificateMaterial {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_after = date_time_ymd(2100, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    CertificateMaterial {
        cert_file: "tls.crt".to_owned(),
        key_file: "tls.key".to_owned(),
        cert_pem: certificate.pem().into_bytes().into(),
        key_pem: key.serialize_pem().into_bytes().into(),
    }
}

fn trusting(materials: &[&CertificateMaterial]) -> ClientTls {
    let pem: Vec<u8> = materials.iter().flat_map(|m| m.cert_pem.to_vec()).collect();
    let file = "ca.pem".to_owned();
    let pem = pem.into();
    ClientTls::new(&Roots::Own { file, pem }).unwrap()
}

type Pair = (
    TlsStream<DuplexStream>,
    tokio_rustls::client::TlsStream<DuplexStream>,
);

async fn handshake(
    server: &ServerTls,
    client: &ClientTls,
    name: ServerName<'static>,
    alpn: Alpn,
) -> io::Result<Pair> {
    let (one, two) = duplex(1 << 16);
    let (served, connected) = tokio::join!(server.accept(one), client.connect(two, name, alpn));
    let connected = connected?;
    Ok((served?, connected))
}

fn host(name: &str) -> ServerName<'static> {
    server_name(Some(name), Ipv4Addr::LOCALHOST.into()).unwrap()
}

/// The certificate a client is shown for a name.
async fn shown(server: &ServerTls, client: &ClientTls, name: &str) -> Vec<u8> {
    let (_, connected) = handshake(server, client, host(name), Alpn::Both)
        .await
        .unwrap();
    let certificates = connected.get_ref().1.peer_certificates().unwrap();
    certificates[0].to_vec()
}

fn der(material: &CertificateMaterial) -> Vec<u8> {
    CertificateDer::from_pem_slice(&material.cert_pem)
        .unwrap()
        .to_vec()
}

#[tokio::test]
async fn the_certificate_is_chosen_by_name_and_wildcard() {
    let (one, two) = (material(&["a.test"]), material(&["*.b.test", "B.Test"]));
    let client = trusting(&[&one, &two]);
    let server = ServerTls::new(&[one.clone(), two.clone()], BOTH).unwrap();
    assert_eq!(shown(&server, &client, "a.test").await, der(&one));
    assert_eq!(shown(&server, &client, "A.TEST").await, der(&one));
    assert_eq!(shown(&server, &client, "x.b.test").await, der(&two));
    assert_eq!(shown(&server, &client, "b.test").await, der(&two));
}

#[tokio::test]
async fn a_name_that_no_certificate_has_gets_the_first_and_fails_verification() {
    let (one, two) = (material(&["a.test"]), material(&["*.b.test"]));
    let client = trusting(&[&one, &two]);
    let server = ServerTls::new(&[one, two], BOTH).unwrap();
    for name in ["c.test", "x.y.b.test"] {
        let error = handshake(&server, &client, host(name), Alpn::Both)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("not valid for name"), "{error}");
    }
}

#[tokio::test]
async fn an_address_is_verified_as_an_address() {
    let one = material(&["127.0.0.1"]);
    let client = trusting(&[&one]);
    let server = ServerTls::new(&[one], BOTH).unwrap();
    let name = server_name(None, Ipv4Addr::LOCALHOST.into()).unwrap();
    handshake(&server, &client, name, Alpn::Both).await.unwrap();
    let other = server_name(None, Ipv4Addr::new(127, 0, 0, 2).into()).unwrap();
    handshake(&server, &client, other, Alpn::Both)
        .await
        .unwrap_err();
}

#[tokio::test]
async fn an_endpoint_whose_root_is_not_trusted_is_refused() {
    let one = material(&["a.test"]);
    let server = ServerTls::new(std::slice::from_ref(&one), BOTH).unwrap();
    for client in [
        ClientTls::new(&Roots::Web).unwrap(),
        trusting(&[&material(&["a.test"])]),
    ] {
        handshake(&server, &client, host("a.test"), Alpn::Both)
            .await
            .unwrap_err();
    }
}

#[tokio::test]
async fn alpn_chooses_what_both_sides_have() {
    let one = material(&["a.test"]);
    let client = trusting(&[&one]);
    let version = async |protocols, alpn| {
        let server = ServerTls::new(std::slice::from_ref(&one), protocols).unwrap();
        let (served, connected) = handshake(&server, &client, host("a.test"), alpn)
            .await
            .unwrap();
        assert_eq!(http_version(&served), client::http_version(&connected));
        http_version(&served)
    };
    let only_h1 = Protocols {
        h1: true,
        h2: false,
    };
    assert_eq!(version(BOTH, Alpn::Both).await, Http::Two);
    assert_eq!(version(BOTH, Alpn::Http1).await, Http::One);
    assert_eq!(version(only_h1, Alpn::Both).await, Http::One);
}

#[tokio::test]
async fn a_session_resumes_also_at_another_listener_of_the_process() {
    let one = material(&["a.test"]);
    let client = trusting(&[&one]);
    let server = || ServerTls::new(std::slice::from_ref(&one), BOTH).unwrap();
    let (mut served, mut connected) = handshake(&server(), &client, host("a.test"), Alpn::Both)
        .await
        .unwrap();
    assert_eq!(handshake_result(&served), "full");
    // The ticket comes with the first bytes the client reads.
    served.write_all(b"x").await.unwrap();
    connected.read_exact(&mut [0]).await.unwrap();
    let (served, _) = handshake(&server(), &client, host("a.test"), Alpn::Both)
        .await
        .unwrap();
    assert_eq!(handshake_result(&served), "resumed");
}

#[tokio::test]
async fn certificates_are_replaced_by_content_while_connections_run() {
    let (old, new) = (material(&["a.test"]), material(&["a.test"]));
    let server = ServerTls::new(std::slice::from_ref(&old), BOTH).unwrap();
    let (mut served, mut connected) =
        handshake(&server, &trusting(&[&old]), host("a.test"), Alpn::Both)
            .await
            .unwrap();
    let renamed = CertificateMaterial {
        cert_file: "elsewhere".to_owned(),
        ..old.clone()
    };
    assert_eq!(server.replace(&[renamed], BOTH), Ok(false));
    assert_eq!(server.replace(std::slice::from_ref(&new), BOTH), Ok(true));
    assert_eq!(
        shown(&server, &trusting(&[&new]), "a.test").await,
        der(&new)
    );
    served.write_all(b"still here").await.unwrap();
    let mut buffer = [0; 10];
    connected.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"still here");
}

#[tokio::test]
async fn protocols_are_replaced_too() {
    let one = material(&["a.test"]);
    let server = ServerTls::new(std::slice::from_ref(&one), BOTH).unwrap();
    let only_h1 = Protocols {
        h1: true,
        h2: false,
    };
    assert_eq!(
        server.replace(std::slice::from_ref(&one), only_h1),
        Ok(true)
    );
    let (served, _) = handshake(&server, &trusting(&[&one]), host("a.test"), Alpn::Both)
        .await
        .unwrap();
    assert_eq!(http_version(&served), Http::One);
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken_and_resumed() {
    let one = material(&["a.test"]);
    let server = ServerTls::new(std::slice::from_ref(&one), BOTH).unwrap();
    let roots = Arc::new(rustls::RootCertStore {
        roots: vec![webpki_anchor(&one)],
    });
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = rustls::ClientConfig::builder_with_provider(Arc::clone(provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(Arc::clone(&roots))
            .with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        for expected in ["full", "resumed"] {
            let (near, far) = duplex(1 << 16);
            let (served, connected) =
                tokio::join!(server.accept(far), connector.connect(host("a.test"), near));
            let (mut served, mut connected) = (served.unwrap(), connected.unwrap());
            assert_eq!(
                connected.get_ref().1.protocol_version(),
                Some(version.version)
            );
            assert_eq!(handshake_result(&served), expected);
            served.write_all(b"x").await.unwrap();
            connected.read_exact(&mut [0]).await.unwrap();
        }
    }
}

fn webpki_anchor(material: &CertificateMaterial) -> rustls_pki_types::TrustAnchor<'static> {
    let mut store = rustls::RootCertStore::empty();
    store.add(der(material).into()).unwrap();
    store.roots.remove(0)
}

#[test]
fn of_two_kinds_of_key_the_client_gets_the_one_it_can_verify() {
    let ecdsa = material(&["a.test"]);
    let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    let rsa = CertificateMaterial {
        cert_pem: params.self_signed(&key).unwrap().pem().into_bytes().into(),
        key_pem: key.serialize_pem().into_bytes().into(),
        ..ecdsa.clone()
    };
    let certificates = Certificates::build(&[ecdsa.clone(), rsa.clone()]).unwrap();
    let found = |scheme| certificates.find(Some("a.test"), &[scheme]).cert[0].to_vec();
    assert_eq!(found(SignatureScheme::ECDSA_NISTP256_SHA256), der(&ecdsa));
    assert_eq!(found(SignatureScheme::RSA_PSS_SHA256), der(&rsa));
}

#[tokio::test]
async fn over_real_sockets_from_accepting_to_the_first_byte() {
    let one = material(&["127.0.0.1"]);
    let server = ServerTls::new(std::slice::from_ref(&one), BOTH).unwrap();
    let client = trusting(&[&one]);
    let loopback = crate::listen::ListenAddress {
        ip: Some(Ipv4Addr::LOCALHOST.into()),
        port: 0,
    };
    let mut bound = crate::listen::bind(loopback, 1).unwrap();
    let name = bascule_model::ListenerName::parse("web").unwrap();
    let connections = crate::tcp::Connections::new(10);
    let mut acceptor =
        crate::tcp::Acceptor::new(bound.sockets.remove(0), &name, &connections).unwrap();
    let serve = async {
        let accepted = acceptor.accept().await;
        let mut stream = server.accept(accepted.stream).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
    };
    let ask = async {
        let long = std::time::Duration::from_secs(60);
        let stream = crate::tcp::connect(bound.address, long).await.unwrap();
        let name = server_name(None, bound.address.ip()).unwrap();
        let mut stream = client.connect(stream, name, Alpn::Both).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    assert_eq!(tokio::join!(serve, ask).1, "hello");
}

#[tokio::test]
async fn a_bad_replacement_changes_nothing() {
    let old = material(&["a.test"]);
    let server = ServerTls::new(std::slice::from_ref(&old), BOTH).unwrap();
    let mixed = CertificateMaterial {
        key_pem: material(&["b.test"]).key_pem,
        ..old.clone()
    };
    assert!(server.replace(&[mixed], BOTH).is_err());
    assert_eq!(
        shown(&server, &trusting(&[&old]), "a.test").await,
        der(&old)
    );
}

#[test]
fn everything_wrong_is_told_at_once_and_by_file() {
    let good = material(&["a.test"]);
    let with = |cert: &[u8], key: &[u8]| CertificateMaterial {
        cert_pem: cert.into(),
        key_pem: key.into(),
        ..good.clone()
    };
    let other = material(&["a.test"]);
    let errors = ServerTls::check(&[
        with(b"nothing", &good.key_pem),
        with(&good.cert_pem, b"nothing"),
        with(&good.cert_pem, &other.key_pem),
        with(
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &good.key_pem,
        ),
    ])
    .unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 4);
    assert_eq!(texts[0], "tls.crt: holds no certificate");
    assert!(
        texts[1].starts_with("tls.key: holds no private key"),
        "{}",
        texts[1]
    );
    assert_eq!(
        texts[2],
        "the key in tls.key does not belong to the certificate in tls.crt"
    );
    assert!(
        texts[3].starts_with("tls.crt: not a certificate"),
        "{}",
        texts[3]
    );
    assert_eq!(ServerTls::check(&[]), Err(vec![TlsError::NoCertificates]));
}

#[test]
fn the_end_of_each_certificate_is_known() {
    let expiries = ServerTls::check(&[material(&["b.test", "a.test"])]).unwrap();
    let at = Timestamp::from_millis(4_102_444_800_000);
    let name = "b.test".to_owned();
    assert_eq!(expiries, [Expiry { name, at }]);
}
