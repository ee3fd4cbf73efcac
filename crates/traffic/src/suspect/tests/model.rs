//! The naive model of a standing that several workers write: it keeps everything that happened and looks through all of it
//! each time.

use std::time::Duration;

use bascule_model::Instant;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::at;
use crate::pick::Gate;
use crate::suspect::{Repeatable, Standing, TRIAL_EVERY};

#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Suspect {
        good_needed: u32,
    },
    /// Of a try that began so many milliseconds ago.
    Well {
        ago: u64,
    },
    Badly {
        ago: u64,
        retry_after: Option<u64>,
    },
    TakeTrial,
    Forget,
}

pub(super) fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let event = prop_oneof![
        (1_u32..4).prop_map(|good_needed| Event::Suspect { good_needed }),
        (0_u64..900).prop_map(|ago| Event::Well { ago }),
        (0_u64..900, prop::option::of(1_u64..4))
            .prop_map(|(ago, retry_after)| Event::Badly { ago, retry_after }),
        Just(Event::TakeTrial),
        Just(Event::TakeTrial),
        prop::bool::weighted(0.3).prop_map(|forget| if forget {
            Event::Forget
        } else {
            Event::TakeTrial
        }),
    ];
    prop::collection::vec((0_u64..700, event), 1..120)
}

/// Everything that happened, in order.
#[derive(Default)]
struct History(Vec<(Instant, Event)>);

/// What all of it comes to.
struct Found {
    since: Instant,
    trial_at: Instant,
}

impl History {
    fn found(&self) -> Option<Found> {
        let mut found: Option<Found> = None;
        let (mut good, mut needed) = (0, 0);
        for (now, event) in &self.0 {
            let asked = |ago: u64| Instant::from_nanos(now.as_nanos() - ago * 1_000_000);
            match (*event, &mut found) {
                (Event::Suspect { good_needed }, None) => {
                    (good, needed) = (0, good_needed);
                    found = Some(Found {
                        since: *now,
                        trial_at: *now + TRIAL_EVERY,
                    });
                }
                (Event::Well { ago }, Some(known)) if asked(ago) > known.since => {
                    good += 1;
                }
                (Event::Badly { ago, retry_after }, Some(known)) if asked(ago) > known.since => {
                    good = 0;
                    let wanted = Duration::from_secs(retry_after.unwrap_or(0));
                    known.trial_at = known.trial_at.max(*now + wanted);
                }
                (Event::TakeTrial, Some(known)) if *now >= known.trial_at => {
                    known.trial_at = *now + TRIAL_EVERY;
                }
                (Event::Forget, _) => found = None,
                _ => {}
            }
            found = found.filter(|_| good < needed);
        }
        found
    }

    fn gate(&self, now: Instant) -> Gate {
        match self.found() {
            None => Gate::Open,
            Some(found) if now >= found.trial_at => Gate::Trial,
            Some(_) => Gate::Suspect,
        }
    }
}

pub(super) fn compare(events: &[(u64, Event)]) -> Result<(), TestCaseError> {
    let standing = Standing::default();
    let mut history = History::default();
    let (mut millis, mut trials) = (1000, Vec::new());
    for (step, event) in events {
        millis += step;
        let now = at(millis);
        let asked = |ago: u64| at(millis - ago);
        let gate = standing.gate(now, Repeatable::Yes);
        prop_assert_eq!(gate, history.gate(now), "before {:?}", event);
        match *event {
            Event::Suspect { good_needed } => {
                let begun = standing.suspect(now, now + TRIAL_EVERY, good_needed);
                prop_assert_eq!(begun, history.found().is_none());
            }
            Event::Well { ago } => standing.went_well(now, asked(ago)),
            Event::Badly { ago, retry_after } => {
                let retry_after = retry_after.map(Duration::from_secs);
                standing.went_badly(now, asked(ago), retry_after);
            }
            Event::TakeTrial => {
                let due = history.gate(now) == Gate::Trial;
                prop_assert_eq!(standing.take_trial(now), due);
                trials.extend(due.then_some(now));
            }
            Event::Forget => standing.forget(),
        }
        history.0.push((now, *event));
        let since = history.found().map(|found| found.since);
        prop_assert_eq!(standing.suspected_since(), since);
    }
    let spaced = |pair: &[Instant]| pair[1].since(pair[0]) >= TRIAL_EVERY;
    prop_assert!(trials.windows(2).all(spaced), "{:?}", trials);
    Ok(())
}
