//! Waits until a load balancer has done what it accepted. It looks again at growing distances and gives up waiting, not the
//! change, after a while: the next reading says what became of it.

use std::time::Duration;

use bascule_provider::{Error, Kind};
use bascule_telemetry::clock;
use serde::Deserialize;
use serde_json::Value;

use crate::balancer::BackendSet;
use crate::client::{Ask, segment};

/// A change takes seconds; after this long it is told as one that may still come.
const WAIT_MAX: Duration = Duration::from_mins(3);

/// Pauses grow up to this many times the first.
const GROWTH_MAX: u32 = 8;

/// Why a change failed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WorkError {
    error_code: String,
    message: String,
}

/// Until this work request is done.
pub(super) async fn done(set: &BackendSet, id: &str) -> Result<(), Error> {
    let dialect = set.dialect;
    let path = format!("{}/{}", dialect.work_path, segment(id));
    let ask = Ask::new(dialect.work, format!("{id} for {}", set.name), path);
    let first = set.client.pause();
    let (mut pause, until) = (first, clock::now() + WAIT_MAX);
    loop {
        let work: Value = set.client.read(&ask).await?.data;
        match work.get(dialect.work_state).and_then(Value::as_str) {
            Some("SUCCEEDED") => return Ok(()),
            Some("ACCEPTED" | "IN_PROGRESS" | "CANCELING") => {}
            Some("FAILED" | "CANCELED") => return Err(failed(&ask, &work)),
            other => {
                let other = other.unwrap_or("nothing");
                return Err(ask
                    .error(Kind::Invalid)
                    .detail(format!("its state is {other}, which is none of the API's")));
            }
        }
        if clock::now() >= until {
            return Err(ask.error(Kind::Transient).detail(format!(
                "not done after {} s; it may still be done",
                WAIT_MAX.as_secs()
            )));
        }
        clock::sleep_until(clock::now() + pause).await;
        pause = (pause * 2).min(first * GROWTH_MAX);
    }
}

fn failed(ask: &Ask, work: &Value) -> Error {
    let errors = work.get("errorDetails").cloned().unwrap_or_default();
    let errors: Vec<WorkError> = serde_json::from_value(errors).unwrap_or_default();
    let is_wrong = errors.iter().any(|error| error.error_code == "BAD_INPUT");
    let texts: Vec<String> = errors
        .iter()
        .map(|error| format!("{}: {}", error.error_code, error.message))
        .collect();
    let kind = if is_wrong {
        Kind::Invalid
    } else {
        Kind::Transient
    };
    ask.error(kind)
        .detail(format!(
            "the change was accepted and failed {}",
            texts.join(", ")
        ))
        .fix("OCI's console shows this work request at the load balancer, with its log")
}
