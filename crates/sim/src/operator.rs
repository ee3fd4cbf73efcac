//! What people want of the edges, and how each of their acts changes it.

use std::collections::{BTreeMap, BTreeSet};

use bascule_model::{BackendName, Instant, Revision, Shares, TargetRow, Targets};

use crate::layout::Layout;
use crate::script::Act;

/// The people.
#[derive(Debug, Default)]
pub(crate) struct Operator {
    targets: Targets,
    /// Since when a backend is off.
    off: BTreeMap<BackendName, Instant>,
}

impl Operator {
    /// The targets after an act; they have the next revision.
    pub(crate) fn act(&mut self, now: Instant, layout: &Layout, act: &Act) -> &Targets {
        let name = layout.spec.name.clone();
        let row = self.targets.services.get(&name).cloned();
        let row = row.unwrap_or_else(|| declared(layout));
        let row = match act {
            Act::Shift(weights) => shifted(layout, row, weights),
            Act::Off(backend) => without(row, backend),
            Act::Admin(target, state) => {
                self.targets.admin.insert(target.clone(), *state);
                row
            }
            Act::Restore => {
                self.targets.admin.clear();
                declared(layout)
            }
            Act::Stale | Act::Reload(_) => row,
        };
        self.off.retain(|name, _| row.off.contains(name));
        for name in &row.off {
            self.off.entry(name.clone()).or_insert(now);
        }
        self.targets.services.insert(name, row);
        self.targets.revision = self.targets.revision.next();
        &self.targets
    }

    /// Since when a backend is off.
    pub(crate) fn off_since(&self, backend: &BackendName) -> Option<Instant> {
        self.off.get(backend).copied()
    }

    /// Targets of somebody who is behind; `None` while there is nothing to be behind of.
    pub(crate) fn outdated(&self) -> Option<Targets> {
        let revision = Revision(self.targets.revision.0.checked_sub(1)?);
        Some(Targets {
            revision,
            ..Targets::default()
        })
    }
}

/// The row as the configuration has it.
fn declared(layout: &Layout) -> TargetRow {
    TargetRow {
        shares: layout.spec.declared.clone(),
        off: BTreeSet::new(),
    }
}

/// New weights; what is off stays off.
fn shifted(layout: &Layout, row: TargetRow, weights: &[u64]) -> TargetRow {
    let mut all: BTreeMap<BackendName, u64> = layout
        .spec
        .backends
        .keys()
        .map(|name| (name.clone(), 0))
        .collect();
    all.extend(layout.weighted().into_iter().zip(weights.iter().copied()));
    for name in &row.off {
        all.insert(name.clone(), 0);
    }
    replace(row, all)
}

/// Without a backend: off. The last one that has a share is not switched off.
fn without(row: TargetRow, backend: &BackendName) -> TargetRow {
    let shares = row.shares.iter();
    let mut rest: BTreeMap<BackendName, u64> = shares
        .map(|(name, share)| (name.clone(), u64::from(share.get())))
        .collect();
    rest.insert(backend.clone(), 0);
    let mut row = replace(row, rest);
    if row.shares.get(backend).is_some_and(|share| share.is_zero()) {
        row.off.insert(backend.clone());
    }
    row
}

/// The row with these weights; as it was where they are all zero.
fn replace(row: TargetRow, weights: BTreeMap<BackendName, u64>) -> TargetRow {
    match Shares::from_weights(weights) {
        Ok(shares) => TargetRow { shares, ..row },
        Err(_) => row,
    }
}
