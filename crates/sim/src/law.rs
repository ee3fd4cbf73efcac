//! What must hold at every event of the first phase, held by models of the world's own that are as simple as can be: they
//! share no code with what they watch. A law that is broken ends the history; the seed replays it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bascule_model::{BackendName, Instant};
use bascule_traffic::snapshot::{Mode, Service};
use bascule_traffic::spec::RetryPolicy;
use bascule_traffic::{Choice, Gate, PickReason, Snapshot};

use crate::ledger::Method;
use crate::request::Request;

/// A law that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at {at:?}: {law}: {detail}")]
pub struct Broken {
    /// When.
    pub at: Instant,
    /// Which.
    pub law: &'static str,
    /// What was seen.
    pub detail: String,
}

/// How an event ends.
pub type Held = Result<(), Broken>;

/// The law, or what broke it.
pub(crate) fn hold(
    at: Instant,
    law: &'static str,
    holds: bool,
    detail: impl FnOnce() -> String,
) -> Held {
    if holds {
        return Ok(());
    }
    let detail = detail();
    Err(Broken { at, law, detail })
}

/// The window of the retry budget.
const BUDGET_WINDOW: Duration = Duration::from_secs(10);

/// What a person set to off gets nothing from then on; so long may it take until it is known to all workers.
const OFF_WITHIN: Duration = Duration::from_millis(50);

/// What the laws remember of one worker.
#[derive(Debug, Default)]
struct OfWorker {
    /// Picks since the row is what it is, by backend.
    picks: BTreeMap<BackendName, u64>,
    picked: u64,
    row: Vec<(BackendName, u16)>,
}

/// Requests and retries of the last ten seconds, of all workers of an edge.
#[derive(Debug, Default)]
struct Spent {
    requests: VecDeque<Instant>,
    retries: VecDeque<Instant>,
}

/// What the laws remember.
#[derive(Debug, Default)]
pub(crate) struct Laws {
    workers: BTreeMap<(usize, usize), OfWorker>,
    /// By edge.
    spent: BTreeMap<usize, Spent>,
}

impl Laws {
    /// A snapshot follows another at one edge.
    pub(crate) fn published(at: Instant, last: Option<&Snapshot>, next: &Snapshot) -> Held {
        let revision = last.map_or(0, |last| last.revision.0);
        hold(
            at,
            "the revision never goes back",
            next.revision.0 >= revision,
            || format!("{revision} then {}", next.revision),
        )?;
        let generation = last.map_or(0, |last| last.generation);
        hold(
            at,
            "generations count up",
            next.generation == generation + 1,
            || format!("{generation} then {}", next.generation),
        )?;
        next.services
            .iter()
            .try_for_each(|service| row_is_exact(at, service))
    }

    /// A first try goes there.
    pub(crate) fn picked(&mut self, at: Instant, request: &Request, choice: Choice) -> Held {
        allowed(at, request, choice)?;
        let spent = self.spent.entry(request.edge).or_default();
        spent.requests.push_back(at);
        spent.forget(at);
        let service = &request.view.service;
        let worker = self
            .workers
            .entry((request.edge, request.worker))
            .or_default();
        let turn = match choice.why {
            PickReason::Weight | PickReason::FailOpen => choice.backend,
            // It was that one's turn, and stays counted so.
            PickReason::Spill { from, .. } => from,
            // One that has waited had its turn before, when nothing was given.
            PickReason::Affinity | PickReason::Retry | PickReason::Trial | PickReason::Waited => {
                return Ok(());
            }
        };
        worker.count(service, turn);
        worker.is_exact(at)
    }

    /// What is suspected gets nothing while anything else is open; what is full never does.
    pub(crate) fn gated(
        at: Instant,
        request: &Request,
        choice: Choice,
        gate: Gate,
        gates: &[Gate],
    ) -> Held {
        let others = gates.contains(&Gate::Open);
        let law = "what is suspected gets nothing while another is open";
        hold(at, law, gate != Gate::Suspect || !others, || {
            format!("{choice:?} of {request:?}")
        })?;
        hold(at, "what is full gets nothing", gate != Gate::Full, || {
            format!("{choice:?}")
        })
    }

    /// A trial goes to what traffic took out, never to what a person took out.
    pub(crate) fn tried(at: Instant, request: &Request, choice: Choice) -> Held {
        let backend = request.view.service.backends.get(choice.backend);
        let off = backend.is_none_or(|backend| backend.off);
        let ready = request
            .view
            .chosen(choice)
            .is_some_and(|(_, endpoint)| endpoint.admin.takes_new());
        hold(
            at,
            "no trial of what a person took out",
            ready && !off,
            || format!("{choice:?}"),
        )
    }

    /// A person set the backend of this pick to off.
    pub(crate) fn is_off(at: Instant, since: Instant) -> Held {
        let law = "what a person set to off gets no request that begins later";
        hold(at, law, at <= since + OFF_WITHIN, || {
            format!("since {since:?}")
        })
    }

    /// Another try goes there.
    pub(crate) fn repeated(&mut self, at: Instant, request: &Request, choice: Choice) -> Held {
        allowed(at, request, choice)?;
        let law = "what may have arrived is not repeated unless that does no harm";
        let harmless = request.method == Method::Get || !request.may_have_arrived;
        hold(at, law, harmless, || format!("{request:?}"))?;
        let policy = &request.view.service.spec.retry;
        let law = "no more tries than the policy says";
        // One more where the only endpoint had closed a kept connection.
        let tries = request.tried.len() <= usize::from(policy.attempts);
        hold(at, law, tries, || format!("{:?}", request.tried))?;
        let spent = self.spent.entry(request.edge).or_default();
        spent.retries.push_back(at);
        spent.forget(at);
        spent.within_budget(at, policy)
    }
}

/// What is off, taken out or down gets nothing; where the service fails open, what is down may.
fn allowed(at: Instant, request: &Request, choice: Choice) -> Held {
    let service = &request.view.service;
    let backend = service.backends.get(choice.backend);
    let off = backend.is_none_or(|backend| backend.off);
    hold(at, "what is off gets nothing", !off, || {
        format!("{request:?}")
    })?;
    let usable = request.view.chosen(choice).is_some_and(|(_, endpoint)| {
        let up = endpoint.observed.is_usable() || service.mode == Mode::FailOpen;
        endpoint.usable && endpoint.admin.takes_new() && up
    });
    hold(at, "what is not usable gets nothing", usable, || {
        format!("{request:?}")
    })
}

/// Shares sum to exactly 10 000, or are all zero where nothing is served, and what is off or has nobody up has none.
fn row_is_exact(at: Instant, service: &Service) -> Held {
    let shares = || {
        service
            .backends
            .iter()
            .map(|b| u64::from(b.effective.get()))
    };
    let sum: u64 = shares().sum();
    let wanted = if matches!(service.mode, Mode::Refuse(_)) {
        0
    } else {
        10_000
    };
    let row = || {
        let backends = service.backends.iter();
        let row: Vec<_> = backends
            .map(|b| (b.name.as_str(), b.effective.get(), b.off))
            .collect();
        format!("{row:?}, {:?}", service.mode)
    };
    hold(at, "shares sum to exactly one", sum == wanted, row)?;
    let off = service
        .backends
        .iter()
        .all(|b| !b.off || b.effective.is_zero());
    hold(at, "what is off has no share", off, row)?;
    let usable = service
        .backends
        .iter()
        .all(|b| b.effective.is_zero() || b.endpoints.iter().any(|e| e.usable));
    hold(at, "a share is where somebody can take it", usable, row)
}

impl OfWorker {
    /// Another row begins another window.
    fn count(&mut self, service: &Service, turn: usize) {
        let backends = service.backends.iter();
        let row: Vec<_> = backends
            .map(|b| (b.name.clone(), b.effective.get()))
            .collect();
        if row != self.row {
            self.row = row;
            self.picks.clear();
            self.picked = 0;
        }
        if let Some((name, _)) = self.row.get(turn) {
            *self.picks.entry(name.clone()).or_default() += 1;
        }
        self.picked += 1;
    }

    /// In a window of one row no backend is two picks or more from its quota.
    fn is_exact(&self, at: Instant) -> Held {
        for (name, share) in &self.row {
            let picks = self.picks.get(name).copied().unwrap_or(0);
            let lag = (picks * 10_000).abs_diff(self.picked * u64::from(*share));
            hold(
                at,
                "a worker's picks follow the shares",
                lag < 20_000,
                || format!("{name}: {picks} of {} at {share}", self.picked),
            )?;
        }
        Ok(())
    }
}

impl Spent {
    fn forget(&mut self, at: Instant) {
        let old = |then: &Instant| *then + BUDGET_WINDOW <= at;
        while self.requests.front().is_some_and(old) {
            self.requests.pop_front();
        }
        while self.retries.front().is_some_and(old) {
            self.retries.pop_front();
        }
    }

    /// In ten seconds no more retries than the ratio of the requests, or the minimum if that is more.
    fn within_budget(&self, at: Instant, policy: &RetryPolicy) -> Held {
        let (requests, retries) = (self.requests.len(), self.retries.len());
        let by_ratio = requests * usize::from(policy.budget_ratio.get()) / 10_000;
        let least = usize::try_from(policy.budget_min_per_second).unwrap_or(usize::MAX);
        let granted = by_ratio.max(least.saturating_mul(10));
        hold(
            at,
            "retries stay within the budget",
            retries <= granted,
            || format!("{retries} retries of {requests} requests in ten seconds"),
        )
    }
}
