//! Going back to what people had set at an earlier revision: their rows and admin states, as a new change with its own
//! shifts. An evacuation made since ends in a restore; one that ended since is not begun again.

use std::collections::{BTreeMap, BTreeSet};

use bascule_model::{AdminState, AdminTarget, Revision, ServiceName};

use super::draft::{Draft, Who};
use super::persisted::{CHECKPOINTS_MAX, Checkpoint};
use super::request::accepted;
use super::shift::{Begin, Tempo};
use crate::check::Kind;
use crate::command::{BrokenRail, Refusal};
use crate::view::{Accepted, OverrideView, ShiftCause};

impl Draft<'_> {
    /// Remembers what people have set now.
    pub(super) fn checkpoint(&mut self) {
        let overrides = self
            .state
            .services
            .iter()
            .filter_map(|(service, record)| Some((service.clone(), record.override_row.clone()?)))
            .collect();
        let evacuations = self
            .state
            .evacuations
            .values()
            .filter(|e| !e.phase.is_over())
            .map(|e| e.id.clone())
            .collect();
        self.state.checkpoints.push(Checkpoint {
            revision: self.state.revision,
            overrides,
            admin: self.state.admin.clone(),
            evacuations,
        });
        let extra = self.state.checkpoints.len().saturating_sub(CHECKPOINTS_MAX);
        self.state.checkpoints.drain(..extra);
    }

    /// What people had set at the revision; without one, before their last change.
    fn earlier(&self, to: Option<Revision>) -> Result<Checkpoint, Refusal> {
        let points = &self.state.checkpoints;
        // Before the first change nothing was set; unless older changes were forgotten.
        let nothing = || Checkpoint {
            revision: Revision(0),
            overrides: BTreeMap::new(),
            admin: BTreeMap::new(),
            evacuations: BTreeSet::new(),
        };
        let is_whole = points.len() < CHECKPOINTS_MAX;
        let found = match to {
            None if points.is_empty() => None,
            None => points.iter().rev().nth(1).cloned(),
            Some(to) if to > self.world.before.revision => {
                return Err(not_found(Some(to)));
            }
            Some(to) => points.iter().rev().find(|p| p.revision <= to).cloned(),
        };
        let may_be_nothing = is_whole && (to.is_some() || !points.is_empty());
        found
            .or_else(|| may_be_nothing.then(nothing))
            .ok_or_else(|| not_found(to))
    }

    pub(super) fn ask_undo(
        &mut self,
        to: Option<Revision>,
        who: &Who,
    ) -> Result<Accepted, Refusal> {
        let point = self.earlier(to)?;
        let mut done = accepted();
        self.undo_admin(&point, who);
        self.undo_evacuations(&point, who, &mut done);
        self.undo_overrides(&point, who, &mut done)?;
        Ok(done)
    }

    fn undo_admin(&mut self, point: &Checkpoint, who: &Who) {
        let targets: BTreeSet<AdminTarget> = self
            .state
            .admin
            .keys()
            .chain(point.admin.keys())
            .cloned()
            .collect();
        for target in targets {
            let now = self.state.admin.get(&target).map(|entry| entry.state);
            let then = point.admin.get(&target).map(|entry| entry.state);
            if now != then {
                self.set_admin(&target, then.unwrap_or(AdminState::Ready), who);
            }
        }
    }

    fn undo_evacuations(&mut self, point: &Checkpoint, who: &Who, done: &mut Accepted) {
        let held: Vec<String> = self
            .state
            .evacuations
            .values()
            .filter(|e| !e.phase.is_over())
            .map(|e| e.id.clone())
            .collect();
        for id in held.iter().filter(|id| !point.evacuations.contains(*id)) {
            let shifts = self.restore(id, who, &format!("undone by {}", who.actor));
            done.shifts.extend(shifts);
            done.evacuation = Some(id.clone());
        }
        for id in point.evacuations.iter().filter(|id| !held.contains(id)) {
            let warning = format!("evacuation {id} has ended, undo does not begin it again");
            self.change.warnings.push(warning);
        }
    }

    fn undo_overrides(
        &mut self,
        point: &Checkpoint,
        who: &Who,
        done: &mut Accepted,
    ) -> Result<(), Refusal> {
        let wall = self.world.now.wall;
        let services: BTreeSet<ServiceName> = self
            .state
            .services
            .keys()
            .chain(point.overrides.keys())
            .cloned()
            .collect();
        let mut broken: Vec<BrokenRail> = Vec::new();
        for service in services {
            let Some(facts) = self.facts(&service) else {
                continue;
            };
            let now = self.state.services.get(&service);
            let now = now.and_then(|record| record.override_row.clone());
            let in_force = |row: &OverrideView| row.expires_at > wall;
            let then = point.overrides.get(&service).cloned().filter(in_force);
            if now == then {
                continue;
            }
            if then.is_none() && point.overrides.contains_key(&service) {
                let warning = format!("the override of {service} then is over by now");
                self.change.warnings.push(warning);
            }
            let kind = if then.is_some() {
                Kind::Person
            } else {
                Kind::Back
            };
            self.set_override(&service, then, &format!("undone by {}", who.actor));
            let Some(wanted) = self.wanted(&service) else {
                continue;
            };
            broken.extend(
                self.check_rails(&service, &wanted.shares, &wanted.off, kind)
                    .0,
            );
            done.shifts.extend(self.begin(Begin {
                service: service.clone(),
                cause: ShiftCause::Undo,
                who: who.clone(),
                tempo: Tempo::policy(&facts.policy),
                previous: now,
                evacuation: None,
            }));
        }
        if broken.is_empty() {
            return Ok(());
        }
        Err(Refusal::Rails {
            broken,
            nearest: None,
        })
    }
}

fn not_found(to: Option<Revision>) -> Refusal {
    Refusal::NotFound {
        what: "revision",
        id: to.map_or_else(|| "before the first change".to_owned(), |to| to.to_string()),
    }
}
