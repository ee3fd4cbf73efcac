//! Foreign clients that each have a mind of their own: curl, h2load and Python's `http.client`, over HTTP/1.1, HTTP/2 and
//! TLS. What they send is answered by their own reading of the standards, not by ours.

use bascule_testkit::{Daemon, Origin, certificate};
use tempfile::TempDir;

use crate::support::{Counts, curl, make_private, run, start};

/// Bytes of the files that go up and down: many windows of HTTP/2.
const FILE_BYTES: usize = 3_000_000;

/// A daemon with a clear and a TLS listener before an origin that echoes, and files for clients.
struct Edge {
    origin: Origin,
    clear: String,
    secure: String,
    files: TempDir,
    _daemon: Daemon,
}

impl Edge {
    fn start() -> Self {
        let files = tempfile::tempdir().unwrap();
        let path = |name: &str| files.path().join(name);
        let signed = certificate::signed(&["localhost"]).unwrap();
        std::fs::write(path("ca.pem"), &signed.ca_pem).unwrap();
        std::fs::write(path("c.pem"), &signed.cert_pem).unwrap();
        std::fs::write(path("k.pem"), &signed.key_pem).unwrap();
        make_private(&path("k.pem"));
        let mut random = fastrand::Rng::with_seed(1);
        let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
            .take(FILE_BYTES)
            .collect();
        std::fs::write(path("up"), bytes).unwrap();
        let origin = Origin::start("aws").unwrap();
        let daemon = start(&format!(
            "runtime: {{ workers: 2 }}
listen:
  web: {{ address: \"127.0.0.1:0\" }}
  tls: {{ address: \"127.0.0.1:0\", tls: {{ certificates: [{{ cert_file: {cert}, key_file: {key} }}] }} }}
services:
  meet:
    listen: [web, tls]
    backends: {{ aws: {{ weight: 1, endpoints: [\"{url}\"] }} }}
",
            cert = path("c.pem").display(),
            key = path("k.pem").display(),
            url = origin.url()
        ));
        let port = |name: &str| daemon.listener(name).unwrap().port();
        Self {
            clear: format!("http://127.0.0.1:{}", port("web")),
            secure: format!("https://localhost:{}", port("tls")),
            origin,
            files,
            _daemon: daemon,
        }
    }

    fn file(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// The URL and the protocol's arguments, for each way that curl can go.
    fn ways(&self) -> [(String, Vec<String>); 4] {
        let ca = || vec!["--cacert".to_owned(), self.file("ca.pem")];
        let with = |mut args: Vec<String>, protocol: &str| {
            args.push(protocol.to_owned());
            args
        };
        [
            (self.clear.clone(), with(Vec::new(), "--http1.1")),
            (
                self.clear.clone(),
                with(Vec::new(), "--http2-prior-knowledge"),
            ),
            (self.secure.clone(), with(ca(), "--http1.1")),
            // By ALPN: curl offers both and takes what is chosen.
            (self.secure.clone(), with(ca(), "--http2")),
        ]
    }

    /// Runs curl to `path` over each way, with a file for what comes down.
    fn curl_each_way(&self, path: &str, args: &[&str], check: impl Fn(&str, &[u8])) {
        for (base, protocol) in self.ways() {
            let (url, down) = (format!("{base}{path}"), self.file("down"));
            let mut all: Vec<&str> = protocol.iter().map(String::as_str).collect();
            all.extend_from_slice(args);
            all.extend(["-o", &down, "-w", "%{response_code}", &url]);
            let way = format!("{protocol:?} {url}");
            assert_eq!(curl(&all), "200", "{way}");
            check(&way, &std::fs::read(&down).unwrap());
        }
    }

    fn up(&self) -> Vec<u8> {
        std::fs::read(self.file("up")).unwrap()
    }
}

#[test]
fn curl_gets_back_what_it_uploaded_with_a_length() {
    let edge = Edge::start();
    let (sent, from) = (edge.up(), format!("@{}", edge.file("up")));
    let args = ["-X", "POST", "--data-binary", &from, "-H", "Expect:"];
    edge.curl_each_way("/echo", &args, |way, got| {
        assert!(got == sent, "{way}: {} other bytes came back", got.len());
    });
}

#[test]
fn curl_gets_back_what_it_uploaded_in_chunks() {
    let edge = Edge::start();
    let (sent, from) = (edge.up(), edge.file("up"));
    // With HTTP/1.1 it sends chunks, with HTTP/2 it leaves the length out.
    let args = [
        "-X",
        "POST",
        "-T",
        &from,
        "-H",
        "Transfer-Encoding: chunked",
    ];
    edge.curl_each_way("/echo", &args, |way, got| {
        assert!(got == sent, "{way}: {} other bytes came back", got.len());
    });
}

#[test]
fn curl_that_waits_for_100_continue_gets_it() {
    let edge = Edge::start();
    let from = format!("@{}", edge.file("up"));
    let url = format!("{}/count", edge.clear);
    // Told to wait this long it sends nothing of the body before the interim answer, which it shows.
    let told = curl(&[
        "-v",
        "--http1.1",
        "--expect100-timeout",
        "60",
        "-H",
        "Expect: 100-continue",
        "--data-binary",
        &from,
        "--stderr",
        "-",
        &url,
    ]);
    assert!(told.contains("< HTTP/1.1 100 Continue"), "{told}");
    assert!(told.contains(&FILE_BYTES.to_string()), "{told}");
}

#[test]
fn curl_downloads_every_byte() {
    let edge = Edge::start();
    edge.curl_each_way("/bytes/5000000", &[], |way, got| {
        assert_eq!(got.len(), 5_000_000, "{way}");
        assert!(got.iter().all(|byte| *byte == b'x'), "{way}: wrong bytes");
    });
}

#[test]
fn curl_keeps_its_connection_over_several_requests() {
    let edge = Edge::start();
    for (base, protocol) in edge.ways() {
        // curl 7.88 cannot use such a connection twice, whoever serves it (its issue 10634); h2load shows that here.
        if protocol.iter().any(|arg| arg == "--http2-prior-knowledge") {
            continue;
        }
        let url = format!("{base}/");
        let mut args: Vec<&str> = protocol.iter().map(String::as_str).collect();
        args.extend(["-w", "%{num_connects} ", &url, &url, &url]);
        let told = curl(&args);
        let opened: Vec<&str> = told.split_whitespace().filter(|w| *w != "aws").collect();
        assert_eq!(opened, ["1", "0", "0"], "{protocol:?}: {told}");
    }
}

#[test]
fn h2load_loses_no_request_over_any_protocol() {
    let edge = Edge::start();
    let ways = [
        (&edge.clear, "--h1"),
        (&edge.clear, "--no-tls-proto=h2c"),
        (&edge.secure, "--npn-list=http/1.1"),
        (&edge.secure, "--npn-list=h2"),
    ];
    for (base, protocol) in ways {
        let before = edge.origin.requests();
        let url = format!("{base}/bytes/2000");
        let output = run(
            "h2load",
            &[protocol, "-c", "10", "-m", "10", "-n", "3000", &url],
        );
        let counts = Counts::read(&String::from_utf8_lossy(&output.stdout));
        counts.assert_nothing_failed();
        assert_eq!((counts.done, counts.ok), (3000, 3000), "{protocol}");
        assert_eq!(edge.origin.requests() - before, 3000, "{protocol}");
    }
}

#[test]
fn h2load_uploads_over_many_streams() {
    let edge = Edge::start();
    let from = edge.file("body");
    std::fs::write(&from, vec![b'u'; 50_000]).unwrap();
    for (base, protocol) in [
        (&edge.clear, "--no-tls-proto=h2c"),
        (&edge.secure, "--npn-list=h2"),
    ] {
        let url = format!("{base}/echo");
        let output = run(
            "h2load",
            &[
                protocol, "-c", "4", "-m", "20", "-n", "400", "-d", &from, &url,
            ],
        );
        let counts = Counts::read(&String::from_utf8_lossy(&output.stdout));
        counts.assert_nothing_failed();
        assert_eq!(counts.ok, 400, "{protocol}: {}", counts.report);
    }
}

/// What Python is asked to do: `BASE CA`. It says `ok` when all of it was right.
const PYTHON: &str = r#"
import http.client, ssl, sys, urllib.parse
base, ca = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2]
if base.scheme == "https":
    trust = ssl.create_default_context(cafile=ca)
    client = http.client.HTTPSConnection(base.hostname, base.port, timeout=60, context=trust)
else:
    client = http.client.HTTPConnection(base.hostname, base.port, timeout=60)
def ask(method, path, body=None, headers={}, **how):
    client.request(method, path, body, headers, **how)
    answer = client.getresponse()
    return answer, answer.read()
answer, body = ask("GET", "/")
assert (answer.status, body) == (200, b"aws\n"), (answer.status, body)
socket = client.sock
sent = bytes(range(256)) * 2000
answer, body = ask("POST", "/echo", sent)
assert body == sent, len(body)
pieces = [sent[n:n + 777] for n in range(0, len(sent), 777)]
answer, body = ask("POST", "/echo", iter(pieces), {}, encode_chunked=True)
assert body == sent, len(body)
answer, body = ask("HEAD", "/bytes/1000")
assert (answer.status, answer.getheader("content-length"), body) == (200, "1000", b""), answer.getheaders()
answer, body = ask("GET", "/bytes/1000000")
assert body == b"x" * 1000000, len(body)
assert client.sock is socket, "the connection was not kept"
answer, body = ask("GET", "/", headers={"Connection": "close"})
assert answer.getheader("connection") == "close" and client.sock is None, answer.getheaders()
print("ok")
"#;

#[test]
fn python_speaks_http_with_it_on_one_kept_connection() {
    let edge = Edge::start();
    for base in [&edge.clear, &edge.secure] {
        let output = run("python3", &["-c", PYTHON, base, &edge.file("ca.pem")]);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "ok\n",
            "{base}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
