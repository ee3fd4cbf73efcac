//! TLS as foreign clients see it: what `openssl s_client` and curl are let in with, what they are refused, and what they are
//! told. The defaults are the ones of a configuration that says nothing.

use std::process::Command;

use bascule_testkit::certificate::{self, Signed};
use bascule_testkit::{Daemon, Origin, wait};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{curl, make_private, reload, run, start};

/// A daemon with a TLS listener and a clear one before an origin.
struct Edge {
    daemon: Daemon,
    files: TempDir,
    /// What the `tls` key holds beside the certificates.
    tls: &'static str,
    origin: Origin,
}

impl Edge {
    fn start(tls: &'static str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let origin = Origin::start("aws").unwrap();
        write(
            &files,
            "first",
            &certificate::signed(&["a.example", "b.example"]).unwrap(),
        );
        write(
            &files,
            "second",
            &certificate::signed(&["c.example"]).unwrap(),
        );
        let daemon = start(&configuration(&files, tls, &origin, 1));
        Self {
            daemon,
            files,
            tls,
            origin,
        }
    }

    /// Reads the configuration and the certificates again.
    fn reload(&self, weight: u32) {
        let text = configuration(&self.files, self.tls, &self.origin, weight);
        reload(&self.daemon, &text);
    }

    fn port(&self, listener: &str) -> u16 {
        self.daemon.listener(listener).unwrap().port()
    }

    fn file(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// What `openssl s_client` says with these arguments and an empty input; whether there was a session.
    fn openssl(&self, args: &[&str]) -> (bool, String) {
        let at = format!("127.0.0.1:{}", self.port("tls"));
        let output = run("openssl", &[&["s_client", "-connect", &at], args].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        let has_session = output.status.success() && !text.contains("Cipher is (NONE)");
        (has_session, text)
    }

    /// curl to a name of the TLS listener; what it prints.
    fn curl(&self, name: &str, ca: &str, args: &[&str]) -> String {
        let to = format!("{name}:443:127.0.0.1:{}", self.port("tls"));
        let (url, ca) = (format!("https://{name}/"), self.file(ca));
        let fixed = ["--connect-to", &to, "--cacert", &ca, &url];
        curl(&[&fixed, args].concat())
    }
}

fn configuration(files: &TempDir, tls: &str, origin: &Origin, weight: u32) -> String {
    let pair = |name: &str| {
        let path = |end: &str| files.path().join(format!("{name}.{end}"));
        let (cert, key) = (path("pem"), path("key"));
        format!(
            "{{ cert_file: {}, key_file: {} }}",
            cert.display(),
            key.display()
        )
    };
    format!(
        "runtime: {{ workers: 1 }}
listen:
  web: {{ address: \"127.0.0.1:0\" }}
  tls:
    address: \"127.0.0.1:0\"
    tls: {{ certificates: [{first}, {second}]{tls} }}
services:
  meet:
    listen: [web, tls]
    backends: {{ aws: {{ weight: {weight}, endpoints: [\"{url}\"] }} }}
",
        first = pair("first"),
        second = pair("second"),
        url = origin.url(),
    )
}

fn write(files: &TempDir, name: &str, signed: &Signed) {
    let path = |end: &str| files.path().join(format!("{name}.{end}"));
    std::fs::write(path("pem"), &signed.cert_pem).unwrap();
    std::fs::write(path("ca"), &signed.ca_pem).unwrap();
    std::fs::write(path("key"), &signed.key_pem).unwrap();
    make_private(&path("key"));
}

#[test]
fn old_versions_and_weak_suites_are_refused_and_what_is_sound_is_taken() {
    let edge = Edge::start("");
    // At its lowest level the client would take anything: it is the server that refuses.
    let weak = "DEFAULT:COMPLEMENTOFDEFAULT@SECLEVEL=0";
    for refused in [
        &["-tls1", "-cipher", weak][..],
        &["-tls1_1", "-cipher", weak],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "AES128-GCM-SHA256@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "AES128-SHA@SECLEVEL=0"],
    ] {
        let (has_session, text) = edge.openssl(refused);
        assert!(!has_session, "{refused:?}: {text}");
        assert!(text.contains("alert"), "{refused:?}: {text}");
    }
    for (taken, suite) in [
        (&["-tls1_2"][..], "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
            "ECDHE-ECDSA-CHACHA20-POLY1305",
        ),
        (&["-tls1_3"], "TLS_AES_256_GCM_SHA384"),
    ] {
        let (has_session, text) = edge.openssl(taken);
        assert!(has_session && text.contains(suite), "{taken:?}: {text}");
        assert!(text.contains("Compression: NONE"), "{taken:?}: {text}");
    }
}

#[test]
fn the_lowest_version_can_be_raised() {
    let edge = Edge::start(", min_version: \"1.3\"");
    assert!(!edge.openssl(&["-tls1_2"]).0);
    assert!(edge.openssl(&["-tls1_3"]).0);
}

#[test]
fn alpn_takes_http2_first() {
    let edge = Edge::start("");
    for (offered, taken) in [
        ("http/1.1,h2", "ALPN protocol: h2"),
        ("http/1.1", "ALPN protocol: http/1.1"),
    ] {
        let (has_session, text) = edge.openssl(&["-alpn", offered]);
        assert!(has_session && text.contains(taken), "{offered}: {text}");
    }
}

#[test]
fn a_session_is_resumed_by_its_ticket_also_after_a_reload() {
    let edge = Edge::start("");
    let session = edge.file("session");
    // The ticket of TLS 1.3 comes with the first bytes behind the handshake, so it is 1.2 that shows it without a request.
    let (has_session, text) = edge.openssl(&["-tls1_2", "-sess_out", &session]);
    assert!(has_session && text.contains("\nNew, "), "{text}");
    let resumed = || {
        let (_, text) = edge.openssl(&["-tls1_2", "-sess_in", &session]);
        assert!(text.contains("\nReused, "), "{text}");
    };
    resumed();
    edge.reload(2);
    resumed();
}

#[test]
fn renegotiation_is_refused() {
    let edge = Edge::start("");
    let at = format!("127.0.0.1:{}", edge.port("tls"));
    let command = format!("printf 'R\\n' | openssl s_client -connect {at} -tls1_2 2>&1");
    let output = Command::new("sh").args(["-c", &command]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("RENEGOTIATING"), "{text}");
    assert!(
        text.contains("no renegotiation") || text.contains("no_renegotiation"),
        "{text}"
    );
}

#[test]
fn the_certificate_follows_the_name_and_strictness_refuses_names_that_none_is_for() {
    let edge = Edge::start("");
    assert_eq!(edge.curl("a.example", "first.ca", &[]), "aws\n");
    assert_eq!(edge.curl("c.example", "second.ca", &[]), "aws\n");
    let (has_session, text) = edge.openssl(&["-servername", "x.example"]);
    assert!(has_session, "the first stands for what none is for: {text}");

    let strict = Edge::start(", strict_sni: true");
    assert_eq!(strict.curl("c.example", "second.ca", &[]), "aws\n");
    for unknown in [&["-servername", "x.example"][..], &["-noservername"]] {
        let (has_session, text) = strict.openssl(unknown);
        assert!(!has_session, "{unknown:?}: {text}");
        assert!(text.contains("unrecognized name"), "{unknown:?}: {text}");
    }
}

#[test]
fn a_certificate_that_was_replaced_is_served_on_the_same_socket() {
    let edge = Edge::start("");
    let port = edge.port("tls");
    let fresh = certificate::signed(&["a.example", "d.example"]).unwrap();
    write(&edge.files, "first", &fresh);
    edge.daemon.signal(Signal::HUP).unwrap();
    wait::until("the new certificate", || {
        let (_, text) = edge.openssl(&["-CAfile", &edge.file("first.ca")]);
        text.contains("Verify return code: 0 (ok)").then_some(())
    })
    .unwrap();
    assert_eq!(edge.port("tls"), port);
    assert_eq!(edge.curl("d.example", "first.ca", &[]), "aws\n");
}

#[test]
fn hsts_is_told_over_tls_and_never_in_clear() {
    let edge = Edge::start(", hsts: { max_age: 365d, include_subdomains: true }");
    let told = "strict-transport-security: max-age=31536000; includeSubDomains";
    for version in ["--http1.1", "--http2"] {
        let head = edge.curl("a.example", "first.ca", &["-I", version]);
        assert!(head.to_lowercase().contains(&told.to_lowercase()), "{head}");
    }
    let clear = format!("http://127.0.0.1:{}/", edge.port("web"));
    let head = curl(&["-I", &clear]).to_lowercase();
    assert!(!head.contains("strict-transport-security"), "{head}");
}

#[test]
fn a_request_for_a_name_that_its_connection_is_not_for_is_misdirected() {
    let edge = Edge::start("");
    let code = |host: &str, version: &str| {
        let host = format!("Host: {host}");
        let args = [
            "-H",
            &host,
            version,
            "-o",
            "/dev/null",
            "-w",
            "%{response_code}",
        ];
        edge.curl("a.example", "first.ca", &args)
    };
    for version in ["--http1.1", "--http2"] {
        assert_eq!(code("a.example", version), "200", "{version}");
        assert_eq!(
            code("b.example", version),
            "200",
            "its certificate has the name: {version}"
        );
        assert_eq!(code("c.example", version), "421", "{version}");
    }
}
