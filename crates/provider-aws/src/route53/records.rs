//! What stands at one name of a zone, read whole: page by page, each record with the text AWS gave, which is how it is named
//! when it is to be replaced. Only reads.

use bascule_provider::Error;
use bascule_provider::text::encoded;
use roxmltree::Node;

use crate::account::Account;
use crate::request::Request;
use crate::send::Answer;
use crate::service::Service;
use crate::xml::{at, list, text};

/// Pages that one name may have: 100 weighted records of each type fit in one.
const PAGES_MAX: usize = 20;

/// Records a page, the most Route 53 gives.
const PAGE: u32 = 300;

/// A record set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Its type.
    pub(super) kind: String,
    /// Its `SetIdentifier`; none for a simple one.
    pub(super) id: Option<String>,
    /// How it is chosen.
    pub(super) routing: Routing,
    /// Its TTL in seconds; none for an alias.
    pub(super) ttl: Option<u32>,
    /// Its values.
    pub(super) values: Vec<String>,
    /// Whether it points at something of AWS in place of values.
    pub(super) is_alias: bool,
    /// The element as AWS wrote it.
    pub(super) raw: String,
}

/// How a record is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Routing {
    /// There is but one.
    Simple,
    /// By this weight.
    Weighted(u32),
    /// Otherwise: by what AWS calls so.
    Other(&'static str),
}

/// Elements that say another policy, and its name.
const POLICIES: [(&str, &str); 8] = [
    ("Region", "latency"),
    ("GeoLocation", "geolocation"),
    ("GeoProximityLocation", "geoproximity"),
    ("Failover", "failover"),
    ("MultiValueAnswer", "multivalue answer"),
    ("CidrRoutingConfig", "IP-based"),
    ("AZAffinity", "AZ-affinity"),
    ("TrafficPolicyInstanceId", "traffic policy"),
];

/// A name as it is compared: small letters, no last dot, a star as a star.
pub(super) fn canonical(name: &str) -> String {
    name.trim_end_matches('.')
        .replace("\\052", "*")
        .to_ascii_lowercase()
}

/// What changes with every change of these records, whatever their order.
pub(super) fn version(records: &[Record]) -> String {
    let mut raw: Vec<&str> = records.iter().map(|record| record.raw.as_str()).collect();
    raw.sort_unstable();
    bascule_provider::text::version(raw)
}

/// All records at this name, of all types.
pub(super) async fn at_name(
    account: &Account,
    zone: &str,
    name: &str,
) -> Result<Vec<Record>, Error> {
    let mut found = Vec::new();
    let mut from = format!("&name={}", encoded(name));
    for _ in 0..PAGES_MAX {
        let path = format!("/2013-04-01/hostedzone/{zone}/rrset?maxitems={PAGE}{from}");
        let resource = format!("arn:aws:route53:::hostedzone/{zone}");
        let request = Request::get(Service::Route53, super::READ, &resource, path);
        let answer = account.send(&request).await?;
        match page(&answer, name, &mut found)? {
            Some(next) => from = next,
            None => return Ok(found),
        }
    }
    Err(
        Error::new(bascule_provider::Kind::Invalid, super::READ, name).detail(format!(
            "more than {PAGES_MAX} pages of records at one name"
        )),
    )
}

/// Takes a page; says where the next begins, if that can hold more of this name.
fn page(answer: &Answer, name: &str, found: &mut Vec<Record>) -> Result<Option<String>, Error> {
    let document = answer.document("ListResourceRecordSetsResponse")?;
    let root = document.root_element();
    for node in list(root, "ResourceRecordSets", "ResourceRecordSet") {
        // Records come sorted by name.
        if canonical(answer.need(node, "Name")?) != name {
            return Ok(None);
        }
        let raw = document.input_text().get(node.range()).unwrap_or_default();
        found.push(record(answer, node, raw)?);
    }
    let next = text(root, "NextRecordName");
    if text(root, "IsTruncated") != Some("true") || next.map(canonical).as_deref() != Some(name) {
        return Ok(None);
    }
    let mut from = format!("&name={}", encoded(name));
    for (parameter, path) in [
        ("type", "NextRecordType"),
        ("identifier", "NextRecordIdentifier"),
    ] {
        if let Some(value) = text(root, path) {
            from.push_str(&format!("&{parameter}={}", encoded(value)));
        }
    }
    Ok(Some(from))
}

fn record(answer: &Answer, node: Node<'_, '_>, raw: &str) -> Result<Record, Error> {
    let other = POLICIES
        .iter()
        .find(|(element, _)| at(node, element).is_some());
    let id = text(node, "SetIdentifier").map(str::to_owned);
    let routing = match other {
        Some((_, policy)) => Routing::Other(policy),
        None if at(node, "Weight").is_some() => Routing::Weighted(answer.number(node, "Weight")?),
        None => Routing::Simple,
    };
    let ttl = match at(node, "TTL") {
        Some(_) => Some(answer.number(node, "TTL")?),
        None => None,
    };
    let mut values = Vec::new();
    for value in list(node, "ResourceRecords", "ResourceRecord") {
        values.push(answer.need(value, "Value")?.to_owned());
    }
    Ok(Record {
        kind: answer.need(node, "Type")?.to_owned(),
        id,
        routing,
        ttl,
        values,
        is_alias: at(node, "AliasTarget").is_some(),
        raw: raw.to_owned(),
    })
}
