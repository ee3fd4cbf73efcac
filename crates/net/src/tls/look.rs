//! What a certificate chain says of itself, for people who check it: names, life, and whether it is in order. It trusts
//! nothing and verifies nothing; that is the handshake's.

use std::io;
use std::net::IpAddr;

use bascule_model::Timestamp;
use rustls::CertificateError;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// What one certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Its DNS names in lower case; `*.` starts a wildcard.
    pub names: Vec<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Its name for people: the first name or address, or its subject.
    pub label: String,
    /// Its subject.
    pub subject: String,
    /// Who made it.
    pub issuer: String,
    /// From when on it counts.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
}

impl CertificateFacts {
    /// Whether it is for this host: by its name, or by a wildcard for the first label.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        let wildcard = host.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        self.names
            .iter()
            .any(|name| *name == host || Some(name) == wildcard.as_ref())
    }
}

/// Reads a certificate in DER.
///
/// # Errors
/// What about it cannot be read.
pub fn facts(der: &[u8]) -> Result<CertificateFacts, String> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|error| format!("not a certificate: {error}"))?;
    let extension = certificate
        .subject_alternative_name()
        .map_err(|error| format!("its names cannot be read: {error}"))?;
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    for name in extension.iter().flat_map(|e| &e.value.general_names) {
        match name {
            GeneralName::DNSName(name) => {
                names.push(name.trim_end_matches('.').to_ascii_lowercase())
            }
            GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
            _ => {}
        }
    }
    let subject = certificate.subject().to_string();
    let first = names.first().cloned();
    let label = first
        .or_else(|| addresses.first().map(ToString::to_string))
        .unwrap_or_else(|| subject.clone());
    let time = |seconds: i64| {
        Timestamp::from_millis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
    };
    Ok(CertificateFacts {
        names,
        addresses,
        label,
        subject,
        issuer: certificate.issuer().to_string(),
        not_before: time(certificate.validity().not_before.timestamp()),
        not_after: time(certificate.validity().not_after.timestamp()),
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// Reads every certificate of a PEM text, in its order.
///
/// # Errors
/// What about the text, or about one of them, cannot be read.
pub fn chain_facts(pem: &[u8]) -> Result<Vec<CertificateFacts>, String> {
    CertificateDer::pem_slice_iter(pem)
        .map(|der| facts(&der.map_err(|error| format!("not PEM: {error}"))?))
        .collect()
}

/// The first certificate of a chain that is not vouched for by the one behind it; `None` when the order is right.
#[must_use]
pub fn out_of_order(chain: &[CertificateFacts]) -> Option<&CertificateFacts> {
    let next = chain.iter().skip(1);
    chain
        .iter()
        .zip(next)
        .find(|(one, next)| one.issuer != next.subject)
        .map(|(one, _)| one)
}

/// Why a handshake with an endpoint failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// The certificate has ended, or does not count yet.
    Expired,
    /// The certificate is for other names.
    OtherName,
    /// No trusted authority vouches for it.
    Untrusted,
    /// Something else: what is spoken there may not be TLS.
    Other(String),
}

impl HandshakeFailure {
    /// Reads it out of the error of a connection.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        let inner = error
            .get_ref()
            .and_then(|e| e.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(certificate)) => match certificate {
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::Expired,
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => Self::OtherName,
                CertificateError::UnknownIssuer => Self::Untrusted,
                other => Self::Other(other.to_string()),
            },
            Some(other) => Self::Other(other.to_string()),
            None => Self::Other(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        rcgen::generate_simple_self_signed(names)
            .unwrap()
            .cert
            .pem()
    }

    #[test]
    fn a_certificate_covers_its_names_its_wildcards_and_its_addresses() {
        let pem = pem(&["meet.test", "*.example.org", "127.0.0.1"]);
        let facts = chain_facts(pem.as_bytes()).unwrap().remove(0);
        for (host, covered) in [
            ("meet.test", true),
            ("MEET.test.", true),
            ("a.example.org", true),
            ("a.b.example.org", false),
            ("example.org", false),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
        ] {
            assert_eq!(facts.covers(host), covered, "{host}");
        }
        assert_eq!(facts.label, "meet.test");
        assert!(facts.not_before < facts.not_after);
    }

    #[test]
    fn a_chain_whose_next_did_not_make_it_is_out_of_order() {
        let one = facts_of("a.test", "CN=b", "CN=a");
        let two = facts_of("b", "CN=root", "CN=b");
        assert_eq!(out_of_order(&[one.clone(), two.clone()]), None);
        assert_eq!(out_of_order(&[two.clone(), one]), Some(&two));
    }

    fn facts_of(label: &str, issuer: &str, subject: &str) -> CertificateFacts {
        CertificateFacts {
            names: Vec::new(),
            addresses: Vec::new(),
            label: label.to_owned(),
            subject: subject.to_owned(),
            issuer: issuer.to_owned(),
            not_before: Timestamp::from_millis(0),
            not_after: Timestamp::from_millis(1),
        }
    }

    #[test]
    fn what_is_no_certificate_is_told_and_never_panics() {
        assert!(facts(b"nonsense").is_err());
        assert_eq!(chain_facts(b""), Ok(Vec::new()));
    }
}
