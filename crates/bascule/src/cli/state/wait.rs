//! Waiting until an admin state has taken effect: nothing runs on the target any more, or, for `ready`, it is up. A zero
//! counts only when it was measured after all workers had the change: before that, requests are still on their way.

use std::time::Duration;

use bascule_admin::api::{AdminState, Backend, Change, ObservedState, Status};
use serde::Serialize;

use super::{Target, said, word};
use crate::cli::exit::{CliError, CliResult, Exit};
use crate::cli::follow::{Interrupt, LOOK_EVERY, Patience};
use crate::cli::session::Session;
use crate::cli::text;

/// Looks in a row that must find nothing running: together longer than the second between two readings of the edge that
/// the API counts by, so that one of them was measured after the change.
const CALM_LOOKS: u32 = 5;

/// Waits.
pub(super) async fn until(
    session: &mut Session<'_>,
    target: &Target,
    state: AdminState,
    deadline: Duration,
    change: &Change,
) -> CliResult {
    let mut interrupt = Interrupt::listen();
    session.tell(&said(target, state, change))?;
    let mut over = Box::pin(tokio::time::sleep(deadline));
    let mut watch = Watch::new(state, change.revision);
    let mut patience = Patience::default();
    loop {
        let look = patience.get::<Status>(session, "/v1/status");
        let Some(status) = interrupt.or(look).await.transpose()? else {
            return Ok(left(session, target));
        };
        if let Some(status) = status {
            let seen = Seen::of(&status, target)?;
            if watch.is_reached(&seen) {
                return reached(session, target, state, &seen);
            }
            if let Some(running) = watch.news(&seen) {
                session
                    .out
                    .note(&format!("{} run on {target}", text::count(running)));
            }
        }
        tokio::select! {
            // Both only wait: dropping one loses nothing.
            () = &mut over => return Err(too_late(target, state, watch.last)),
            waited = interrupt.or(tokio::time::sleep(LOOK_EVERY)) => if waited.is_none() {
                return Ok(left(session, target));
            },
        }
    }
}

/// What is seen of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Seen {
    /// The revision that all workers have.
    confirmed_revision: u64,
    /// Requests that run there.
    running: u64,
    /// Whether all of it is up.
    up: bool,
}

impl Seen {
    fn of(status: &Status, target: &Target) -> Result<Self, CliError> {
        let is_meant = |service: &str, backend: &Backend| match target {
            Target::Provider(provider) => backend.provider == *provider,
            Target::Backend(s, b) | Target::Endpoint(s, b, _) => service == s && backend.name == *b,
        };
        let all = status
            .services
            .iter()
            .flat_map(|s| s.backends.iter().map(|b| (s.name.as_str(), b)));
        let meant: Vec<&Backend> = all
            .filter(|(s, b)| is_meant(s, b))
            .map(|(_, b)| b)
            .collect();
        if meant.is_empty() {
            return Err(CliError::new(
                Exit::Conflict,
                format!("{target} is no longer in the configuration"),
            ));
        }
        let up = |backend: &&Backend| match target {
            Target::Endpoint(_, _, name) => backend.endpoints.iter().any(|e| {
                (e.name == *name || e.address == *name) && e.observed_state == ObservedState::Up
            }),
            _ => backend.observed_state == ObservedState::Up,
        };
        Ok(Self {
            confirmed_revision: status.edge.confirmed_revision,
            running: meant.iter().map(|backend| backend.load.in_flight).sum(),
            up: meant.iter().all(up),
        })
    }
}

/// The judge of what is seen.
#[derive(Debug)]
struct Watch {
    state: AdminState,
    revision: u64,
    calm: u32,
    /// What was last seen to run.
    last: u64,
    /// What was last said to run.
    said: Option<u64>,
}

impl Watch {
    const fn new(state: AdminState, revision: u64) -> Self {
        Self {
            state,
            revision,
            calm: 0,
            last: 0,
            said: None,
        }
    }

    /// Whether the state has taken effect.
    fn is_reached(&mut self, seen: &Seen) -> bool {
        self.last = seen.running;
        if seen.confirmed_revision < self.revision {
            return false;
        }
        if self.state == AdminState::Ready {
            return seen.up;
        }
        self.calm = if seen.running == 0 { self.calm + 1 } else { 0 };
        self.calm >= CALM_LOOKS
    }

    /// How many still run, when it is worth a line: at first, and each time it halved.
    fn news(&mut self, seen: &Seen) -> Option<u64> {
        let worth = seen.running > 0 && self.said.is_none_or(|said| seen.running <= said / 2);
        if self.state == AdminState::Ready || !worth {
            return None;
        }
        self.said = Some(seen.running);
        self.said
    }
}

fn reached(
    session: &mut Session<'_>,
    target: &Target,
    state: AdminState,
    seen: &Seen,
) -> CliResult {
    let now = if state == AdminState::Ready {
        "is up"
    } else {
        "is empty"
    };
    session
        .out
        .answer("Waited", seen, |_| format!("{target} {now}"))?;
    Ok(Exit::Ok)
}

fn too_late(target: &Target, state: AdminState, running: u64) -> CliError {
    let what = match state {
        AdminState::Ready => "it is not up".to_owned(),
        _ => format!("{} still run there", text::count(running)),
    };
    CliError::new(Exit::Problem, format!("the deadline is over, and {what}"))
        .with_detail(format!("{target} stays {}", word(state)))
}

fn left(session: &mut Session<'_>, target: &Target) -> Exit {
    session
        .out
        .note(&format!("no longer waiting; {target} stays as it is"));
    Exit::Interrupted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    fn seen(confirmed_revision: u64, running: u64) -> Seen {
        Seen {
            confirmed_revision,
            running,
            up: false,
        }
    }

    #[test]
    fn nothing_running_counts_only_once_all_workers_have_the_change_and_it_lasts() {
        let mut watch = Watch::new(AdminState::Drain, 7);
        for _ in 0..20 {
            assert!(
                !watch.is_reached(&seen(6, 0)),
                "the workers do not have the change"
            );
        }
        assert!(!watch.is_reached(&seen(7, 0)));
        assert!(!watch.is_reached(&seen(7, 3)), "one more came");
        let looks: Vec<bool> = (0..CALM_LOOKS)
            .map(|_| watch.is_reached(&seen(7, 0)))
            .collect();
        assert_eq!(
            looks.iter().position(|reached| *reached),
            Some(looks.len() - 1)
        );
    }

    #[test]
    fn what_runs_is_said_when_it_halved() {
        let mut watch = Watch::new(AdminState::Drain, 7);
        let said: Vec<u64> = [100, 90, 51, 50, 26, 25, 1, 0]
            .iter()
            .filter_map(|n| watch.news(&seen(7, *n)))
            .collect();
        assert_eq!(said, [100, 50, 25, 1]);
    }

    #[test]
    fn ready_waits_for_up_and_not_for_silence() {
        let mut watch = Watch::new(AdminState::Ready, 7);
        assert!(!watch.is_reached(&seen(7, 0)));
        assert!(watch.is_reached(&Seen {
            up: true,
            ..seen(7, 9)
        }));
        assert_eq!(watch.news(&seen(7, 9)), None);
    }

    #[test]
    fn a_provider_is_all_its_backends_and_an_endpoint_its_own_state() {
        let status = samples::status();
        let of = |target: Target| Seen::of(&status, &target).map(|seen| (seen.running, seen.up));
        let name = |text: &str| text.to_owned();
        assert_eq!(of(Target::Provider(name("aws"))), Ok((11_934, true)));
        assert_eq!(
            of(Target::Endpoint(
                name("meet"),
                name("aws"),
                name("10.4.0.15:443")
            )),
            Ok((11_934, false))
        );
        assert_eq!(
            of(Target::Endpoint(
                name("meet"),
                name("aws"),
                name("10.4.0.11:443")
            )),
            Ok((11_934, true))
        );
        let gone = of(Target::Backend(name("meet"), name("azure")));
        assert_eq!(gone.map_err(|error| error.exit), Err(Exit::Conflict));
    }
}
