//! The certificates of a listener: read from PEM, found by the name a client asks for. Of several for one name the first
//! whose key the client can verify is served, so that ECDSA and RSA stand side by side. Without a fitting name the first
//! of all is used, so that clients see a name that is wrong rather than an alert that says nothing, unless the listener
//! is strict ([`handshake`](super::handshake)).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bascule_model::Timestamp;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;
use super::names::{self, Names};
use super::provider::provider;

/// A certificate chain with its key, in PEM, and the files they came from.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateMaterial {
    /// The file of the chain, as written; for messages.
    pub cert_file: String,
    /// The file of the key, as written; for messages.
    pub key_file: String,
    /// The chain, the certificate itself first.
    pub cert_pem: Arc<[u8]>,
    /// The key. Never printed.
    pub key_pem: Arc<[u8]>,
}

impl fmt::Debug for CertificateMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateMaterial")
            .field("cert_file", &self.cert_file)
            .field("key_file", &self.key_file)
            .finish_non_exhaustive()
    }
}

/// When a certificate ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// Its first name.
    pub name: String,
    /// When it ends.
    pub at: Timestamp,
}

/// The certificates of a listener, by name.
#[derive(Debug)]
pub(super) struct Certificates {
    pub(super) material: Vec<CertificateMaterial>,
    pub(super) expiries: Vec<Expiry>,
    by_name: BTreeMap<String, Served>,
    default: Served,
}

/// What is served for a name: several when they have different kinds of key.
#[derive(Debug)]
struct Served {
    keys: Vec<Arc<CertifiedKey>>,
    /// All names that these are for.
    names: Arc<Names>,
}

impl Served {
    fn only(key: &Arc<CertifiedKey>, names: &Arc<Names>) -> Self {
        Self {
            keys: vec![Arc::clone(key)],
            names: Arc::clone(names),
        }
    }

    fn add(&mut self, key: &Arc<CertifiedKey>, names: &Arc<Names>) {
        self.keys.push(Arc::clone(key));
        if self.names != *names {
            self.names = Arc::new(self.names.with(names));
        }
    }

    /// The first whose key the client can verify.
    fn verifiable(&self, schemes: &[SignatureScheme]) -> Option<&Arc<CertifiedKey>> {
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        self.keys.iter().find(fits)
    }
}

impl Certificates {
    pub(super) fn build(material: &[CertificateMaterial]) -> Result<Self, Vec<TlsError>> {
        let (good, bad): (Vec<_>, Vec<_>) = material.iter().map(read).partition(Result::is_ok);
        let errors: Vec<TlsError> = bad.into_iter().filter_map(Result::err).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut by_name: BTreeMap<String, Served> = BTreeMap::new();
        let mut expiries = Vec::new();
        let mut default: Option<Served> = None;
        for (key, facts) in good.into_iter().flatten() {
            let names = Arc::new(facts.names);
            for name in names.dns() {
                match by_name.get_mut(name) {
                    Some(served) => served.add(&key, &names),
                    None => drop(by_name.insert(name.clone(), Served::only(&key, &names))),
                }
            }
            expiries.push(Expiry {
                name: facts.label,
                at: facts.not_after,
            });
            match &mut default {
                // The same names with another kind of key.
                Some(first) if first.names == names => first.add(&key, &names),
                Some(_) => {}
                None => default = Some(Served::only(&key, &names)),
            }
        }
        Ok(Self {
            material: material.to_vec(),
            expiries,
            by_name,
            default: default.ok_or_else(|| vec![TlsError::NoCertificates])?,
        })
    }

    /// What is for this name: exactly, then by the wildcard of its first label.
    fn exact_then_wildcard(&self, name: &str) -> [Option<&Served>; 2] {
        let name = name.to_ascii_lowercase();
        let wildcard = name
            .split_once('.')
            .map(|(_, domain)| format!("*.{domain}"));
        [
            self.by_name.get(&name),
            wildcard.and_then(|wildcard| self.by_name.get(&wildcard)),
        ]
    }

    /// The certificate for a name. Where the client can verify none that is for the name, one that is for it all the same:
    /// the handshake then fails for the right reason.
    pub(super) fn find(
        &self,
        name: Option<&str>,
        schemes: &[SignatureScheme],
    ) -> Option<&Arc<CertifiedKey>> {
        let for_name = name.map_or([None, None], |name| self.exact_then_wildcard(name));
        let fitting = || for_name.iter().flatten();
        fitting()
            .find_map(|served| served.verifiable(schemes))
            .or_else(|| fitting().find_map(|served| served.keys.first()))
            .or_else(|| self.default.verifiable(schemes))
            .or_else(|| self.default.keys.first())
    }

    /// All that the certificates for this name are for; `None`: there is none for it.
    pub(super) fn names_for(&self, name: &str) -> Option<&Arc<Names>> {
        let mut fitting = self.exact_then_wildcard(name).into_iter().flatten();
        fitting.next().map(|served| &served.names)
    }

    /// All that the certificates are for which are served where none fits.
    pub(super) const fn default_names(&self) -> &Arc<Names> {
        &self.default.names
    }
}

/// Reads a certificate with its key, and holds one against the other.
fn read(material: &CertificateMaterial) -> Result<(Arc<CertifiedKey>, names::Facts), TlsError> {
    let bad_certificate = |reason: String| TlsError::Certificate {
        file: material.cert_file.clone(),
        reason,
    };
    let bad_key = |reason: String| TlsError::Key {
        file: material.key_file.clone(),
        reason,
    };
    let chain = CertificateDer::pem_slice_iter(&material.cert_pem);
    let chain: Vec<CertificateDer<'static>> = chain
        .collect::<Result<_, _>>()
        .map_err(|error| bad_certificate(format!("not PEM: {error}")))?;
    let first = chain.first();
    let first = first.ok_or_else(|| bad_certificate("holds no certificate".to_owned()))?;
    let facts = names::read(first).map_err(bad_certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&material.key_pem)
        .map_err(|error| bad_key(format!("holds no private key: {error}")))?;
    let signing = provider().key_provider.load_private_key(key);
    let signing = signing.map_err(|error| bad_key(format!("the key cannot be used: {error}")))?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        // A key that does not tell its public half cannot be compared; the handshake will show.
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            return Err(TlsError::Mismatch {
                cert_file: material.cert_file.clone(),
                key_file: material.key_file.clone(),
            });
        }
        Err(error) => return Err(bad_certificate(error.to_string())),
    }
    Ok((Arc::new(certified), facts))
}

/// What rustls asks for a certificate; looks at the present ones.
#[derive(Debug)]
pub(super) struct Current(pub(super) ArcSwap<Certificates>);

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let certificates = self.0.load();
        certificates
            .find(hello.server_name(), hello.signature_schemes())
            .cloned()
    }
}

#[cfg(test)]
mod tests;
