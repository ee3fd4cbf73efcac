//! Holds the rule that a request costs no allocation here: route, admit, pick, and pick again after a failure. The
//! allocator of this test counts what its thread asks for.
#![expect(
    unsafe_code,
    reason = "an allocator that counts cannot be written without"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a test; the lint's exemption covers only functions marked as one"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{BackendName, Instant, Scheme, Shares};
use bascule_traffic::assemble::{Assembler, Input};
use bascule_traffic::hash::Key;
use bascule_traffic::retry::{
    Body, Budget, Cause, Decision, Failure, RequestFacts, Written, decide,
};
use bascule_traffic::spec::{
    Algorithm, BackendSpec, Balance, Capacity, Class, EndpointHost, EndpointSpec, EndpointUrl,
    FailOpen, HostPattern, HostPolicy, KeySource, LoadBound, MatchSpec, PathPattern, RetryPolicy,
    Role, ServiceLimits, ServiceSpec, Timeouts,
};
use bascule_traffic::{Gate, Look, Picker, Snapshot, admit};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system allocator unchanged; the counter is a plain cell that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn service(algorithm: Algorithm) -> ServiceSpec {
    let backend = |(index, (provider, endpoints)): (u8, (&str, u8))| {
        let url = |endpoint| {
            let address = SocketAddr::from(([10, index, 0, endpoint], 80));
            EndpointSpec::from(EndpointUrl {
                scheme: Scheme::Http,
                host: EndpointHost::Address(address),
                port: 80,
            })
        };
        let spec = BackendSpec {
            provider: provider.parse().unwrap(),
            region: None,
            role: Role::Weighted(1),
            host: HostPolicy::Preserve,
            capacity: Capacity::default(),
            endpoints: (0..endpoints).map(url).collect(),
            ca_file: None,
        };
        (
            BackendName::parse(&format!("{provider}-{index}")).unwrap(),
            spec,
        )
    };
    let described = [("aws", 3), ("oci", 30), ("gcp", 1), ("aws", 8)];
    let backends: BTreeMap<_, _> = (0..).zip(described).map(backend).collect();
    let matches = ["meet.example.org", "example.com"].map(|host| MatchSpec {
        host: HostPattern::Wildcard(host.to_owned()),
        path: PathPattern::Prefix("/rooms".to_owned()),
    });
    ServiceSpec {
        name: "meet".parse().unwrap(),
        listeners: vec!["web".parse().unwrap()],
        matches: matches.to_vec(),
        declared: Shares::from_weights(backends.keys().cloned().zip(1..)).unwrap(),
        backends,
        class: Class::Bulk,
        balance: Balance {
            algorithm,
            hash: Some(KeySource::SourceIp),
            bound: LoadBound::new(125),
        },
        zone: None,
        timeouts: Timeouts::default(),
        retry: RetryPolicy::default(),
        limits: ServiceLimits::default(),
        ramp: Duration::from_secs(5),
        fail_open: FailOpen::Never,
        retry_after: Duration::from_secs(1),
        affinity: None,
        initial: bascule_model::ObservedState::Unknown,
    }
}

fn snapshot(algorithm: Algorithm) -> Arc<Snapshot> {
    let mut assembler = Assembler::new();
    let services = Input::Services(vec![Arc::new(service(algorithm))]);
    assembler.handle(Instant::ZERO, services).unwrap();
    assembler.poll_snapshot().unwrap()
}

/// Every third request finds a backend that is full, so that some spill.
fn seen(request: u32, backend: usize, endpoint: usize) -> Look {
    let is_full = request.is_multiple_of(3) && backend == 1;
    let gate = if is_full { Gate::Full } else { Gate::Open };
    Look::open(u32::from(backend > endpoint)).with_gate(gate)
}

#[test]
fn a_request_is_decided_about_without_an_allocation() {
    for algorithm in [
        Algorithm::LeastRequest,
        Algorithm::RoundRobin,
        Algorithm::Random,
        Algorithm::PeakEwma,
        Algorithm::Maglev,
        Algorithm::Rendezvous,
    ] {
        let snapshot = snapshot(algorithm);
        let service = &snapshot.services[0];
        let mut picker = Picker::new(3, service);
        let mut budget = Budget::new(&service.spec.retry, 0, 1);
        let mut shedder = admit::Shedder::new(3);
        let table = snapshot.routes.listener(&"web".parse().unwrap()).unwrap();
        let facts = RequestFacts {
            idempotent: true,
            body: Body::None,
            written: Written::Nothing,
            attempts_done: 1,
        };
        let before = ALLOCATIONS.get();
        let mut decided = 0;
        for n in 0..2000_u32 {
            let now = Instant::from_millis(u64::from(n));
            let found = table
                .find(Some("A.MEET.example.org:8080"), "/rooms/42/x")
                .copied();
            let service = &snapshot.services[found.unwrap().service];
            admit::admit(service, &mut shedder).unwrap();
            budget.request(now);
            let load = |backend: usize, endpoint: usize| seen(n, backend, endpoint);
            let key = Some(Key::of(&n.to_le_bytes()));
            let first = picker.first_by(service, key, load).unwrap();
            let failure = Failure::new(Cause::Connect, None);
            let other = picker.other(service, &[first], load).unwrap();
            let third = picker.other(service, &[first, other], load);
            let decision = decide(&failure, &facts, &service.spec.retry, &mut budget, now);
            decided += usize::from(third.is_some() && decision == Decision::Retry);
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{algorithm:?}");
        assert!(decided > 0);
    }
}
