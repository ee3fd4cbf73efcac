//! Waits until a load balancer has done what it accepted. It looks again at growing distances and gives up waiting, not the
//! change, after a while: the next reading says what became of it.

use std::time::Duration;

use bascule_provider::text::{encoded, shown};
use bascule_provider::{Error, Kind, Patience};
use serde::Deserialize;
use serde_json::Value;

use crate::balancer::BackendSet;
use crate::client::Ask;

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
    let path = format!("{}/{}", dialect.work_path, encoded(id));
    let resource = format!("{id} for {}", set.name);
    let ask = Ask::new(dialect.work, &resource, path);
    let look = async || {
        let work: Value = set.client.read(&ask).await?.data;
        match work.get(dialect.work_state).and_then(Value::as_str) {
            Some("SUCCEEDED") => Ok(Some(Ok(()))),
            Some("ACCEPTED" | "IN_PROGRESS" | "CANCELING") => Ok(None),
            Some("FAILED" | "CANCELED") => Ok(Some(Err(failed(&ask, &work)))),
            other => {
                let other = shown(other.unwrap_or("nothing"));
                let seen = format!("its state is {other}, which is none of the API's");
                Err(ask.error(Kind::Invalid).detail(seen))
            }
        }
    };
    let pause = set.client.pause();
    let patience = Patience {
        pause,
        pause_max: pause * GROWTH_MAX,
        whole: WAIT_MAX,
    };
    patience
        .until_done(dialect.work.name, &resource, look)
        .await?
}

fn failed(ask: &Ask, work: &Value) -> Error {
    let errors = work.get("errorDetails").cloned().unwrap_or_default();
    let errors: Vec<WorkError> = serde_json::from_value(errors).unwrap_or_default();
    let is_wrong = errors.iter().any(|error| error.error_code == "BAD_INPUT");
    let texts: Vec<String> = errors
        .iter()
        .map(|error| format!("{}: {}", shown(&error.error_code), shown(&error.message)))
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
