//! Endpoints of loopback, asked as an operator's would be.

use bascule_net::tls::{CertificateMaterial, Protocols, ServerTls};
use bascule_telemetry::spawn::{self, AbortOnDrop};
use bascule_testkit::certificate::{Signed, signed};
use bascule_testkit::name_server::{NameServer, SrvEntry};
use bascule_testkit::origin::Origin;
use tokio::net::TcpListener;

use super::*;
use crate::check::Level;
use crate::files::Files;

/// What is found of one endpoint, with more keys for its backend and its service.
async fn found(url: &str, backend: &str, service: &str) -> Vec<Finding> {
    let text = format!(
        "listen: {{ web: {{ address: \":8080\" }} }}\nservices: {{ meet: {{ {service} backends: {{ \
         aws: {{ weight: 1, {backend} endpoints: [\"{url}\"] }} }} }} }}\n"
    );
    let files = Files::default();
    let config = bascule_config::load("meet.yaml", &text, &files)
        .unwrap()
        .config;
    let groups = look(&config, bascule_telemetry::clock::wall()).await;
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!(groups[0].part, "aws");
    groups
        .into_iter()
        .flat_map(|group| group.findings)
        .collect()
}

/// What is found where this name server is asked.
async fn found_by(server: &NameServer, url: &str, backend: &str) -> Vec<Finding> {
    let text = format!(
        "dns: {{ servers: [\"{}\"], timeout: 500ms }}\nlisten: {{ web: {{ address: \":8080\" }} }}\nservices: {{ meet: {{ \
         backends: {{ aws: {{ weight: 1, {backend} endpoints: [\"{url}\"] }} }} }} }}\n",
        server.address()
    );
    let config = bascule_config::load("meet.yaml", &text, &Files::default());
    let config = config.unwrap().config;
    let groups = look(&config, bascule_telemetry::clock::wall()).await;
    groups
        .into_iter()
        .flat_map(|group| group.findings)
        .collect()
}

#[test]
fn an_srv_name_is_asked_at_all_its_targets_and_what_does_not_resolve_is_told() {
    const NAME: &str = "_http._tcp.media.test";
    let server = NameServer::start().unwrap();
    let found = || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(found_by(&server, &format!("http+srv://{NAME}"), ""))
    };
    assert_eq!(codes(&found()), [Some("E0701")]);
    let origin = Origin::start("aws").unwrap();
    let entry = |priority, target: &str| SrvEntry {
        priority,
        weight: 1,
        port: origin.address().port(),
        target: target.to_owned(),
    };
    server.set_host("a.test", &[origin.address().ip()]);
    server.set_service(NAME, &[entry(1, "a.test")]);
    assert_eq!(codes(&found()), [None]);
    server.set_service(NAME, &[entry(1, "a.test"), entry(2, "gone.test")]);
    let found = found();
    assert_eq!(codes(&found), [None, Some("W0701")]);
    assert!(found[1].text.contains("gone.test"), "{found:?}");
}

/// The same from outside of a runtime, as an origin of tests has one of its own.
fn found_now(url: &str, backend: &str, service: &str) -> Vec<Finding> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(found(url, backend, service))
}

fn codes(found: &[Finding]) -> Vec<Option<&'static str>> {
    found.iter().map(|finding| finding.code).collect()
}

#[test]
fn an_endpoint_that_listens_is_fine_and_one_that_does_not_is_told_with_its_place() {
    let origin = Origin::start("aws").unwrap();
    assert_eq!(codes(&found_now(&origin.url(), "", "")), [None]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let found = found_now(&format!("http://{address}"), "", "");
    assert_eq!(codes(&found), [Some("E0702")]);
    assert_eq!(
        found[0].pointer.as_deref(),
        Some("/services/meet/backends/aws/endpoints/0")
    );
    assert!(found[0].text.contains(&address.to_string()), "{found:?}");
}

#[test]
fn a_host_of_the_hosts_file_is_asked_at_its_addresses() {
    let origin = Origin::start("aws").unwrap();
    let port = origin.address().port();
    let found = found_now(&format!("http://localhost:{port}"), "", "");
    assert!(found.iter().any(|f| f.level == Level::Ok), "{found:?}");
}

#[test]
fn the_configured_check_is_made_too() {
    let origin = Origin::start("aws").unwrap();
    let fine = found_now(&origin.url(), "", "check: { path: /healthz },");
    assert_eq!(codes(&fine), [None]);
    let fails = found_now(
        &origin.url(),
        "",
        "check: { path: /healthz, expect: { status: [204] } },",
    );
    assert_eq!(codes(&fails), [Some("E0708")]);
    assert!(
        fails[0].text.contains("GET /healthz: status 200"),
        "{fails:?}"
    );
}

#[test]
fn a_check_of_another_kind_is_made_and_named() {
    let origin = Origin::start("aws").unwrap();
    let greeting = "check: { send: \"x\\r\\n\\r\\n\", expect: { text: hello }, timeout: 2s },";
    for (check, told) in [
        (greeting, "TCP: the answer does not hold `expect.text`"),
        ("check: { kind: grpc },", "gRPC: the answer is not what"),
    ] {
        let fails = found_now(&origin.url(), "", check);
        assert_eq!(codes(&fails), [Some("E0708")], "{fails:?}");
        assert!(fails[0].text.contains(told), "{fails:?}");
    }
}

/// An endpoint with a certificate for these names; it ends with the guard.
async fn secure_endpoint(names: &[&str]) -> (SocketAddr, Signed, AbortOnDrop) {
    let signed = signed(names).unwrap();
    let material = CertificateMaterial {
        cert_file: "tls.crt".to_owned(),
        key_file: "tls.key".to_owned(),
        cert_pem: signed.cert_pem.clone().into_bytes().into(),
        key_pem: signed.key_pem.clone().into_bytes().into(),
    };
    let tls = ServerTls::new(&[material], Protocols { h1: true, h2: true }.into()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust us leaves in the middle.
            drop(tls.accept(stream).await);
        }
    };
    let server = spawn::local("endpoint", server).abort_on_drop();
    (address, signed, server)
}

#[tokio::test]
async fn certificates_are_verified_by_name_and_authority() {
    let tasks = tokio::task::LocalSet::new();
    tasks
        .run_until(async {
            let (address, signed, _server) = secure_endpoint(&["127.0.0.1"]).await;
            let dir = tempfile::tempdir().unwrap();
            let ca = dir.path().join("ca.pem");
            std::fs::write(&ca, &signed.ca_pem).unwrap();
            let trusting = format!("ca_file: \"{}\",", ca.display());
            let url = format!("https://{address}");
            assert_eq!(codes(&found(&url, &trusting, "").await), [None]);
            assert_eq!(codes(&found(&url, "", "").await), [Some("E0705")]);
            let by_name = format!("https://localhost:{}", address.port());
            let other = found(&by_name, &trusting, "").await;
            assert!(codes(&other).contains(&Some("E0706")), "{other:?}");
        })
        .await;
}

#[tokio::test]
async fn of_an_srv_name_the_domain_is_verified_and_not_the_target() {
    let tasks = tokio::task::LocalSet::new();
    let run = async {
        for (certified, told) in [("media.test", None), ("a.media.test", Some("E0706"))] {
            let (address, signed, _server) = secure_endpoint(&[certified]).await;
            let dir = tempfile::tempdir().unwrap();
            let ca = dir.path().join("ca.pem");
            std::fs::write(&ca, &signed.ca_pem).unwrap();
            let server = NameServer::start().unwrap();
            server.set_host("a.media.test", &[address.ip()]);
            let entry = SrvEntry {
                priority: 1,
                weight: 1,
                port: address.port(),
                target: "a.media.test".to_owned(),
            };
            server.set_service("_https._tcp.media.test", &[entry]);
            let trusting = format!("ca_file: \"{}\",", ca.display());
            let url = "https+srv://_https._tcp.media.test";
            let found = found_by(&server, url, &trusting).await;
            assert_eq!(codes(&found), [told], "{found:?}");
        }
    };
    tasks.run_until(run).await;
}

#[test]
fn clear_text_where_tls_is_expected_is_told() {
    let origin = Origin::start("aws").unwrap();
    let found = found_now(&format!("https://{}", origin.address()), "", "");
    assert_eq!(codes(&found), [Some("E0704")]);
}

#[test]
fn a_certificate_warns_in_its_last_fortnight() {
    let made = signed(&["meet.test"]).unwrap();
    let chain = bascule_net::tls::look::chain_facts(made.cert_pem.as_bytes()).unwrap();
    let before = |days: u64| {
        let end = chain[0].not_after.as_millis();
        Timestamp::from_millis(end - days * 86_400_000)
    };
    assert_eq!(ends_soon(&chain[0], "x", before(15)), None);
    let soon = ends_soon(&chain[0], "x", before(9)).unwrap();
    assert_eq!(
        (soon.code, soon.text.as_str()),
        (Some("W0702"), "the certificate of x ends in 9 days")
    );
}
