//! What an edge thinks of an endpoint between two verdicts of the judge: whether its traffic goes badly enough to look
//! elsewhere for the next request. Each worker weighs its own answers ([`Suspicion`]); what it concludes counts at once for
//! all of them ([`Standing`]), so that an endpoint gets one trial a second, however many workers there are. It never takes
//! an endpoint out: it says `Suspect`, and where nothing else is open the picker goes there all the same. Why these
//! numbers: `docs/decisions/0013-suspicion-and-retries.md`. Read [`evidence`] for what speaks against an endpoint,
//! [`standing`] for how it comes back, [`silence`] for how long it may say nothing.

mod evidence;
mod silence;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use bascule_model::Instant;

use evidence::{Evidence, Finding};
pub use silence::{Answers, SILENCE_MIN, Times};
pub use standing::{Repeatable, Standing, TRIAL_EVERY, TRIAL_OF_ANY_AFTER};

/// Good answers in a row that show that an endpoint is well again that had failed throughout.
const GOOD_AFTER_FAILURE: u32 = 1;
/// The same where good and bad had come by turns, or where the last suspicion was no while ago: one answer proves nothing.
const GOOD_AFTER_DOUBT: u32 = 4;
/// How soon after the last suspicion another one is doubt.
const RELAPSE: Duration = Duration::from_secs(10);
/// In that time, the answers to each worker of which none may be bad: three good ones may have been luck.
const PROBATION: u32 = 20;
/// The longest wait that an endpoint may ask for by `Retry-After`: whoever asks for an hour may be well in a minute.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// How a try at an endpoint ended, as far as it speaks for or against the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered.
    Good,
    /// No connection could be made.
    Refused,
    /// The connection died, no answer came in time, or the answer says that it cannot; it may ask for a pause.
    Failed {
        /// `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// It says nothing, to this request or any other, for longer than [`Answers::silence`].
    Silent,
    /// It answered that this is too much.
    Pushback {
        /// `Retry-After`.
        retry_after: Option<Duration>,
    },
}

/// What one worker has seen of one endpoint.
#[derive(Debug)]
pub struct Suspicion {
    standing: Arc<Standing>,
    evidence: Evidence,
    /// The number of suspicions when the evidence began: what led to one does not lead to the next.
    suspicions: u32,
}

impl Suspicion {
    /// Nothing has been seen yet.
    #[must_use]
    pub fn new(standing: Arc<Standing>) -> Self {
        Self {
            suspicions: standing.suspicions(),
            evidence: Evidence::default(),
            standing,
        }
    }

    /// What all workers hold of it.
    #[must_use]
    pub const fn standing(&self) -> &Arc<Standing> {
        &self.standing
    }

    /// Takes how a try ended that was begun at `asked`. Whether the endpoint is suspected by it, and was not before.
    pub fn handle(&mut self, now: Instant, asked: Instant, outcome: Outcome) -> bool {
        if self.standing.is_suspected() {
            self.try_ended(now, asked, outcome);
            return false;
        }
        let suspicions = self.standing.suspicions();
        if suspicions != self.suspicions {
            self.suspicions = suspicions;
            self.evidence = Evidence::default();
        }
        let finding = match outcome {
            Outcome::Good => {
                self.evidence.good(now);
                return false;
            }
            Outcome::Refused => self.evidence.refused(now),
            Outcome::Failed { .. } => self.evidence.failed(now),
            Outcome::Silent => Some(Finding::Failing),
            Outcome::Pushback { retry_after } => {
                if self.evidence.pushback(now) {
                    self.standing.ease(now + pause(retry_after));
                }
                return false;
            }
        };
        let relapsed = self.standing.was_suspected_within(now, RELAPSE);
        let on_probation = relapsed && self.evidence.answers() <= PROBATION;
        let Some(finding) = finding.or(on_probation.then_some(Finding::Doubtful)) else {
            return false;
        };
        let good = match finding {
            Finding::Failing if !relapsed => GOOD_AFTER_FAILURE,
            Finding::Failing | Finding::Doubtful => GOOD_AFTER_DOUBT,
        };
        let retry_after = match outcome {
            Outcome::Failed { retry_after } => retry_after,
            _ => None,
        };
        self.standing.suspect(now, now + pause(retry_after), good)
    }

    /// While it is suspected only tries that began after that say anything new.
    fn try_ended(&self, now: Instant, asked: Instant, outcome: Outcome) {
        match outcome {
            Outcome::Good | Outcome::Pushback { .. } => self.standing.went_well(now, asked),
            Outcome::Failed { retry_after } => {
                self.standing
                    .went_badly(now, asked, retry_after.map(capped));
            }
            Outcome::Refused | Outcome::Silent => self.standing.went_badly(now, asked, None),
        }
    }
}

/// How long an endpoint is left alone that asked for this.
fn pause(retry_after: Option<Duration>) -> Duration {
    retry_after.map_or(TRIAL_EVERY, capped)
}

fn capped(retry_after: Duration) -> Duration {
    retry_after.clamp(TRIAL_EVERY, RETRY_AFTER_MAX)
}

#[cfg(test)]
mod tests;
