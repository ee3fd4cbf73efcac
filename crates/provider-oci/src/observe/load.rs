//! The load of an instance pool: the mean of its processors' use by Monitoring, which is a minute or two late, and how many
//! machines it is asked to have.

use std::sync::Arc;
use std::time::Duration;

use bascule_model::Timestamp;
use bascule_provider::port::{Extent, Observation, Seen};
use bascule_provider::text::encoded;
use bascule_provider::{Call, Error, Kind, Observe};
use bascule_telemetry::clock;
use serde::Deserialize;
use serde_json::json;

use crate::client::operation::{GET_INSTANCE_POOL, SUMMARIZE_METRICS_DATA};
use crate::client::{Ask, Client};

/// How far back is asked: values come late, and not every minute has one.
const BACK: Duration = Duration::from_mins(10);

/// An instance pool that is observed.
#[derive(Debug)]
pub struct PoolLoad {
    client: Arc<Client>,
    id: String,
    source: String,
    extent: Extent,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pool {
    compartment_id: String,
    size: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stream {
    aggregated_datapoints: Vec<Datapoint>,
}

#[derive(Debug, Deserialize)]
struct Datapoint {
    timestamp: jiff::Timestamp,
    value: f64,
}

impl PoolLoad {
    /// The pool of this OCID. Monitoring is asked with [`Extent::All`]: it needs a statement of its own in the policy.
    #[must_use]
    pub fn new(client: Arc<Client>, id: &str, extent: Extent) -> Self {
        Self {
            client,
            id: id.to_owned(),
            source: format!("instance-pool/{id}"),
            extent,
        }
    }

    async fn read(&self) -> Result<Vec<Observation>, Error> {
        let path = format!("/instancePools/{}", encoded(&self.id));
        let ask = Ask::new(&GET_INSTANCE_POOL, &self.id, path);
        let pool: Pool = self.client.read(&ask).await?.data;
        let now = clock::wall();
        let mut seen = vec![self.observation(Seen::SizeWanted(pool.size), now)];
        if self.extent == Extent::All {
            seen.extend(self.cpu(&pool.compartment_id, now).await?);
        }
        Ok(seen)
    }

    /// The newest value there is; none where Monitoring has none in all that time, which is no load of zero.
    async fn cpu(&self, compartment: &str, now: Timestamp) -> Result<Option<Observation>, Error> {
        let from = Timestamp::from_millis(
            now.as_millis()
                .saturating_sub(u64::try_from(BACK.as_millis()).unwrap_or(0)),
        );
        let ask = Ask::new(
            &SUMMARIZE_METRICS_DATA,
            &self.id,
            "/metrics/actions/summarizeMetricsData",
        );
        // An id in a query stands between quotes, so it must not hold one.
        if self.id.contains(['"', '\\']) {
            return Err(ask.error(Kind::Invalid).detail("this is no OCID"));
        }
        let ask = ask
            .query("compartmentId", compartment)
        .body(json!({
            "namespace": "oci_computeagent",
            "query": format!("CpuUtilization[1m]{{instancePoolId = \"{}\"}}.grouping().mean()", self.id),
            "startTime": clock::rfc3339(from),
            "endTime": clock::rfc3339(now),
        }));
        let streams: Vec<Stream> = self.client.read(&ask).await?.data;
        let points = streams.into_iter().flat_map(|s| s.aggregated_datapoints);
        let last = points.max_by_key(|point| point.timestamp);
        Ok(last.and_then(|Datapoint { timestamp, value }| {
            let millis = u64::try_from(timestamp.as_millisecond()).unwrap_or(0);
            let cpu = Seen::cpu_of_percent(value);
            cpu.map(|cpu| self.observation(cpu, Timestamp::from_millis(millis)))
        }))
    }

    fn observation(&self, what: Seen, at: Timestamp) -> Observation {
        let of = self.source.as_str().into();
        Observation { of, what, at }
    }
}

impl Observe for PoolLoad {
    fn source(&self) -> &str {
        &self.source
    }

    fn observe(&self) -> Call<'_, Vec<Observation>> {
        Box::pin(self.read())
    }
}
