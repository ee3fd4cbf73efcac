//! The TLS side of a listener as the configuration says it: certificates as read, versions, and what browsers are told.
//! Plain data; `net` makes a TLS configuration of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The TLS side of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsListener {
    /// At least one; chosen by SNI, the first when none fits unless `strict_sni`.
    pub certificates: Vec<Certificate>,
    /// Whether a handshake without SNI, or with a name that no certificate is for, is refused. Default false: clients
    /// that know no SNI, and balancers that check by address, are served.
    pub strict_sni: bool,
    /// The lowest version that is spoken. Default 1.2.
    pub min_version: TlsVersion,
    /// What `Strict-Transport-Security` says; `None`, the default: nothing is said.
    pub hsts: Option<Hsts>,
}

/// A version of TLS that may be spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246), with AEAD suites only.
    #[default]
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
}

impl TlsVersion {
    /// The word in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        }
    }
}

/// What `Strict-Transport-Security` (RFC 6797) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hsts {
    /// How long a browser remembers, 0 to ten years. Default 365 days, what lists of browsers ask for at least.
    pub max_age: Duration,
    /// Whether every name below the host is meant too. Default false.
    pub include_subdomains: bool,
    /// Whether the host may stand in lists that browsers are shipped with. Default false: it is hard to take back.
    pub preload: bool,
}

impl Default for Hsts {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(365 * 86_400),
            include_subdomains: false,
            preload: false,
        }
    }
}

/// A certificate chain with its key, as read when the configuration was loaded.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The file of the chain, as written.
    pub cert_file: String,
    /// The file of the private key, as written.
    pub key_file: String,
    /// The chain: PEM that holds at least one `CERTIFICATE` block.
    pub cert_pem: Arc<[u8]>,
    /// The key: PEM that holds a private key block. Never printed.
    pub key_pem: Arc<[u8]>,
    /// Changes when one of the two contents changes; names the material without holding it. Not cryptographic.
    pub content_hash: u64,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("cert_file", &self.cert_file)
            .field("key_file", &self.key_file)
            .field("content_hash", &format_args!("{:016x}", self.content_hash))
            .finish_non_exhaustive()
    }
}
