//! The machines of an instance pool, with their addresses. OCI's list of a pool has no addresses; they are at the network
//! cards, one call each. So cards and addresses are listed for all machines at once where a pool is large: 2 000 machines
//! in one subnet take 7 calls of a thousand each. Public addresses are only at the cards: one call a machine, few at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bascule_provider::port::{Instance, Lifecycle, Set};
use bascule_provider::text::encoded;
use bascule_provider::{Call, Discover, Error, Kind};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::Deserialize;

use crate::client::operation::{GET_INSTANCE_POOL, LIST_INSTANCE_POOL_INSTANCES, LIST_PRIVATE_IPS};
use crate::client::{Ask, Client, PAGE_MAX};
use crate::network::{self, PrivateIp};

/// Cards that are asked one by one, at once: well below what OCI allows a tenancy.
const ASKED_AT_ONCE: usize = 16;

/// No more machines than these are asked one by one: a list would have the whole compartment, or the whole subnet.
const FEW: usize = 8;

/// Which address of a machine is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// The primary private one. The default: what is behind an edge needs no other.
    Private,
    /// The public one of the primary card.
    Public,
}

/// An instance pool as a source.
#[derive(Debug)]
pub struct InstancePool {
    client: Arc<Client>,
    id: String,
    source: String,
    addresses: Addresses,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pool {
    compartment_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    id: String,
    compartment_id: String,
    availability_domain: Option<String>,
    state: String,
}

/// A card of a machine.
#[derive(Debug, Clone)]
struct Card {
    instance: String,
    vnic: String,
    subnet: Option<String>,
}

impl InstancePool {
    /// The pool of this OCID.
    #[must_use]
    pub fn new(client: Arc<Client>, id: &str, addresses: Addresses) -> Self {
        Self {
            client,
            id: id.to_owned(),
            source: format!("instance-pool/{id}"),
            addresses,
        }
    }

    async fn read(&self) -> Result<Set, Error> {
        let pool = format!("/instancePools/{}", encoded(&self.id));
        let ask = Ask::new(&GET_INSTANCE_POOL, &self.id, &pool);
        let Pool { compartment_id } = self.client.read(&ask).await?.data;
        let ask = Ask::new(
            &LIST_INSTANCE_POOL_INSTANCES,
            &self.id,
            format!("{pool}/instances"),
        )
        .query("compartmentId", &compartment_id)
        .query("limit", &PAGE_MAX.to_string());
        let mut summaries: Vec<Summary> = self.client.list(&ask).await?;
        summaries.retain(|summary| lifecycle(&summary.state).is_some());
        let cards = self.cards(&summaries).await?;
        let addresses = self.addresses(cards).await?;
        self.set(summaries, &addresses)
    }

    /// All attached cards of these machines: asked for each of a few, else found among all of their compartments.
    async fn cards(&self, summaries: &[Summary]) -> Result<Vec<Card>, Error> {
        let ours: BTreeSet<&str> = summaries.iter().map(|s| s.id.as_str()).collect();
        let asked: BTreeSet<(&str, Option<&str>)> = summaries
            .iter()
            .map(|summary| {
                let of_instance = (summaries.len() <= FEW).then_some(summary.id.as_str());
                (summary.compartment_id.as_str(), of_instance)
            })
            .collect();
        let mut cards = Vec::new();
        for (compartment, instance) in asked {
            let attachments = network::attached(&self.client, &self.id, compartment, instance);
            let of_pool = attachments
                .await?
                .into_iter()
                .filter(|attachment| ours.contains(attachment.instance_id.as_str()));
            cards.extend(of_pool.filter_map(|attachment| {
                Some(Card {
                    instance: attachment.instance_id,
                    vnic: attachment.vnic_id?,
                    subnet: attachment.subnet_id,
                })
            }));
        }
        Ok(cards)
    }

    /// The address of each machine.
    async fn addresses(&self, cards: Vec<Card>) -> Result<BTreeMap<String, IpAddr>, Error> {
        let Split { asked, listed } = split(cards, self.addresses);
        let asked: Vec<Option<(String, IpAddr)>> = stream::iter(asked)
            .map(|card| self.ask(card))
            .buffer_unordered(ASKED_AT_ONCE)
            .try_collect()
            .await?;
        let mut addresses: BTreeMap<String, IpAddr> = asked.into_iter().flatten().collect();
        for (subnet, cards) in listed {
            let ask = Ask::new(&LIST_PRIVATE_IPS, subnet.clone(), "/privateIps")
                .query("subnetId", &subnet)
                .query("limit", &PAGE_MAX.to_string());
            let listed: Vec<PrivateIp> = self.client.list(&ask).await?;
            let primary = listed.into_iter().filter(|ip| ip.is_primary);
            let by_card: BTreeMap<String, IpAddr> = primary
                .filter_map(|ip| Some((ip.vnic_id?, ip.ip_address)))
                .collect();
            addresses.extend(cards.into_iter().filter_map(|card| {
                let address = by_card.get(&card.vnic)?;
                Some((card.instance, *address))
            }));
        }
        Ok(addresses)
    }

    /// What one card says; nothing where it is not the primary one of its machine.
    async fn ask(&self, card: Card) -> Result<Option<(String, IpAddr)>, Error> {
        let vnic = network::card(&self.client, &card.vnic).await?;
        let address = match self.addresses {
            Addresses::Private => vnic.private_ip,
            Addresses::Public => vnic.public_ip,
        };
        Ok(address
            .filter(|_| vnic.is_primary)
            .map(|address| (card.instance, address)))
    }

    fn set(
        &self,
        summaries: Vec<Summary>,
        addresses: &BTreeMap<String, IpAddr>,
    ) -> Result<Set, Error> {
        let mut set = Set::default();
        for summary in summaries {
            let Some(lifecycle) = lifecycle(&summary.state) else {
                continue;
            };
            match addresses.get(&summary.id) {
                Some(address) => {
                    let instance = Instance {
                        address: *address,
                        port: None,
                        zone: summary.availability_domain.map(Into::into),
                        lifecycle,
                    };
                    set.instances.insert(summary.id.into(), instance);
                }
                None if lifecycle == Lifecycle::Running => {
                    return Err(self.without_address(&summary.id));
                }
                // Not made yet, or gone already: nobody could be sent there.
                None => {}
            }
        }
        Ok(set)
    }

    fn without_address(&self, instance: &str) -> Error {
        let which = match self.addresses {
            Addresses::Private => "private",
            Addresses::Public => "public",
        };
        Error::new(Kind::Transient, "ListVnicAttachments", self.id.clone())
            .detail(format!(
                "{instance} runs, but has no {which} address that can be read"
            ))
            .fix("if that stays so: is its network card in a compartment that may be read?")
    }
}

impl Discover for InstancePool {
    fn source(&self) -> &str {
        &self.source
    }

    fn discover(&self) -> Call<'_, Set> {
        Box::pin(self.read())
    }
}

/// Which cards are asked one by one, and which are found in the list of their subnet.
struct Split {
    asked: Vec<Card>,
    listed: BTreeMap<String, Vec<Card>>,
}

fn split(cards: Vec<Card>, addresses: Addresses) -> Split {
    let mut of_instance: BTreeMap<&str, usize> = BTreeMap::new();
    for card in &cards {
        *of_instance.entry(&card.instance).or_default() += 1;
    }
    // Which of several cards is the primary one only the cards themselves say.
    let is_alone: Vec<bool> = cards
        .iter()
        .map(|card| of_instance.get(card.instance.as_str()) == Some(&1))
        .collect();
    let mut split = Split {
        asked: Vec::new(),
        listed: BTreeMap::new(),
    };
    for (card, is_alone) in cards.into_iter().zip(is_alone) {
        match card.subnet.clone() {
            Some(subnet) if is_alone && addresses == Addresses::Private => {
                split.listed.entry(subnet).or_default().push(card);
            }
            _ => split.asked.push(card),
        }
    }
    split.listed.retain(|_, cards| {
        let is_many = cards.len() > FEW;
        if !is_many {
            split.asked.append(cards);
        }
        is_many
    });
    split
}

/// As the port says it; `None` for what is gone.
fn lifecycle(state: &str) -> Option<Lifecycle> {
    match state.to_ascii_lowercase().as_str() {
        "terminated" => None,
        "running" => Some(Lifecycle::Running),
        "stopping" | "terminating" => Some(Lifecycle::Stopping),
        "stopped" => Some(Lifecycle::Stopped),
        // Provisioning, starting, moving, or a word that is new: it gets nothing until it runs.
        _ => Some(Lifecycle::Starting),
    }
}
