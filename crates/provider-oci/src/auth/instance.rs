//! An instance principal: the metadata service gives a certificate of the instance, the auth service gives a token for it.
//! When that is done anew is `provider::renewal`'s.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use bascule_model::Timestamp;
use bascule_provider::identity::Skew;
use bascule_provider::renewal::Granted;
use bascule_provider::{Error, Kind};
use bascule_telemetry::{clock, spawn};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{CREDENTIALS, Identity, Who, token};
use crate::client::SKEW_MAX;
use crate::region::{Region, Service};
use crate::sign::{Covers, Key, Signer};
use crate::surroundings::Surroundings;
use crate::wire::{self, Answer, Wire};

/// Where instances find their metadata.
const METADATA: &str = "http://169.254.169.254/opc/v2";

/// A token that does not say when it ends is taken for this long; those that say so last at least as long.
const ASSUMED: Duration = Duration::from_mins(15);

const CALL: &str = "instance principal";

/// Before its end a token is renewed: long enough for the auth service to be away for a while.
const RENEW_BEFORE: Duration = Duration::from_mins(10);

/// The metadata service.
pub(super) struct Metadata {
    /// Without its path.
    base: String,
    path: String,
}

/// What it says of the region.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegionInfo {
    region_identifier: String,
    realm_domain_component: String,
}

/// What the auth service answers.
#[derive(Deserialize)]
struct Answered {
    token: String,
}

impl Metadata {
    pub(super) fn new(around: &dyn Surroundings, given: Option<&str>) -> Self {
        let given = given.map(str::to_owned);
        let from_env = || {
            around
                .env("OCI_METADATA_BASE_URL")
                .filter(|url| !url.trim().is_empty())
        };
        let url = given
            .or_else(from_env)
            .unwrap_or_else(|| METADATA.to_owned());
        let url = url.trim().trim_end_matches('/');
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let path = url.get(after_scheme..).and_then(|rest| rest.find('/'));
        let (base, path) = url.split_at(path.map_or(url.len(), |at| at + after_scheme));
        Self {
            base: base.to_owned(),
            path: path.to_owned(),
        }
    }

    async fn get(&self, wire: &Wire, what: &str) -> Result<Bytes, Error> {
        let failed = |kind| {
            Error::new(kind, CALL, format!("{}{}{what}", self.base, self.path))
                .fix("instance principals exist on instances of OCI only; elsewhere use an API key")
        };
        let request = Request::get(format!("{}{what}", self.path))
            .header("authorization", "Bearer Oracle")
            .header("host", self.base.split("://").last().unwrap_or_default())
            .body(Full::default())
            .map_err(|error| failed(Kind::Invalid).because(error))?;
        let answer = wire.exchange(&self.base, request).await;
        let answer = answer.map_err(|error| {
            failed(Kind::Transient)
                .detail("no answer from the metadata service")
                .because(error)
        })?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            status => Err(failed(kind_of(status).unwrap_or(Kind::Invalid))
                .detail(format!("the metadata service answered {status}"))),
        }
    }
}

/// Gets a new token.
pub(super) async fn ask(
    wire: &Wire,
    metadata: &Metadata,
    auth: Option<&str>,
    now: Timestamp,
) -> Result<Granted<Identity>, Error> {
    let failed = |kind| Error::new(kind, CALL, metadata.base.clone());
    let info = metadata.get(wire, "/instance/regionInfo").await?;
    let info: RegionInfo = serde_json::from_slice(&info)
        .map_err(|error| failed(Kind::Invalid).detail("no region").because(error))?;
    let region = Region {
        domain: info.realm_domain_component,
        ..Region::named(&info.region_identifier)?
    };
    let certificate = metadata.get(wire, "/identity/cert.pem").await?;
    let key = metadata.get(wire, "/identity/key.pem").await?;
    let intermediate = metadata.get(wire, "/identity/intermediate.pem").await?;
    let leaf = leaf(&certificate).ok_or_else(|| {
        failed(Kind::Invalid).detail("the instance's certificate names no tenancy")
    })?;
    let key =
        Key::from_pem(&key).map_err(|error| failed(Kind::Invalid).detail(error.to_string()))?;
    let unusable = |error: &dyn std::fmt::Display| failed(Kind::Invalid).detail(error.to_string());
    let session = spawn::blocking("oci_session_key", Key::generate)
        .await
        .map_err(|error| unusable(&error))?
        .map_err(|error| unusable(&error))?;
    let public = session.public_der().map_err(|error| unusable(&error))?;
    let body = json!({
        "certificate": bare(&certificate),
        "publicKey": BASE64.encode(public),
        "intermediateCertificates": [bare(&intermediate)],
    });
    let signer = Signer::new(
        format!("{}/fed-x509/{}", leaf.tenancy, leaf.fingerprint),
        key,
    );
    let host = auth.map_or_else(|| Service::Auth.host(&region), str::to_owned);
    let token = exchange(wire, &host, &signer, body.to_string(), now).await?;
    let ends = token::ends(&token).unwrap_or(now + ASSUMED);
    let due = ends.as_millis().saturating_sub(millis(RENEW_BEFORE));
    Ok(Granted {
        what: Arc::new(Identity {
            signer: Signer::new(format!("ST${token}"), session),
            name: format!("this instance of {}", leaf.tenancy),
            region: Some(region),
            who: Who::DynamicGroup,
        }),
        due: Timestamp::from_millis(due),
        ends,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Asks the auth service for a token.
async fn exchange(
    wire: &Wire,
    base: &str,
    signer: &Signer,
    body: String,
    now: Timestamp,
) -> Result<String, Error> {
    const CALL: &str = "auth:x509";
    let failed = |kind| Error::new(kind, CALL, base.to_owned());
    let host =
        wire::authority(base).map_err(|error| failed(Kind::Invalid).detail(error.to_string()))?;
    let mut request = Request::builder()
        .method(Method::POST)
        .uri("/v1/x509")
        .body(Bytes::from(body))
        .map_err(|error| failed(Kind::Invalid).because(error))?;
    *request.headers_mut() = signer
        .sign(&request, &host, now, Covers::NoHost)
        .map_err(|error| failed(Kind::Invalid).detail(error.to_string()))?;
    let answer = wire
        .exchange(base, request.map(Full::new))
        .await
        .map_err(|error| {
            failed(Kind::Transient)
                .detail(error.to_string())
                .because(error)
        })?;
    let id = answer.header("opc-request-id").map(str::to_owned);
    match (granted(&answer), kind_of(answer.status)) {
        (Some(token), _) => Ok(token),
        (None, Some(kind)) => Err(failed(kind)
            .detail(format!("answered {}", answer.status))
            .request_id(id)),
        (None, None) => Err(Error::new(Kind::Denied, CREDENTIALS, CALL)
            .detail(format!(
                "the auth service answered {} and gave no token",
                answer.status
            ))
            .fix(
                match Skew::of(answer.header("date"), clock::wall(), SKEW_MAX) {
                    Some(skew) => format!("{}: set it right", skew.from("OCI")),
                    None => "see that this instance belongs to a dynamic group".to_owned(),
                },
            )
            .request_id(id)),
    }
}

/// Of a status that says that it may be well later: the kind.
fn kind_of(status: StatusCode) -> Option<Kind> {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Some(Kind::Throttled { retry_after: None }),
        status if status.is_server_error() => Some(Kind::Transient),
        _ => None,
    }
}

fn granted(answer: &Answer) -> Option<String> {
    let Answered { token } = serde_json::from_slice(&answer.body).ok()?;
    let is_token = token
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'"');
    (answer.status.is_success() && is_token).then_some(token)
}

/// The instance's certificate: whose it is, and its fingerprint.
struct Leaf {
    tenancy: String,
    fingerprint: String,
}

fn leaf(pem: &[u8]) -> Option<Leaf> {
    let der = CertificateDer::from_pem_slice(pem).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    let names = certificate.subject().iter_attributes();
    let tenancy = names
        .filter_map(|name| name.as_str().ok())
        .find_map(|name| {
            let tenant = name.strip_prefix("opc-tenant:");
            tenant.or_else(|| name.strip_prefix("opc-identity:"))
        })?;
    // OCI names certificates by SHA-1; nothing is secured by it.
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &der);
    let pairs: Vec<String> = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    Some(Leaf {
        tenancy: tenancy.to_owned(),
        fingerprint: pairs.join(":"),
    })
}

/// PEM without its first and last line, on one line.
fn bare(pem: &[u8]) -> String {
    let text = String::from_utf8_lossy(pem);
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.starts_with("-----")).collect()
}

#[cfg(test)]
mod tests;
