//! botocore, which AWS makes, signs the same calls at the same time: the signatures are equal to the byte.

use std::io::Write;
use std::process::{Command, Stdio};

use aws_credential_types::Credentials;
use bascule_model::Timestamp;
use serde_json::{Value, json};

use super::signed;
use crate::request::{Request, parameter};
use crate::service::Service;

/// 2026-11-24T12:00:00Z, as in the oracle.
const AT: Timestamp = Timestamp::from_millis(1_795_521_600_000);

const KEYS: [&str; 3] = ["AKIDEXAMPLE", "hidden/hidden+hidden", "a-session-token=="];

fn authorization(request: &Request) -> String {
    let [id, secret, token] = KEYS;
    let credentials = Credentials::new(id, secret, Some(token.to_owned()), None, "test");
    let endpoint = request.service.endpoint("us-east-1");
    let signed = signed(request, &endpoint, "us-east-1", &credentials, AT).unwrap();
    let header = &signed.headers()["authorization"];
    assert!(header.is_sensitive());
    header.to_str().unwrap().to_owned()
}

fn asked(request: &Request) -> Value {
    let service = request.service;
    json!({
        "method": request.method,
        "url": format!("{}{}", service.endpoint("us-east-1"), request.path),
        "headers": request.headers,
        "body": request.body,
        "service": service.signed_as(),
        "region": service.region("us-east-1"),
    })
}

#[test]
fn every_kind_of_call_has_the_signature_that_botocore_gives_it() {
    let ids = ["i-0123456789abcdef0", "i-1"];
    let parameters: Vec<(String, String)> = (1..)
        .zip(ids)
        .map(|(index, id)| parameter(format!("InstanceId.{index}"), id))
        .collect();
    let instances = Request::query(Service::Ec2, "ec2:DescribeInstances", "*", &parameters);
    let path = "/2013-04-01/hostedzone/Z1/rrset?maxitems=300&name=%2A.example.org&identifier=a%20b";
    let requests = [
        Request::get(Service::Route53, "route53:X", "", path.to_owned()),
        Request::post_xml(
            Service::Route53,
            "route53:Y",
            "",
            "/2013-04-01/hostedzone/Z1/rrset/".to_owned(),
            "<ü/>".to_owned(),
        ),
        Request::json(
            Service::GlobalAccelerator,
            "globalaccelerator:UpdateEndpointGroup",
            "",
            "GlobalAccelerator_V20180706",
            &json!({ "a": [1, "ä"] }),
        ),
    ];
    let input = json!({ "keys": KEYS, "ids": ids, "requests": requests.iter().map(asked).collect::<Vec<_>>() });
    let mut oracle = Command::new(bascule_testkit::aws::python().unwrap())
        .args(["-c", include_str!("oracle.py")])
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = oracle.stdin.take().unwrap();
    write!(stdin, "{input}").unwrap();
    drop(stdin);
    let output = oracle.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers[0]["body"], instances.body);
    let theirs: Vec<&str> = answers
        .iter()
        .map(|answer| answer["authorization"].as_str().unwrap())
        .collect();
    let ours: Vec<String> = std::iter::once(&instances)
        .chain(&requests)
        .map(authorization)
        .collect();
    assert_eq!(ours, theirs);
}
