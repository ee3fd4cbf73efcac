//! State that lives as long as the process: for a run without a state directory, and for tests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bascule_model::Timestamp;
use bascule_plan::steer::{Persisted, Record};

use super::{Kept as Sets, ORIGIN, Recorded, Store, StoreError, chain, hexadecimal};

/// Lines of history kept; older ones go, as memory is not a journal.
const HISTORY_MAX: usize = 10_000;

/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    state: Option<Persisted>,
    history: Vec<Recorded>,
    last: Option<[u8; 32]>,
    sequence: u64,
    config: Option<String>,
    sets: Vec<Sets>,
}

impl Memory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing between lock and unlock leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn load(&self) -> Result<Option<Persisted>, StoreError> {
        Ok(self.kept().state.clone())
    }

    fn write(&self, record: &Record) -> Result<(), StoreError> {
        let mut kept = self.kept();
        kept.state = Some(record.state.clone());
        for entry in &record.history {
            let content = serde_json::to_vec(entry).unwrap_or_default();
            let hash = chain(&kept.last.unwrap_or(ORIGIN), &content);
            kept.last = Some(hash);
            kept.sequence += 1;
            let sequence = kept.sequence;
            kept.history.push(Recorded {
                sequence,
                hash: hexadecimal(&hash),
                entry: entry.clone(),
            });
        }
        let extra = kept.history.len().saturating_sub(HISTORY_MAX);
        kept.history.drain(..extra);
        Ok(())
    }

    fn history(&self, limit: usize, before: Option<u64>) -> Result<Vec<Recorded>, StoreError> {
        let kept = self.kept();
        let wanted = |line: &&Recorded| before.is_none_or(|before| line.sequence < before);
        Ok(kept
            .history
            .iter()
            .rev()
            .filter(wanted)
            .take(limit)
            .cloned()
            .collect())
    }

    fn verify(&self) -> Result<u64, StoreError> {
        Ok(self.kept().sequence)
    }

    fn save_config(&self, _at: Timestamp, text: &str) -> Result<(), StoreError> {
        self.kept().config = Some(text.to_owned());
        Ok(())
    }

    fn last_good_config(&self) -> Result<Option<String>, StoreError> {
        Ok(self.kept().config.clone())
    }

    fn save_sets(&self, sets: &[Sets]) -> Result<(), StoreError> {
        self.kept().sets = sets.to_vec();
        Ok(())
    }

    fn sets(&self) -> Result<Vec<Sets>, StoreError> {
        Ok(self.kept().sets.clone())
    }
}
