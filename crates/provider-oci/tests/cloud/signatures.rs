//! The oracle of signatures: the official Python SDK signs the same requests with the same key at the same time, and every
//! header that carries the signature is the same, byte for byte.

use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use bascule_model::Timestamp;
use bascule_provider_oci::sign::{Covers, Key, Signer};
use http::Request;
use serde_json::{Value, json};

use crate::python;

const TENANCY: &str = "ocid1.tenancy.oc1..aaaaaaaa";
const USER: &str = "ocid1.user.oc1..bbbbbbbb";
const AT: Timestamp = Timestamp::from_millis(1_790_000_000_000);

const REQUESTS: &[(&str, &str, Option<&str>)] = &[
    (
        "GET",
        "https://iaas.eu-frankfurt-1.oraclecloud.com/20160918/instancePools/ocid1.instancepool.oc1.eu-frankfurt-1.x/instances?compartmentId=ocid1.compartment.oc1..c&limit=1000",
        None,
    ),
    (
        "GET",
        "https://iaas.us-ashburn-1.oraclecloud.com/20170115/loadBalancers/ocid1.lb/backendSets/two%20words/backends/10.0.0.3%3A8080/health",
        None,
    ),
    ("HEAD", "http://127.0.0.1:8080/", None),
    (
        "DELETE",
        "https://dns.us-phoenix-1.oci.oraclecloud.com/20180115/zones/example.org?scope=GLOBAL",
        None,
    ),
    (
        "PUT",
        "https://iaas.us-ashburn-1.oraclecloud.com/20170115/loadBalancers/ocid1.lb/backendSets/web",
        Some("{\"policy\":\"ROUND_ROBIN\",\"backends\":[]}"),
    ),
    (
        "POST",
        "https://telemetry.us-ashburn-1.oraclecloud.com/20180401/metrics/actions/summarizeMetricsData?compartmentId=c",
        Some("{\"query\":\"CpuUtilization[1m].mean() für alle\"}"),
    ),
    (
        "POST",
        "https://auth.us-ashburn-1.oraclecloud.com/v1/empty",
        Some(""),
    ),
    (
        "POST",
        "https://auth.us-ashburn-1.oraclecloud.com/v1/x509",
        Some("{\"certificate\":\"x\"}"),
    ),
    (
        "PATCH",
        "https://dns.us-ashburn-1.oci.oraclecloud.com/20180115/zones/z/records/a.example.org/A",
        Some("{}"),
    ),
];

#[test]
fn every_request_is_signed_as_the_official_sdk_signs_it() {
    let dir = tempfile::tempdir().unwrap();
    let key_file = dir.path().join("key.pem");
    let made = Command::new("openssl")
        .args(["genrsa", "-out"])
        .arg(&key_file)
        .arg("2048")
        .output()
        .unwrap();
    assert!(made.status.success());
    let key = || Key::from_pem(&std::fs::read(&key_file).unwrap()).unwrap();
    let fingerprint = key().fingerprint().unwrap();
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(AT.as_millis()));
    let requests: Vec<Value> = REQUESTS
        .iter()
        .map(|(method, url, body)| json!({ "method": method, "url": url, "body": body }))
        .collect();
    let table = json!({
        "tenancy": TENANCY, "user": USER, "fingerprint": fingerprint, "date": date,
        "key_file": key_file, "requests": requests,
    });
    let theirs = python::run("sign.py", &table);
    assert_eq!(theirs.len(), REQUESTS.len());
    let user = Signer::new(format!("{TENANCY}/{USER}/{fingerprint}"), key());
    let instance = Signer::new(format!("{TENANCY}/fed-x509/{fingerprint}"), key());
    for ((method, url, body), theirs) in REQUESTS.iter().zip(theirs) {
        let request = Request::builder().method(*method).uri(*url);
        let request = request.body(body.unwrap_or_default()).unwrap();
        let host = request.uri().authority().unwrap().as_str().to_owned();
        let (signer, covers) = if url.ends_with("/v1/x509") {
            (&instance, Covers::NoHost)
        } else {
            (&user, Covers::Host)
        };
        let ours = signer.sign(&request, &host, AT, covers).unwrap();
        for name in ["authorization", "date", "host", "x-content-sha256"] {
            let ours = ours.get(name).map(|value| value.to_str().unwrap());
            assert_eq!(ours, theirs[name].as_str(), "{name} of {method} {url}");
        }
        let length = ours.get("content-length").map(|v| v.to_str().unwrap());
        if body.is_some() {
            assert_eq!(length, theirs["content-length"].as_str(), "{method} {url}");
        }
    }
}
