//! The targets of a target group (ELBv2), as a source of endpoints and with the load balancer's verdict of their health. One
//! call tells both; it has no pages. Targets that are machines get their addresses from [`machines`](crate::machines). Targets
//! that are functions or other load balancers have none and are refused.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bascule_provider::port::{CloudHealth, Instance, Lifecycle, Observation, Seen, Set};
use bascule_provider::{Call, Discover, Error, Observe};
use bascule_telemetry::clock;

use crate::account::Account;
use crate::machines::{self, Address, Machine};
use crate::request::{Request, parameter};
use crate::service::Service;
use crate::xml::{list, text};

const CALL: &str = "elasticloadbalancing:DescribeTargetHealth";

/// A target group.
#[derive(Debug)]
pub struct TargetGroup {
    account: Arc<Account>,
    arn: String,
    address: Address,
    source: String,
}

/// A target as its group sees it.
#[derive(Debug)]
struct Target {
    id: String,
    port: Option<u16>,
    zone: Option<String>,
    state: String,
}

impl Target {
    /// What it is called in sets and observations.
    fn name(&self) -> Arc<str> {
        match self.port {
            Some(port) => format!("{}:{port}", self.id).into(),
            None => self.id.as_str().into(),
        }
    }
}

impl TargetGroup {
    /// The group of this ARN. `address`: of targets that are machines.
    #[must_use]
    pub fn new(account: Arc<Account>, arn: &str, address: Address) -> Self {
        let name = arn.rsplit_once(':').map_or(arn, |(_, name)| name);
        Self {
            account,
            arn: arn.to_owned(),
            address,
            source: format!("elb/{name}"),
        }
    }

    async fn look(&self) -> Result<Vec<Target>, Error> {
        let parameters = [parameter("TargetGroupArn", &self.arn)];
        let request = Request::query(Service::Elb, CALL, &self.arn, &parameters);
        let answer = self.account.send(&request).await?;
        let document = answer.document("DescribeTargetHealthResponse")?;
        let path = "DescribeTargetHealthResult/TargetHealthDescriptions";
        let mut out = Vec::new();
        for node in list(document.root_element(), path, "member") {
            let port = match text(node, "Target/Port") {
                None => None,
                Some(port) => Some(
                    port.parse()
                        .map_err(|_| answer.unfit(format!("{port} is no port")))?,
                ),
            };
            let zone = text(node, "Target/AvailabilityZone");
            out.push(Target {
                id: answer.need(node, "Target/Id")?.to_owned(),
                port,
                // `all` is said of addresses outside the network.
                zone: zone.filter(|zone| *zone != "all").map(str::to_owned),
                state: answer.need(node, "TargetHealth/State")?.to_owned(),
            });
        }
        Ok(out)
    }

    async fn find(&self) -> Result<Set, Error> {
        let targets = self.look().await?;
        let ids = targets.iter().map(|target| target.id.as_str());
        let ids = ids.filter(|id| id.starts_with("i-"));
        let machines = machines::of(&self.account, ids, self.address).await?;
        let mut set = Set::default();
        for target in &targets {
            if let Some(instance) = self.instance(target, &machines)? {
                set.instances.insert(target.name(), instance);
            }
        }
        Ok(set)
    }

    fn instance(
        &self,
        target: &Target,
        machines: &BTreeMap<String, Machine>,
    ) -> Result<Option<Instance>, Error> {
        let mut lifecycle = lifecycle(&target.state);
        let mut zone = target.zone.clone();
        let address: Option<IpAddr> = match machines.get(&target.id) {
            Some(machine) => {
                lifecycle = lifecycle.max(machine.lifecycle);
                zone = zone.or_else(|| machine.zone.clone());
                machines::address_of(&target.id, machine, self.address)?
            }
            None => Some(target.id.parse().map_err(|_| {
                Error::new(bascule_provider::Kind::Invalid, CALL, &*self.arn)
                    .detail(format!("its target {} has no address", target.id))
                    .fix("give a target group of machines or addresses")
            })?),
        };
        Ok(address.map(|address| Instance {
            address,
            port: target.port,
            zone: zone.map(Arc::from),
            lifecycle,
        }))
    }

    async fn see(&self) -> Result<Vec<Observation>, Error> {
        let targets = self.look().await?;
        // The call has no time of its own: it tells what the load balancer finds now.
        let at = clock::wall();
        let observed = targets.iter().map(|target| Observation {
            of: target.name(),
            what: Seen::Health(health(&target.state)),
            at,
        });
        Ok(observed.collect())
    }
}

/// Health is not life: a target that fails its checks runs.
fn lifecycle(state: &str) -> Lifecycle {
    match state {
        "initial" => Lifecycle::Starting,
        "draining" => Lifecycle::Stopping,
        _ => Lifecycle::Running,
    }
}

fn health(state: &str) -> CloudHealth {
    match state {
        "healthy" => CloudHealth::Healthy,
        "unhealthy" => CloudHealth::Unhealthy,
        "draining" | "unhealthy.draining" => CloudHealth::Draining,
        _ => CloudHealth::Unknown,
    }
}

impl Discover for TargetGroup {
    fn source(&self) -> &str {
        &self.source
    }

    fn discover(&self) -> Call<'_, Set> {
        Box::pin(self.find())
    }
}

impl Observe for TargetGroup {
    fn source(&self) -> &str {
        &self.source
    }

    fn observe(&self) -> Call<'_, Vec<Observation>> {
        Box::pin(self.see())
    }
}
