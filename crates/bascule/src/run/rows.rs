//! The rows that actuators in clouds follow: those that all workers use, once they do. Shares that a reloaded file declares
//! have no revision that workers could confirm: they are told from the reload on, which workers have within 50 ms as a rule.
//! It decides nothing: what is wanted is the controller's, what is used the workers' to say.

use std::sync::Arc;
use std::time::Duration;

use bascule_config::Config;
use bascule_control::Handle;
use bascule_control::apply::Rows;
use bascule_model::{BackendName, TargetRow, Targets};
use bascule_proxy::Edge;
use bascule_telemetry::clock;
use bascule_traffic::spec::{BackendSpec, Role, ServiceSpec};
use tokio::sync::watch;

use super::reload::Reloader;

/// How often workers are looked at while they do not use yet what is wanted; they have it within 50 ms as a rule.
const LOOK: Duration = Duration::from_millis(50);
/// How often otherwise: a file that declares other shares has no revision of its own.
const REST: Duration = Duration::from_secs(1);

/// Tells the rows for ever; ends when nobody listens.
pub(super) async fn tell(
    control: Handle,
    edge: Edge,
    reloader: Arc<Reloader>,
    rows: watch::Sender<Arc<Rows>>,
) {
    let mut changed = control.changed();
    while !rows.is_closed() {
        let targets = control.targets();
        if edge.confirmed().revision < targets.revision {
            clock::sleep_until(clock::now() + LOOK).await;
            continue;
        }
        let running = bascule_admin::ConfigPort::running(&*reloader);
        let next = used(&targets, &running.config);
        rows.send_if_modified(|rows| {
            let is_new = **rows != next;
            if is_new {
                *rows = Arc::new(next);
            }
            is_new
        });
        // Cancellation: a watch keeps its mark, a sleep nothing.
        tokio::select! {
            changed = changed.changed() => if changed.is_err() { return },
            () = clock::sleep_until(clock::now() + REST) => {}
        }
    }
}

/// The row of each service: what is wanted of it, or what is declared.
fn used(targets: &Targets, config: &Config) -> Rows {
    let row = |spec: &Arc<ServiceSpec>| {
        let wanted = targets.services.get(&spec.name).cloned();
        (spec.name.clone(), wanted.unwrap_or_else(|| declared(spec)))
    };
    Rows {
        revision: targets.revision,
        services: config.services.iter().map(row).collect(),
    }
}

fn declared(spec: &ServiceSpec) -> TargetRow {
    let off = |(name, backend): (&BackendName, &BackendSpec)| {
        (backend.role == Role::Weighted(0)).then(|| name.clone())
    };
    TargetRow {
        shares: spec.declared.clone(),
        off: spec.backends.iter().filter_map(off).collect(),
    }
}
