//! An RSA key: read from PEM, named by its fingerprint, used to sign, never shown. It says why a file is no such key, but
//! nothing of what the file holds.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use super::SignError;

/// A private key.
pub struct Key(KeyPair);

/// Why there is no key in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is encrypted with a pass phrase.
    #[error(
        "the key is encrypted with a pass phrase, which is not supported; decrypt it with `openssl rsa -in KEY -out NEW`, mode 0600"
    )]
    Encrypted,
    /// It is the public half.
    #[error("this is the public key; the private one is needed")]
    Public,
    /// There is no PEM of a private key.
    #[error("no private key in PEM")]
    None,
    /// It is not RSA, or shorter than 2048 bits.
    #[error("not an RSA key of 2048 to 8192 bits, which OCI asks for")]
    Kind,
}

impl Key {
    /// Reads `PRIVATE KEY` or `RSA PRIVATE KEY` in PEM; text around it is allowed, as OCI's console adds some.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
            let text = String::from_utf8_lossy(pem);
            if text.contains("ENCRYPTED") {
                KeyError::Encrypted
            } else if text.contains("PUBLIC KEY") {
                KeyError::Public
            } else {
                KeyError::None
            }
        })?;
        // Old style: the header says that what follows is encrypted.
        if String::from_utf8_lossy(pem).contains("Proc-Type: 4,ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        match key {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(KeyError::Kind),
        }
        .map(Self)
        .map_err(|_| KeyError::Kind)
    }

    /// A new one of 2048 bits, for a session.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, SignError> {
        KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048)
            .map(Self)
            .map_err(|_| SignError::Key)
    }

    /// The public half as DER.
    ///
    /// # Errors
    /// When it cannot be written, which is not known to happen.
    pub fn public_der(&self) -> Result<Vec<u8>, SignError> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().map_err(|_| SignError::Key)?;
        Ok(der.as_ref().to_vec())
    }

    /// As OCI's console shows it: MD5 of the public half, `aa:bb:…`.
    ///
    /// # Errors
    /// As [`Key::public_der`].
    pub fn fingerprint(&self) -> Result<String, SignError> {
        let hash = md5::compute(self.public_der()?);
        let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(pairs.join(":"))
    }

    /// PKCS#1 v1.5 with SHA-256.
    pub(super) fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignError> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text,
                &mut signature,
            )
            .map_err(|_| SignError::Key)?;
        Ok(signature)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests;
