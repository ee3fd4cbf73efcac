//! What a client gets, through every protocol the edge speaks, and how exactly the requests are divided.

use std::path::Path;

use bascule_testkit::{Origin, certificate};
use rustix::process::Signal;

use crate::support::{Load, clouds, curl, start, two_clouds, until_row};

#[test]
fn ten_thousand_requests_are_divided_exactly() {
    let (aws, oci) = clouds();
    let daemon = start(&two_clouds(&aws.url(), &oci.url(), ""));
    let url = format!("http://{}/", daemon.listener("web").unwrap());
    let result = Load::start(&url, "--h1", 10_000, 4_000).result();
    result.assert_nothing_failed();
    assert_eq!(aws.requests() + oci.requests(), 10_000);
    // Two workers, each off by less than two.
    let off = aws.requests().abs_diff(7_000);
    assert!(off < 4, "aws got {} of 10 000 at 70 %", aws.requests());
}

#[test]
fn a_provider_that_dies_under_load_costs_no_request() {
    let (aws, oci) = clouds();
    let daemon = start(&two_clouds(&aws.url(), &oci.url(), ""));
    let url = format!("http://{}/", daemon.listener("web").unwrap());
    let load = Load::start(&url, "--h1", 4_000, 400);
    bascule_testkit::wait::until("traffic at aws", || (aws.requests() > 1_000).then_some(()))
        .unwrap();
    aws.die().unwrap();
    until_row(&daemon, "effective", 0.0, 100.0);
    load.result().assert_nothing_failed();
}

#[test]
fn a_provider_that_comes_back_gets_its_share_again() {
    let mut aws = Origin::start("aws").unwrap();
    let oci = Origin::start("oci").unwrap();
    let daemon = start(&two_clouds(&aws.url(), &oci.url(), ""));
    aws.die();
    until_row(&daemon, "effective", 0.0, 100.0);
    aws.revive().unwrap();
    until_row(&daemon, "effective", 70.0, 30.0);
}

#[test]
fn with_everything_down_clients_are_told_when_to_come_back() {
    let (mut aws, mut oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let daemon = start(&two_clouds(&aws.url(), &oci.url(), ""));
    let url = format!("http://{}/", daemon.listener("web").unwrap());
    aws.die();
    oci.die();
    bascule_testkit::wait::until("a refusal with its reason", || {
        let answer = curl(&["-i", &url]);
        (answer.contains("no_backend_up")).then_some(answer)
    })
    .map(|answer| {
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(
            answer.to_ascii_lowercase().contains("retry-after: "),
            "{answer}"
        );
    })
    .unwrap();
    daemon.signal(Signal::HUP).unwrap();
    aws.revive().unwrap();
    until_row(&daemon, "effective", 100.0, 0.0);
}

#[test]
fn https_http2_h2c_and_ipv6_reach_the_same_service() {
    let signed = certificate::signed(&["meet.example.org", "localhost"]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (ca, cert, key) = (
        write("ca.pem", &signed.ca_pem),
        write("c.pem", &signed.cert_pem),
        write("k.pem", &signed.key_pem),
    );
    make_private(Path::new(&key));
    let aws = Origin::start("aws").unwrap();
    let daemon = start(&format!(
        "listen:
  web: {{ address: \":0\" }}
  tls: {{ address: \"127.0.0.1:0\", tls: {{ certificates: [{{ cert_file: {cert}, key_file: {key} }}] }} }}
services:
  meet:
    listen: [web, tls]
    backends: {{ aws: {{ weight: 1, endpoints: [\"{}\"] }} }}
",
        aws.url()
    ));
    let (web, tls) = (
        daemon.listener("web").unwrap().port(),
        daemon.listener("tls").unwrap().port(),
    );
    let secure = format!("https://localhost:{tls}/");
    let version = ["-o", "/dev/null", "-w", "%{http_version} %{response_code}"];
    let with = |args: &[&str]| curl(&[&version, args].concat());
    assert_eq!(with(&["--cacert", &ca, "--http2", &secure]), "2 200");
    assert_eq!(with(&["--cacert", &ca, "--http1.1", &secure]), "1.1 200");
    assert_eq!(
        with(&[
            "--http2-prior-knowledge",
            &format!("http://127.0.0.1:{web}/")
        ]),
        "2 200"
    );
    assert_eq!(with(&["-g", &format!("http://[::1]:{web}/")]), "1.1 200");
    assert_eq!(
        with(&["--http1.0", &format!("http://127.0.0.1:{web}/")])
            .split(' ')
            .next_back(),
        Some("200")
    );
}

fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
