//! What the stories share: the binary, its configuration, and real clients.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use bascule_testkit::{Daemon, Nginx, wait};
use rustix::process::Signal;
use serde_json::Value;

/// Starts the binary under test.
pub(crate) fn start(config: &str) -> Daemon {
    Daemon::start(Path::new(env!("CARGO_BIN_EXE_bascule")), config).unwrap()
}

/// A service over two providers with quick checks. `aws` and `oci` are URLs; `more` is added to the service.
pub(crate) fn two_clouds(aws: &str, oci: &str, more: &str) -> String {
    format!(
        "runtime: {{ workers: 2 }}
log: {{ access: {{ sample: 0.0 }} }}
listen:
  web: {{ address: \"127.0.0.1:0\" }}
defaults:
  check: {{ interval: 500ms, timeout: 400ms, fall: 2, rise: 2 }}
  ramp: {{ duration: 1s }}
services:
  meet:
    backends:
      aws: {{ weight: 70, endpoints: [\"{aws}\"] }}
      oci: {{ weight: 30, endpoints: [\"{oci}\"] }}
{more}"
    )
}

/// Two real upstreams.
pub(crate) fn clouds() -> (Nginx, Nginx) {
    (Nginx::start("aws").unwrap(), Nginx::start("oci").unwrap())
}

/// The hash of the configuration that runs.
pub(crate) fn hash(daemon: &Daemon) -> String {
    let status = daemon.get("/v1/status").unwrap();
    status
        .pointer("/config/hash")
        .and_then(Value::as_str)
        .unwrap()
        .to_owned()
}

/// Replaces the configuration and waits until it is the one that runs.
pub(crate) fn reload(daemon: &Daemon, config: &str) {
    let before = hash(daemon);
    daemon.write_config(config).unwrap();
    daemon.signal(Signal::HUP).unwrap();
    wait::until("the new configuration", || {
        (hash(daemon) != before).then_some(())
    })
    .unwrap();
}

/// Only its owner may read a key.
pub(crate) fn make_private(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs a client to its end.
pub(crate) fn run(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output();
    output.unwrap_or_else(|error| panic!("{program}: {error} (cargo xtask test installs it)"))
}

/// Standard output of a client that must succeed.
pub(crate) fn curl(args: &[&str]) -> String {
    let output = run("curl", &[&["-sS", "--max-time", "120"], args].concat());
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "curl {args:?}: {}",
        shown(&output.stderr)
    );
    shown(&output.stdout)
}

/// h2load in the background, at a constant rate.
pub(crate) struct Load(Child);

impl Load {
    /// Sends `requests` in all, at about `rate` a second over eight connections.
    pub(crate) fn start(url: &str, protocol: &str, requests: u32, rate: u32) -> Self {
        let per_client = (rate / 8).to_string();
        let child = Command::new("h2load")
            .args([
                protocol,
                "-c",
                "8",
                "-n",
                &requests.to_string(),
                "--rps",
                &per_client,
                url,
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.unwrap_or_else(|error| panic!("h2load: {error} (Debian: nghttp2-client)")))
    }

    /// Waits for the end and reads what became of the requests.
    pub(crate) fn result(self) -> Counts {
        let output = self.0.wait_with_output().unwrap();
        Counts::read(&String::from_utf8_lossy(&output.stdout))
    }
}

/// What h2load counted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Requests that ended, well or not.
    pub(crate) done: u64,
    /// Answers with a 2xx.
    pub(crate) ok: u64,
    /// Requests that failed, by an answer that is no success or without one.
    pub(crate) failed: u64,
    /// Of these, those without an answer.
    pub(crate) errored: u64,
    /// The report, for messages.
    pub(crate) report: String,
}

impl Counts {
    /// Reads a report.
    pub(crate) fn read(report: &str) -> Self {
        let number = |line: &str, word: &str| {
            let line = report.lines().find(|l| l.starts_with(line))?;
            let words: Vec<&str> = line.split([' ', ',']).filter(|w| !w.is_empty()).collect();
            let at = words.iter().position(|w| *w == word)?;
            words.get(at.checked_sub(1)?)?.parse().ok()
        };
        Self {
            done: number("requests:", "done").unwrap_or_else(|| panic!("h2load said: {report}")),
            ok: number("status codes:", "2xx").unwrap_or_else(|| panic!("h2load said: {report}")),
            failed: number("requests:", "failed").unwrap_or(u64::MAX),
            errored: number("requests:", "errored").unwrap_or(u64::MAX),
            report: report.to_owned(),
        }
    }

    /// Every request was answered with a 2xx.
    #[track_caller]
    pub(crate) fn assert_nothing_failed(&self) {
        assert!(self.failed == 0 && self.ok == self.done, "{}", self.report);
    }
}

/// A row of shares in percent, as the API tells it.
pub(crate) fn row(daemon: &Daemon, kind: &str) -> Vec<(String, f64)> {
    let weights = daemon.get("/v1/services/meet/weights").unwrap();
    let row = weights
        .get(kind)
        .and_then(Value::as_object)
        .unwrap_or_else(|| panic!("{weights}"));
    row.iter()
        .map(|(name, share)| (name.clone(), share.as_f64().unwrap()))
        .collect()
}

/// Waits until a row is as given.
#[track_caller]
pub(crate) fn until_row(daemon: &Daemon, kind: &str, aws: f64, oci: f64) {
    let wanted = [("aws".to_owned(), aws), ("oci".to_owned(), oci)];
    let reached = wait::until(&format!("{kind} {aws}/{oci}"), || {
        (row(daemon, kind) == wanted).then_some(())
    });
    if let Err(error) = reached {
        panic!(
            "{error}; it is {:?}; log:\n{}",
            row(daemon, kind),
            daemon.log()
        );
    }
}

/// Standard output of a command line that must succeed.
#[track_caller]
pub(crate) fn cli(daemon: &Daemon, args: &[&str]) -> String {
    let output = daemon.cli(args).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{args:?}: {}\n{text}{errors}\n{}",
        output.status,
        daemon.log()
    );
    text
}

/// What the metrics say: each line of a metric, its labels with its value.
pub(crate) fn metric(daemon: &Daemon, name: &str) -> Vec<(String, u64)> {
    let answer = daemon.api(http::Method::GET, "/metrics", "").unwrap();
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    let one = |line: &str| {
        let (labels, value) = line
            .strip_prefix(name)?
            .strip_prefix('{')?
            .split_once("} ")?;
        Some((labels.to_owned(), value.parse().ok()?))
    };
    text.lines().filter_map(one).collect()
}

/// Requests that the edge refused, by reason.
pub(crate) fn refusals(daemon: &Daemon) -> Vec<(String, u64)> {
    let reason = |labels: &str| {
        let (_, rest) = labels.split_once("reason=\"")?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let lines = metric(daemon, "bascule_requests_refused_total");
    lines
        .into_iter()
        .filter_map(|(labels, count)| Some((reason(&labels)?, count)))
        .collect()
}
