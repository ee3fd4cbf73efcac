//! Wrong input of every kind: a clear answer that names the place, and nothing lost.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};

use bascule_testkit::{Daemon, Origin};

use crate::support::{row, start, two_clouds};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// Runs `bascule run` on a file with this text.
fn run_with(config: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("meet.yaml");
    std::fs::write(&file, config).unwrap();
    let state = directory.path().join("state");
    Command::new(env!("CARGO_BIN_EXE_bascule"))
        .args(["run", "--config"])
        .arg(file)
        .arg("--state-dir")
        .arg(state)
        .arg("--admin-socket")
        .arg(directory.path().join("admin.sock"))
        .output()
        .unwrap()
}

#[test]
fn a_bad_file_stops_the_start_with_all_its_errors_and_exit_3() {
    let output = run_with(
        "listen:
  web: { address: \":0\" }
services:
  meet:
    backends:
      aws: { wieght: 70, endpoints: [\"http://10.0.1.10:8080\"] }
      oci: { weight: 30, endpoints: [\"htp://10.1.1.10:8080\"] }
",
    );
    let told = text(&output);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("meet.yaml:6:14"), "{told}");
    assert!(told.contains("did you mean `weight`?"), "{told}");
    assert!(
        told.contains("meet.yaml:7:"),
        "both errors in one run: {told}"
    );
}

#[test]
fn a_feature_that_does_not_exist_yet_is_refused_by_name() {
    let output = run_with(
        "listen:
  media: { address: \":0\", kind: udp }
services:
  meet: { backends: { aws: { weight: 1, endpoints: [\"http://10.0.1.10:8080\"] } } }
",
    );
    let told = text(&output);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("udp"), "{told}");
}

#[test]
fn a_port_in_use_is_found_before_anything_starts() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = run_with(&format!(
        "listen:
  web: {{ address: \"127.0.0.1:{port}\" }}
services:
  meet: {{ backends: {{ aws: {{ weight: 1, endpoints: [\"http://10.0.1.10:8080\"] }} }} }}
"
    ));
    let told = text(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains(&port.to_string()) && told.contains("in use"),
        "{told}"
    );
}

fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is a way to close too.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn malformed_http_is_answered_400_and_never_forwarded() {
    let origin = Origin::start("aws").unwrap();
    let daemon = start(&two_clouds(
        &origin.url(),
        &origin.url().replace("127.0.0.1", "127.0.0.2"),
        "",
    ));
    let web = daemon.listener("web").unwrap();
    let before = origin.requests();
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
        "NOT-HTTP\r\n\r\n",
    ] {
        let answer = raw(web, request);
        assert!(
            answer.starts_with("HTTP/1.1 400"),
            "{request:?} was answered {answer:?}"
        );
    }
    assert_eq!(origin.requests(), before);
}

fn refused(daemon: &Daemon, args: &[&str], code: i32, says: &str) {
    let output = daemon.cli(args).unwrap();
    let told = text(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
    assert!(told.contains(says), "{args:?}: {told}");
}

#[test]
fn wrong_commands_get_the_right_code_and_a_fix_and_change_nothing() {
    let (aws, oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let daemon = start(&two_clouds(
        &aws.url(),
        &oci.url(),
        "    safety: { max_step: 20% }\n",
    ));
    let before = row(&daemon, "target");
    refused(&daemon, &["shift", "meet", "ocl=50", "--yes"], 2, "oci");
    refused(&daemon, &["shift", "meat", "oci=50", "--yes"], 2, "meet");
    refused(
        &daemon,
        &["shift", "meet", "aws=60", "oci=60", "--yes"],
        2,
        "120",
    );
    refused(
        &daemon,
        &["shift", "meet", "aws=10", "--yes"],
        6,
        "max_step",
    );
    refused(&daemon, &["evacuate", "azure", "--yes"], 2, "aws");
    assert_eq!(row(&daemon, "target"), before);
    let stale = http::Request::put("/v1/services/meet/weights")
        .header("host", "localhost")
        .header("if-match", "\"999999\"")
        .header("content-type", "application/json")
        .body(http_body_util::Full::from(
            r#"{"shares":{"aws":60},"reason":"x"}"#.to_owned(),
        ))
        .unwrap();
    let answer = bascule_testkit::client::send_unix(&daemon.socket(), stale).unwrap();
    assert_eq!(answer.status(), 412);
    let missing = http::Request::put("/v1/services/meet/weights")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(http_body_util::Full::from(
            r#"{"shares":{"aws":60},"reason":"x"}"#.to_owned(),
        ))
        .unwrap();
    let answer = bascule_testkit::client::send_unix(&daemon.socket(), missing).unwrap();
    assert_eq!(answer.status(), 428);
    assert_eq!(row(&daemon, "target"), before);
}
