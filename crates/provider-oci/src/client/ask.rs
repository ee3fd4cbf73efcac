//! What is asked: a call, what it is about, and how it is written as a signed request.

use bascule_model::Timestamp;
use bascule_provider::text::encoded;
use bascule_provider::{Error, Kind};
use bytes::Bytes;
use http::header::{IF_MATCH, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::Full;
use serde_json::Value;

use super::{Operation, broken};
use crate::auth::Identity;
use crate::sign::Covers;
use crate::wire;

const RETRY_TOKEN: HeaderName = HeaderName::from_static("opc-retry-token");

const AGENT: HeaderValue = HeaderValue::from_static(concat!("bascule/", env!("CARGO_PKG_VERSION")));

/// What is asked.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(super) operation: &'static Operation,
    /// What it is about, for errors.
    pub(super) resource: String,
    target: String,
    body: Option<Value>,
    if_match: Option<String>,
}

impl Ask {
    /// This call about this resource; `path` is what follows the version, its parts encoded.
    pub(crate) fn new(
        operation: &'static Operation,
        resource: impl Into<String>,
        path: impl AsRef<str>,
    ) -> Self {
        let target = format!("{}{}", operation.service.version(), path.as_ref());
        Self {
            operation,
            resource: resource.into(),
            target,
            body: None,
            if_match: None,
        }
    }

    /// With a parameter.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        let sign = if self.target.contains('?') { '&' } else { '?' };
        self.target = format!("{}{sign}{name}={}", self.target, encoded(value));
        self
    }

    /// With a body.
    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Only while what is there has this tag, where it has one.
    pub(crate) fn if_match(mut self, tag: Option<String>) -> Self {
        self.if_match = tag;
        self
    }

    /// An error about it.
    pub(crate) fn error(&self, kind: Kind) -> Error {
        Error::new(kind, self.operation.name, self.resource.clone())
    }
}

pub(super) fn request(
    ask: &Ask,
    page: Option<&str>,
    base: &str,
    identity: &Identity,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, Error> {
    let invalid = || {
        ask.error(Kind::Invalid)
            .detail("a request that cannot be written")
    };
    let mut target = ask.target.clone();
    if let Some(page) = page {
        let sign = if target.contains('?') { '&' } else { '?' };
        target = format!("{target}{sign}page={}", encoded(page));
    }
    let body = ask.body.as_ref().map(Value::to_string).unwrap_or_default();
    let mut request = Request::builder()
        .method(ask.operation.method())
        .uri(target)
        .body(Bytes::from(body))
        .map_err(|error| invalid().because(error))?;
    let host = wire::authority(base).map_err(|error| broken(ask, base, error))?;
    *request.headers_mut() = identity
        .signer
        .sign(&request, &host, now, Covers::Host)
        .map_err(|error| invalid().because(error))?;
    add(request.headers_mut(), ask).map_err(|error| invalid().because(error))?;
    Ok(request.map(Full::new))
}

/// What is not signed.
fn add(headers: &mut HeaderMap, ask: &Ask) -> Result<(), http::header::InvalidHeaderValue> {
    headers.insert(
        http::header::ACCEPT,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(USER_AGENT, AGENT);
    if let Some(tag) = &ask.if_match {
        headers.insert(IF_MATCH, HeaderValue::from_str(tag)?);
    }
    if ask.operation.takes_retry_token {
        // OCI does a change once, however often the same one arrives.
        let token = format!("{:032x}", fastrand::u128(..));
        headers.insert(RETRY_TOKEN, HeaderValue::from_str(&token)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::operation::LIST_PRIVATE_IPS;

    #[test]
    fn values_of_a_query_are_encoded() {
        let ask = Ask::new(&LIST_PRIVATE_IPS, "", "/privateIps")
            .query("subnetId", "ocid1/subnet")
            .query("limit", "1000");
        assert_eq!(
            ask.target,
            "/20160918/privateIps?subnetId=ocid1%2Fsubnet&limit=1000"
        );
    }
}
