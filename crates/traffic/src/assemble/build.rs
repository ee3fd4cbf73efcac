//! Makes one service of a snapshot from what is known and remembered. A plain function: the same input gives the same
//! service. The service before it is looked at for one thing, to keep the tables that would be the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{
    AdminState, BackendName, BasisPoints, BucketMap, EndpointId, Instant, ProviderName, Shares,
};

use super::known::Known;
use super::returns::{self, BackendState, EndpointState};
use super::supply::{Sites, Supply, Want};
use crate::capacity::Demand;
use crate::effective::{self, Standing};
use crate::hash;
use crate::keys::Placement;
use crate::loss::LossRow;
use crate::maglev::Table;
use crate::snapshot::{Backend, Endpoint, Loss, Mode, Service};
use crate::spec::{Algorithm, BackendSpec, Role, ServiceSpec};
use crate::zones::{self, Side};

/// What a service is made from.
pub(super) struct Parts<'a> {
    /// Its index.
    pub(super) index: usize,
    pub(super) spec: &'a Arc<ServiceSpec>,
    pub(super) states: &'a [BackendState],
    pub(super) known: &'a Known,
    pub(super) sites: &'a Sites,
    pub(super) now: Instant,
}

/// What there is to give away: now, and when a provider is lost.
#[derive(Debug)]
pub(super) struct Supplies {
    pub(super) now: Supply,
    pub(super) when_lost: BTreeMap<ProviderName, Supply>,
}

/// The service, and when one of its ramps rises next. What it uses is taken from the supplies.
pub(super) fn service(
    parts: &Parts<'_>,
    before: Option<&Service>,
    supplies: &mut Supplies,
) -> (Service, Option<Instant>) {
    let Parts {
        spec, states, now, ..
    } = *parts;
    let known = parts.known;
    let target = known.target(spec);
    let seen = parts.seen(&target);
    let standings = parts.fitted(&seen, &supplies.now);
    let row = effective::row(&standings, spec.fail_open);
    parts.take(&mut supplies.now, &seen, &row.divided);
    let losses = parts.losses(&seen, supplies);

    let ramps = states.iter().map(|state| state.ramp(spec.ramp, now));
    let mut step_at = ramps.filter_map(|ramp| ramp.step_at).min();
    let mut backends = Vec::with_capacity(standings.len());
    let members = spec.backends.iter().zip(states);
    let rows = standings.iter().zip(row.effective).zip(row.factors);
    for (((name, backend), state), ((standing, effective), factors)) in members.zip(rows) {
        let is_set_off = is_set_off(spec, name, backend, standing.target, known);
        let (endpoints, step) = endpoints(state, row.mode, is_set_off, spec.ramp, now);
        step_at = step_at.into_iter().chain(step).min();
        backends.push(Backend {
            name: name.clone(),
            provider: backend.provider.clone(),
            host: backend.host,
            off: standing.off,
            effective,
            factors,
            near: near_part(&endpoints),
            table: table(spec, name, &endpoints, before),
            endpoints,
        });
    }
    let placement = known
        .map(spec, &target)
        .map(|map| placement(&map, &backends, before));
    let service = Service {
        spec: Arc::clone(spec),
        placement,
        target,
        backends,
        mode: row.mode,
        retry_after: spec.retry_after,
        shed: row.divided.shed,
        capacity_least: parts.sites.capacity_least(parts.index),
        demand: parts.demand(),
        losses,
    };
    (service, step_at)
}

impl Parts<'_> {
    /// What it brings, where that matters.
    fn demand(&self) -> Option<Demand> {
        let has_capacity = self.sites.has_capacity(self.index);
        self.known.demand(&self.spec.name).filter(|_| has_capacity)
    }

    /// What each of its backends is wanted for.
    pub(super) fn wants(&self) -> Vec<Want> {
        let seen = self.seen(&self.known.target(self.spec));
        let wants = seen.iter().enumerate();
        wants.map(|(index, s)| self.want(index, s)).collect()
    }

    fn want(&self, index: usize, standing: &Standing) -> Want {
        Want {
            demand: self.demand().unwrap_or_default(),
            target: standing.target,
            up: standing.up_ratio() * self.able(index),
        }
    }

    /// What part of their own the endpoints of one of its backends can take, as their agents say.
    fn able(&self, index: usize) -> f64 {
        let state = self.states.get(index);
        state.map_or(1.0, |state| state.able(self.spec.ramp, self.now))
    }

    /// How its backends stand, whatever they can take.
    fn seen(&self, target: &Shares) -> Vec<Standing> {
        let (ramp, now) = (self.spec.ramp, self.now);
        let members = self.spec.backends.iter().zip(self.states);
        let standing = |((name, backend), state): ((_, _), &BackendState)| {
            let (name, backend): (&BackendName, &BackendSpec) = (name, backend);
            let target = target.get(name).unwrap_or_default();
            let count = |fits: fn(&EndpointState) -> bool| {
                let counted = state.counted();
                counted.filter(|(_, endpoint)| fits(endpoint)).count()
            };
            Standing {
                target,
                off: is_off(self.spec, name, backend, target, self.known),
                up: count(EndpointState::is_up),
                up_weight: state.up_weight(ramp, now),
                open: count(|endpoint| endpoint.admin.takes_new()),
                total: count(|_| true),
                slow_start: state.ramp(ramp, now).factor,
                room: None,
            }
        };
        members.map(standing).collect()
    }

    /// The same with what they can take of what is there to give.
    fn fitted(&self, seen: &[Standing], supply: &Supply) -> Vec<Standing> {
        let room = |(index, standing): (usize, &Standing)| {
            let (place, want) = ((self.index, index), self.want(index, standing));
            let room = supply.room(self.sites, place, self.spec.class, &want);
            let room = room.map(|room| part_of(room, self.able(index)));
            Standing { room, ..*standing }
        };
        seen.iter().enumerate().map(room).collect()
    }

    fn take(&self, supply: &mut Supply, seen: &[Standing], row: &LossRow) {
        for (index, (standing, share)) in seen.iter().zip(&row.shares).enumerate() {
            let (place, want) = ((self.index, index), self.want(index, standing));
            supply.take(self.sites, place, self.spec.class, &want, *share);
        }
    }

    /// The row for the loss of each of its providers. What it would use then is taken for the loss of every provider that
    /// concerns it, also where it has none of that one.
    fn losses(&self, seen: &[Standing], supplies: &mut Supplies) -> Vec<Loss> {
        let mut losses = Vec::new();
        for (provider, supply) in &mut supplies.when_lost {
            let of_it = |(_, backend): &(usize, &BackendSpec)| backend.provider == *provider;
            let backends = self.spec.backends.values().enumerate().filter(of_it);
            let lost: Vec<usize> = backends.map(|(index, _)| index).collect();
            let standings = self.fitted(seen, supply);
            let row = effective::when_lost(&standings, |index| lost.contains(&index));
            self.take(supply, seen, &row);
            if !lost.is_empty() {
                let provider = provider.clone();
                losses.push(Loss { provider, row });
            }
        }
        losses
    }
}

/// A person set it to off, here or in the file, and its ramp to nothing has ended; or an admin state takes it out.
pub(super) fn is_off(
    spec: &ServiceSpec,
    name: &BackendName,
    backend: &BackendSpec,
    target: BasisPoints,
    known: &Known,
) -> bool {
    let admin = known.admin_of_backend(&spec.name, name, backend);
    is_set_off(spec, name, backend, target, known) || !admin.takes_new()
}

/// A person set its share to off.
fn is_set_off(
    spec: &ServiceSpec,
    name: &BackendName,
    backend: &BackendSpec,
    target: BasisPoints,
    known: &Known,
) -> bool {
    let in_file = backend.role == Role::Weighted(0);
    (in_file || known.is_set_off(&spec.name, name)) && target.is_zero()
}

fn endpoints(
    state: &BackendState,
    mode: Mode,
    is_set_off: bool,
    ramp: Duration,
    now: Instant,
) -> (Vec<Endpoint>, Option<Instant>) {
    let (parts, mut step_at) = state.parts(ramp, now);
    let mut endpoints = Vec::new();
    for (id, endpoint) in state.endpoints() {
        let ramp = state.ramp_of(id, endpoint, ramp, now);
        let part = part(&parts, id, endpoint);
        if endpoint.is_up() && part.is_some() {
            step_at = step_at.into_iter().chain(ramp.step_at).min();
        }
        // Where all are down, what is seen and how long ago says nothing about whom to try.
        let (usable, weight) = match mode {
            Mode::FailOpen => {
                let is_its_turn = !endpoint.is_reserve;
                (is_its_turn && endpoint.admin.takes_new(), BasisPoints::FULL)
            }
            Mode::Serve | Mode::Refuse(_) => {
                let able = scaled(ramp.factor, endpoint.weight);
                let able = part.map_or(able, |part| scaled(able, part));
                (endpoint.is_up() && part.is_some(), able)
            }
        };
        let is_seen = endpoint.observed.is_usable() || mode == Mode::FailOpen;
        endpoints.push(Endpoint {
            keeps: is_seen && !is_set_off && endpoint.admin <= AdminState::Drain,
            id: Arc::clone(id),
            admin: endpoint.admin,
            observed: endpoint.observed,
            usable,
            weight,
            declared: endpoint.declared,
            priority: endpoint.priority,
            is_reserve: endpoint.is_reserve,
            is_near: endpoint.is_near,
        });
    }
    (endpoints, step_at)
}

/// What of its weight an endpoint may use by its priority; `None`: its priority has no turn.
fn part(
    parts: &returns::Parts<'_>,
    id: &EndpointId,
    endpoint: &EndpointState,
) -> Option<BasisPoints> {
    let (Some(priority), Some(name)) = (endpoint.priority, &id.host) else {
        return Some(BasisPoints::FULL);
    };
    parts.get(&(id.scheme, &**name))?.get(&priority).copied()
}

/// The part of a backend's picks that its near endpoints get.
fn near_part(endpoints: &[Endpoint]) -> BasisPoints {
    let side = |is_near: bool| {
        let of_side = endpoints.iter().filter(|e| e.is_near == is_near);
        of_side.fold(Side::default(), |side, endpoint| {
            let whole = u64::from(endpoint.declared) * u64::from(BasisPoints::FULL.get());
            let risen = u64::from(endpoint.declared) * u64::from(endpoint.weight.get());
            Side {
                usable: side.usable + if endpoint.usable { risen } else { 0 },
                total: side.total + if endpoint.is_reserve { 0 } else { whole },
            }
        })
    };
    zones::near_part(side(true), side(false))
}

/// The table of a backend's endpoints, where the service needs one; the one before if it is of the same.
fn table(
    spec: &ServiceSpec,
    name: &BackendName,
    endpoints: &[Endpoint],
    before: Option<&Service>,
) -> Option<Arc<Table>> {
    if spec.balance.algorithm != Algorithm::Maglev {
        return None;
    }
    let member = |endpoint: &Endpoint| (hash::of_endpoint(&endpoint.id), endpoint.declared);
    let has_turn = |endpoint: &&Endpoint| endpoint.usable || !endpoint.is_reserve;
    let members: Vec<_> = endpoints.iter().filter(has_turn).map(member).collect();
    let before = before.and_then(|service| service.backend(name)?.table.as_ref());
    let same = before.filter(|table| table.members() == members);
    Some(same.map_or_else(|| Arc::new(Table::new(members)), Arc::clone))
}

/// Where keys belong; as before if map and row are the same.
fn placement(map: &BucketMap, backends: &[Backend], before: Option<&Service>) -> Arc<Placement> {
    let row = |backends: &[Backend]| {
        let row = backends.iter().map(|b| (b.name.clone(), b.effective));
        row.collect::<Vec<_>>()
    };
    let before = before.filter(|service| row(&service.backends) == row(backends));
    let same = before.and_then(|service| service.placement.as_ref().filter(|p| p.is_of(map)));
    same.map_or_else(|| Arc::new(Placement::new(map, backends)), Arc::clone)
}

/// What is left of a room where only this part of it can be used.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a room is far below 2^52, and its part is not below nothing"
)]
fn part_of(room: u64, able: f64) -> u64 {
    if able >= 1.0 {
        return room; // Whatever its size.
    }
    (room as f64 * able) as u64
}

/// The part of a ramp that an agent lets an endpoint take; never nothing, as that is to be taken out.
fn scaled(ramp: BasisPoints, by_agent: BasisPoints) -> BasisPoints {
    let product =
        u32::from(ramp.get()) * u32::from(by_agent.get()) / u32::from(BasisPoints::FULL.get());
    let least = BasisPoints::saturating(1);
    BasisPoints::saturating(u16::try_from(product).unwrap_or(u16::MAX)).max(least)
}

/// Whether the effective shares keep their law.
pub(super) fn is_exact(service: &Service) -> bool {
    let shares = service
        .backends
        .iter()
        .map(|backend| u32::from(backend.effective.get()));
    let sum = if matches!(service.mode, Mode::Refuse(_)) {
        0
    } else {
        10_000
    };
    let off = service.backends.iter().filter(|backend| backend.off);
    shares.sum::<u32>() == sum && off.into_iter().all(|backend| backend.effective.is_zero())
}
