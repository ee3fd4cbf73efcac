//! Where attacks take place: a daemon, one origin for the bystander and one for whatever an attacker gets through, and the
//! five things that hold under every attack.
//!
//! 1. At least 99 % of the bystander's requests are answered rightly, byte by byte.
//! 2. Its p99 is below 500 ms.
//! 3. The daemon's resident memory grows by less than 64 MiB, at its highest.
//! 4. When the attackers are gone, so are all descriptors: as many are open as before the first connection.
//! 5. The bystander's origin got the bystander's requests and nothing else; no task of the daemon panicked.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bascule_testkit::attack::{Attack, Force, Running, Seen, Target};
use bascule_testkit::bystander::{Bystander, Log, Manners, Way};
use bascule_testkit::{Daemon, Origin, certificate, wait};
use rustls::ClientConfig;
use tempfile::TempDir;

use crate::counts::Counts;

/// Requests of the bystander under each attack, at least: enough that a p99 is not the slowest one.
const REQUESTS_MIN: usize = 300;
/// Rule 1, in basis points.
const SUCCESS_MIN: usize = 9_900;
/// Rule 2.
const P99_MAX: Duration = Duration::from_millis(500);
/// Rule 3.
const GROWTH_KIB_MAX: u64 = 64 * 1024;

/// Whom the attackers ask for. The bystander asks for [`MEET`].
pub(crate) const ATTACKED: &str = "attacked.example.org";
const MEET: &str = "meet.example.org";

/// One attack at a time: see the module's doc.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A daemon to attack, and what stands around it.
pub(crate) struct Field {
    pub(crate) daemon: Daemon,
    /// What the attackers get through.
    pub(crate) attacked: Origin,
    good: Origin,
    ca_pem: String,
    descriptors: usize,
    _files: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// What an attack did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What the attackers saw.
    pub(crate) seen: Arc<Seen>,
    /// What the daemon counted meanwhile.
    pub(crate) counts: Counts,
    /// Requests that reached the attackers' origin.
    pub(crate) forwarded: u64,
}

/// What a field is set up with besides the usual: lines of YAML.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// Under `defaults.limits`, as a flow map.
    pub(crate) limits: &'a str,
    /// Under `defaults.timeouts`, as a flow map.
    pub(crate) timeouts: &'a str,
    /// Where the attackers' requests go instead of an honest origin: URLs.
    pub(crate) origin: Option<&'a str>,
}

impl Field {
    /// Starts one. Time-outs that an attack runs into are short by configuration.
    pub(crate) fn start(terms: Terms<'_>) -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let (good, attacked) = (
            Origin::start("good").unwrap(),
            Origin::start("attacked").unwrap(),
        );
        let files = tempfile::tempdir().unwrap();
        let signed = certificate::signed(&[MEET, ATTACKED]).unwrap();
        let (cert, key) = (files.path().join("c.pem"), files.path().join("k.pem"));
        std::fs::write(&cert, &signed.cert_pem).unwrap();
        std::fs::write(&key, &signed.key_pem).unwrap();
        make_private(&key);
        let Terms {
            limits,
            timeouts,
            origin,
        } = terms;
        let attacked_url = attacked.url();
        let config = format!(
            "runtime: {{ workers: 2 }}
log: {{ access: {{ sample: 0.0 }} }}
listen:
  web: {{ address: \"127.0.0.1:0\" }}
  tls: {{ address: \"127.0.0.1:0\", tls: {{ certificates: [{{ cert_file: {cert}, key_file: {key} }}] }} }}
defaults:
  check: {{ interval: 1h }}
  limits: {{ {limits} }}
  timeouts: {{ upstream_idle: 300ms, {timeouts} }}
services:
  meet:
    listen: [web, tls]
    match: [{{ hosts: [{MEET}] }}]
    backends: {{ good: {{ weight: 1, endpoints: [\"{good}\"] }} }}
  attacked:
    listen: [web, tls]
    match: [{{ hosts: [{ATTACKED}] }}]
    backends: {{ attacked: {{ weight: 1, endpoints: [\"{origin}\"] }} }}
",
            cert = cert.display(),
            key = key.display(),
            good = good.url(),
            origin = origin.unwrap_or(&attacked_url),
        );
        let daemon = Daemon::start(&binary(), &config).unwrap();
        let descriptors = daemon.descriptors().unwrap();
        Self {
            daemon,
            attacked,
            good,
            ca_pem: signed.ca_pem,
            descriptors,
            _files: files,
            _alone: alone,
        }
    }

    /// A client that trusts the daemon's certificate.
    pub(crate) fn tls_client(&self, alpn: &[&str]) -> Arc<ClientConfig> {
        certificate::client_config(&self.ca_pem, alpn).unwrap()
    }

    /// One of the listeners, `web` or `tls`, for attackers from an address of their own.
    pub(crate) fn target(&self, listener: &str) -> Target {
        Target {
            address: self.daemon.listener(listener).unwrap(),
            host: ATTACKED.to_owned(),
            from: [127, 0, 0, 2].into(),
        }
    }

    /// Goes on with an attack on the clear listener until it has counted `size` units.
    pub(crate) fn withstand(
        &self,
        attack: impl Attack + 'static,
        at_once: usize,
        size: u64,
    ) -> Outcome {
        let target = self.target("web");
        self.withstand_until(attack, target, at_once, size, |seen, _| {
            seen.units() >= scaled(size)
        })
    }

    /// Goes on with an attack until it is `enough`, and the bystander has made requests enough; then holds the five rules.
    pub(crate) fn withstand_until(
        &self,
        attack: impl Attack + 'static,
        target: Target,
        at_once: usize,
        size: u64,
        mut enough: impl FnMut(&Seen, &Daemon) -> bool,
    ) -> Outcome {
        let name = attack.name();
        self.warm_up();
        let before = Counts::now(&self.daemon);
        let (forwarded, good) = (self.attacked.requests(), self.good.requests());
        let resident = self.daemon.resident_kib().unwrap();
        let bystander = self.bystander(Duration::from_millis(15));
        let force = Force {
            at_once,
            connections: 200_000,
            time: Duration::from_secs(240),
        };
        let running = Running::start(Arc::new(attack), target, force).unwrap();
        let mut most = resident;
        // What is larger by so much may take as much longer.
        let reached = wait::within(wait::PATIENCE * scale(), name, || {
            most = most.max(self.daemon.resident_kib().unwrap());
            let done = enough(running.seen(), &self.daemon) && bystander.requests() >= REQUESTS_MIN;
            done.then_some(())
        });
        if let Err(error) = reached {
            panic!(
                "{error}: {:?}\n{}\n{}",
                running.stop(),
                Counts::now(&self.daemon).since(&before).refusals(),
                self.daemon.log()
            );
        }
        let log = bystander.stop();
        let seen = running.stop();
        let outcome = Outcome {
            seen,
            counts: Counts::now(&self.daemon).since(&before),
            forwarded: self.attacked.requests() - forwarded,
        };
        let growth = most - resident;
        tell(name, size, &log, growth, &outcome);
        assert!(
            log.success_basis_points() >= SUCCESS_MIN,
            "{name}: the bystander's failures: {:#?}",
            log.failures
        );
        let p99 = log.percentile(99);
        assert!(p99 < P99_MAX, "{name}: the bystander's p99 was {p99:?}");
        assert!(
            growth < GROWTH_KIB_MAX,
            "{name}: memory grew by {growth} KiB"
        );
        let got = self.good.requests() - good;
        let (sent, answered) = (log.requests() as u64, log.took.len() as u64);
        assert!(
            (answered..=sent).contains(&got),
            "{name}: the bystander sent {sent} and its origin got {got}"
        );
        assert!(
            outcome.counts.total("bascule_panics_total") == 0.0,
            "{name}: {}",
            self.daemon.log()
        );
        self.descriptors_return();
        outcome
    }

    fn bystander(&self, every: Duration) -> Bystander {
        let address = |name: &str| -> SocketAddr { self.daemon.listener(name).unwrap() };
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
            every,
            sizes: vec![0, 100, 2_000, 40_000],
            patience: Duration::from_secs(5),
        };
        Bystander::start(ways, manners).unwrap()
    }

    /// Caches, pools and the allocator get what honest traffic needs, so that growth is the attack's.
    fn warm_up(&self) {
        let bystander = self.bystander(Duration::from_millis(1));
        wait::until("a warm daemon", || {
            (bystander.requests() >= 100).then_some(())
        })
        .unwrap();
        let log = bystander.stop();
        assert!(
            log.failures.is_empty(),
            "without an attack: {:#?}",
            log.failures
        );
    }

    #[track_caller]
    fn descriptors_return(&self) {
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
}

impl Outcome {
    /// A counter of the daemon rose by at least this, over all its labels.
    #[track_caller]
    pub(crate) fn assert_rose(&self, metric: &str, at_least: u64) {
        self.assert_enough(metric, self.counts.total(metric), at_least);
    }

    #[track_caller]
    fn assert_enough(&self, what: &str, counted: f64, at_least: u64) {
        #[expect(clippy::cast_precision_loss, reason = "counts of a test are small")]
        let wanted = at_least as f64;
        assert!(
            counted >= wanted,
            "{what} rose by {counted}, not by {at_least}; what did:\n{}{:?}",
            self.counts.refusals(),
            self.seen
        );
    }
}

/// Larger in the long run: `BASCULE_ATTACK_SCALE` times what a test asks for.
pub(crate) fn scaled(size: u64) -> u64 {
    size * u64::from(scale())
}

fn scale() -> u32 {
    let factor = std::env::var("BASCULE_ATTACK_SCALE").ok();
    factor.and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// The binary under test: this build's, or the one that `BASCULE_TEST_BINARY` names.
pub(crate) fn binary() -> std::path::PathBuf {
    std::env::var_os("BASCULE_TEST_BINARY").map_or_else(
        || Path::new(env!("CARGO_BIN_EXE_bascule")).to_owned(),
        Into::into,
    )
}

/// One line of a table, past the capture of the test's output: these figures are worth seeing.
fn tell(name: &str, size: u64, log: &Log, growth: u64, outcome: &Outcome) {
    let percent = log.success_basis_points();
    let line = format!(
        "attack {name:<28} {:>8} units of {size:>6}, {:>6} bytes/1k  {:>6} ended  {} requests {}.{:02} % p99 {:>6.1} ms  {growth:>6} KiB\n",
        outcome.seen.units(),
        outcome.seen.bytes() / 1000,
        outcome.seen.ended(),
        log.requests(),
        percent / 100,
        percent % 100,
        log.percentile(99).as_secs_f64() * 1000.0,
    );
    // A closed standard error is no reason to fail.
    drop(std::io::stderr().write_all(line.as_bytes()));
}

fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
