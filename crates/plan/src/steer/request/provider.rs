//! What people ask of a provider as a whole: to take it out of every service, and to bring it back.

use super::super::draft::{Draft, Who};
use super::accepted;
use super::{lasting, wrong_phase};
use crate::check::{Kind, Proposal, check};
use crate::command::Refusal;
use crate::policy::ServicePolicy;
use crate::view::{Accepted, EvacuationPhase};
use bascule_model::{ProviderName, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

impl Draft<'_> {
    pub(super) fn has_provider(&self, provider: &ProviderName) -> Result<(), Refusal> {
        let known: BTreeSet<ProviderName> = self
            .world
            .facts
            .values()
            .flat_map(|facts| facts.backends.values())
            .map(|backend| backend.provider.clone())
            .collect();
        if known.contains(provider) {
            return Ok(());
        }
        Err(Refusal::UnknownProvider {
            provider: provider.clone(),
            known: known.into_iter().collect(),
        })
    }

    pub(super) fn ask_evacuate(
        &mut self,
        provider: &ProviderName,
        fast: bool,
        expires_in: Option<Duration>,
        who: &Who,
    ) -> Result<Accepted, Refusal> {
        self.has_provider(provider)?;
        let held = self
            .state
            .evacuations
            .values()
            .find(|e| &e.provider == provider && !e.phase.is_over());
        if let Some(evacuation) = held {
            return Err(wrong_phase(&evacuation.id, evacuation.phase.as_str()));
        }
        let policies = || self.world.facts.values().map(|facts| &facts.policy);
        let defaults = ServicePolicy::default();
        let ttl = policies().map(|p| p.override_ttl).min();
        let ttl_max = policies().map(|p| p.override_ttl_max).min();
        let ttl = lasting(
            expires_in,
            ttl.unwrap_or(defaults.override_ttl),
            ttl_max.unwrap_or(defaults.override_ttl_max),
        )?;
        let expires_at: Timestamp = self.world.now.wall + ttl;
        let id = self.evacuate(provider, who, fast, expires_at);
        self.somebody_is_left(provider)?;
        let shifts = self
            .state
            .evacuations
            .get(&id)
            .map(|e| e.shifts.clone())
            .unwrap_or_default();
        Ok(Accepted {
            shifts,
            evacuation: Some(id),
            ..accepted()
        })
    }

    /// Refuses an evacuation that would leave a service with nobody who can take its requests.
    pub(super) fn somebody_is_left(&self, provider: &ProviderName) -> Result<(), Refusal> {
        let mut broken = Vec::new();
        for (service, facts) in self.world.facts {
            let concerned = facts.backends.values().any(|b| &b.provider == provider);
            let Some(wanted) = self.wanted(service).filter(|_| concerned) else {
                continue;
            };
            let holds = facts
                .backends
                .iter()
                .filter(|(_, backend)| &backend.provider == provider)
                .all(|(name, _)| wanted.off.contains(name));
            if !holds {
                return Err(Refusal::AllOff {
                    service: service.clone(),
                });
            }
            let before = super::super::draft::target(self.world.before, service, self.world.facts);
            let Some(now) = before else { continue };
            let proposal = Proposal {
                service,
                facts,
                now: &now,
                then: &wanted.shares,
                off: &wanted.off,
                evacuated: &BTreeSet::new(),
                blocked: &self.blocked(service),
                kind: Kind::Evacuate,
            };
            broken.extend(check(&proposal));
        }
        if broken.is_empty() {
            return Ok(());
        }
        Err(Refusal::Rails {
            broken,
            nearest: None,
        })
    }

    pub(super) fn ask_restore(
        &mut self,
        provider: &ProviderName,
        who: &Who,
    ) -> Result<Accepted, Refusal> {
        self.has_provider(provider)?;
        let open = self
            .state
            .evacuations
            .values()
            .find(|e| &e.provider == provider && e.phase != EvacuationPhase::Restored);
        let Some(evacuation) = open.cloned() else {
            return Err(Refusal::NotFound {
                what: "evacuation",
                id: provider.to_string(),
            });
        };
        if evacuation.phase.is_over() {
            return Err(wrong_phase(&evacuation.id, evacuation.phase.as_str()));
        }
        let shifts = self.restore(&evacuation.id, who, &format!("asked for by {}", who.actor));
        Ok(Accepted {
            shifts,
            evacuation: Some(evacuation.id),
            ..accepted()
        })
    }
}
