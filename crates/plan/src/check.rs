//! The rails of a change that somebody asks for, written from the rules and not from the code that proposes changes, so
//! that an error there does not hide itself here. Says all that is broken at once, each with its numbers and with the
//! nearest shares that pass. It changes nothing, and must never import what proposes a row.

mod nearest;

use std::collections::{BTreeMap, BTreeSet};

use bascule_model::{BackendName, BasisPoints, ProviderName, ServiceName, Shares};

use crate::command::BrokenRail;
use crate::policy::ServiceFacts;

/// A change to be checked.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// What the configuration says of it.
    pub facts: &'a ServiceFacts,
    /// Where the target stands.
    pub now: &'a Shares,
    /// Where it would go.
    pub then: &'a Shares,
    /// Backends that would be off.
    pub off: &'a BTreeSet<BackendName>,
    /// Backends of an evacuated provider.
    pub evacuated: &'a BTreeSet<BackendName>,
    /// Backends that cannot take new work, and why: `has no endpoint that is up`, `is set to drain`.
    pub blocked: &'a BTreeMap<BackendName, String>,
    /// What kind of change it is.
    pub kind: Kind,
}

/// What kind of change is checked: it decides which rails apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A person's shares: all rails.
    Person,
    /// The way back to what is declared: not `max_step`, `bounds` and `min_providers`; the file is the owner of its row.
    Back,
    /// An evacuation: only that somebody who can is left to receive.
    Evacuate,
}

/// The rails, in the order in which they are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rail {
    Sum,
    Evacuated,
    Bounds,
    MaxStep,
    MinProviders,
    ReceiverUp,
}

const RAILS: [Rail; 6] = [
    Rail::Sum,
    Rail::Evacuated,
    Rail::Bounds,
    Rail::MaxStep,
    Rail::MinProviders,
    Rail::ReceiverUp,
];

/// What a rail found: the backend it speaks of, and the numbers in words.
type Finding = (Option<BackendName>, String);

/// All rails that the change would break; empty when it passes.
#[must_use]
pub fn check(proposal: &Proposal<'_>) -> Vec<BrokenRail> {
    let broken = |rail: Rail| {
        let findings = find(rail, proposal);
        let nearest = match findings.as_slice() {
            [] => None,
            _ => nearest::nearest(proposal, &[rail]),
        };
        findings
            .into_iter()
            .map(move |(backend, detail)| BrokenRail {
                rule: rail.name().to_owned(),
                service: proposal.service.clone(),
                backend,
                detail,
                nearest: nearest.clone(),
            })
    };
    RAILS
        .into_iter()
        .filter(|rail| rail.applies(proposal.kind))
        .flat_map(broken)
        .collect()
}

/// The shares nearest to those asked for that pass all rails; `None` when there are none.
#[must_use]
pub fn nearest(proposal: &Proposal<'_>) -> Option<Shares> {
    let rails: Vec<Rail> = RAILS
        .into_iter()
        .filter(|rail| rail.applies(proposal.kind))
        .collect();
    nearest::nearest(proposal, &rails)
}

impl Rail {
    const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Evacuated => "evacuated",
            Self::Bounds => "bounds",
            Self::MaxStep => "max_step",
            Self::MinProviders => "min_providers",
            Self::ReceiverUp => "receiver_up",
        }
    }

    const fn applies(self, kind: Kind) -> bool {
        match self {
            Self::Sum | Self::Evacuated | Self::ReceiverUp => true,
            Self::Bounds | Self::MaxStep | Self::MinProviders => matches!(kind, Kind::Person),
        }
    }
}

fn find(rail: Rail, proposal: &Proposal<'_>) -> Vec<Finding> {
    match rail {
        Rail::Sum => sum(proposal),
        Rail::Evacuated => evacuated(proposal),
        Rail::Bounds => bounds(proposal),
        Rail::MaxStep => max_step(proposal),
        Rail::MinProviders => min_providers(proposal),
        Rail::ReceiverUp => receiver_up(proposal),
    }
}

fn sum(proposal: &Proposal<'_>) -> Vec<Finding> {
    let total: u32 = proposal.then.iter().map(|(_, s)| u32::from(s.get())).sum();
    let known = proposal
        .then
        .iter()
        .all(|(name, _)| proposal.facts.backends.contains_key(name));
    let off = proposal
        .off
        .iter()
        .filter(|name| proposal.then.get(name).is_some_and(|s| !s.is_zero()));
    let mut findings: Vec<Finding> = off
        .map(|name| (Some(name.clone()), format!("{name} is off and has a share")))
        .collect();
    if total != 10_000 || !known {
        let points = total / 100;
        findings.push((None, format!("the row adds up to {points} %, not 100 %")));
    }
    findings
}

fn evacuated(proposal: &Proposal<'_>) -> Vec<Finding> {
    let asked = proposal.then.iter().filter(|(name, share)| {
        !share.is_zero() && proposal.evacuated.contains(*name) && proposal.kind == Kind::Person
    });
    asked
        .map(|(name, share)| {
            let detail = format!("{name} would get {share} % and is evacuated; restore it first");
            (Some(name.clone()), detail)
        })
        .collect()
}

fn bounds(proposal: &Proposal<'_>) -> Vec<Finding> {
    let outside = |(name, bounds): (&BackendName, &crate::Bounds)| {
        let share = proposal.then.get(name)?;
        let moved = proposal.now.get(name) != Some(share);
        let limit = if share > bounds.max {
            format!("at most {} %", bounds.max)
        } else if share < bounds.min && !share.is_zero() {
            format!("at least {} %, or 0", bounds.min)
        } else {
            return None;
        };
        // A row that is outside already may stay there, or no other backend of the service could be moved.
        let detail = format!("{name} would have {share} %, {limit}");
        moved.then(|| (Some(name.clone()), detail))
    };
    proposal
        .facts
        .policy
        .bounds
        .iter()
        .filter_map(outside)
        .collect()
}

fn max_step(proposal: &Proposal<'_>) -> Vec<Finding> {
    let Some(limit) = proposal.facts.policy.max_step else {
        return Vec::new();
    };
    let too_far = |(name, share): (&BackendName, BasisPoints)| {
        let before = proposal.now.get(name).unwrap_or_default();
        let change = BasisPoints::saturating(share.get().abs_diff(before.get()));
        let detail = format!("{name} would change by {change} points at once, limit {limit}");
        (change > limit).then(|| (Some(name.clone()), detail))
    };
    proposal.then.iter().filter_map(too_far).collect()
}

/// Providers that have a share, or a standby backend that is not off.
fn providers_kept(proposal: &Proposal<'_>) -> BTreeSet<ProviderName> {
    let counts = |name: &BackendName, standby: bool| {
        let share = proposal.then.get(name).unwrap_or_default();
        !share.is_zero()
            || (standby && !proposal.off.contains(name) && !proposal.evacuated.contains(name))
    };
    proposal
        .facts
        .backends
        .iter()
        .filter(|(name, backend)| counts(name, backend.standby))
        .map(|(_, backend)| backend.provider.clone())
        .collect()
}

fn min_providers(proposal: &Proposal<'_>) -> Vec<Finding> {
    let limit = proposal.facts.policy.min_providers;
    let kept = providers_kept(proposal);
    if kept.len() >= limit {
        return Vec::new();
    }
    let names: Vec<&str> = kept.iter().map(ProviderName::as_str).collect();
    let (count, names) = (kept.len(), names.join(", "));
    let detail = format!("{count} provider would be left ({names}), at least {limit} must be");
    vec![(None, detail)]
}

fn receiver_up(proposal: &Proposal<'_>) -> Vec<Finding> {
    let blocked = |name: &BackendName| proposal.blocked.get(name);
    let receives = |(name, share): (&BackendName, BasisPoints)| {
        share > proposal.now.get(name).unwrap_or_default()
    };
    let told = |(name, _): (&BackendName, BasisPoints)| {
        let detail = format!("{name} would receive and {}", blocked(name)?);
        Some((Some(name.clone()), detail))
    };
    let findings: Vec<Finding> = proposal
        .then
        .iter()
        .filter(|entry| receives(*entry))
        .filter_map(told)
        .collect();
    let one_can = proposal
        .then
        .iter()
        .any(|(name, share)| !share.is_zero() && blocked(name).is_none());
    match proposal.kind {
        // The edge gives the share of one that is down to the others: enough that one can take it.
        Kind::Evacuate if one_can => Vec::new(),
        _ => findings,
    }
}

#[cfg(test)]
mod tests;
