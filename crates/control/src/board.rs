//! How things in clouds stand: written by whoever asks them, read by whoever shows it. Holds the last word on each and
//! decides nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How each stands; shared.
#[derive(Debug)]
pub struct Board<P, S>(Arc<Mutex<BTreeMap<P, S>>>);

impl<P, S> Clone for Board<P, S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P, S> Default for Board<P, S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<P: Ord + Clone, S: Clone> Board<P, S> {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> BTreeMap<P, S> {
        self.with(|standings| standings.clone())
    }

    /// How one stands from now on.
    pub fn set(&self, place: P, standing: S) {
        self.with(|standings| standings.insert(place, standing));
    }

    /// Held for a copy or a change, never across an await.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<P, S>) -> T) -> T {
        // A change is one assignment: nothing is left half done.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
