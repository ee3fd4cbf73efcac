//! An edge with one service, made from a few words.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bascule_config::Listener;
use bascule_model::{EndpointId, ObservedState, Scheme, Shares, Targets, TrafficFailure};
use bascule_net::listen::{self, ListenAddress};
use bascule_net::tls::{CertificateMaterial, ClientTls, Protocols, Roots, ServerTls, TlsOptions};
use bascule_proxy::{CookieSecrets, Edge, ListenerSetup, Settings};
use bascule_telemetry::access::AccessLog;
use bascule_telemetry::{Registry, clock, spawn};
use bascule_traffic::assemble::{Assembler, EndpointHealth, Input};
use bascule_traffic::spec::{
    AffinityBy, AffinitySpec, BackendSpec, Balance, Capacity, Class, CookieSpec, EndpointHost,
    EndpointSpec, EndpointUrl, FailOpen, HostPolicy, KeySource, OnDrain, RetryPolicy, Role,
    ServiceLimits, ServiceSpec, Timeouts,
};
use tokio::sync::mpsc;

/// For waits that a condition ends; long enough for a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Certificates of one authority.
pub(crate) struct Authority {
    pub(crate) ca_pem: String,
    pub(crate) cert_pem: String,
    pub(crate) key_pem: String,
}

/// A certificate for these names.
pub(crate) fn authority(names: &[&str]) -> Authority {
    let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let ca_cert = ca.self_signed(&ca_key).unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::new(ca, &ca_key);
    let certificate = rcgen::CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    Authority {
        ca_pem: ca_cert.pem(),
        cert_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
    }
}

impl Authority {
    fn material(&self) -> CertificateMaterial {
        CertificateMaterial {
            cert_file: "cert.pem".into(),
            key_file: "key.pem".into(),
            cert_pem: self.cert_pem.as_bytes().into(),
            key_pem: self.key_pem.as_bytes().into(),
        }
    }

    pub(crate) fn server(&self) -> ServerTls {
        self.server_of(Protocols { h1: true, h2: true })
    }

    pub(crate) fn server_of(&self, options: impl Into<TlsOptions>) -> ServerTls {
        ServerTls::new(&[self.material()], options.into()).unwrap()
    }

    /// Makes this the certificate of a listener.
    pub(crate) fn replace(&self, tls: &ServerTls) -> bool {
        let both = Protocols { h1: true, h2: true };
        tls.replace(&[self.material()], both.into()).unwrap()
    }

    pub(crate) fn client(&self) -> ClientTls {
        let pem = self.ca_pem.as_bytes().into();
        ClientTls::new(&Roots::Own {
            file: "ca.pem".into(),
            pem,
        })
        .unwrap()
    }
}

/// One backend: its name (also its provider's), weight, and where it is.
pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) weight: u32,
    pub(crate) scheme: Scheme,
    pub(crate) address: SocketAddr,
    pub(crate) host: HostPolicy,
    pub(crate) named: Option<&'static str>,
    pub(crate) capacity: Capacity,
}

pub(crate) fn backend(name: &'static str, weight: u32, address: SocketAddr) -> Backend {
    Backend {
        name,
        weight,
        scheme: Scheme::Http,
        address,
        host: HostPolicy::Preserve,
        named: None,
        capacity: Capacity::default(),
    }
}

/// What an edge is made of.
pub(crate) struct Plan {
    pub(crate) workers: usize,
    pub(crate) backends: Vec<Backend>,
    pub(crate) retry: RetryPolicy,
    pub(crate) limits: ServiceLimits,
    pub(crate) timeouts: Timeouts,
    pub(crate) balance: Balance,
    pub(crate) zone: Option<Arc<str>>,
    /// Further endpoints of the first backend.
    pub(crate) beside: Vec<EndpointSpec>,
    pub(crate) edit: fn(&mut Listener),
    pub(crate) tls: Option<ServerTls>,
    pub(crate) upstream: Option<ClientTls>,
    pub(crate) ip: Option<std::net::IpAddr>,
    pub(crate) by: Option<KeySource>,
    pub(crate) cookie: Option<CookieSpec>,
}

pub(crate) fn plan(backends: Vec<Backend>) -> Plan {
    Plan {
        workers: 1,
        backends,
        retry: RetryPolicy::default(),
        limits: ServiceLimits::default(),
        timeouts: Timeouts::default(),
        balance: Balance::default(),
        zone: None,
        beside: vec![],
        edit: |_| {},
        tls: None,
        upstream: None,
        ip: Some(Ipv4Addr::LOCALHOST.into()),
        by: None,
        cookie: None,
    }
}

/// A running edge.
pub(crate) struct World {
    pub(crate) edge: Edge,
    pub(crate) address: SocketAddr,
    pub(crate) registry: Registry,
    pub(crate) assembler: Assembler,
    pub(crate) failures: mpsc::Receiver<TrafficFailure>,
    pub(crate) listener: Arc<Listener>,
    told: bascule_model::Instant,
    log: Lines,
    pub(crate) access: AccessLog,
}

/// The access log's lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Plan {
    pub(crate) fn start(self) -> World {
        let services = Input::Services(vec![Arc::new(self.spec())]);
        let mut assembler = Assembler::new();
        assembler.handle(clock::now(), services).unwrap();
        for backend in self.backends.iter().filter(|b| b.named.is_some()) {
            let host = Arc::from(backend.named.unwrap());
            let addresses = vec![backend.address.ip()];
            assembler
                .handle(clock::now(), Input::Resolved { host, addresses })
                .unwrap();
        }
        let snapshot = assembler.poll_snapshot().unwrap();
        let bound = listen::bind(
            ListenAddress {
                ip: self.ip,
                port: 0,
            },
            self.workers,
        )
        .unwrap();
        let address = bound.address;
        let mut listener = Listener {
            name: "web".parse().unwrap(),
            address: bascule_config::ListenAddress {
                ip: self.ip,
                port: 0,
            },
            tls: self.tls.is_some().then(|| bascule_config::TlsListener {
                certificates: vec![],
                strict_sni: false,
                min_version: bascule_config::TlsVersion::default(),
                hsts: None,
            }),
            protocols: bascule_config::Protocols::default(),
            trusted: vec![],
            connections: None,
            decision_header: false,
            timeouts: bascule_config::ListenerTimeouts::default(),
            limits: bascule_config::Limits::default(),
        };
        (self.edit)(&mut listener);
        let listener = Arc::new(listener);
        let settings = Settings {
            workers: self.workers,
            listeners: vec![ListenerSetup {
                listener: Arc::clone(&listener),
                bound: Some(bound),
                tls: self.tls,
            }],
            cookie_secrets: CookieSecrets::new(),
            upstream_tls: self.upstream.map(|tls| (None, tls)).into_iter().collect(),
            connections_max: 10_000,
            redact_query: true,
            probe_token: Some("secret".into()),
        };
        let log = Lines::default();
        let access = AccessLog::start_with(Box::new(log.clone()), 1.0).unwrap();
        let registry = Registry::new();
        let (sender, failures) = mpsc::channel(100);
        let edge = Edge::start(settings, snapshot, &registry, Some(&access), &sender).unwrap();
        World {
            edge,
            address,
            registry,
            assembler,
            failures,
            listener,
            told: clock::now(),
            log,
            access,
        }
    }

    fn spec(&self) -> ServiceSpec {
        let endpoint = |backend: &Backend| EndpointUrl {
            scheme: backend.scheme,
            host: backend
                .named
                .map_or(EndpointHost::Address(backend.address), |name| {
                    EndpointHost::Name(Arc::from(name))
                }),
            port: backend.address.port(),
        };
        let backends = self.backends.iter().enumerate().map(|(at, backend)| {
            let beside = self.beside.iter().filter(|_| at == 0).cloned();
            let spec = BackendSpec {
                provider: backend.name.parse().unwrap(),
                region: None,
                role: Role::Weighted(backend.weight),
                host: backend.host,
                capacity: backend.capacity,
                endpoints: std::iter::once(endpoint(backend).into())
                    .chain(beside)
                    .collect(),
                ca_file: None,
            };
            (backend.name.parse().unwrap(), spec)
        });
        let weights = self
            .backends
            .iter()
            .map(|b| (b.name.parse().unwrap(), u64::from(b.weight)));
        let by_key = self.by.clone().map(AffinityBy::Key);
        let by_cookie = self.cookie.clone().map(AffinityBy::Cookie);
        ServiceSpec {
            name: "meet".parse().unwrap(),
            listeners: vec!["web".parse().unwrap()],
            matches: vec![],
            backends: backends.collect(),
            declared: Shares::from_weights(weights).unwrap(),
            class: Class::default(),
            balance: self.balance.clone(),
            zone: self.zone.clone(),
            timeouts: self.timeouts,
            retry: self.retry,
            limits: self.limits,
            ramp: Duration::ZERO,
            fail_open: FailOpen::Never,
            retry_after: Duration::from_secs(3),
            affinity: by_key.or(by_cookie).map(|by| AffinitySpec {
                by,
                ttl: Duration::from_secs(3600),
                on_drain: OnDrain::KeepRunning,
            }),
            initial: bascule_model::ObservedState::Unknown,
        }
    }
}

impl World {
    /// Publishes what an input makes of the state.
    pub(crate) fn change(&mut self, input: Input) {
        // Publications are at most 20 a second; the assembler is told a time at which it may.
        self.told = self.told + Duration::from_secs(1);
        self.assembler.handle(self.told, input).unwrap();
        self.edge.publish(self.assembler.poll_snapshot().unwrap());
    }

    pub(crate) async fn confirmed(&self) {
        let generation = self.edge.snapshot().generation;
        until("workers confirm", || {
            self.edge.confirmed().generation == generation
        })
        .await;
    }

    pub(crate) fn seen(&self, state: ObservedState) -> Input {
        self.seen_where(state, |_| true)
    }

    pub(crate) fn seen_of(&self, backend: &str, state: ObservedState) -> Input {
        self.seen_where(state, |id| id.backend.as_str() == backend)
    }

    fn seen_where(&self, state: ObservedState, which: impl Fn(&EndpointId) -> bool) -> Input {
        let targets = self.assembler.check_targets().into_iter();
        let targets = targets.filter(|target| which(&target.id));
        let health = EndpointHealth::new(state, None);
        Input::Health(
            targets
                .map(|target| (target.id, health))
                .collect::<BTreeMap<_, _>>(),
        )
    }

    pub(crate) fn targets(revision: u64, shares: &[(&str, u64)], off: &[&str]) -> Input {
        let shares = shares
            .iter()
            .map(|(name, weight)| (name.parse().unwrap(), *weight));
        let row = bascule_model::TargetRow {
            shares: Shares::from_weights(shares).unwrap(),
            off: off.iter().map(|name| name.parse().unwrap()).collect(),
        };
        Input::Targets(Targets {
            revision: bascule_model::Revision(revision),
            services: BTreeMap::from([("meet".parse().unwrap(), row)]),
            admin: BTreeMap::new(),
            buckets: BTreeMap::new(),
        })
    }

    /// The access log's lines, once there are so many.
    pub(crate) async fn logged(&self, count: usize) -> Vec<serde_json::Value> {
        let lines = || {
            let text = String::from_utf8(self.log.0.lock().unwrap().clone()).unwrap();
            let line = |line: &str| serde_json::from_str(line).unwrap();
            text.lines().map(line).collect::<Vec<serde_json::Value>>()
        };
        until("lines are logged", || lines().len() >= count).await;
        lines()
    }
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = clock::now() + PATIENCE;
    while !condition() {
        assert!(clock::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Runs something beside the test.
pub(crate) fn beside<F>(future: F) -> spawn::Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn::send("beside", future)
}
