//! Keeps the last good set of a source. An answer that fails takes nothing away; one that is empty, or in which more than half
//! of what served is gone, is held back until two further answers say the same: an API that lists half a pool, or a
//! permission that lost its scope, must not empty a backend. Pure: it is told the time, and asks nobody.
//! `docs/decisions/0020-providers.md` has the reasons.

use std::sync::Arc;

use bascule_model::Instant;

use crate::Error;
use crate::port::{Lifecycle, Set};

/// How many further answers must say the same before a suspiciously small one counts.
pub const CONFIRMATIONS: u8 = 2;

/// The last good set of one source.
#[derive(Debug, Default)]
pub struct Held {
    good: Option<Good>,
    doubted: Option<Doubted>,
    error: Option<Failed>,
}

#[derive(Debug)]
struct Good {
    set: Arc<Set>,
    revision: u64,
    /// When a good answer last came; also one that said nothing new. `None`: not since the start.
    at: Option<Instant>,
}

#[derive(Debug)]
struct Doubted {
    set: Set,
    confirmations: u8,
    since: Instant,
}

/// The failures since the last good answer.
#[derive(Debug)]
pub struct Failed {
    /// The last one.
    pub error: Arc<Error>,
    /// When the first came.
    pub since: Instant,
    /// How many there were.
    pub count: u32,
}

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learned {
    /// The set changed.
    Changed,
    /// It is what it was.
    Same,
    /// It is not believed yet.
    Doubted {
        /// How many that served are gone.
        gone: usize,
        /// Of how many.
        of: usize,
        /// How many further answers it takes.
        missing: u8,
    },
    /// It failed.
    Failed,
}

impl Held {
    /// What was believed before a restart. The first answer is doubted as any other.
    #[must_use]
    pub fn resume(set: Set) -> Self {
        let good = Good {
            set: Arc::new(set),
            revision: 1,
            at: None,
        };
        Self {
            good: Some(good),
            ..Self::default()
        }
    }

    /// An answer came, or failed.
    pub fn handle(&mut self, now: Instant, answer: Result<Set, Error>) -> Learned {
        let set = match answer {
            Ok(set) => set,
            Err(error) => return self.fail(now, error),
        };
        self.error = None;
        if let Some((gone, of)) = self.suspicious(&set)
            && let Some(missing) = self.doubt(now, &set)
        {
            return Learned::Doubted { gone, of, missing };
        }
        self.doubted = None;
        self.accept(now, set)
    }

    fn fail(&mut self, now: Instant, error: Error) -> Learned {
        let (since, count) = match &self.error {
            Some(failed) => (failed.since, failed.count.saturating_add(1)),
            None => (now, 1),
        };
        let error = Arc::new(error);
        self.error = Some(Failed {
            error,
            since,
            count,
        });
        Learned::Failed
    }

    fn accept(&mut self, now: Instant, set: Set) -> Learned {
        let (same, revision) = match &self.good {
            Some(good) => (*good.set == set, good.revision),
            None => (false, 0),
        };
        if let Some(good) = self.good.as_mut().filter(|_| same) {
            good.at = Some(now);
            return Learned::Same;
        }
        self.good = Some(Good {
            set: Arc::new(set),
            revision: revision + 1,
            at: Some(now),
        });
        Learned::Changed
    }

    /// How many that served are gone, of how many, where that is more than half.
    fn suspicious(&self, set: &Set) -> Option<(usize, usize)> {
        let before = &self.good.as_ref()?.set;
        let of = before.serving().count();
        let gone = before.serving().filter(|id| !set.serves(id)).count();
        (gone > 0 && gone * 2 > of).then_some((gone, of))
    }

    /// How many further answers it takes; `None`: it has been confirmed.
    fn doubt(&mut self, now: Instant, set: &Set) -> Option<u8> {
        let before = self.good.as_ref().map(|good| Arc::clone(&good.set));
        // What was missing must be missing still: a set that is growing again is another.
        let is_confirmed = |doubted: &Doubted| {
            let all = before.iter().flat_map(|before| before.serving());
            let mut gone = all.filter(|id| !doubted.set.serves(id));
            gone.all(|id| !set.serves(id))
        };
        let (confirmations, since) = match &self.doubted {
            Some(doubted) if is_confirmed(doubted) => (doubted.confirmations + 1, doubted.since),
            _ => (0, now),
        };
        self.doubted = Some(Doubted {
            set: set.clone(),
            confirmations,
            since,
        });
        let missing = CONFIRMATIONS.saturating_sub(confirmations);
        (missing > 0).then_some(missing)
    }

    /// The last good set; `None` before the first.
    #[must_use]
    pub fn set(&self) -> Option<&Arc<Set>> {
        self.good.as_ref().map(|good| &good.set)
    }

    /// Counts changes of the set, from 1; 0 before the first.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.good.as_ref().map_or(0, |good| good.revision)
    }

    /// When a good answer last came, since the start.
    #[must_use]
    pub fn good_at(&self) -> Option<Instant> {
        self.good.as_ref().and_then(|good| good.at)
    }

    /// Since when answers are held back, where they are.
    #[must_use]
    pub fn doubted_since(&self) -> Option<Instant> {
        self.doubted.as_ref().map(|doubted| doubted.since)
    }

    /// The failures since the last good answer.
    #[must_use]
    pub const fn failed(&self) -> Option<&Failed> {
        self.error.as_ref()
    }
}

impl Set {
    /// The ids of those that run.
    pub fn serving(&self) -> impl Iterator<Item = &Arc<str>> {
        let running = self.instances.iter();
        let running = running.filter(|(_, instance)| instance.lifecycle == Lifecycle::Running);
        running.map(|(id, _)| id)
    }

    /// Whether one of this id runs.
    #[must_use]
    pub fn serves(&self, id: &str) -> bool {
        let instance = self.instances.get(id);
        instance.is_some_and(|instance| instance.lifecycle == Lifecycle::Running)
    }
}

#[cfg(test)]
mod tests;
