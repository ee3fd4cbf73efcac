//! Both sides of TLS with all that a listener can be told.

use std::net::Ipv4Addr;

use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::preface::Http;
use crate::tls::client::{self, Alpn, ClientTls, Roots, server_name};
use crate::tls::testing::{
    BOTH, by_address, der, host, material, meet, meet_other, other_client, take_ticket, trusting,
};

/// The certificate a client is shown.
async fn shown(server: &ServerTls, trusted: &CertificateMaterial) -> Vec<u8> {
    let client = trusting(&[trusted]);
    let sides = meet(server, &client, host("a.test"), Alpn::Both).await;
    let (_, connected) = sides.both();
    connected.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn an_address_is_verified_as_an_address() {
    let one = material(&["127.0.0.1"]);
    let client = trusting(&[&one]);
    let server = ServerTls::new(&[one], BOTH).unwrap();
    meet(&server, &client, by_address(), Alpn::Both)
        .await
        .both();
    let other = server_name(None, Ipv4Addr::new(127, 0, 0, 2).into()).unwrap();
    let sides = meet(&server, &client, other, Alpn::Both).await;
    sides.connected.unwrap_err();
}

#[tokio::test]
async fn an_endpoint_whose_root_is_not_trusted_is_refused() {
    let one = material(&["a.test"]);
    let server = ServerTls::new(std::slice::from_ref(&one), BOTH).unwrap();
    for client in [
        ClientTls::new(&Roots::Web).unwrap(),
        trusting(&[&material(&["a.test"])]),
    ] {
        let sides = meet(&server, &client, host("a.test"), Alpn::Both).await;
        sides.connected.unwrap_err();
    }
}

#[tokio::test]
async fn alpn_chooses_what_both_sides_have() {
    let one = material(&["a.test"]);
    let client = trusting(&[&one]);
    let version = async |options, alpn| {
        let server = ServerTls::new(std::slice::from_ref(&one), options).unwrap();
        let sides = meet(&server, &client, host("a.test"), alpn).await;
        let (served, connected) = sides.both();
        assert_eq!(served.http(), client::http_version(&connected));
        served.http()
    };
    let only_h1 = TlsOptions::from(Protocols {
        h1: true,
        h2: false,
    });
    assert_eq!(version(BOTH, Alpn::Both).await, Http::Two);
    assert_eq!(version(BOTH, Alpn::Http1).await, Http::One);
    assert_eq!(version(only_h1, Alpn::Both).await, Http::One);
}

#[tokio::test]
async fn a_session_resumes_at_another_listener_of_the_process_and_after_a_reload() {
    let (one, renewed) = (material(&["a.test"]), material(&["a.test"]));
    let client = trusting(&[&one, &renewed]);
    let server = || ServerTls::new(std::slice::from_ref(&one), BOTH).unwrap();
    let ask = async |server: &ServerTls| {
        let sides = meet(server, &client, host("a.test"), Alpn::Both).await;
        let (mut served, mut connected) = sides.both();
        take_ticket(&mut served, &mut connected).await;
        served.result()
    };
    assert_eq!(ask(&server()).await, "full");
    let second = server();
    assert_eq!(ask(&second).await, "resumed");
    assert_eq!(second.replace(&[renewed], BOTH), Ok(true));
    assert_eq!(ask(&second).await, "resumed");
    let strict = TlsOptions {
        strict_sni: true,
        ..BOTH
    };
    assert_eq!(second.replace(std::slice::from_ref(&one), strict), Ok(true));
    assert_eq!(ask(&second).await, "resumed");
}

#[tokio::test]
async fn a_session_does_not_resume_under_another_name() {
    let one = material(&["a.test", "b.test"]);
    let server = ServerTls::new(std::slice::from_ref(&one), BOTH).unwrap();
    let client = trusting(&[&one]);
    for (name, expected) in [
        ("a.test", "full"),
        ("b.test", "full"),
        ("a.test", "resumed"),
    ] {
        let sides = meet(&server, &client, host(name), Alpn::Both).await;
        let (mut served, mut connected) = sides.both();
        take_ticket(&mut served, &mut connected).await;
        assert_eq!(served.result(), expected, "{name}");
    }
}

#[tokio::test]
async fn certificates_are_replaced_by_content_while_connections_run() {
    let (old, new) = (material(&["a.test"]), material(&["a.test"]));
    let server = ServerTls::new(std::slice::from_ref(&old), BOTH).unwrap();
    let sides = meet(&server, &trusting(&[&old]), host("a.test"), Alpn::Both).await;
    let (mut served, mut connected) = sides.both();
    let renamed = CertificateMaterial {
        cert_file: "elsewhere".to_owned(),
        ..old.clone()
    };
    assert_eq!(server.replace(&[renamed], BOTH), Ok(false));
    assert_eq!(server.replace(std::slice::from_ref(&new), BOTH), Ok(true));
    assert_eq!(shown(&server, &new).await, der(&new));
    served.stream.write_all(b"still here").await.unwrap();
    let mut buffer = [0; 10];
    connected.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"still here");
}

#[tokio::test]
async fn protocols_are_replaced_too() {
    let one = material(&["a.test"]);
    let server = ServerTls::new(std::slice::from_ref(&one), BOTH).unwrap();
    let only_h1 = TlsOptions::from(Protocols {
        h1: true,
        h2: false,
    });
    let same = std::slice::from_ref(&one);
    assert_eq!(server.replace(same, only_h1), Ok(true));
    let sides = meet(&server, &trusting(&[&one]), host("a.test"), Alpn::Both).await;
    assert_eq!(sides.both().0.http(), Http::One);
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken_and_resumed() {
    let one = material(&["a.test"]);
    let server = ServerTls::new(std::slice::from_ref(&one), BOTH).unwrap();
    for version in [&TLS12, &TLS13] {
        let client = other_client(&one, |_| {}, version);
        for expected in ["full", "resumed"] {
            let (mut served, mut connected) = meet_other(&server, &client).await.both();
            let spoken = served.stream.get_ref().1.protocol_version();
            assert_eq!(spoken, Some(version.version));
            assert_eq!(served.result(), expected);
            take_ticket(&mut served, &mut connected).await;
        }
    }
}

#[test]
fn nothing_is_kept_compressed_or_taken_early() {
    let server = ServerTls::new(&[material(&["a.test"])], BOTH).unwrap();
    let spoken = server.0.spoken.load();
    let config = &spoken.config;
    assert!(!config.session_storage.can_cache(), "tickets alone resume");
    assert!(config.ticketer.enabled());
    assert!(config.cert_compressors.is_empty() && config.cert_decompressors.is_empty());
    assert_eq!(
        (config.max_early_data_size, config.send_half_rtt_data),
        (0, false)
    );
    assert!(!config.enable_secret_extraction && !config.ignore_client_order);
    let client = ClientTls::new(&Roots::Web).unwrap();
    for config in [client.config(Alpn::Both), client.config(Alpn::Http1)] {
        assert!(config.cert_compressors.is_empty() && config.cert_decompressors.is_empty());
        assert!(config.enable_sni && !config.enable_early_data && !config.enable_secret_extraction);
        assert_eq!(config.crypto_provider().kx_groups.len(), 4);
    }
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
        let mut stream = server.accept(accepted.stream).await.unwrap().stream;
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
    assert_eq!(shown(&server, &old).await, der(&old));
}
