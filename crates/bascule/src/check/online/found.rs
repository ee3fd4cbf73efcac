//! The names of a configuration's endpoints, looked up once each, and the addresses that a target has by them. It asks as the
//! running process does, with the same settings.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use bascule_model::SrvRecord;
use bascule_net::resolve::{self, Settings, Watched};
use bascule_traffic::spec::EndpointHost;
use futures_util::StreamExt as _;

use super::{Finding, Target};
use crate::names;

/// Names that are looked up at a time.
const NAMES_AT_ONCE: usize = 16;

/// What one look-up of a name gave, of whatever kind.
#[derive(Default)]
pub(super) struct Found {
    /// With the port where the name says it.
    addresses: Vec<(IpAddr, Option<u16>)>,
    failures: Vec<String>,
}

/// Looks up all that the targets name.
pub(super) async fn resolve(
    targets: &[Target<'_>],
    settings: &Settings,
) -> BTreeMap<Watched, Found> {
    let named = targets.iter().filter_map(|t| names::of_host(&t.url.host));
    let named: BTreeSet<Watched> = named.collect();
    futures_util::stream::iter(named)
        .map(|name| async move {
            let found = look_up(&name, settings.clone()).await;
            (name, found)
        })
        .buffer_unordered(NAMES_AT_ONCE)
        .collect()
        .await
}

async fn look_up(name: &Watched, settings: Settings) -> Found {
    match name {
        Watched::Host(host) => {
            let looked = resolve::once(host, settings).await;
            let addresses = looked.addresses.into_iter().map(|ip| (ip, None));
            Found {
                addresses: addresses.collect(),
                failures: looked.failures,
            }
        }
        Watched::Srv(name) => {
            let looked = resolve::once_srv(name, settings).await;
            let of_record = |record: &SrvRecord| {
                let port = record.port;
                let addresses = record.addresses.iter();
                addresses.map(|ip| (*ip, Some(port))).collect::<Vec<_>>()
            };
            Found {
                addresses: looked.records.iter().flat_map(of_record).collect(),
                failures: looked.failures,
            }
        }
    }
}

/// The addresses of a target, and a remark where the look-up failed in part.
pub(super) fn addresses(
    target: &Target<'_>,
    found: &BTreeMap<Watched, Found>,
) -> Result<(Vec<SocketAddr>, Option<Finding>), Finding> {
    if let EndpointHost::Address(address) = &target.url.host {
        return Ok((vec![*address], None));
    }
    let name = names::of_host(&target.url.host);
    let Some((name, found)) = name.as_ref().and_then(|name| found.get_key_value(name)) else {
        return Ok((Vec::new(), None));
    };
    let (why, name) = (found.failures.first(), name.name());
    if found.addresses.is_empty() {
        let reason = why.map_or("it has no address", String::as_str);
        return Err(
            Finding::wrong("E0701", format!("`{name}` does not resolve: {reason}"))
                .help("is the name right, and does this machine's name server know it?"),
        );
    }
    let what = match target.url.host {
        EndpointHost::Srv(_) => "a target",
        EndpointHost::Name(_) | EndpointHost::Address(_) => "one family of addresses",
    };
    let remark = why.map(|reason| {
        Finding::wrong(
            "W0701",
            format!("{what} of `{name}` is not known: {reason}"),
        )
    });
    let socket =
        |(ip, port): &(IpAddr, Option<u16>)| SocketAddr::new(*ip, port.unwrap_or(target.url.port));
    let addresses: BTreeSet<SocketAddr> = found.addresses.iter().map(socket).collect();
    Ok((addresses.into_iter().collect(), remark))
}
