//! The instance that a test pretends to run on: its metadata service, and the auth service that gives it tokens.

use std::sync::OnceLock;

use anyhow::{Result, anyhow};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, PublicKeyData as _, RsaKeySize};
use serde_json::{Value, json};

use super::cloud::Cloud;
use super::serve::Reply;
use super::{COMPARTMENT, REGION, TENANCY};

/// How long a token lasts, in seconds: as OCI's do.
const LASTS: i64 = 20 * 60;

/// An instance with its certificate.
#[derive(Debug)]
pub(super) struct Instance {
    certificate: String,
    key: String,
    fingerprint: String,
    public: Vec<u8>,
}

impl Instance {
    /// The same for all clouds of a process: making its key takes a while.
    pub(super) fn get() -> Result<&'static Self> {
        static INSTANCE: OnceLock<Result<Instance>> = OnceLock::new();
        let instance = INSTANCE.get_or_init(Self::new).as_ref();
        instance.map_err(|error| anyhow!("no instance: {error:#}"))
    }

    fn new() -> Result<Self> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.distinguished_name.push(
            DnType::OrganizationalUnitName,
            format!("opc-tenant:{TENANCY}"),
        );
        let certificate = parameters.self_signed(&key)?;
        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate.der());
        let pairs: Vec<String> = hash.as_ref().iter().map(|b| format!("{b:02X}")).collect();
        Ok(Self {
            certificate: certificate.pem(),
            fingerprint: pairs.join(":"),
            public: key.subject_public_key_info(),
            key: key.serialize_pem(),
        })
    }

    /// The name that the auth service knows its key by, and the key.
    pub(super) fn key(&self) -> (String, Vec<u8>) {
        let name = format!("{TENANCY}/fed-x509/{}", self.fingerprint);
        (name, self.public.clone())
    }
}

/// What the metadata service says.
pub(super) fn metadata(cloud: &Cloud, path: &str, authorization: &str) -> Reply {
    let instance = cloud.instance;
    if authorization != "Bearer Oracle" {
        return Reply::refused(404, "NotFound");
    }
    let text = match path {
        "/instance/regionInfo" => json!({
            "realmDomainComponent": "oraclecloud.com", "realmKey": "oc1",
            "regionIdentifier": REGION, "regionKey": "fra",
        })
        .to_string(),
        "/instance/region" => REGION.to_owned(),
        // Signed by itself, it is its own intermediate.
        "/identity/cert.pem" | "/identity/intermediate.pem" => instance.certificate.clone(),
        "/identity/key.pem" => instance.key.clone(),
        _ => return Reply::refused(404, "NotFound"),
    };
    Reply::text(text)
}

/// Gives a token for the key in the request, which the instance's key has signed.
pub(super) fn token(cloud: &mut Cloud, body: &Value) -> Reply {
    let bare: String = cloud
        .instance
        .certificate
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let public = body["publicKey"].as_str().map(|key| BASE64.decode(key));
    let Some(Ok(public)) = public.filter(|_| body["certificate"] == bare.as_str()) else {
        return Reply::refused(400, "InvalidParameter");
    };
    let token = issue(cloud, public, LASTS);
    Reply::ok(json!({ "token": token }))
}

/// A token for the key with this public half.
pub(super) fn issue(cloud: &mut Cloud, public: Vec<u8>, seconds: i64) -> String {
    let claims = json!({
        "exp": cloud.now() + seconds, "iat": cloud.now(), "jti": cloud.next().to_string(),
        "res_tenant": TENANCY, "res_compartment": COMPARTMENT,
    });
    let parts = [json!({ "alg": "RS256" }), claims].map(|part| part.to_string());
    let [head, claims] = parts.map(|part| URL_SAFE_NO_PAD.encode(part));
    // Nobody but the cloud itself verifies its signature.
    let token = format!("{head}.{claims}.c2ln");
    cloud.keys.insert(format!("ST${token}"), public);
    token
}
