//! A certificate authority of the test's own, and certificates it signed, as PEM.

use std::sync::Arc;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// An authority and one certificate for the given names.
#[derive(Debug)]
pub struct Signed {
    /// The authority's certificate: what clients trust.
    pub ca_pem: String,
    /// The certificate.
    pub cert_pem: String,
    /// Its key.
    pub key_pem: String,
}

/// Makes an authority and a certificate for the names.
///
/// # Errors
/// When a name cannot stand in a certificate.
pub fn signed(names: &[&str]) -> Result<Signed> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority
        .distinguished_name
        .push(DnType::CommonName, "an authority of a test");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    Ok(Signed {
        ca_pem: issuer.pem(),
        cert_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
    })
}

/// What a client needs that trusts this authority and offers these protocols.
///
/// # Errors
/// When the text holds no certificate.
pub fn client_config(ca_pem: &str, alpn: &[&str]) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(Arc::new(config))
}
