//! Which certificate is served for which name, and what is said of certificates that cannot be.

use super::*;
use crate::tls::client::Alpn;
use crate::tls::testing::{BOTH, by_address, der, host, material, meet, rsa, trusting};
use crate::tls::{ClientTls, ServerTls};

/// The certificate a client is shown for a name.
async fn shown(server: &ServerTls, client: &ClientTls, name: &str) -> Vec<u8> {
    let sides = meet(server, client, host(name), Alpn::Both).await;
    let (_, connected) = sides.both();
    let certificates = connected.get_ref().1.peer_certificates().unwrap();
    certificates[0].to_vec()
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
        let sides = meet(&server, &client, host(name), Alpn::Both).await;
        let error = sides.connected.unwrap_err();
        assert!(error.to_string().contains("not valid for name"), "{error}");
    }
}

/// What is found for a client that can verify only this.
fn found(certificates: &Certificates, name: Option<&str>, scheme: SignatureScheme) -> Vec<u8> {
    certificates.find(name, &[scheme]).unwrap().cert[0].to_vec()
}

#[test]
fn of_two_kinds_of_key_the_client_gets_the_one_it_can_verify() {
    let (ecdsa, rsa) = (material(&["a.test"]), rsa(&["a.test"]));
    let other = material(&["b.test"]);
    let all = [ecdsa.clone(), rsa.clone(), other];
    let certificates = Certificates::build(&all).unwrap();
    // By name, and where the client names none.
    for name in [Some("a.test"), None, Some("unknown.test")] {
        let found = |scheme| found(&certificates, name, scheme);
        assert_eq!(found(SignatureScheme::ECDSA_NISTP256_SHA256), der(&ecdsa));
        assert_eq!(found(SignatureScheme::RSA_PSS_SHA256), der(&rsa));
    }
}

#[test]
fn a_client_that_can_verify_nothing_of_a_name_is_not_shown_another_name() {
    let (first, named) = (rsa(&["a.test"]), material(&["b.test"]));
    let certificates = Certificates::build(&[first, named.clone()]).unwrap();
    let found = found(
        &certificates,
        Some("b.test"),
        SignatureScheme::RSA_PSS_SHA256,
    );
    assert_eq!(found, der(&named));
}

#[test]
fn a_name_with_two_certificates_is_covered_by_both() {
    let (ecdsa, rsa) = (material(&["a.test", "c.test"]), rsa(&["a.test", "d.test"]));
    let certificates = Certificates::build(&[ecdsa, rsa]).unwrap();
    let names = certificates.names_for("a.test").unwrap();
    assert!(names.cover("c.test") && names.cover("d.test") && !names.cover("e.test"));
    assert!(!certificates.names_for("c.test").unwrap().cover("d.test"));
    assert_eq!(certificates.names_for("e.test"), None);
}

#[tokio::test]
async fn a_client_that_names_none_gets_the_first() {
    let (one, two) = (material(&["127.0.0.1"]), material(&["a.test"]));
    let client = trusting(&[&one]);
    let server = ServerTls::new(&[one, two], BOTH).unwrap();
    let sides = meet(&server, &client, by_address(), Alpn::Both).await;
    assert!(sides.both().0.named.is_none());
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
