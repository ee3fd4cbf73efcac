//! What a certificate says of itself: for which names it is, and until when.

use bascule_model::Timestamp;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// What is read from a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Its DNS names in lower case, in their order; `*.` starts a wildcard.
    pub(super) dns_names: Vec<String>,
    /// Its name for people: the first DNS name, or its subject.
    pub(super) label: String,
    /// When it ends.
    pub(super) not_after: Timestamp,
}

/// Reads a certificate in DER.
pub(super) fn read(der: &[u8]) -> Result<Facts, String> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|error| format!("not a certificate: {error}"))?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|error| format!("its names cannot be read: {error}"))?;
    let dns = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.trim_end_matches('.').to_ascii_lowercase()),
        _ => None,
    };
    let general = names.iter().flat_map(|n| &n.value.general_names);
    let dns_names: Vec<String> = general.filter_map(dns).collect();
    let subject = || certificate.subject().to_string();
    let label = dns_names.first().cloned().unwrap_or_else(subject);
    let seconds = certificate.validity().not_after.timestamp();
    let millis = u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
    Ok(Facts {
        dns_names,
        label,
        not_after: Timestamp::from_millis(millis),
    })
}
