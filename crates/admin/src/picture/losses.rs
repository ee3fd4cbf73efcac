//! What would become of a service if a provider were lost, and how full its backends are. The rows are the snapshot's; here
//! they are only set beside the load of now.

use bascule_model::BasisPoints;
use bascule_traffic::capacity::Unit;
use bascule_traffic::snapshot::{Backend, Loss, Service};

use crate::api;

/// For every provider of the service.
pub(crate) fn losses(service: &Service) -> Vec<api::Loss> {
    service
        .losses
        .iter()
        .map(|loss| one(service, loss))
        .collect()
}

/// What a backend carries of what it can take when it gets this part of all that clients ask for.
pub(crate) fn utilization(
    service: &Service,
    backend: &Backend,
    share: BasisPoints,
) -> Option<(Unit, f64)> {
    let demand = service.demand?.part(share);
    demand.utilization(&service.capacity(&backend.name))
}

/// The part of all that clients ask for that a backend gets now.
pub(crate) fn share_of_all(service: &Service, backend: &Backend) -> BasisPoints {
    let let_in = 1.0 - service.shed.ratio();
    BasisPoints::from_ratio(backend.effective.ratio() * let_in)
}

fn one(service: &Service, loss: &Loss) -> api::Loss {
    let shares = || service.backends.iter().zip(loss.row.shares.iter().copied());
    let full = shares()
        .filter(|(_, share)| !share.is_zero())
        .filter_map(|(backend, share)| {
            let (unit, ratio) = utilization(service, backend, share)?;
            Some((backend.name.as_str(), unit, ratio))
        });
    let fullest = full.max_by(|a, b| a.2.total_cmp(&b.2));
    api::Loss {
        provider: loss.provider.to_string(),
        shares: shares()
            .map(|(backend, share)| (backend.name.to_string(), share.percent()))
            .collect(),
        shed: loss.row.shed.percent(),
        fullest: fullest.map(|(name, ..)| name.to_owned()),
        unit: fullest.map(|(_, unit, _)| unit.as_str().to_owned()),
        utilization_ratio: fullest.map(|(.., ratio)| ratio),
        text: text(service, loss),
    }
}

/// `oci 60 %, at 100 % of its requests; 40 % shed`.
fn text(service: &Service, loss: &Loss) -> String {
    let with_share = service.backends.iter().zip(loss.row.shares.iter().copied());
    let part = |(backend, share): (&Backend, BasisPoints)| {
        let full = utilization(service, backend, share)
            .map(|(unit, ratio)| format!(", at {:.0} % of its {}", ratio * 100.0, unit.as_str()));
        format!("{} {share} %{}", backend.name, full.unwrap_or_default())
    };
    let parts = with_share.filter(|(_, share)| !share.is_zero()).map(part);
    let mut parts: Vec<String> = parts.collect();
    if !loss.row.shed.is_zero() {
        parts.push(format!("{} % shed", loss.row.shed));
    }
    parts.join("; ")
}
