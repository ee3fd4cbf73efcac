//! Machines of EC2 by their ids: address, zone and state, two hundred a call. The one call to EC2 there is; its SDK would be a
//! million lines. Complete or an error: an id that EC2 does not tell of fails the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bascule_provider::port::Lifecycle;
use bascule_provider::{Error, Kind};
use roxmltree::Node;

use crate::account::Account;
use crate::request::{Request, parameter};
use crate::send::Answer;
use crate::service::Service;
use crate::xml::{list, text};

const CALL: &str = "ec2:DescribeInstances";

/// Ids a call. EC2 takes a thousand; an answer has some kilobytes for each.
const IDS_MAX: usize = 200;

/// Which address of a machine is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Address {
    /// That within its network.
    #[default]
    Private,
    /// That which the Internet sees.
    Public,
}

impl Address {
    const fn element(self) -> &'static str {
        match self {
            Self::Private => "privateIpAddress",
            Self::Public => "ipAddress",
        }
    }
}

/// What EC2 says of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Its address; none where it has none, as before it starts and after it ends.
    pub(crate) address: Option<IpAddr>,
    /// Its availability zone.
    pub(crate) zone: Option<String>,
    /// Where it is in its life.
    pub(crate) lifecycle: Lifecycle,
}

/// All of these machines by id; each is asked for once, however often it is said.
pub(crate) async fn of<'a>(
    account: &Account,
    ids: impl IntoIterator<Item = &'a str>,
    which: Address,
) -> Result<BTreeMap<String, Machine>, Error> {
    let ids: BTreeSet<&str> = ids.into_iter().collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut found = BTreeMap::new();
    for ids in ids.chunks(IDS_MAX) {
        let parameters: Vec<(String, String)> = (1..)
            .zip(ids)
            .map(|(index, id)| parameter(format!("InstanceId.{index}"), *id))
            .collect();
        let request = Request::query(Service::Ec2, CALL, "*", &parameters);
        let answer = account.send(&request).await?;
        let document = answer.document("DescribeInstancesResponse")?;
        let root = document.root_element();
        if text(root, "nextToken").is_some() {
            return Err(answer.unfit("the answer is but a page"));
        }
        for reservation in list(root, "reservationSet", "item") {
            for node in list(reservation, "instancesSet", "item") {
                let id = answer.need(node, "instanceId")?.to_owned();
                found.insert(id, machine(&answer, node, which)?);
            }
        }
        if let Some(id) = ids.iter().find(|id| !found.contains_key(**id)) {
            return Err(Error::new(Kind::Conflict, CALL, *id)
                .detail("EC2 does not tell of it: it has gone, or is too new"));
        }
    }
    Ok(found)
}

fn machine(answer: &Answer, node: Node<'_, '_>, which: Address) -> Result<Machine, Error> {
    let state = answer.need(node, "instanceState/name")?;
    let lifecycle = match state {
        "pending" => Lifecycle::Starting,
        "running" => Lifecycle::Running,
        "shutting-down" | "stopping" => Lifecycle::Stopping,
        "terminated" | "stopped" => Lifecycle::Stopped,
        other => return Err(answer.unfit(format!("{other} is no state of a machine"))),
    };
    let address = match text(node, which.element()) {
        None => None,
        Some(address) => Some(
            address
                .parse()
                .map_err(|_| answer.unfit(format!("{address} is no address")))?,
        ),
    };
    Ok(Machine {
        address,
        zone: text(node, "placement/availabilityZone").map(str::to_owned),
        lifecycle,
    })
}

/// The address of a machine that is to be used: one that does not run may be without, one that runs may not.
///
/// # Errors
/// [`Kind::Conflict`] when it runs and has none of that kind.
pub(crate) fn address_of(
    id: &str,
    machine: &Machine,
    which: Address,
) -> Result<Option<IpAddr>, Error> {
    if machine.address.is_none() && machine.lifecycle == Lifecycle::Running {
        let (kind, fix) = match which {
            Address::Private => (Kind::Conflict, "look again"),
            Address::Public => (
                Kind::Invalid,
                "give it a public address, or use private ones",
            ),
        };
        return Err(Error::new(kind, CALL, id)
            .detail(format!("it runs and has no {}", which.element()))
            .fix(fix));
    }
    Ok(machine.address)
}
