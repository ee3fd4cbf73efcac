//! A round of probes for the proof of an evacuation: so many to each service, one after the other. What the answers
//! prove is decided in `plan`.

use std::time::Duration;

use bascule_model::{BackendName, ServiceName};
use bascule_plan::steer::Probes;
use bascule_telemetry::spawn;

use crate::ports::Prove;

/// The longest a probe is waited for, whatever its sender does.
const PATIENCE: Duration = Duration::from_secs(5);
/// After this many failures in a row the rest of a service's probes count as failed: it would only take longer.
const FAILURES_MAX: u32 = 3;

/// Sends them and counts the answers.
pub(crate) async fn send(
    prove: &dyn Prove,
    evacuation: String,
    services: Vec<ServiceName>,
    probes: u32,
) -> Probes {
    let mut seen = Probes {
        evacuation,
        ..Probes::default()
    };
    for service in services {
        let mut in_a_row = 0;
        for sent in 0..probes {
            match ask(prove, &service).await {
                Ok(backend) => {
                    in_a_row = 0;
                    let key = (service.clone(), backend);
                    *seen.answered.entry(key).or_default() += 1;
                }
                Err(why) => {
                    tracing::warn!(event = "probe_failed", %service, why);
                    seen.failed += 1;
                    in_a_row += 1;
                }
            }
            if in_a_row == FAILURES_MAX {
                seen.failed += probes - sent - 1;
                break;
            }
        }
    }
    seen
}

async fn ask(prove: &dyn Prove, service: &ServiceName) -> Result<BackendName, String> {
    let probe = spawn::caught("probe", prove.probe(service.clone()));
    match tokio::time::timeout(PATIENCE, probe).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer in {PATIENCE:?}")),
    }
}
