//! Verifies a request's signature as OCI documents it: who signs is known, everything that must be signed is, the date is
//! near, the body is the one that was signed.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::request::Parts;

use super::cloud::Cloud;

/// How far clocks may be apart, in seconds.
const SKEW_MAX: i64 = 300;

/// The call that gives tokens does not sign its host.
pub(super) const TOKENS: &str = "/v1/x509";

/// Fails with what is wrong, in words for the test's log.
pub(super) fn verify(cloud: &Cloud, head: &Parts, body: &Bytes) -> Result<(), String> {
    let header = |name: &str| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or_else(|| format!("no header {name}"))
    };
    let authorization = header("authorization")?;
    let parts = authorization
        .strip_prefix("Signature ")
        .ok_or("no signature")?;
    let parts = parameters(parts).ok_or("a signature that cannot be read")?;
    let part = |name: &str| parts.get(name).copied().ok_or(format!("no {name}"));
    if part("version")? != "1" || part("algorithm")? != "rsa-sha256" {
        return Err("another version or algorithm".to_owned());
    }
    let signed: Vec<&str> = part("headers")?.split(' ').collect();
    for required in required(head) {
        if !signed.contains(&required) {
            return Err(format!("{required} is not signed"));
        }
    }
    let date = httpdate::parse_http_date(header("date")?).map_err(|_| "no date")?;
    let date = date.duration_since(std::time::UNIX_EPOCH);
    let date = date.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0));
    if (cloud.now() - date).abs() > SKEW_MAX {
        return Err("the date is too far away".to_owned());
    }
    if has_body(head) {
        let sum = BASE64.encode(digest::digest(&digest::SHA256, body));
        if header("x-content-sha256")? != sum || header("content-length")? != body.len().to_string()
        {
            return Err("the body is not the one that was signed".to_owned());
        }
    }
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let mut lines = Vec::new();
    for name in signed {
        lines.push(match name {
            "(request-target)" => {
                format!("{name}: {} {target}", head.method.as_str().to_lowercase())
            }
            name => format!("{name}: {}", header(name)?),
        });
    }
    let key = cloud.keys.get(part("keyId")?).ok_or("an unknown key")?;
    let signature = BASE64
        .decode(part("signature")?)
        .map_err(|_| "no base64 in the signature")?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(lines.join("\n").as_bytes(), &signature)
        .map_err(|_| "the signature does not fit".to_owned())
}

fn has_body(head: &Parts) -> bool {
    matches!(head.method.as_str(), "POST" | "PUT" | "PATCH")
}

fn required(head: &Parts) -> Vec<&'static str> {
    let mut required = vec!["date", "(request-target)"];
    if head.uri.path() != TOKENS {
        required.push("host");
    }
    if has_body(head) {
        required.extend(["content-length", "content-type", "x-content-sha256"]);
    }
    required
}

/// `a="b",c="d"` as a map.
fn parameters(text: &str) -> Option<BTreeMap<&str, &str>> {
    let mut map = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"")?;
        let (value, after) = value.split_once('"')?;
        map.insert(name.trim(), value);
        rest = after.trim_start_matches(',');
    }
    Some(map)
}
