//! The machines of an Auto Scaling group as a source of endpoints. The group knows who belongs to it and where in its life
//! each is; the addresses come from [`machines`](crate::machines). Of the two states the later counts: what the group calls
//! in service may be shutting down already. Never gives a part of a group.

use std::sync::Arc;

use bascule_provider::port::{Instance, Lifecycle, Set};
use bascule_provider::{Call, Discover, Error, Kind};

use crate::account::Account;
use crate::machines::{self, Address};
use crate::request::{Request, parameter};
use crate::send::Answer;
use crate::service::Service;
use crate::xml::{list, text};

pub(crate) const CALL: &str = "autoscaling:DescribeAutoScalingGroups";

/// A group.
#[derive(Debug)]
pub struct Group {
    account: Arc<Account>,
    name: String,
    address: Address,
    source: String,
}

/// A member of a group as the group sees it.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    id: String,
    zone: Option<String>,
    lifecycle: Lifecycle,
}

impl Group {
    /// The group of this name in the account's region.
    #[must_use]
    pub fn new(account: Arc<Account>, name: &str, address: Address) -> Self {
        Self {
            account,
            name: name.to_owned(),
            address,
            source: format!("asg/{name}"),
        }
    }

    async fn find(&self) -> Result<Set, Error> {
        let answer = described(&self.account, &self.name).await?;
        let listed = listed(&answer, &self.name)?;
        let ids = listed.iter().map(|listed| listed.id.as_str());
        let machines = machines::of(&self.account, ids, self.address).await?;
        let mut set = Set::default();
        for listed in &listed {
            let Some(mut machine) = machines.get(&listed.id).cloned() else {
                continue; // `machines::of` has failed already where one is missing.
            };
            machine.lifecycle = machine.lifecycle.max(listed.lifecycle);
            let address = machines::address_of(&listed.id, &machine, self.address)?;
            // What has no address yet, or no longer, is no endpoint.
            let Some(address) = address else { continue };
            let zone = machine.zone.or_else(|| listed.zone.clone());
            let instance = Instance {
                address,
                port: None,
                zone: zone.map(Arc::from),
                lifecycle: machine.lifecycle,
            };
            set.instances
                .insert(Arc::from(listed.id.as_str()), instance);
        }
        Ok(set)
    }
}

/// The answer that has this group.
pub(crate) async fn described(account: &Account, name: &str) -> Result<Answer, Error> {
    let parameters = [parameter("AutoScalingGroupNames.member.1", name)];
    let request = Request::query(Service::AutoScaling, CALL, name, &parameters);
    account.send(&request).await
}

/// Where the answer has the group.
pub(crate) fn group<'a, 'input: 'a>(
    answer: &Answer,
    document: &'a roxmltree::Document<'input>,
    name: &str,
) -> Result<roxmltree::Node<'a, 'input>, Error> {
    let path = "DescribeAutoScalingGroupsResult/AutoScalingGroups";
    let mut groups = list(document.root_element(), path, "member");
    let found = groups.find(|group| text(*group, "AutoScalingGroupName") == Some(name));
    found.ok_or_else(|| {
        Error::new(Kind::Invalid, CALL, name)
            .detail("there is no such group")
            .fix("see its name, and that `region` is the group's")
            .request_id(answer.request_id.clone())
    })
}

fn listed(answer: &Answer, name: &str) -> Result<Vec<Listed>, Error> {
    let document = answer.document("DescribeAutoScalingGroupsResponse")?;
    let group = group(answer, &document, name)?;
    let mut out = Vec::new();
    for node in list(group, "Instances", "member") {
        out.push(Listed {
            id: answer.need(node, "InstanceId")?.to_owned(),
            zone: text(node, "AvailabilityZone").map(str::to_owned),
            lifecycle: lifecycle(answer.need(node, "LifecycleState")?),
        });
    }
    Ok(out)
}

/// AWS's states in our four. One that is not known counts as stopped: it gets no requests.
fn lifecycle(state: &str) -> Lifecycle {
    let first = state.split(':').next().unwrap_or_default();
    match first {
        "Pending" => Lifecycle::Starting,
        "InService" => Lifecycle::Running,
        "Terminating" | "Detaching" | "EnteringStandby" => Lifecycle::Stopping,
        _ => Lifecycle::Stopped,
    }
}

impl Discover for Group {
    fn source(&self) -> &str {
        &self.source
    }

    fn discover(&self) -> Call<'_, Set> {
        Box::pin(self.find())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_service_runs() {
        for (state, is) in [
            ("Pending:Wait", Lifecycle::Starting),
            ("InService", Lifecycle::Running),
            ("Terminating:Proceed", Lifecycle::Stopping),
            ("EnteringStandby", Lifecycle::Stopping),
            ("Standby", Lifecycle::Stopped),
            ("Warmed:Running", Lifecycle::Stopped),
            ("ReplacingRootVolume", Lifecycle::Stopped),
            ("What AWS adds next", Lifecycle::Stopped),
        ] {
            assert_eq!(lifecycle(state), is, "{state}");
        }
    }
}
