//! Follows one name for ever: asks, takes the answer in, tells what changed, and sleeps until something is due. It decides
//! nothing about addresses; it counts each failure, and says one line when a name begins to fail and one when it works again.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::Instant;
use bascule_telemetry::{clock, names};
use futures_util::future::join_all;
use tokio::sync::watch;

use super::known::{ADDRESSES_MAX, Known, Learned};
use super::srv::KnownSrv;
use super::{Resolved, Shared, Watched};

/// Targets of one SRV name that are asked for at a time: enough that a thousand are known within seconds, few enough that
/// a name server does not see a flood.
const TARGETS_AT_ONCE: usize = 16;

/// Looks one name up for ever; ends when nobody listens.
pub(super) async fn follow(name: Watched, shared: Rc<Shared>) {
    match name {
        Watched::Host(name) => host(name, shared).await,
        Watched::Srv(name) => srv_name(name, shared).await,
    }
}

async fn host(host: Arc<str>, shared: Rc<Shared>) {
    let mut known = Known::default();
    let mut changed = shared.changed.subscribe();
    loop {
        let answer = shared.lookups.ask(&host).await;
        let learned = known.learn(clock::now(), &answer, &shared.lookups.settings());
        report((&host, None), known.addresses().len(), &learned);
        tell_time(&host, &learned);
        if let Some(addresses) = learned.changed {
            let host = Arc::clone(&host);
            let resolved = Resolved::Host { host, addresses };
            if shared.results.send(resolved).await.is_err() {
                return;
            }
        }
        wait(&mut changed, clock::now() + learned.again_in).await;
    }
}

async fn srv_name(name: Arc<str>, shared: Rc<Shared>) {
    let mut known = KnownSrv::default();
    let mut changed = shared.changed.subscribe();
    loop {
        if known.is_due(clock::now()) {
            let answer = shared.lookups.ask_srv(&name).await;
            let learned = known.learn(clock::now(), answer, &shared.lookups.settings());
            report((&name, None), known.addresses(), &learned);
            tell_time(&name, &learned);
        }
        ask_targets(&name, &mut known, &shared).await;
        if let Some(records) = known.changed() {
            let name = Arc::clone(&name);
            let resolved = Resolved::Srv { name, records };
            if shared.results.send(resolved).await.is_err() {
                return;
            }
        }
        if wait(&mut changed, known.again_at()).await {
            known.ask_anew();
        }
    }
}

async fn ask_targets(name: &Arc<str>, known: &mut KnownSrv, shared: &Shared) {
    let due = known.targets_due(clock::now());
    for some in due.chunks(TARGETS_AT_ONCE) {
        let answers = some.iter().map(|target| shared.lookups.ask(target));
        let answers = join_all(answers).await;
        let settings = shared.lookups.settings();
        for (target, answer) in some.iter().zip(answers) {
            let learned = known.learn_target(clock::now(), target, &answer, &settings);
            if let Some(learned) = learned {
                report((name, Some(target)), known.addresses(), &learned);
            }
        }
    }
}

/// Sleeps until then; `true` when the settings changed before.
async fn wait(changed: &mut watch::Receiver<()>, until: Instant) -> bool {
    // Cancellation: a sleep has nothing to lose, and a change that is not taken stays marked.
    tokio::select! {
        () = clock::sleep_until(until) => false,
        found = changed.changed() => found.is_ok(),
    }
}

/// When the name was last looked up with success.
fn tell_time(name: &Arc<str>, learned: &Learned) {
    if learned.failure.is_none() {
        let now = Duration::from_millis(clock::wall().as_millis());
        let gauge = metrics::gauge!(names::RESOLVE_SUCCESS_TIME, "host" => Arc::clone(name));
        gauge.set(now.as_secs_f64());
    }
}

/// Of a watched name, or of one of its targets.
fn report((name, target): (&Arc<str>, Option<&str>), addresses: usize, learned: &Learned) {
    if learned.left_out > 0 {
        let (left_out, most) = (learned.left_out, ADDRESSES_MAX);
        tracing::warn!(
            event = "resolve_too_many",
            host = &**name,
            target_host = target,
            left_out,
            most,
            "the name has more addresses than are used; the others are left out"
        );
    }
    let Some(reason) = &learned.failure else {
        if learned.failures_in_row > 0 {
            let failures = learned.failures_in_row;
            tracing::info!(
                event = "resolve_recovered",
                host = &**name,
                target_host = target,
                addresses,
                failures,
                "the name is looked up again"
            );
        }
        return;
    };
    metrics::counter!(names::RESOLVE_FAILURES, "host" => Arc::clone(name)).increment(1);
    if learned.failures_in_row == 1 {
        let age_seconds = learned.age.map(|age| age.as_secs());
        tracing::warn!(
            event = "resolve_failed",
            host = &**name,
            target_host = target,
            reason,
            addresses,
            age_seconds,
            "the name cannot be looked up; its last addresses stay in use"
        );
    }
}
