//! What CloudWatch knows of an Auto Scaling group: the processors' use, and the sizes the group may and shall have. Minutes
//! late: a value's `at` is the start of the minute it is of, and CloudWatch has it one to three minutes after that minute's end
//! (five, where detailed monitoring is off). Too slow for anything but trends; nothing here decides by it.

use std::sync::Arc;

use bascule_model::Timestamp;
use bascule_provider::port::{Extent, Observation, Seen};
use bascule_provider::{Call, Error, Observe};
use bascule_telemetry::clock;

use crate::account::Account;
use crate::autoscaling;
use crate::request::{Request, parameter};
use crate::send::Answer;
use crate::service::Service;
use crate::xml::{list, text};

const CALL: &str = "cloudwatch:GetMetricData";

/// How far back is looked: values of groups without detailed monitoring are five minutes apart and come late.
const WINDOW_MILLIS: u64 = 900_000;

/// What one value is of.
const PERIOD_MILLIS: u64 = 60_000;

/// How a group is loaded.
#[derive(Debug)]
pub struct GroupLoad {
    account: Arc<Account>,
    name: String,
    source: String,
    extent: Extent,
}

impl GroupLoad {
    /// The group of this name in the account's region. CloudWatch is asked with [`Extent::All`]: AWS charges for each query.
    #[must_use]
    pub fn new(account: Arc<Account>, name: &str, extent: Extent) -> Self {
        Self {
            account,
            name: name.to_owned(),
            source: format!("asg/{name}"),
            extent,
        }
    }

    async fn see(&self) -> Result<Vec<Observation>, Error> {
        let mut seen = self.sizes().await?;
        if self.extent == Extent::All {
            seen.extend(self.cpu().await?);
        }
        Ok(seen)
    }

    async fn sizes(&self) -> Result<Vec<Observation>, Error> {
        let answer = autoscaling::described(&self.account, &self.name).await?;
        let at = clock::wall();
        let document = answer.document("DescribeAutoScalingGroupsResponse")?;
        let group = autoscaling::group(&answer, &document, &self.name)?;
        let most = answer.number(group, "MaxSize")?;
        let wanted = answer.number(group, "DesiredCapacity")?;
        let sizes = [Seen::SizeMax(most), Seen::SizeWanted(wanted)];
        Ok(sizes.map(|what| self.observation(what, at)).into())
    }

    /// The newest value there is; none where CloudWatch has none in the window.
    async fn cpu(&self) -> Result<Option<Observation>, Error> {
        // Whole minutes: AWS is asked so, and half a minute would say nothing.
        let end = clock::wall().as_millis() / PERIOD_MILLIS * PERIOD_MILLIS;
        let start = Timestamp::from_millis(end.saturating_sub(WINDOW_MILLIS));
        let end = Timestamp::from_millis(end);
        let stat = "MetricDataQueries.member.1.MetricStat";
        let dimension = format!("{stat}.Metric.Dimensions.member.1");
        let parameters = [
            parameter("StartTime", clock::rfc3339(start)),
            parameter("EndTime", clock::rfc3339(end)),
            parameter("ScanBy", "TimestampDescending"),
            parameter("MetricDataQueries.member.1.Id", "cpu"),
            parameter(format!("{stat}.Metric.Namespace"), "AWS/EC2"),
            parameter(format!("{stat}.Metric.MetricName"), "CPUUtilization"),
            parameter(format!("{dimension}.Name"), "AutoScalingGroupName"),
            parameter(format!("{dimension}.Value"), &self.name),
            parameter(format!("{stat}.Period"), (PERIOD_MILLIS / 1000).to_string()),
            parameter(format!("{stat}.Stat"), "Average"),
        ];
        let request = Request::query(Service::CloudWatch, CALL, "*", &parameters);
        let answer = self.account.send(&request).await?;
        let newest = newest(&answer)?;
        Ok(newest.map(|(cpu, at)| self.observation(cpu, at)))
    }

    fn observation(&self, what: Seen, at: Timestamp) -> Observation {
        Observation {
            of: self.source.as_str().into(),
            what,
            at,
        }
    }
}

/// The first value, which is the newest, and the start of the minute it is of.
fn newest(answer: &Answer) -> Result<Option<(Seen, Timestamp)>, Error> {
    let document = answer.document("GetMetricDataResponse")?;
    let path = "GetMetricDataResult/MetricDataResults";
    let Some(result) = list(document.root_element(), path, "member").next() else {
        return Ok(None);
    };
    let first = |name| list(result, name, "member").next()?.text();
    let (Some(value), Some(at)) = (first("Values"), first("Timestamps")) else {
        return match text(result, "StatusCode") {
            Some("InternalError" | "Forbidden") => Err(answer.unfit("CloudWatch could not tell")),
            _ => Ok(None),
        };
    };
    let cpu = value.parse().ok().and_then(Seen::cpu_of_percent);
    let cpu = cpu.ok_or_else(|| answer.unfit(format!("{value} is no number")))?;
    let time: jiff::Timestamp = at
        .parse()
        .map_err(|error: jiff::Error| answer.unfit(format!("{at} is no time")).because(error))?;
    let millis = u64::try_from(time.as_millisecond()).unwrap_or_default();
    Ok(Some((cpu, Timestamp::from_millis(millis))))
}

impl Observe for GroupLoad {
    fn source(&self) -> &str {
        &self.source
    }

    fn observe(&self) -> Call<'_, Vec<Observation>> {
        Box::pin(self.see())
    }
}
