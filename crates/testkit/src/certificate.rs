//! A certificate authority of the test's own, and certificates it signed, as PEM.

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

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
