//! Waiting until an admin state has taken effect: nothing runs on the target any more, or, for `ready`, it is up. A zero
//! counts only when it was measured after all workers had the change: before that, requests are still on their way.

use std::time::Duration;

use bascule_admin::api::{AdminState, Backend, Change, Endpoint, ObservedState, Status};
use serde::Serialize;

use super::{Target, said, word};
use crate::cli::exit::{CliError, CliResult, Exit};
use crate::cli::follow::{Interrupt, LOOK_EVERY, Patience};
use crate::cli::session::Session;
use crate::cli::text;

/// Looks in a row that must find nothing running: a request that was picked before the change may be on its way from one
/// endpoint to the next for a moment.
const CALM_LOOKS: u32 = 5;
/// A line at least each so many looks: half a minute.
const SAID_LOOKS: u32 = 100;

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
            if watch.is_news(&seen) {
                session.out.note(&running(target, &seen));
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Seen {
    /// The revision that all workers have.
    confirmed_revision: u64,
    /// Requests that run there, or wait for it; of an edge, connections.
    running: u64,
    /// How long until none does, where that can be told.
    eta_seconds: Option<f64>,
    /// Whether all of it is up.
    up: bool,
}

impl Seen {
    fn of(status: &Status, target: &Target) -> Result<Self, CliError> {
        let edge = &status.edge;
        if *target == Target::Edge {
            return Ok(Self {
                confirmed_revision: edge.confirmed_revision,
                running: edge.requests.max(edge.connections),
                eta_seconds: edge.leaving.and_then(|leaving| leaving.eta_seconds),
                up: edge.admin_state == AdminState::Ready && status.instance.ready,
            });
        }
        let all = status
            .services
            .iter()
            .flat_map(|s| s.backends.iter().map(|b| (s.name.as_str(), b)));
        let meant: Vec<&Backend> = all
            .filter(|(service, backend)| is_meant(target, service, backend))
            .map(|(_, backend)| backend)
            .collect();
        if meant.is_empty() {
            return Err(gone(target));
        }
        let whole = |backend: &&Backend| backend.observed_state == ObservedState::Up;
        let (running, leaving, up) = match target {
            Target::Endpoint(_, _, name) => {
                let mut endpoints = meant.iter().flat_map(|backend| &backend.endpoints);
                let is_named = |e: &&Endpoint| e.name == *name || e.address == *name;
                let endpoint = endpoints.find(is_named);
                let endpoint = endpoint.ok_or_else(|| gone(target))?;
                let up = endpoint.observed_state == ObservedState::Up;
                (endpoint.in_flight, endpoint.leaving, up)
            }
            Target::Provider(name) => {
                let provider = status.providers.iter().find(|p| p.name == *name);
                let leaving = provider.and_then(|provider| provider.leaving);
                (running_at(&meant), leaving, meant.iter().all(whole))
            }
            Target::Edge | Target::Backend(..) => {
                let leaving = meant.first().and_then(|backend| backend.leaving);
                (running_at(&meant), leaving, meant.iter().all(whole))
            }
        };
        Ok(Self {
            confirmed_revision: edge.confirmed_revision,
            running,
            eta_seconds: leaving.and_then(|leaving| leaving.eta_seconds),
            up,
        })
    }
}

fn is_meant(target: &Target, service: &str, backend: &Backend) -> bool {
    match target {
        Target::Edge => false,
        Target::Provider(provider) => backend.provider == *provider,
        Target::Backend(s, b) | Target::Endpoint(s, b, _) => service == s && backend.name == *b,
    }
}

fn running_at(backends: &[&Backend]) -> u64 {
    let at = |backend: &&Backend| {
        let endpoints = backend.endpoints.iter().map(|e| e.in_flight);
        endpoints.sum::<u64>() + backend.pending
    };
    backends.iter().map(at).sum()
}

fn gone(target: &Target) -> CliError {
    CliError::new(
        Exit::Conflict,
        format!("{target} is no longer in the configuration"),
    )
}

/// What is said while it lasts.
fn running(target: &Target, seen: &Seen) -> String {
    let what = match target {
        Target::Edge => "connections to",
        _ => "run on",
    };
    let left = match seen.eta_seconds {
        Some(seconds) => format!(", about {} to go", text::duration(seconds)),
        None => String::new(),
    };
    format!("{} {what} {target}{left}", text::count(seen.running))
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
    /// Looks since then.
    silent: u32,
}

impl Watch {
    const fn new(state: AdminState, revision: u64) -> Self {
        Self {
            state,
            revision,
            calm: 0,
            last: 0,
            said: None,
            silent: 0,
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

    /// Whether what still runs is worth a line: at first, each time it halved, and now and then.
    fn is_news(&mut self, seen: &Seen) -> bool {
        self.silent += 1;
        let halved = self.said.is_none_or(|said| seen.running <= said / 2);
        let worth = seen.running > 0 && (halved || self.silent > SAID_LOOKS);
        if self.state == AdminState::Ready || !worth {
            return false;
        }
        (self.said, self.silent) = (Some(seen.running), 0);
        true
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
            eta_seconds: None,
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
            .into_iter()
            .filter(|n| watch.is_news(&seen(7, *n)))
            .collect();
        assert_eq!(said, [100, 50, 25, 1]);
    }

    #[test]
    fn what_does_not_become_less_is_said_each_half_minute() {
        let mut watch = Watch::new(AdminState::Drain, 7);
        let said = (0..=300).filter(|_| watch.is_news(&seen(7, 9))).count();
        assert_eq!(said, 3);
    }

    #[test]
    fn the_time_to_go_is_said_where_it_can_be_told() {
        let backend = Target::Backend("meet".to_owned(), "aws".to_owned());
        let mut seen = seen(7, 1_234);
        assert_eq!(running(&backend, &seen), "1,234 run on backend/meet/aws");
        seen.eta_seconds = Some(750.0);
        assert_eq!(
            running(&backend, &seen),
            "1,234 run on backend/meet/aws, about 12m30s to go"
        );
        assert_eq!(
            running(&Target::Edge, &seen),
            "1,234 connections to edge/self, about 12m30s to go"
        );
    }

    #[test]
    fn ready_waits_for_up_and_not_for_silence() {
        let mut watch = Watch::new(AdminState::Ready, 7);
        assert!(!watch.is_reached(&seen(7, 0)));
        assert!(watch.is_reached(&Seen {
            up: true,
            ..seen(7, 9)
        }));
        assert!(!watch.is_news(&seen(7, 9)));
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
            Ok((0, false))
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
