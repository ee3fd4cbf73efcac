//! Answers of the admin API as tests need them: the service of the manual, 70/30 moved to 50/50, every number invented
//! and consistent.

use std::collections::BTreeMap;

use bascule_admin::api::*;
use jiff::Timestamp;
use serde_json::json;

use super::text::Clock;

pub(crate) fn clock() -> Clock {
    Clock::at("2026-11-20T19:40:00Z")
}

fn at(time: &str) -> Timestamp {
    format!("2026-11-20T{time}Z").parse().unwrap()
}

fn row(aws: f64, oci: f64) -> BTreeMap<String, f64> {
    BTreeMap::from([("aws".to_owned(), aws), ("oci".to_owned(), oci)])
}

fn row3(aws: f64, oci: f64) -> BTreeMap<String, f64> {
    let mut row = row(aws, oci);
    row.insert("gcp".to_owned(), 0.0);
    row
}

pub(crate) fn change() -> Change {
    let rows = RowChange {
        before: Some(row3(70.0, 30.0)),
        after: row3(50.0, 50.0),
    };
    Change {
        revision: 1842,
        shifts: vec!["s-0192".to_owned()],
        rows: BTreeMap::from([("meet".to_owned(), rows)]),
        ..Change::default()
    }
}

/// A shift in two steps: begun, first step, second step, done.
pub(crate) fn ramp() -> Vec<Shift> {
    let shift = |step: usize, aws: f64, phase: &str, age: f64, progress: f64| -> Shift {
        let json = json!({
            "id": "s-0192", "revision": 1842, "service": "meet", "cause": "override",
            "from": row(70.0, 30.0), "to": row(50.0, 50.0), "now": row(aws, 100.0 - aws),
            "step": step, "steps": 2, "phase": phase, "ended": phase == "completed", "bake_seconds": 180.0,
            "step_at": at("18:41:00"), "step_age_seconds": age, "progress_ratio": progress,
            "receivers": {"oci": {"requests": 900, "error_ratio": 0.000_33, "p95_seconds": 0.153, "p95_limit_seconds": 0.196}},
            "note": "", "turned_by": null, "actor": "uid:1000", "reason": "CHG-4412 cost rebalance",
            "started_at": at("18:41:00"), "ended_at": null,
        });
        serde_json::from_value(json).unwrap()
    };
    let mut looks = vec![
        shift(1, 60.0, "moving", 0.0, 0.0),
        shift(1, 60.0, "baking", 180.0, 0.25),
        shift(2, 50.0, "baking", 72.0, 0.6),
        shift(2, 50.0, "holding", 181.0, 0.99),
        shift(2, 50.0, "completed", 184.0, 1.0),
    ];
    looks[3].note = "no data from oci yet".to_owned();
    looks[4].revision = 1847;
    looks[4].ended_at = Some(at("18:47:04"));
    looks
}

fn endpoint(name: &str, state: ObservedState) -> Endpoint {
    let failed = state == ObservedState::Down;
    let reason = if failed { "connect" } else { "passed" };
    Endpoint {
        name: name.to_owned(),
        scheme: "https".to_owned(),
        host: None,
        address: name.to_owned(),
        admin_state: AdminState::Ready,
        admin: None,
        observed_state: state,
        by_checks: state,
        ejection: None,
        held: false,
        since: Some(at("18:02:00")),
        reasons: vec![Reason {
            reason: reason.to_owned(),
            status: None,
        }],
        last: None,
        against: 0,
        checked: true,
        checked_at: Some(at("19:39:59")),
        agent: None,
        usable: !failed,
        priority: None,
        reserve: false,
        weight_ratio: 1.0,
        in_flight: if failed { 0 } else { 11_934 },
        connections: 0,
        full: None,
        leaving: None,
    }
}

fn backend(name: &str, declared: f64, share: f64, role: Role) -> Backend {
    let standby = role == Role::Standby;
    Backend {
        service: "meet".to_owned(),
        name: name.to_owned(),
        provider: name.to_owned(),
        region: Some("us-east-1".to_owned()),
        role,
        weight: if standby { None } else { Some(70) },
        admin_state: AdminState::Ready,
        admin: None,
        observed_state: ObservedState::Up,
        off: false,
        shares: BackendShares {
            declared,
            override_share: if standby { None } else { Some(share) },
            target: share,
            effective: share,
            requests: Some(share),
            new_sessions: Some(if standby { 0.0 } else { share + 0.2 }),
        },
        why: if standby {
            String::new()
        } else {
            "override by uid:1000, CHG-4412, 23 h left".to_owned()
        },
        utilization_ratio: if standby { None } else { Some(0.4) },
        endpoints_up: 1,
        endpoints_total: 2,
        endpoints: vec![
            endpoint("10.4.0.15:443", ObservedState::Down),
            endpoint("10.4.0.11:443", ObservedState::Up),
        ],
        load: Load {
            window_seconds: 60.0,
            requests_per_second: if standby { 0.0 } else { 4200.0 },
            error_ratio: if standby { None } else { Some(0.000_21) },
            latency_p50_seconds: if standby { None } else { Some(0.061) },
            latency_p95_seconds: if standby { None } else { Some(0.143) },
            latency_p99_seconds: if standby { None } else { Some(0.310) },
            in_flight: if standby { 0 } else { 11_934 },
        },
        limits: None,
        pending: 0,
        full: None,
        leaving: None,
    }
}

/// Either provider is lost.
fn losses() -> Vec<Loss> {
    let loss = |provider: &str, other: &str, utilization: f64, shed: f64| Loss {
        provider: provider.to_owned(),
        shares: BTreeMap::from([(provider.to_owned(), 0.0), (other.to_owned(), 100.0 - shed)]),
        shed,
        fullest: Some(other.to_owned()),
        unit: Some("sessions".to_owned()),
        utilization_ratio: Some(utilization),
        text: match shed > 0.0 {
            true => format!(
                "{other} {} %, at 100 % of its sessions; {shed} % shed",
                100.0 - shed
            ),
            false => format!(
                "{other} 100 %, at {:.0} % of its sessions",
                utilization * 100.0
            ),
        },
    };
    vec![loss("aws", "oci", 1.0, 12.5), loss("oci", "aws", 0.72, 0.0)]
}

pub(crate) fn service() -> Service {
    Service {
        name: "meet".to_owned(),
        revision: 1841,
        state: ObservedState::Up,
        mode: Mode::Serve,
        refusal: None,
        class: "media".to_owned(),
        shed: 0.0,
        losses: losses(),
        summary: Vec::new(),
        listeners: vec!["web".to_owned()],
        backends: vec![
            backend("aws", 70.0, 50.0, Role::Weighted),
            backend("oci", 30.0, 50.0, Role::Weighted),
            backend("gcp", 0.0, 0.0, Role::Standby),
        ],
        override_row: Some(Override {
            shares: row(50.0, 50.0),
            off: Vec::new(),
            actor: "uid:1000".to_owned(),
            reason: "CHG-4412".to_owned(),
            set_at: at("18:41:00"),
            expires_at: "2026-11-21T18:41:00Z".parse().unwrap(),
            evacuation: None,
        }),
        shift: Some("s-0192".to_owned()),
        affinity: Some(Affinity {
            by: "header x-room".to_owned(),
            map: Some("3f9c1e2ab407".to_owned()),
        }),
    }
}

pub(crate) fn status() -> Status {
    let json = json!({
        "at": "2026-11-20T19:40:00Z", "revision": 1847, "state": "up",
        "instance": {"version": "0.1.0", "id": "i", "started_at": "2026-11-20T09:00:00Z", "ready": true, "not_ready": ""},
        "edge": {"workers": 4, "confirmed_revision": 1847, "in_step": true,
                 "admin_state": "ready", "requests": 0, "connections": 0, "leaving": null},
        "config": {"hash": "3f9c1e2", "origin": "meet.yaml", "loaded_at": "2026-11-20T09:10:00Z", "last_error": null},
        "services": [], "providers": [], "shifts": [], "evacuations": [],
    });
    let mut status: Status = serde_json::from_value(json).unwrap();
    status.services = vec![service()];
    status.shifts = vec![ramp()[2].clone()];
    status
}

pub(crate) fn history() -> History {
    let entry = |revision: u64,
                 time: &str,
                 action: &str,
                 refused: Option<&str>,
                 after: BTreeMap<String, f64>|
     -> HistoryEntry {
        let json = json!({
            "sequence": revision, "hash": "", "revision": revision, "at": at(time), "actor": "uid:1000",
            "action": action, "object": "meet", "reason": "CHG-4412", "refused": refused,
            "rows": {"meet": {"before": row(70.0, 30.0), "after": after}},
        });
        serde_json::from_value(json).unwrap()
    };
    let entries = vec![
        entry(1842, "18:41:00", "shift", None, row(50.0, 50.0)),
        entry(
            1841,
            "18:40:00",
            "shift",
            Some("max_step: 65 points in one change, limit 20"),
            row(5.0, 95.0),
        ),
        entry(1840, "18:00:00", "undo", None, row(65.0, 35.0)),
    ];
    History {
        revision: 1847,
        entries,
        next: None,
    }
}

pub(crate) fn explanation() -> Explanation {
    let factor = |name: &str, value: f64, why: &str| Factor {
        name: name.to_owned(),
        value,
        why: why.to_owned(),
    };
    let not = |name: &str, why: &str| NotInPlay {
        name: name.to_owned(),
        why: why.to_owned(),
    };
    Explanation {
        service: "meet".to_owned(),
        backend: "oci".to_owned(),
        provider: "oci".to_owned(),
        revision: 1843,
        effective: 23.08,
        declared: 30.0,
        declared_at: Some("meet.yaml:19".to_owned()),
        target: 30.0,
        target_why: String::new(),
        factors: vec![
            factor("health", 0.7, "2 of 4 endpoints up: min(1, 1.4 × 2/4)"),
            factor("slow_start", 1.0, "none"),
        ],
        product: 21.0,
        product_sum: 91.0,
        others: vec![factor("aws", 70.0, "")],
        off: false,
        off_why: String::new(),
        mode: Mode::Serve,
        override_row: None,
        shift: None,
        endpoints_up: 2,
        endpoints_total: 4,
        not_in_play: vec![
            not("override", "none"),
            not("capacity", "none declared"),
            not("fail_open", "no"),
        ],
        shed: 0.0,
        losses: losses(),
        would_return: "Would return to 30.00 when 10.4.0.14 and 10.4.0.15 pass 2 checks in a row."
            .to_owned(),
        confirmed_revision: 1843,
        workers: 4,
        text: Vec::new(),
    }
}

/// An evacuation of aws: shifting, proving, draining twice, evacuated.
pub(crate) fn evacuation() -> Vec<Evacuation> {
    let proof = Proof {
        at: at("19:43:20"),
        revision: 1849,
        workers: 4,
        probes: 300,
        answered: BTreeMap::from([("oci".to_owned(), 300)]),
        failed: 0,
        picks_on_evacuated: 0,
        picks_elsewhere: 1512,
        holds: true,
    };
    let look = |phase: EvacuationPhase, running: u64, proof: Option<&Proof>| Evacuation {
        id: "e-0001".to_owned(),
        revision: 1849,
        provider: "aws".to_owned(),
        phase,
        shifts: Vec::new(),
        running,
        drain_deadline: at("20:13:00"),
        actor: "uid:1000".to_owned(),
        reason: "INC-881".to_owned(),
        started_at: at("19:43:00"),
        expires_at: "2026-11-21T19:43:00Z".parse().unwrap(),
        proof: proof.cloned(),
        note: String::new(),
    };
    vec![
        look(EvacuationPhase::Shifting, 11_934, None),
        look(EvacuationPhase::Proving, 11_000, None),
        look(EvacuationPhase::Draining, 9_000, Some(&proof)),
        look(EvacuationPhase::Draining, 4_102, Some(&proof)),
        look(EvacuationPhase::Evacuated, 0, Some(&proof)),
    ]
}

pub(crate) fn event() -> Event {
    Event {
        seq: 7,
        at: at("18:41:00"),
        kind: "weight_changed".to_owned(),
        service: Some("meet".to_owned()),
        backend: Some("aws".to_owned()),
        provider: Some("aws".to_owned()),
        message: "70 → 65".to_owned(),
        data: serde_json::Value::Null,
    }
}
