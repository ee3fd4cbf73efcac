//! What an edge decides per request, in nanoseconds: finding the route, the pick of a backend and an endpoint, whether to
//! try once more, and the three that every request pays for together. Nothing else is in the figures: no socket, no
//! parsing, no metrics.
//!
//! An operation is repeated until a batch takes milliseconds; of many batches the median, the fastest and the slowest are
//! printed. Figures of different invocations are not compared: the machine, its clock and the layout of the binary have
//! changed between them. To compare two ways, put both into one invocation. `cargo bench -p bascule-traffic` measures;
//! run in any other way, each operation is done a few times, to see that it works.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{Instant, Rng, Scheme, Shares};
use bascule_traffic::hash::Key;
use bascule_traffic::maglev;
use bascule_traffic::retry::{self, Body, Budget, Cause, Failure, RequestFacts, Written};
use bascule_traffic::route::{ListenerTable, Table};
use bascule_traffic::snapshot::Service;
use bascule_traffic::spec::{
    Algorithm, BackendSpec, Balance, Capacity, Class, EndpointHost, EndpointSpec, EndpointUrl,
    FailOpen, HostPattern, HostPolicy, MatchSpec, PathPattern, RetryPolicy, Role, ServiceLimits,
    ServiceSpec, Timeouts,
};
use bascule_traffic::{Assembler, Gate, Input, Look, Picker, admit, schedule::Schedule};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Batches of a measurement; odd, so that the median is one of them.
const BATCHES: usize = 31;
/// What a batch should take: long enough that reading the clock twice is nothing beside it.
const BATCH: Duration = Duration::from_millis(4);
/// Requests that a measurement goes through in turn; a power of two.
const REQUESTS: usize = 1024;

fn main() -> Fallible<()> {
    let bench = Bench {
        measures: std::env::args().any(|arg| arg == "--bench"),
    };
    println!(
        "{:<44} {:>9} {:>9} {:>9}  ns per operation",
        "", "median", "min", "max"
    );
    for routes in [10, 1_000, 10_000] {
        find(&bench, routes)?;
    }
    for backends in [2, 12] {
        pick_backend(&bench, backends)?;
    }
    for endpoints in [3, 50] {
        pick_endpoint(&bench, endpoints)?;
    }
    for algorithm in [
        Algorithm::PeakEwma,
        Algorithm::Maglev,
        Algorithm::Rendezvous,
    ] {
        for endpoints in [3, 50] {
            pick_by(&bench, algorithm, endpoints)?;
        }
    }
    spill(&bench)?;
    for endpoints in [3, 50, 1_000] {
        fill_table(&bench, endpoints)?;
    }
    decide_retry(&bench);
    whole(&bench)
}

/// The route of a request among `routes`: ten paths on each host, hosts and paths by chance, one in sixteen fits none.
fn find(bench: &Bench, routes: usize) -> Fallible<()> {
    let table = table(routes)?;
    let requests = requests(routes);
    let mut turn = Turn::default();
    bench.row(&format!("route::find, {routes} routes"), || {
        let request = requests.get(turn.next());
        request.and_then(|(host, path)| table.find(Some(host.as_str()), path.as_str()))
    });
    Ok(())
}

/// The schedule alone.
fn pick_backend(bench: &Bench, backends: usize) -> Fallible<()> {
    let service = service(backends, 1)?;
    let mut schedule = Schedule::new(1);
    schedule.rebind(service.backends.iter().map(|b| (&b.name, b.effective)));
    bench.row(&format!("schedule::pick, {backends} backends"), || {
        schedule.pick()
    });
    Ok(())
}

/// A backend of two by share, and the endpoint with the fewest requests in flight of `endpoints`.
fn pick_endpoint(bench: &Bench, endpoints: usize) -> Fallible<()> {
    let service = service(2, endpoints)?;
    let loads = loads(endpoints);
    let mut picker = Picker::new(1, &service);
    bench.row(
        &format!("pick::first, 2 backends of {endpoints} endpoints"),
        || picker.first(&service, |_, endpoint| load(&loads, endpoint)),
    );
    Ok(())
}

/// As before by another algorithm: every request has a key, and every endpoint a latency.
fn pick_by(bench: &Bench, algorithm: Algorithm, endpoints: usize) -> Fallible<()> {
    let service = service_by(algorithm, 2, endpoints)?;
    let loads = loads(endpoints);
    let mut picker = Picker::new(1, &service);
    let mut number = 0_u64;
    let name = format!("pick::first, {}, 2 × {endpoints}", algorithm.as_str());
    bench.row(&name, || {
        number += 1;
        let key = Some(Key::of(&number.to_le_bytes()));
        picker.first_by(&service, key, |_, endpoint| Look {
            latency: Some(1_000_000),
            ..load(&loads, endpoint)
        })
    });
    Ok(())
}

/// A turn of a backend that has nothing open: half of them.
fn spill(bench: &Bench) -> Fallible<()> {
    let service = service(3, 3)?;
    let mut picker = Picker::new(1, &service);
    bench.row("pick::first, 3 × 3, the largest is full", || {
        picker.first(&service, |backend, _| {
            Look::open(0).with_gate(if backend == 2 { Gate::Full } else { Gate::Open })
        })
    });
    Ok(())
}

/// The table of a backend, which is made when its endpoints change.
fn fill_table(bench: &Bench, endpoints: usize) -> Fallible<()> {
    let number = u32::try_from(endpoints)?;
    let members: Vec<(u64, u32)> = (0..number).map(|n| (u64::from(n), 10_000)).collect();
    bench.row(&format!("maglev::Table, {endpoints} endpoints"), || {
        maglev::Table::new(members.clone())
    });
    Ok(())
}

/// A request is counted, its connection dies, and the budget is asked: a request each ten microseconds, so that one in
/// five is granted.
fn decide_retry(bench: &Bench) {
    let policy = RetryPolicy::default();
    let mut budget = Budget::new(&policy, 0, 1);
    let failure = Failure::new(Cause::Died, None);
    let facts = RequestFacts {
        idempotent: true,
        body: Body::None,
        written: Written::Something,
        attempts_done: 1,
    };
    let mut nanos = 0;
    bench.row("retry::decide, with the count of the request", || {
        nanos += 10_000;
        let now = Instant::from_nanos(nanos);
        budget.request(now);
        retry::decide(black_box(&failure), &facts, &policy, &mut budget, now)
    });
}

/// What every request pays for: route, admission, pick, the count for the budget.
fn whole(bench: &Bench) -> Fallible<()> {
    let table = table(1_000)?;
    let requests = requests(1_000);
    let service = service(2, 3)?;
    let loads = loads(3);
    let mut picker = Picker::new(1, &service);
    let mut budget = Budget::new(&RetryPolicy::default(), 0, 1);
    let mut turn = Turn::default();
    let mut nanos = 0;
    let mut shedder = admit::Shedder::new(0);
    bench.row("route, admit, pick; 1000 routes, 2 × 3", || {
        nanos += 10_000;
        budget.request(Instant::from_nanos(nanos));
        let (host, path) = requests.get(turn.next())?;
        let route = black_box(table.find(Some(host.as_str()), path.as_str())?);
        let admitted = admit::admit(&service, &mut shedder).is_ok();
        let choice = picker.first(&service, |_, endpoint| load(&loads, endpoint));
        Some((route.service, admitted, choice))
    });
    Ok(())
}

struct Bench {
    /// Whether it measures, or only sees that everything works.
    measures: bool,
}

impl Bench {
    /// Measures an operation and prints a row.
    fn row<T>(&self, name: &str, mut operation: impl FnMut() -> T) {
        if !self.measures {
            (0..REQUESTS).for_each(|_| drop(black_box(operation())));
            println!("{name:<44} works");
            return;
        }
        let mut repeats = 1_000_u32;
        while time(repeats, &mut operation) < BATCH {
            repeats = repeats.saturating_mul(2);
        }
        let batch = |_| time(repeats, &mut operation).as_secs_f64() * 1e9 / f64::from(repeats);
        let mut batches: Vec<f64> = (0..BATCHES).map(batch).collect();
        batches.sort_by(f64::total_cmp);
        let at = |index: usize| batches.get(index).copied().unwrap_or_default();
        let (median, min, max) = (at(BATCHES / 2), at(0), at(BATCHES - 1));
        println!("{name:<44} {median:>9.1} {min:>9.1} {max:>9.1}");
    }
}

fn time<T>(repeats: u32, operation: &mut impl FnMut() -> T) -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "it measures; a pure crate has no clock to take it from"
    )]
    let started = std::time::Instant::now();
    for _ in 0..repeats {
        black_box(operation());
    }
    started.elapsed()
}

/// Goes through the requests in turn.
#[derive(Default)]
struct Turn(usize);

impl Turn {
    fn next(&mut self) -> usize {
        self.0 = (self.0 + 1) & (REQUESTS - 1);
        self.0
    }
}

fn host_of(route: usize) -> String {
    format!("service-{}.example.org", route / 10)
}

fn path_of(route: usize) -> String {
    format!("/api/v{}", route % 10)
}

fn table(routes: usize) -> Fallible<ListenerTable> {
    let services: Vec<Arc<ServiceSpec>> = (0..routes)
        .map(|route| {
            let rule = MatchSpec {
                host: HostPattern::Exact(host_of(route)),
                path: PathPattern::Prefix(path_of(route)),
            };
            spec(&format!("s{route}"), vec![rule], 1, 1).map(Arc::new)
        })
        .collect::<Fallible<_>>()?;
    let listener = "web".parse()?;
    let table = Table::build(&services).listener(&listener).cloned();
    Ok(table.ok_or("no routes")?)
}

fn requests(routes: usize) -> Vec<(String, String)> {
    let mut rng = Rng::new(1);
    let bound = u64::try_from(routes).unwrap_or(u64::MAX);
    let request = |n: usize| {
        let route = usize::try_from(rng.below(bound)).unwrap_or(0);
        let path = if n.is_multiple_of(16) {
            "/elsewhere/42".to_owned()
        } else {
            format!("{}/rooms/42/members", path_of(route))
        };
        (host_of(route), path)
    };
    (0..REQUESTS).map(request).collect()
}

/// Requests in flight on each endpoint; an edge sums them over its workers.
fn loads(endpoints: usize) -> Vec<u32> {
    let mut rng = Rng::new(2);
    let load = |_| u32::try_from(rng.below(50)).unwrap_or(0);
    (0..endpoints).map(load).collect()
}

fn load(loads: &[u32], endpoint: usize) -> Look {
    Look::open(loads.get(endpoint).copied().unwrap_or(0))
}

/// A service that serves, with `backends` of weights 1, 2, 3 … and `endpoints` each, all up.
fn service(backends: usize, endpoints: usize) -> Fallible<Arc<Service>> {
    service_by(Algorithm::default(), backends, endpoints)
}

fn service_by(algorithm: Algorithm, backends: usize, endpoints: usize) -> Fallible<Arc<Service>> {
    let mut spec = spec("meet", Vec::new(), backends, endpoints)?;
    spec.balance.algorithm = algorithm;
    let spec = Arc::new(spec);
    let mut assembler = Assembler::new();
    assembler.handle(Instant::ZERO, Input::Services(vec![spec]))?;
    let snapshot = assembler.poll_snapshot().ok_or("no snapshot")?;
    Ok(Arc::clone(snapshot.services.first().ok_or("no service")?))
}

fn spec(
    name: &str,
    matches: Vec<MatchSpec>,
    backends: usize,
    endpoints: usize,
) -> Fallible<ServiceSpec> {
    let mut specs = BTreeMap::new();
    let mut weights = Vec::new();
    for number in 1..=u8::try_from(backends)? {
        let backend = format!("b{number}");
        weights.push((backend.parse()?, u64::from(number)));
        let endpoint = |last| {
            EndpointSpec::from(EndpointUrl {
                scheme: Scheme::Http,
                host: EndpointHost::Address(SocketAddr::from(([10, 0, number, last], 8080))),
                port: 8080,
            })
        };
        let spec = BackendSpec {
            provider: backend.parse()?,
            region: None,
            role: Role::Weighted(u32::from(number)),
            host: HostPolicy::default(),
            capacity: Capacity::default(),
            endpoints: (1..=u8::try_from(endpoints)?).map(endpoint).collect(),
            ca_file: None,
        };
        specs.insert(backend.parse()?, spec);
    }
    Ok(ServiceSpec {
        name: name.parse()?,
        listeners: vec!["web".parse()?],
        matches,
        backends: specs,
        declared: Shares::from_weights(weights)?,
        class: Class::default(),
        balance: Balance::default(),
        zone: None,
        timeouts: Timeouts::default(),
        retry: RetryPolicy::default(),
        limits: ServiceLimits::default(),
        ramp: Duration::ZERO,
        fail_open: FailOpen::default(),
        retry_after: Duration::from_secs(1),
        affinity: None,
        initial: bascule_model::ObservedState::Unknown,
    })
}
