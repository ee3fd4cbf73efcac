//! Who gets a connection, with what, and for which names.

use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, NamedGroup};

use super::*;
use crate::tls::client::Alpn;
use crate::tls::testing::{
    BOTH, STRICT, Sides, by_address, host, material, meet, meet_other, other_client, trusting,
};
use crate::tls::{ServerTls, TlsOptions, Version};

/// The alert that ended a client's handshake.
fn alert(sides: &Sides) -> Option<AlertDescription> {
    let error = sides.connected.as_ref().unwrap_err();
    match error.get_ref()?.downcast_ref() {
        Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
        _ => None,
    }
}

#[tokio::test]
async fn a_strict_listener_refuses_who_names_nothing_that_it_has() {
    let one = material(&["a.test", "*.b.test", "127.0.0.1"]);
    let client = trusting(&[&one]);
    let server = ServerTls::new(std::slice::from_ref(&one), STRICT).unwrap();
    for name in [host("c.test"), host("x.y.b.test"), by_address()] {
        let sides = meet(&server, &client, name.clone(), Alpn::Both).await;
        assert_eq!(
            alert(&sides),
            Some(AlertDescription::UnrecognisedName),
            "{name:?}"
        );
        assert_eq!(sides.served.unwrap_err().result(), "refused_sni");
    }
    for name in ["a.test", "A.test", "x.b.test"] {
        meet(&server, &client, host(name), Alpn::Both).await.both();
    }
}

#[tokio::test]
async fn strictness_changes_with_a_replacement() {
    let one = material(&["a.test"]);
    let client = trusting(&[&one]);
    let server = ServerTls::new(std::slice::from_ref(&one), BOTH).unwrap();
    let refused = async || {
        meet(&server, &client, host("c.test"), Alpn::Both)
            .await
            .served
    };
    assert_eq!(
        refused().await.unwrap_err().result(),
        "failed",
        "by the client"
    );
    assert_eq!(server.replace(std::slice::from_ref(&one), STRICT), Ok(true));
    assert_eq!(refused().await.unwrap_err().result(), "refused_sni");
    assert_eq!(
        server.replace(std::slice::from_ref(&one), STRICT),
        Ok(false)
    );
}

#[tokio::test]
async fn a_connection_is_for_its_name_and_for_all_that_its_certificate_covers() {
    let first = material(&["first.test"]);
    let one = material(&["a.test", "*.b.test", "192.0.2.1"]);
    let client = trusting(&[&first, &one]);
    let server = ServerTls::new(&[first, one], BOTH).unwrap();
    let (served, _) = meet(&server, &client, host("a.test"), Alpn::Both)
        .await
        .both();
    let named = served.named.unwrap();
    for (of, is_for) in [
        ("a.test", true),
        ("A.TEST:8443", true),
        ("a.test.", true),
        ("x.b.test:1", true),
        ("192.0.2.1:443", true),
        ("b.test", false),
        ("first.test", false),
        ("192.0.2.2", false),
        ("[::1]:443", false),
    ] {
        assert_eq!(named.is_for(of), is_for, "{of}");
    }
}

#[tokio::test]
async fn the_hybrid_is_agreed_with_who_knows_it_and_a_curve_with_who_does_not() {
    let one = material(&["a.test"]);
    let server = ServerTls::new(std::slice::from_ref(&one), BOTH).unwrap();
    let agreed = async |keep: &[NamedGroup], version| {
        let edit = |crypto: &mut CryptoProvider| {
            crypto
                .kx_groups
                .retain(|group| keep.contains(&group.name()));
        };
        let (served, _) = meet_other(&server, &other_client(&one, edit, version))
            .await
            .both();
        let group = served.stream.get_ref().1.negotiated_key_exchange_group();
        group.unwrap().name()
    };
    let (hybrid, curve) = (NamedGroup::X25519MLKEM768, NamedGroup::X25519);
    assert_eq!(agreed(&[hybrid, curve], &TLS13).await, hybrid);
    assert_eq!(agreed(&[curve], &TLS13).await, curve);
    // TLS 1.2 knows no hybrid.
    assert_eq!(agreed(&[hybrid, curve], &TLS12).await, curve);
}

#[tokio::test]
async fn below_the_lowest_version_there_is_no_handshake() {
    let one = material(&["a.test"]);
    let newest = TlsOptions {
        version_min: Version::Tls13,
        ..BOTH
    };
    let server = ServerTls::new(std::slice::from_ref(&one), newest).unwrap();
    let sides = meet_other(&server, &other_client(&one, |_| {}, &TLS12)).await;
    assert_eq!(alert(&sides), Some(AlertDescription::ProtocolVersion));
    assert_eq!(sides.served.unwrap_err().result(), "failed");
    meet_other(&server, &other_client(&one, |_| {}, &TLS13))
        .await
        .both();
}

#[tokio::test]
async fn every_suite_serves_who_knows_only_it() {
    let ecdsa = material(&["a.test"]);
    let rsa = crate::tls::testing::rsa(&["a.test"]);
    let server = ServerTls::new(&[ecdsa.clone(), rsa.clone()], BOTH).unwrap();
    for suite in super::super::provider::provider().cipher_suites.clone() {
        let of_rsa = format!("{:?}", suite.suite()).contains("_RSA_");
        let material = if of_rsa { &rsa } else { &ecdsa };
        let edit = |crypto: &mut CryptoProvider| {
            crypto.cipher_suites.retain(|kept| *kept == suite);
        };
        let version = suite.version();
        let (served, _) = meet_other(&server, &other_client(material, edit, version))
            .await
            .both();
        let agreed = served.stream.get_ref().1.negotiated_cipher_suite();
        assert_eq!(agreed, Some(suite));
    }
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_with_an_alert() {
    let one = material(&["a.test"]);
    let server = ServerTls::new(std::slice::from_ref(&one), BOTH).unwrap();
    let (mut near, far) = tokio::io::duplex(1 << 16);
    near.write_all(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(server.accept(far).await.unwrap_err().result(), "failed");
    let mut said = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut near, &mut said)
        .await
        .unwrap();
    assert_eq!(said.first(), Some(&21), "an alert: {said:?}");
}
