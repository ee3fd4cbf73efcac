//! Both sides of TLS against each other over a pipe, with certificates made here. For tests.

use std::net::Ipv4Addr;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, SignatureAlgorithm, date_time_ymd};
use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_rustls::TlsConnector;

use super::client::{Alpn, ClientTls, Roots, server_name};
use super::provider::{Version, provider};
use super::{CertificateMaterial, HandshakeError, Protocols, Secured, ServerTls, TlsOptions};

pub(super) const BOTH: TlsOptions = TlsOptions {
    protocols: Protocols { h1: true, h2: true },
    strict_sni: false,
    version_min: Version::Tls12,
};
pub(super) const STRICT: TlsOptions = TlsOptions {
    strict_sni: true,
    ..BOTH
};

/// An ECDSA certificate for these names that vouches for itself.
pub(super) fn material(names: &[&str]) -> CertificateMaterial {
    made_with(names, &rcgen::PKCS_ECDSA_P256_SHA256)
}

pub(super) fn rsa(names: &[&str]) -> CertificateMaterial {
    made_with(names, &PKCS_RSA_SHA256)
}

fn made_with(names: &[&str], algorithm: &'static SignatureAlgorithm) -> CertificateMaterial {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let key = KeyPair::generate_for(algorithm).unwrap();
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

pub(super) fn trusting(materials: &[&CertificateMaterial]) -> ClientTls {
    let pem: Vec<u8> = materials.iter().flat_map(|m| m.cert_pem.to_vec()).collect();
    let file = "ca.pem".to_owned();
    let pem = pem.into();
    ClientTls::new(&Roots::Own { file, pem }).unwrap()
}

pub(super) fn der(material: &CertificateMaterial) -> Vec<u8> {
    CertificateDer::from_pem_slice(&material.cert_pem)
        .unwrap()
        .to_vec()
}

pub(super) type Connected = tokio_rustls::client::TlsStream<DuplexStream>;

/// What each side has of a handshake.
pub(super) struct Sides {
    pub(super) served: Result<Secured<DuplexStream>, HandshakeError>,
    pub(super) connected: std::io::Result<Connected>,
}

impl Sides {
    pub(super) fn both(self) -> (Secured<DuplexStream>, Connected) {
        let connected = self.connected.unwrap();
        (self.served.unwrap(), connected)
    }
}

pub(super) async fn meet(
    server: &ServerTls,
    client: &ClientTls,
    name: ServerName<'static>,
    alpn: Alpn,
) -> Sides {
    let (one, two) = duplex(1 << 16);
    let (served, connected) = tokio::join!(server.accept(one), client.connect(two, name, alpn));
    Sides { served, connected }
}

/// A client that is not ours: with this version, and what a function changes of the rest.
pub(super) fn other_client(
    material: &CertificateMaterial,
    edit: impl FnOnce(&mut CryptoProvider),
    version: &'static SupportedProtocolVersion,
) -> TlsConnector {
    let mut crypto = CryptoProvider::clone(provider());
    edit(&mut crypto);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(der(material).into()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(crypto.into())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// A handshake with such a client, which asks for `a.test`.
pub(super) async fn meet_other(server: &ServerTls, client: &TlsConnector) -> Sides {
    let (near, far) = duplex(1 << 16);
    let (served, connected) =
        tokio::join!(server.accept(far), client.connect(host("a.test"), near));
    Sides { served, connected }
}

pub(super) fn host(name: &str) -> ServerName<'static> {
    server_name(Some(name), Ipv4Addr::LOCALHOST.into()).unwrap()
}

/// The name of a client that sends no SNI.
pub(super) fn by_address() -> ServerName<'static> {
    server_name(None, Ipv4Addr::LOCALHOST.into()).unwrap()
}

/// The ticket comes with the first bytes the client reads.
pub(super) async fn take_ticket(served: &mut Secured<DuplexStream>, connected: &mut Connected) {
    served.stream.write_all(b"x").await.unwrap();
    connected.read_exact(&mut [0]).await.unwrap();
}
