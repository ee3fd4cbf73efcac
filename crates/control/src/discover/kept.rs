//! What was believed of sources before a restart: a process that starts while a cloud does not answer has the endpoints that
//! it had, and a first answer in which most are gone is doubted as it would have been. What is too old is not used: addresses
//! in a cloud go to others.

use std::sync::Arc;
use std::time::Duration;

use bascule_model::Timestamp;
use bascule_provider::port::Set;
use bascule_telemetry::clock;

use super::{Board, Place};
use crate::handle::Handle;

/// Older ones are not used. A day is longer than any outage of a cloud's API that is remembered, and shorter than machines
/// that were left behind by autoscaling stay unclaimed in a busy network.
const AGE_MAX: Duration = Duration::from_secs(86_400);
/// How often it is looked whether there is something to keep.
const LOOK: Duration = Duration::from_secs(5);
/// Written at least so often while answers come, so that it does not look older than it is.
const FRESHEN: Duration = Duration::from_secs(300);

/// What was believed of a source.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    /// The account's name.
    pub account: Arc<str>,
    /// The source as it is written.
    pub source: Arc<str>,
    /// When it was last good.
    pub at: Timestamp,
    /// All that it had.
    pub set: Set,
}

impl Kept {
    /// Of what.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            account: Arc::clone(&self.account),
            source: Arc::clone(&self.source),
        }
    }
}

impl Board {
    /// What is believed of each, where anything is.
    fn believed(&self) -> Vec<Kept> {
        self.0.with(|all| {
            let believed = all.iter().filter_map(|(place, (standing, set))| {
                Some(Kept {
                    account: Arc::clone(&place.account),
                    source: Arc::clone(&place.source),
                    at: standing.good_at?,
                    set: Set::clone(set.as_ref()?),
                })
            });
            believed.collect()
        })
    }

    /// Counts every change of what is believed.
    fn changes(&self) -> Vec<(Place, u64)> {
        let revision = |(place, standing): (Place, super::Standing)| (place, standing.revision);
        self.all().into_iter().map(revision).collect()
    }
}

/// Whether it is young enough to be used now; one from after now is as old as it is early, as a clock was set back.
pub(super) fn is_usable(kept: &Kept, now: Timestamp) -> bool {
    now.since(kept.at).max(kept.at.since(now)) <= AGE_MAX
}

/// Keeps what is believed, for ever, whenever it has changed and now and then.
pub async fn keep(board: Board, control: Handle) {
    let mut written = (Vec::new(), clock::now());
    loop {
        clock::sleep_until(clock::now() + LOOK).await;
        let (changes, now) = (board.changes(), clock::now());
        let is_stale = !changes.is_empty() && now.since(written.1) >= FRESHEN;
        if changes == written.0 && !is_stale {
            continue;
        }
        match control.save_sets(board.believed()).await {
            Ok(()) => written = (changes, now),
            // Nothing is lost by it but what a start without the cloud would have had; it is tried again.
            Err(error) => tracing::error!(event = "endpoints_not_kept", %error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_day_old_is_used_and_what_is_older_is_not() {
        let kept = |at| Kept {
            account: "a".into(),
            source: "x".into(),
            at: Timestamp::from_millis(at),
            set: Set::default(),
        };
        let day = 86_400_000;
        let now = Timestamp::from_millis(day + 1_000);
        let usable = |at| is_usable(&kept(at), now);
        assert!(usable(1_001) && !usable(999));
        assert!(usable(2 * day) && !usable(2 * day + 1_001));
    }
}
