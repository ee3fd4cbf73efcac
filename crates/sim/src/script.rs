//! What happens to a world in its first phase: outages, and what an operator does meanwhile.

use std::time::Duration;

use bascule_model::{AdminState, AdminTarget, BackendName, Instant, Rng};

use crate::fault::{Fault, Outage};
use crate::layout::{Layout, below, choose};

/// Something that a person does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// New weights, in the order of [`Layout::weighted`].
    Shift(Vec<u64>),
    /// A backend is set to off.
    Off(BackendName),
    /// An admin state is set.
    Admin(AdminTarget, AdminState),
    /// Targets of an older revision arrive.
    Stale,
    /// Another configuration: this length of ramps.
    Reload(Duration),
    /// Everything as it was declared.
    Restore,
}

impl Act {
    /// Its name, for the table of what happened.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Shift(_) => "shift",
            Self::Off(_) => "off",
            Self::Admin(_, AdminState::Ready) => "ready",
            Self::Admin(_, AdminState::Drain) => "drain",
            Self::Admin(_, AdminState::Maint) => "maint",
            Self::Admin(_, AdminState::Offline) => "offline",
            Self::Stale => "stale revision",
            Self::Reload(_) => "reload",
            Self::Restore => "restore",
        }
    }
}

/// A whole first phase.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// What goes wrong.
    pub outages: Vec<Outage>,
    /// What people do, and when.
    pub acts: Vec<(Instant, Act)>,
    /// When all of it is over.
    pub end: Instant,
}

impl Script {
    /// One outage and nothing else; it ends with the phase.
    #[must_use]
    pub fn one(fault: Fault, places: Vec<usize>, from: Instant, until: Instant) -> Self {
        let outage = Outage {
            fault,
            places,
            edge: None,
            from,
            until,
        };
        Self {
            outages: vec![outage],
            acts: Vec::new(),
            end: until,
        }
    }

    /// By chance: two to five outages of up to five seconds, and up to four acts.
    #[must_use]
    pub fn random(layout: &Layout, length: Duration, rng: &mut Rng) -> Self {
        let outages = (0..2 + rng.below(4)).map(|_| outage(layout, length, rng));
        let outages: Vec<Outage> = outages.collect();
        let acts = (0..rng.below(5)).filter_map(|_| {
            let at = instant(length, rng);
            act(layout, rng).map(|act| (at, act))
        });
        let mut acts: Vec<(Instant, Act)> = acts.collect();
        acts.sort_by_key(|(at, _)| *at);
        let end = Instant::ZERO + length;
        acts.push((end, Act::Restore));
        Self { outages, acts, end }
    }
}

/// Not in the first second: the world comes up first.
fn instant(length: Duration, rng: &mut Rng) -> Instant {
    let second = Duration::from_secs(1);
    let span = u64::try_from(length.saturating_sub(second).as_nanos()).unwrap_or(u64::MAX);
    Instant::ZERO + second + Duration::from_nanos(rng.below(span))
}

fn outage(layout: &Layout, length: Duration, rng: &mut Rng) -> Outage {
    let fault = *choose(rng, &Fault::ALL).unwrap_or(&Fault::Refuse);
    let from = instant(length, rng);
    let lasts = Duration::from_millis(200 + rng.below(4800));
    let hit = below(rng, u64::try_from(layout.places.len()).unwrap_or(1));
    let places = match layout.places.get(hit) {
        None => Vec::new(),
        Some(place) => match (fault, rng.below(4)) {
            (Fault::ProviderLoss, _) | (_, 0) => layout.of_provider(place.provider.as_str()),
            (Fault::ProbePathLoss, 1) => (0..layout.places.len()).collect(),
            (_, 1) => layout.of_backend(&place.id.backend),
            _ => vec![hit],
        },
    };
    let is_a_path = matches!(fault, Fault::ProbePathLoss | Fault::DataPathLoss);
    let one_edge = is_a_path && rng.below(2) == 0;
    let edge = below(rng, u64::try_from(layout.size.edges).unwrap_or(1));
    Outage {
        fault,
        places,
        edge: one_edge.then_some(edge),
        from,
        until: (from + lasts).min(Instant::ZERO + length),
    }
}

fn act(layout: &Layout, rng: &mut Rng) -> Option<Act> {
    let weighted = layout.weighted();
    let backend = choose(rng, &weighted)?.clone();
    let provider = || {
        layout
            .spec
            .backends
            .get(&backend)
            .map(|b| b.provider.clone())
    };
    Some(match rng.below(6) {
        0 | 1 => Act::Shift(weighted.iter().map(|_| 1 + rng.below(100)).collect()),
        2 => Act::Off(backend),
        3 => {
            let states = [AdminState::Drain, AdminState::Maint, AdminState::Offline];
            let state = *choose(rng, &states)?;
            let target = if rng.below(2) == 0 {
                AdminTarget::Provider(provider()?)
            } else {
                AdminTarget::Backend(layout.spec.name.clone(), backend)
            };
            Act::Admin(target, state)
        }
        4 => Act::Stale,
        _ => Act::Reload(Duration::from_millis(500 + rng.below(2500))),
    })
}
