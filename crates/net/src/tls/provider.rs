//! What TLS is made of, in both directions: versions, cipher suites, key exchange. Written out rather than taken from the
//! library's defaults, so that a new release of it changes nothing here unseen. All suites are AEAD with an ephemeral key
//! exchange: no CBC, no RSA key exchange, nothing that a recorded connection could be opened with later.

use std::sync::{Arc, OnceLock};

use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion, version};

/// In the order we prefer; a client's own order goes first, as it knows what its machine does fast.
static SUITES: [SupportedCipherSuite; 9] = [
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// The hybrid first: what is recorded today must not be readable once there are large quantum computers.
static GROUPS: [&dyn SupportedKxGroup; 4] = [
    kx_group::X25519MLKEM768,
    kx_group::X25519,
    kx_group::SECP256R1,
    kx_group::SECP384R1,
];

static FROM_1_2: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
static FROM_1_3: [&SupportedProtocolVersion; 1] = [&version::TLS13];

/// The lowest version of TLS that is spoken; the highest is always 1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Version {
    /// The versions spoken when this is the lowest.
    pub(super) fn and_above(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => &FROM_1_2,
            Self::Tls13 => &FROM_1_3,
        }
    }
}

/// The one provider of the process.
pub(super) fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        Arc::new(CryptoProvider {
            cipher_suites: SUITES.to_vec(),
            kx_groups: GROUPS.to_vec(),
            ..aws_lc_rs::default_provider()
        })
    })
}

#[cfg(test)]
mod tests {
    use rustls::{CipherSuite, NamedGroup, ProtocolVersion};

    use super::*;

    #[test]
    fn every_suite_is_aead_with_an_ephemeral_key_exchange() {
        let names: Vec<CipherSuite> = provider().cipher_suites.iter().map(|s| s.suite()).collect();
        assert_eq!(names.len(), SUITES.len());
        for name in names {
            let text = format!("{name:?}");
            let aead = text.contains("GCM") || text.contains("CHACHA20_POLY1305");
            let ephemeral = text.starts_with("TLS13_") || text.starts_with("TLS_ECDHE_");
            assert!(aead && ephemeral && !text.contains("CBC"), "{text}");
        }
    }

    #[test]
    fn the_post_quantum_hybrid_comes_first_and_nothing_weak_at_all() {
        let groups: Vec<NamedGroup> = provider().kx_groups.iter().map(|g| g.name()).collect();
        let expected = [
            NamedGroup::X25519MLKEM768,
            NamedGroup::X25519,
            NamedGroup::secp256r1,
            NamedGroup::secp384r1,
        ];
        assert_eq!(groups, expected);
    }

    #[test]
    fn one_two_and_one_three_are_spoken_and_nothing_else() {
        let spoken = |lowest: Version| -> Vec<ProtocolVersion> {
            lowest.and_above().iter().map(|v| v.version).collect()
        };
        let both = [ProtocolVersion::TLSv1_3, ProtocolVersion::TLSv1_2];
        assert_eq!(spoken(Version::Tls12), both);
        assert_eq!(spoken(Version::Tls13), [ProtocolVersion::TLSv1_3]);
    }
}
