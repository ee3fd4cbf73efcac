//! The API key of the one user.

use anyhow::{Result, anyhow};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{TENANCY, USER};

/// A key, for its file and for whoever verifies.
#[derive(Debug)]
pub(super) struct ApiKey {
    pub(super) pem: String,
    pub(super) fingerprint: String,
    /// DER of the public half.
    pub(super) public: Vec<u8>,
}

impl ApiKey {
    pub(super) fn generate() -> Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("no key"))?;
        let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| anyhow!("no private half"))?;
        let public: PublicKeyX509Der<'_> = pair
            .public_key()
            .as_der()
            .map_err(|_| anyhow!("no public half"))?;
        let hash = md5::compute(public.as_ref());
        let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            pem: pem(private.as_ref()),
            fingerprint: pairs.join(":"),
            public: public.as_ref().to_vec(),
        })
    }

    /// Under which name requests name it.
    pub(super) fn id(&self) -> String {
        format!("{TENANCY}/{USER}/{}", self.fingerprint)
    }
}

fn pem(der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let mut lines = vec!["-----BEGIN PRIVATE KEY-----".to_owned()];
    let characters: Vec<char> = text.chars().collect();
    lines.extend(characters.chunks(64).map(|line| line.iter().collect()));
    lines.push("-----END PRIVATE KEY-----\n".to_owned());
    lines.join("\n")
}
