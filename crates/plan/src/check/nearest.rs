//! The row nearest to one asked for that passes some rails. Each rail that allows an interval narrows a backend's limits;
//! what is cut off one backend goes to the others in equal parts, within theirs. The result is checked again: what does
//! not pass is never suggested.

use std::collections::BTreeMap;

use bascule_model::{BackendName, BasisPoints, Shares};

use super::{Kind, Proposal, Rail, find, providers_kept};

/// What a provider that must not be left out is suggested to keep: 1 %, enough to stay warm.
const KEEP: u16 = 100;

/// The least and the most a backend may have.
type Limits = BTreeMap<BackendName, (u16, u16)>;

pub(super) fn nearest(proposal: &Proposal<'_>, rails: &[Rail]) -> Option<Shares> {
    // What is out of its bounds already may stay as it is, which limits do not say.
    if passes(proposal, rails, proposal.then) {
        return Some(proposal.then.clone());
    }
    // A backend that has nothing and was asked for nothing stays out of it, if it can. Below its bounds a backend may
    // only be at zero: first as asked for, else inside its bounds.
    let tries = [Idle::StayOut, Idle::MayJoin]
        .into_iter()
        .flat_map(|idle| [Below::AsAsked, Below::Never].map(|below| (idle, below)));
    tries.into_iter().find_map(|(idle, below)| {
        let row = fill(proposal.then, &limits(proposal, rails, idle, below))?;
        passes(proposal, rails, &row).then_some(row)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Idle {
    StayOut,
    MayJoin,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    AsAsked,
    Never,
}

fn passes(proposal: &Proposal<'_>, rails: &[Rail], row: &Shares) -> bool {
    let off = proposal
        .off
        .iter()
        .filter(|name| row.get(name).is_none_or(BasisPoints::is_zero))
        .cloned()
        .collect();
    let changed = Proposal {
        then: row,
        off: &off,
        ..*proposal
    };
    rails.iter().all(|rail| find(*rail, &changed).is_empty())
}

fn limits(proposal: &Proposal<'_>, rails: &[Rail], idle: Idle, below: Below) -> Limits {
    let most = |name: &BackendName, asked: BasisPoints| {
        let is_idle = asked.is_zero() && proposal.now.get(name).is_none_or(BasisPoints::is_zero);
        if is_idle && idle == Idle::StayOut {
            0
        } else {
            10_000
        }
    };
    let mut limits: Limits = proposal
        .then
        .iter()
        .map(|(name, asked)| (name.clone(), (0, most(name, asked))))
        .collect();
    for rail in rails {
        narrow(&mut limits, proposal, *rail, below);
    }
    limits
}

fn narrow(limits: &mut Limits, proposal: &Proposal<'_>, rail: Rail, below: Below) {
    let policy = &proposal.facts.policy;
    let kept = missing(proposal);
    for (name, (least, most)) in limits {
        let now = proposal.now.get(name).unwrap_or_default().get();
        let asked = proposal.then.get(name).unwrap_or_default();
        match rail {
            Rail::Sum => {}
            Rail::Evacuated if proposal.evacuated.contains(name) => *most = 0,
            Rail::Bounds => {
                let Some(bounds) = policy.bounds.get(name) else {
                    continue;
                };
                *most = (*most).min(bounds.max.get());
                if below == Below::Never || !asked.is_zero() {
                    *least = (*least).max(bounds.min.get());
                }
            }
            Rail::MaxStep => {
                let step = policy.max_step.map_or(10_000, BasisPoints::get);
                *least = (*least).max(now.saturating_sub(step));
                *most = (*most).min(now.saturating_add(step));
            }
            Rail::MinProviders if kept.contains(name) => *least = (*least).max(KEEP),
            Rail::ReceiverUp
                if proposal.blocked.contains_key(name) && proposal.kind != Kind::Evacuate =>
            {
                *most = (*most).min(now);
            }
            Rail::Evacuated | Rail::MinProviders | Rail::ReceiverUp => {}
        }
    }
}

/// Backends that should keep a share so that enough providers are left: the largest now of each provider that would go.
fn missing(proposal: &Proposal<'_>) -> Vec<BackendName> {
    let kept = providers_kept(proposal);
    let lacking = proposal
        .facts
        .policy
        .min_providers
        .saturating_sub(kept.len());
    let mut candidates: Vec<(BasisPoints, &BackendName)> = proposal
        .now
        .iter()
        .filter(|(name, share)| !share.is_zero() && !proposal.evacuated.contains(*name))
        .map(|(name, share)| (share, name))
        .collect();
    candidates.sort_by(|a, b| b.cmp(a));
    let mut providers = kept;
    let mut is_new = |name: &BackendName| {
        let backend = proposal.facts.backends.get(name);
        backend.is_some_and(|backend| providers.insert(backend.provider.clone()))
    };
    candidates
        .into_iter()
        .filter(|(_, name)| is_new(name))
        .take(lacking)
        .map(|(_, name)| name.clone())
        .collect()
}

/// The row within the limits that is nearest to the one asked for; `None` when no row is within them.
fn fill(asked: &Shares, limits: &Limits) -> Option<Shares> {
    let mut row: BTreeMap<BackendName, u16> = BTreeMap::new();
    for (name, share) in asked.iter() {
        let (least, most) = limits.get(name).copied()?;
        if least > most {
            return None;
        }
        row.insert(name.clone(), share.get().clamp(least, most));
    }
    // Each round either ends or brings at least one backend to its limit, so there are at most as many as backends, and
    // one more for the rest of a division.
    for _ in 0..=row.len().saturating_mul(2) {
        let sum: i32 = row.values().map(|share| i32::from(*share)).sum();
        let gap = 10_000 - sum;
        if gap == 0 {
            let pairs: Vec<(BackendName, BasisPoints)> = row
                .into_iter()
                .map(|(name, share)| (name, BasisPoints::saturating(share)))
                .collect();
            return Shares::try_from(pairs).ok();
        }
        spread(&mut row, limits, gap)?;
    }
    None
}

/// Gives (or takes, when negative) the gap in equal parts to those that have room.
fn spread(row: &mut BTreeMap<BackendName, u16>, limits: &Limits, gap: i32) -> Option<()> {
    let room = |name: &BackendName, share: u16| {
        let (least, most) = limits.get(name).copied().unwrap_or((share, share));
        if gap > 0 {
            most.saturating_sub(share)
        } else {
            share.saturating_sub(least)
        }
    };
    let free = row
        .iter()
        .filter(|(name, share)| room(name, **share) > 0)
        .count();
    let free = u32::try_from(free).ok().filter(|free| *free > 0)?;
    let mut left = gap.unsigned_abs();
    let part = left.div_ceil(free);
    for (name, share) in row.iter_mut() {
        let amount = part.min(left).min(u32::from(room(name, *share)));
        left -= amount;
        let amount = u16::try_from(amount).unwrap_or(0);
        *share = if gap > 0 {
            share.saturating_add(amount)
        } else {
            share.saturating_sub(amount)
        };
    }
    Some(())
}
