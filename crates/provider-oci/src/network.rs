//! Network cards and addresses as the API says them, and where a machine is reached that is only said by its id. Finding the cards
//! of many machines at once is `discover::pool`'s.

use std::net::IpAddr;

use bascule_provider::text::encoded;
use bascule_provider::{Error, Kind};
use serde::Deserialize;

use crate::client::operation::{GET_INSTANCE, GET_PRIVATE_IP, GET_VNIC, LIST_VNIC_ATTACHMENTS};
use crate::client::{Ask, Client, PAGE_MAX};

/// That a card is at a machine, or was.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attachment {
    pub(crate) instance_id: String,
    lifecycle_state: String,
    pub(crate) subnet_id: Option<String>,
    pub(crate) vnic_id: Option<String>,
}

/// A private address.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PrivateIp {
    pub(crate) ip_address: IpAddr,
    pub(crate) is_primary: bool,
    pub(crate) vnic_id: Option<String>,
}

/// A card.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vnic {
    pub(crate) is_primary: bool,
    pub(crate) private_ip: Option<IpAddr>,
    pub(crate) public_ip: Option<IpAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instance {
    compartment_id: String,
}

/// The cards that are attached in a compartment, of one machine or of all; `about` is for errors.
pub(crate) async fn attached(
    client: &Client,
    about: &str,
    compartment: &str,
    instance: Option<&str>,
) -> Result<Vec<Attachment>, Error> {
    let mut ask = Ask::new(&LIST_VNIC_ATTACHMENTS, about, "/vnicAttachments")
        .query("compartmentId", compartment)
        .query("limit", &PAGE_MAX.to_string());
    if let Some(instance) = instance {
        ask = ask.query("instanceId", instance);
    }
    let mut all: Vec<Attachment> = client.list(&ask).await?;
    all.retain(|attachment| attachment.lifecycle_state == "ATTACHED");
    Ok(all)
}

/// A card by its id.
pub(crate) async fn card(client: &Client, id: &str) -> Result<Vnic, Error> {
    let path = format!("/vnics/{}", encoded(id));
    Ok(client.read(&Ask::new(&GET_VNIC, id, path)).await?.data)
}

/// The private address of a target: a machine, by its primary card, or an address, by its id.
///
/// # Errors
/// [`Kind::Invalid`] for an id of another kind and for a machine without a card; those of the calls.
pub(crate) async fn address(client: &Client, target: &str) -> Result<IpAddr, Error> {
    if target.starts_with("ocid1.privateip.") {
        let path = format!("/privateIps/{}", encoded(target));
        let ask = Ask::new(&GET_PRIVATE_IP, target, path);
        let found: PrivateIp = client.read(&ask).await?.data;
        return Ok(found.ip_address);
    }
    let path = format!("/instances/{}", encoded(target));
    let ask = Ask::new(&GET_INSTANCE, target, path);
    if !target.starts_with("ocid1.instance.") {
        return Err(ask
            .error(Kind::Invalid)
            .detail("it is the id of neither a machine nor a private address"));
    }
    let Instance { compartment_id } = client.read(&ask).await?.data;
    for attachment in attached(client, target, &compartment_id, Some(target)).await? {
        let Some(vnic) = attachment.vnic_id else {
            continue;
        };
        let vnic = card(client, &vnic).await?;
        if let Some(address) = vnic.private_ip.filter(|_| vnic.is_primary) {
            return Ok(address);
        }
    }
    Err(ask
        .error(Kind::Invalid)
        .detail("it has no network card with an address")
        .fix("take it out of the backend set if it has ended"))
}
