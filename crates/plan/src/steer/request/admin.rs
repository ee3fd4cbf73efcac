//! Admin states: what is asked for must exist, and must leave somebody to serve.

use super::super::Notice;
use super::super::draft::{Draft, Who, admin_state};
use super::accepted;
use crate::command::Refusal;
use crate::policy::ServiceFacts;
use crate::view::{Accepted, AdminEntry};
use bascule_model::{AdminState, AdminTarget, BackendName, ServiceName};

impl Draft<'_> {
    pub(super) fn ask_admin(
        &mut self,
        target: &AdminTarget,
        to: AdminState,
        who: &Who,
    ) -> Result<Accepted, Refusal> {
        self.has_target(target)?;
        self.set_admin(target, to, who);
        if !to.takes_new() {
            self.nobody_is_cut_off(target)?;
        }
        Ok(accepted())
    }

    /// Sets an admin state, and remembers to tell.
    pub(in crate::steer) fn set_admin(&mut self, target: &AdminTarget, to: AdminState, who: &Who) {
        let entry = AdminEntry {
            state: to,
            actor: who.actor.clone(),
            reason: who.reason.clone(),
            set_at: self.world.now.wall,
        };
        let before = match to {
            AdminState::Ready => self.state.admin.remove(target),
            _ => self.state.admin.insert(target.clone(), entry),
        };
        let from = before.map(|entry| entry.state).unwrap_or_default();
        if from != to {
            self.tell(Notice::Admin {
                target: target.clone(),
                from,
                to,
                actor: who.actor.clone(),
                reason: who.reason.clone(),
            });
        }
    }

    pub(super) fn has_target(&self, target: &AdminTarget) -> Result<(), Refusal> {
        let backend = |service: &ServiceName, backend: &BackendName| {
            let facts = self.known(service)?;
            if facts.backends.contains_key(backend) {
                return Ok(());
            }
            Err(Refusal::UnknownBackend {
                service: service.clone(),
                backend: backend.clone(),
                known: facts.backends.keys().cloned().collect(),
            })
        };
        match target {
            AdminTarget::Provider(provider) => self.has_provider(provider),
            AdminTarget::Backend(s, b) => backend(s, b),
            AdminTarget::Endpoint(s, b, text) => {
                backend(s, b)?;
                let seen = self.world.health.get(&(s.clone(), b.clone()));
                let is_known =
                    seen.is_none_or(|seen| seen.endpoints.iter().any(|e| e.is_named(text)));
                // Going back to ready is always possible, also of one that is gone.
                if is_known || self.state.admin.contains_key(target) {
                    return Ok(());
                }
                Err(Refusal::UnknownTarget {
                    target: target.clone(),
                })
            }
        }
    }

    /// Refuses an admin state after which a service has no backend that takes new requests.
    pub(super) fn nobody_is_cut_off(&self, target: &AdminTarget) -> Result<(), Refusal> {
        let cuts = |service: &ServiceName, facts: &ServiceFacts| match target {
            AdminTarget::Provider(p) => facts.backends.values().any(|b| &b.provider == p),
            AdminTarget::Backend(s, _) => s == service,
            AdminTarget::Endpoint(..) => false,
        };
        for (service, facts) in self.world.facts {
            let Some(wanted) = self.wanted(service).filter(|_| cuts(service, facts)) else {
                continue;
            };
            let takes = |name: &BackendName| {
                admin_state(&self.state, self.world.facts, service, name).takes_new()
            };
            let is_served = wanted
                .shares
                .iter()
                .any(|(name, share)| !share.is_zero() && takes(name));
            if !is_served {
                return Err(Refusal::AllOff {
                    service: service.clone(),
                });
            }
        }
        Ok(())
    }
}
