//! Whether the checks of a service are believed. When those of all its endpoints fail while its traffic succeeds, that says
//! more about the checks, or about the way they take, than about the endpoints: those that were good last stay good.
//! Where a single endpoint's checks fail, they are believed whatever traffic says: a server asks to be left by them.
//! What is held stays so until its own traffic fails, not by one chance failure: no requests are no reason to believe. Nor
//! does the first check that passes again end it for the others, whose turn comes within seconds: else all traffic would
//! go to that one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{Instant, ObservedState};

use super::Action;
use super::service::ServiceWatch;
use super::subject::Subject;

/// Endpoints from which on "all" means something.
const ALL_MIN: usize = 2;
/// Endpoints whose checks came to fail so shortly before are held too, though they have no traffic that speaks for them.
const TOGETHER: Duration = Duration::from_secs(10);
/// Once a check of them passes, the others' may take so long to pass too.
const MENDING: Duration = Duration::from_secs(10);

impl ServiceWatch {
    /// Holds endpoints against their checks, or lets them go.
    pub(super) fn believe(&mut self, now: Instant, actions: &mut VecDeque<Action>) {
        let all_lost = self.is_doubtful(now);
        let doubted = all_lost || self.is_mending(now);
        let began = doubted && !self.doubted;
        for member in self.members.values_mut() {
            let lost_now = began && now.since(member.checks.since) < TOGETHER;
            let shows = all_lost && (lost_now || member.answers_against_checks(now));
            let stays = member.held || shows;
            let fails = if member.held {
                member.fails_in_a_row()
            } else {
                member.is_failing(now)
            };
            let held = doubted && is_lost(member) && stays && !fails;
            if held != member.held {
                member.held = held;
                let id = Arc::clone(&member.id);
                actions.push_back(Action::Held { id, held });
            }
        }
        if doubted != self.doubted
            && let Some(service) = self.members.keys().next().map(|id| id.service.clone())
        {
            actions.push_back(Action::ChecksDoubted { service, doubted });
        }
        self.doubted = doubted;
        self.mends_since = self.mends_since.filter(|_| doubted && !all_lost);
    }

    /// Whether checks that were doubted have begun to pass, and some of those held wait for theirs.
    fn is_mending(&mut self, now: Instant) -> bool {
        let waits = |member: &Subject| member.held && is_lost(member) && !member.fails_in_a_row();
        if !self.doubted || !self.members.values().any(waits) {
            return false;
        }
        now.since(*self.mends_since.get_or_insert(now)) < MENDING
    }

    fn is_doubtful(&self, now: Instant) -> bool {
        let members = || self.members.values().filter(|m| m.is_wanted());
        members().count() >= ALL_MIN
            && members().all(is_lost)
            && members().any(|m| m.policy().enabled && speaks_against_checks(now, m))
    }
}

/// Whether an endpoint works though its checks fail, or did and nothing has been seen of it since.
fn speaks_against_checks(now: Instant, member: &Subject) -> bool {
    member.answers_against_checks(now) || (member.held && !member.fails_in_a_row())
}

fn is_lost(member: &Subject) -> bool {
    member.is_wanted() && member.checks.state == ObservedState::Down
}
