//! Signs a request as OCI asks for it: version 1 of its signatures, RSA with SHA-256 over a list of headers
//! (draft-cavage-http-signatures-08; the order of the headers is that of OCI's SDKs). It reads no clock and no file, and
//! must never sign a body that is not the one sent. The key itself is in [`key`].

use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::digest;
use bascule_model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderName, HeaderValue,
    InvalidHeaderValue,
};
use http::{Method, Request};

pub mod key;

pub use key::{Key, KeyError};

/// The digest of the body, in base64.
pub const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-content-sha256");

/// What bodies are.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why a request was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key gave no signature.
    #[error("the key cannot sign")]
    Key,
    /// A part of it cannot stand in a header.
    #[error("a value that no header can hold")]
    Header(#[from] InvalidHeaderValue),
}

/// Which part of the request besides its date and target is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covers {
    /// The host too: every call of the API.
    Host,
    /// Not the host: the call to the auth service that gives a token.
    NoHost,
}

/// Who signs: a key, and the name under which OCI knows it.
#[derive(Debug)]
pub struct Signer {
    /// `TENANCY/USER/FINGERPRINT`, or `ST$TOKEN`: then it is a secret.
    key_id: KeyId,
    key: Key,
}

/// The name of a key. A session token in it is a secret, so it is never shown.
struct KeyId(String);

impl std::fmt::Debug for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.starts_with("ST$") {
            "ST$…"
        } else {
            &self.0
        })
    }
}

impl Signer {
    /// With the key that OCI knows as `key_id`.
    #[must_use]
    pub const fn new(key_id: String, key: Key) -> Self {
        Self {
            key_id: KeyId(key_id),
            key,
        }
    }

    /// The headers that make the request a signed one, as of `at`; the request has none of them yet. The target is taken
    /// as it is sent, so whoever writes it encodes it first.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign<B: AsRef<[u8]>>(
        &self,
        request: &Request<B>,
        host: &str,
        at: Timestamp,
        covers: Covers,
    ) -> Result<HeaderMap, SignError> {
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(at.as_millis()));
        let target = request.uri().path_and_query().map_or("/", |t| t.as_str());
        let method = request.method().as_str().to_ascii_lowercase();
        let mut headers = HeaderMap::new();
        let mut lines = Lines::default();
        lines.add("date", &date);
        lines.add("(request-target)", &format!("{method} {target}"));
        if covers == Covers::Host {
            lines.add("host", host);
        }
        headers.insert(DATE, HeaderValue::from_str(&date)?);
        headers.insert(HOST, HeaderValue::from_str(host)?);
        headers.insert(CONTENT_TYPE, JSON);
        if has_body(request.method()) {
            let body = request.body().as_ref();
            let length = body.len().to_string();
            let digest = BASE64.encode(digest::digest(&digest::SHA256, body));
            lines.add("content-length", &length);
            lines.add("content-type", "application/json");
            lines.add("x-content-sha256", &digest);
            headers.insert(CONTENT_LENGTH, HeaderValue::from_str(&length)?);
            headers.insert(CONTENT_SHA256, HeaderValue::from_str(&digest)?);
        }
        let signature = BASE64.encode(self.key.sign(lines.text.as_bytes())?);
        let authorization = format!(
            "Signature algorithm=\"rsa-sha256\",headers=\"{}\",keyId=\"{}\",signature=\"{signature}\",version=\"1\"",
            lines.names, self.key_id.0
        );
        let mut authorization = HeaderValue::from_str(&authorization)?;
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
        Ok(headers)
    }
}

/// Whether a request of this method has its body signed, be it empty.
fn has_body(method: &Method) -> bool {
    *method == Method::POST || *method == Method::PUT || *method == Method::PATCH
}

/// What is signed: a line for each header, and their names.
#[derive(Default)]
struct Lines {
    text: String,
    names: String,
}

impl Lines {
    fn add(&mut self, name: &str, value: &str) {
        if !self.names.is_empty() {
            self.names.push(' ');
            self.text.push('\n');
        }
        self.names.push_str(name);
        self.text.push_str(name);
        self.text.push_str(": ");
        self.text.push_str(value);
    }
}
