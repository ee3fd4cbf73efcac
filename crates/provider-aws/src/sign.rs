//! A call's signature (Signature Version 4) by AWS's own crate. Whatever is random or read from a clock is given, so that the
//! same call at the same time has the same signature: botocore signs it beside us in the tests. Keys never leave this place
//! but as the signature.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bascule_model::Timestamp;
use bascule_provider::{Error, Kind};
use http::HeaderValue;

use crate::request::Request;

/// The signed request, to be sent to `endpoint` as it is.
///
/// # Errors
/// [`Kind::Invalid`] when an endpoint, a name or a key holds what no request can carry.
pub(crate) fn signed(
    request: &Request,
    endpoint: &str,
    region: &str,
    credentials: &Credentials,
    at: Timestamp,
) -> Result<http::Request<String>, Error> {
    let unfit = |what: &'static str| {
        move |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(Kind::Invalid, request.call, request.resource.clone())
                .detail(what)
                .because(error)
        }
    };
    let mut out = http::Request::builder().method(request.method).uri(format!(
        "{}{}",
        endpoint.trim_end_matches('/'),
        request.path
    ));
    for (name, value) in &request.headers {
        out = out.header(*name, value);
    }
    let mut out = out
        .body(request.body.clone())
        .map_err(|error| unfit("the call cannot be written as a request")(error.into()))?;
    let identity = credentials.clone().into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(request.service.region(region))
        .name(request.service.signed_as())
        .time(UNIX_EPOCH + Duration::from_millis(at.as_millis()))
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| unfit("the call cannot be signed")(error.into()))?
        .into();
    let headers = request
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()));
    let signable = SignableRequest::new(
        request.method,
        out.uri().to_string(),
        headers,
        SignableBody::Bytes(request.body.as_bytes()),
    )
    .map_err(|error| unfit("the call cannot be signed")(error.into()))?;
    let (instructions, _) = sign(signable, &parameters)
        .map_err(|error| unfit("the call cannot be signed")(error.into()))?
        .into_parts();
    for (name, value) in instructions.headers() {
        let name = http::HeaderName::from_bytes(name.as_bytes())
            .map_err(|error| unfit("the signature cannot be written")(error.into()))?;
        let mut value = HeaderValue::from_str(value)
            .map_err(|error| unfit("the signature cannot be written")(error.into()))?;
        value.set_sensitive(true);
        out.headers_mut().insert(name, value);
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
