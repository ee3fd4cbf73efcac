//! The backend of a further try: open before suspected, then as far from those that were tried as the service wants, those
//! with a share before those without; by chance among equals, in proportion to their shares, so that what one backend
//! loses does not fall on one other. Never what is off, full, or tried.

use std::cmp::Reverse;

use bascule_model::{ProviderName, Rng};

use super::{Choice, Gate};
use crate::snapshot::{Backend, Service};

/// The best backend by [`Rank`], and the worst gate it must be entered by. `gate(backend)` is the best gate of its
/// endpoints that were not tried.
pub(super) fn backend(
    service: &Service,
    tried: &[Choice],
    rng: &mut Rng,
    gate: impl Fn(usize, &Backend) -> Option<Gate>,
) -> Option<(usize, Gate)> {
    let mut best: Option<(Rank, usize)> = None;
    let mut weight_sum = 0_u64;
    let candidates = service.backends.iter().enumerate();
    for (index, backend) in candidates.filter(|(_, backend)| !backend.off) {
        let Some(gate) = gate(index, backend).filter(|gate| *gate < Gate::Full) else {
            continue;
        };
        let distance = Distance::of(service, &backend.provider, index, tried);
        let rank = Rank {
            // A request that has failed once is nobody's trial.
            gate: Reverse(if gate == Gate::Open {
                gate
            } else {
                Gate::Suspect
            }),
            distance: distance.preference(service),
            has_share: !backend.effective.is_zero(),
        };
        let weight = u64::from(backend.effective.get()).max(1);
        match best {
            Some((held, _)) if rank < held => continue,
            Some((held, _)) if rank == held => weight_sum += weight,
            _ => weight_sum = weight,
        }
        // One pass: the n-th candidate replaces the one held with its part of the weights so far.
        let replaces = best.is_none_or(|(held, _)| rank > held);
        if replaces || rng.below(weight_sum) < weight {
            best = Some((rank, index));
        }
    }
    best.map(|(rank, index)| (index, rank.gate.0))
}

/// How far a backend is from the ones tried, farther later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Distance {
    SameBackend,
    SameProvider,
    OtherProvider,
}

impl Distance {
    fn of(service: &Service, provider: &ProviderName, index: usize, tried: &[Choice]) -> Self {
        let provider_of =
            |choice: &Choice| service.backends.get(choice.backend).map(|b| &b.provider);
        if tried.iter().any(|choice| choice.backend == index) {
            Self::SameBackend
        } else if tried
            .iter()
            .any(|choice| provider_of(choice) == Some(provider))
        {
            Self::SameProvider
        } else {
            Self::OtherProvider
        }
    }

    /// Greater is better: what is far where the service prefers another provider, else what is near.
    fn preference(self, service: &Service) -> u8 {
        match (self, service.spec.retry.other_provider) {
            (Self::SameBackend, false) | (Self::OtherProvider, true) => 2,
            (Self::SameProvider, _) => 1,
            (Self::SameBackend, true) | (Self::OtherProvider, false) => 0,
        }
    }
}

/// What makes one backend better than another; the fields in order of importance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    gate: Reverse<Gate>,
    distance: u8,
    has_share: bool,
}
