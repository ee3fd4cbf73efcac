//! Where the soak takes place: a daemon with two providers for good clients, one honest and two ill backends for attackers,
//! and the operator who changes weights meanwhile. Each turn has good clients and attackers of its own, so that connections
//! are opened and closed throughout.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bascule_testkit::attack::origin::http1::Ailment as One;
use bascule_testkit::attack::origin::http2::Ailment as Two;
use bascule_testkit::attack::origin::{Ill, IllOrigin};
use bascule_testkit::attack::{Force, Running, Target};
use bascule_testkit::bystander::{Bystander, Manners, Way};
use bascule_testkit::{Daemon, Origin, certificate, wait};
use http::Method;
use rustix::process::Signal;
use rustls::ClientConfig;
use tempfile::TempDir;

use crate::rotation::Bad;
use crate::samples::Samples;
use crate::tally::Turn;

/// Whom good clients ask.
const MEET: &str = "meet.example.org";
/// Whom attackers ask.
pub(crate) const ATTACKED: &str = "attacked.example.org";
/// Whom attackers ask to get the daemon to an ill origin, over HTTP/1.1 and over HTTP/2.
pub(crate) const ILL: [&str; 2] = ["ill1.example.org", "ill2.example.org"];

/// Between two samples: some in each turn of the shortest soak.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);
/// No answer to a good client within this is a failure. Long: a busy machine is no failure of the daemon.
const PATIENCE: Duration = Duration::from_secs(20);

/// The daemon, and what stands around it.
pub(crate) struct Ground {
    daemon: Daemon,
    config: String,
    ca_pem: String,
    descriptors: usize,
    _origins: [Origin; 3],
    _ill: Vec<IllOrigin>,
    _files: TempDir,
}

impl Ground {
    pub(crate) fn start() -> Self {
        let origins = ["left", "right", "attacked"].map(|name| Origin::start(name).unwrap());
        let ill1 = ill([
            One::EndlessHead,
            One::Garbage,
            One::CutBody,
            One::MoreAnswers,
            One::EndlessTrailers,
            One::Closing,
        ]);
        let ill2 = ill([
            Two::Settings,
            Two::Continuation,
            Two::Goaway,
            Two::Resets,
            Two::Bomb,
        ]);
        let files = tempfile::tempdir().unwrap();
        let [ill_one, ill_two] = ILL;
        let signed = certificate::signed(&[MEET, ATTACKED, ill_one, ill_two]).unwrap();
        let (cert, key) = (files.path().join("c.pem"), files.path().join("k.pem"));
        std::fs::write(&cert, &signed.cert_pem).unwrap();
        std::fs::write(&key, &signed.key_pem).unwrap();
        make_private(&key);
        let [left, right, attacked] = origins.each_ref().map(Origin::url);
        let config = format!(
            "runtime: {{ workers: 2 }}
log: {{ access: {{ sample: 0.0 }} }}
listen:
  web: {{ address: \"127.0.0.1:0\" }}
  tls: {{ address: \"127.0.0.1:0\", tls: {{ certificates: [{{ cert_file: {cert}, key_file: {key} }}] }} }}
defaults:
  check: {{ interval: 1h }}
  timeouts: {{ upstream_idle: 1s, response_headers: 5s, client_stall: 5s }}
services:
  meet:
    listen: [web, tls]
    match: [{{ hosts: [{MEET}] }}]
    ramp: {{ duration: 1s }}
    backends:
      left: {{ weight: 70, endpoints: [\"{left}\"] }}
      right: {{ weight: 30, endpoints: [\"{right}\"] }}
  attacked:
    listen: [web, tls]
    match: [{{ hosts: [{ATTACKED}] }}]
    backends: {{ attacked: {{ weight: 1, endpoints: [\"{attacked}\"] }} }}
  ill1:
    listen: [web, tls]
    match: [{{ hosts: [{ill_one}] }}]
    backends: {{ ill: {{ weight: 1, endpoints: [{ill1_urls}] }} }}
  ill2:
    listen: [web, tls]
    match: [{{ hosts: [{ill_two}] }}]
    backends: {{ ill: {{ weight: 1, endpoints: [{ill2_urls}] }} }}
",
            cert = cert.display(),
            key = key.display(),
            ill1_urls = urls(&ill1),
            ill2_urls = urls(&ill2),
        );
        let daemon = Daemon::start(&binary(), &config).unwrap();
        Self {
            descriptors: daemon.descriptors().unwrap(),
            daemon,
            config,
            ca_pem: signed.ca_pem,
            _origins: origins,
            _ill: ill1.into_iter().chain(ill2).collect(),
            _files: files,
        }
    }

    /// A client that trusts the daemon's certificate.
    pub(crate) fn tls_client(&self, alpn: &[&str]) -> Arc<ClientConfig> {
        certificate::client_config(&self.ca_pem, alpn).unwrap()
    }

    /// Memory of the daemon now.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.daemon.resident_kib().unwrap()
    }

    /// Lets good clients and one attack have a go at it together, and watches.
    pub(crate) fn play(&self, bad: &Bad, time: Duration, samples: &mut Samples) -> Turn {
        let target = Target {
            address: self.daemon.listener(bad.listener).unwrap(),
            host: bad.host.to_owned(),
            // Limits by client address are for attackers, not for good clients.
            from: [127, 0, 0, 2].into(),
        };
        let force = Force {
            at_once: bad.at_once,
            connections: 200_000,
            time,
        };
        let good = self.good_clients();
        let running = Running::start(Arc::clone(&bad.attack), target, force).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a soak is measured in time")]
        let started = Instant::now();
        while let Some(left) = time.checked_sub(started.elapsed()) {
            #[expect(clippy::disallowed_methods, reason = "a soak is measured in time")]
            std::thread::sleep(left.min(SAMPLE_EVERY));
            samples.take(&self.daemon);
        }
        // In this order: good clients must not be rid of the attackers for their last requests.
        let good = good.stop();
        Turn {
            name: bad.attack.name(),
            seen: running.stop(),
            good,
        }
    }

    fn good_clients(&self) -> Bystander {
        let address = |name: &str| self.daemon.listener(name).unwrap();
        let (web, tls) = (address("web"), address("tls"));
        let ways = vec![
            (Way::Kept, web),
            (Way::Fresh, web),
            (Way::Http2, web),
            (Way::FreshTls(self.tls_client(&["http/1.1"])), tls),
            (Way::Http2Tls(self.tls_client(&["h2"])), tls),
        ];
        let manners = Manners {
            host: MEET.to_owned(),
            every: Duration::from_millis(20),
            sizes: vec![0, 100, 2_000, 40_000, 1, 500_000, 16_384],
            patience: PATIENCE,
        };
        Bystander::start(ways, manners).unwrap()
    }

    /// What the operator does at this turn of a round: a reload and its way back, a shift and its way back.
    pub(crate) fn change(&self, turn: usize, turns: usize) {
        let at = |fifths: usize| turn == turns * fifths / 5;
        if at(1) {
            self.reload(&self.config.replace("weight: 70", "weight: 20"));
        } else if at(2) {
            self.cli(&[
                "shift", "meet", "left=60", "right=40", "--now", "--detach", "--yes",
            ]);
        } else if at(3) {
            self.cli(&["shift", "meet", "--declared", "--now", "--detach", "--yes"]);
        } else if at(4) {
            self.reload(&self.config);
        }
    }

    fn reload(&self, config: &str) {
        let hash = || {
            let status = self.daemon.get("/v1/status").unwrap();
            status.pointer("/config/hash").cloned().unwrap()
        };
        let before = hash();
        self.daemon.write_config(config).unwrap();
        self.daemon.signal(Signal::HUP).unwrap();
        wait::until("the new configuration", || (hash() != before).then_some(())).unwrap();
    }

    fn cli(&self, args: &[&str]) {
        let output = self.daemon.cli(args).unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Waits until no descriptor of any client is left.
    #[track_caller]
    pub(crate) fn calm_down(&self) {
        let returned = wait::until("descriptors to be closed", || {
            (self.daemon.descriptors().unwrap() <= self.descriptors).then_some(())
        });
        if let Err(error) = returned {
            let now = self.daemon.descriptors().unwrap();
            panic!(
                "{error}: {now} are open, {} were at first",
                self.descriptors
            );
        }
    }

    #[track_caller]
    pub(crate) fn assert_no_panic(&self) {
        let answer = self.daemon.api(Method::GET, "/metrics", "").unwrap();
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        let panics: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("bascule_panics_total"))
            .collect();
        assert!(
            panics.iter().all(|line| line.ends_with(" 0")),
            "{panics:?}\n{}",
            self.daemon.log()
        );
    }
}

fn ill<I: Ill>(ailments: impl IntoIterator<Item = I>) -> Vec<IllOrigin> {
    let start = |ailment| IllOrigin::start(ailment).unwrap();
    ailments.into_iter().map(start).collect()
}

fn urls(origins: &[IllOrigin]) -> String {
    let quoted: Vec<String> = origins
        .iter()
        .map(|one| format!("\"{}\"", one.url()))
        .collect();
    quoted.join(", ")
}

/// The binary that soaks: this build's, or the one that `BASCULE_TEST_BINARY` names.
fn binary() -> std::path::PathBuf {
    std::env::var_os("BASCULE_TEST_BINARY").map_or_else(
        || Path::new(env!("CARGO_BIN_EXE_bascule")).to_owned(),
        Into::into,
    )
}

fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
