//! Watching a step: what was measured at the receivers since it is in effect, and whether that lets the ramp go on.
//! Missing data never passes. Nothing here outlives the process: after a restart the step is watched anew.

use std::collections::BTreeMap;
use std::time::Duration;

use bascule_model::{BackendName, Instant, Revision, Timestamp};

use super::meter::{Meter, Totals};
use super::{BackendHealth, Health, Now, ShiftRecord};
use crate::policy::Guardrails;
use crate::view::{ReceiverView, ShiftCause};

/// Requests that a receiver must have answered in a step before it is judged: below, one slow answer is the p95.
pub(super) const REQUESTS_MIN: u64 = 50;
/// Errors that are needed to break the limit of errors: a single one is no trend.
const ERRORS_MIN: u64 = 2;
/// A p95 that rises by less than this is not felt; where answers take a millisecond, +30 % is noise of the scheduler.
const P95_RISE_MIN: f64 = 0.005;

/// How one step of a shift is watched.
#[derive(Debug, Default, Clone)]
pub(super) struct Watch {
    /// The revision that has the step.
    pub revision: Revision,
    /// Since when all workers use it.
    pub since: Option<Since>,
    /// The totals when the first reading after that came.
    base: Option<(Instant, BTreeMap<BackendName, Totals>)>,
    /// Since when a limit is broken.
    pub broken_since: Option<Instant>,
    /// A limit was broken at some time in this step.
    pub was_broken: bool,
    /// What was measured.
    pub receivers: BTreeMap<BackendName, ReceiverView>,
    /// Why it is held.
    pub held: Option<String>,
    /// A person lets it go on without judgement.
    pub waived: bool,
}

/// A moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since {
    pub instant: Instant,
    pub wall: Timestamp,
}

/// What a step's measurements say.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// All receivers were measured and are within their limits.
    Pass,
    /// Not enough was seen, and why.
    NoData(String),
    /// The service had hardly any request: nobody can be harmed, and nothing be measured.
    NoTraffic(String),
    /// A receiver is beyond a limit.
    Broken(String),
}

impl Watch {
    /// Watches a step that is in effect once all workers use `revision`.
    pub(super) fn new(revision: Revision) -> Self {
        Self {
            revision,
            ..Self::default()
        }
    }

    /// All workers use the step now.
    pub(super) const fn begin(&mut self, now: Now) {
        self.since = Some(Since {
            instant: now.instant,
            wall: now.wall,
        });
    }

    /// Measures from here on, forgetting what was.
    pub(super) fn rebase(&mut self) {
        self.base = None;
        self.broken_since = None;
    }

    /// Takes a new reading into account.
    pub(super) fn measure(
        &mut self,
        now: Instant,
        shift: &ShiftRecord,
        guardrails: &Guardrails,
        meter: &Meter,
        health: &Health,
    ) {
        let (Some(since), Some(read_at)) = (self.since, meter.latest_at()) else {
            return;
        };
        if read_at < since.instant {
            return;
        }
        let totals = meter.service(&shift.view.service);
        let (_, base) = self.base.get_or_insert_with(|| (read_at, totals.clone()));
        let measured = receivers(shift).map(|name| {
            let latest = totals.get(name).cloned().unwrap_or_default();
            let before = base.get(name).cloned().unwrap_or_default();
            let view = receiver_view(&latest.since(&before), shift, name, guardrails);
            (name.clone(), view)
        });
        self.receivers = measured.collect();
        let broken = self.broken(shift, guardrails, health).is_some();
        self.was_broken |= broken;
        self.broken_since = match (broken, self.broken_since) {
            (true, None) => Some(now),
            (true, since) => since,
            (false, _) => None,
        };
    }

    /// Since when it measures.
    pub(super) fn based_at(&self) -> Option<Instant> {
        self.base.as_ref().map(|(at, _)| *at)
    }

    /// Whether a limit was broken for long enough to turn back, and how.
    pub(super) fn broken_for(&self, now: Instant, hold: Duration) -> bool {
        self.broken_since
            .is_some_and(|since| now.since(since) >= hold)
    }

    /// What the measurements say.
    pub(super) fn judge(
        &self,
        now: Instant,
        shift: &ShiftRecord,
        guardrails: &Guardrails,
        meter: &Meter,
        health: &Health,
    ) -> Verdict {
        if let Some(detail) = self.broken(shift, guardrails, health) {
            return Verdict::Broken(detail);
        }
        if !meter.is_fresh(now) || self.base.is_none() {
            return Verdict::NoData("the edge has reported nothing for some seconds".to_owned());
        }
        let few = |(name, seen): (&BackendName, &ReceiverView)| {
            let answered = seen.requests;
            (answered < REQUESTS_MIN)
                .then(|| format!("{name} answered {answered} requests in this step, {REQUESTS_MIN} are needed to judge it"))
        };
        match self.receivers.iter().find_map(few) {
            None => Verdict::Pass,
            Some(detail) if self.is_idle(shift, meter) => Verdict::NoTraffic(detail),
            Some(detail) => Verdict::NoData(detail),
        }
    }

    /// Whether no receiver was even given enough requests to be judged by.
    fn is_idle(&self, shift: &ShiftRecord, meter: &Meter) -> bool {
        let given = |name: &BackendName| {
            let before = self.base.as_ref().and_then(|(_, base)| base.get(name));
            let latest = meter.backend(&shift.view.service, name);
            latest.since(&before.cloned().unwrap_or_default()).picks
        };
        receivers(shift).all(|name| given(name) < REQUESTS_MIN)
    }

    fn broken(
        &self,
        shift: &ShiftRecord,
        guardrails: &Guardrails,
        health: &Health,
    ) -> Option<String> {
        let down = receivers(shift).find(|name| is_down(health, shift, name));
        if let Some(name) = down {
            return Some(format!("{name} has no endpoint that is up"));
        }
        let over = |(name, seen): (&BackendName, &ReceiverView)| {
            if seen.requests < REQUESTS_MIN {
                return None;
            }
            let limit = guardrails.receiver_errors;
            #[expect(
                clippy::cast_precision_loss,
                reason = "a ratio needs no more precision than a float has"
            )]
            let errors = seen.error_ratio * seen.requests as f64;
            #[expect(clippy::cast_precision_loss, reason = "it is 2")]
            if seen.error_ratio > limit.ratio() && errors + 0.5 >= ERRORS_MIN as f64 {
                let percent = seen.error_ratio * 100.0;
                return Some(format!("{name} errors {percent:.2} % (limit {limit} %)"));
            }
            let (p95, limit) = (seen.p95_seconds?, seen.p95_limit_seconds?);
            let (ms, limit_ms) = (p95 * 1000.0, limit * 1000.0);
            (p95 > limit).then(|| format!("{name} p95 {ms:.0} ms (limit {limit_ms:.0} ms)"))
        };
        self.receivers.iter().find_map(over)
    }
}

/// The backends whose share grows on the leg that the shift is on, and that have a share by now.
pub(super) fn receivers(shift: &ShiftRecord) -> impl Iterator<Item = &BackendName> {
    let grows = |name: &BackendName, to: bascule_model::BasisPoints| {
        to > shift.leg_from.get(name).unwrap_or_default()
    };
    shift
        .view
        .now
        .iter()
        .filter(|(_, share)| !share.is_zero())
        .filter(move |(name, _)| grows(name, shift.leg_to.get(name).unwrap_or_default()))
        .map(|(name, _)| name)
}

/// Whether a backend of the shift's service has no endpoint that is up. What was never seen is not down.
pub(super) fn is_down(health: &Health, shift: &ShiftRecord, name: &BackendName) -> bool {
    let key = (shift.view.service.clone(), name.clone());
    health.get(&key).is_some_and(BackendHealth::is_down)
}

impl BackendHealth {
    /// Whether it has no endpoint that is up.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        self.up == 0
    }
}

fn receiver_view(
    seen: &Totals,
    shift: &ShiftRecord,
    name: &BackendName,
    guardrails: &Guardrails,
) -> ReceiverView {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a ratio needs no more precision than a float has"
    )]
    let error_ratio = if seen.requests == 0 {
        0.0
    } else {
        seen.errors as f64 / seen.requests as f64
    };
    let limit =
        |before: f64| (before * (1.0 + guardrails.receiver_p95_rise)).max(before + P95_RISE_MIN);
    ReceiverView {
        requests: seen.requests,
        error_ratio,
        p95_seconds: seen.latency.quantile(0.95).map(|p95| p95.as_secs_f64()),
        p95_limit_seconds: shift.p95_before.get(name).copied().map(limit),
    }
}

impl Verdict {
    /// Whether the next step may be taken, else why the shift is held. What goes home or away from trouble is not held by
    /// a lack of traffic; what a person moves is.
    pub(super) fn lets_go_on(self, cause: ShiftCause, was_broken: bool) -> Result<(), String> {
        let own = matches!(
            cause,
            ShiftCause::OverrideEnd | ShiftCause::Evacuate | ShiftCause::Restore
        );
        match self {
            Self::Pass => Ok(()),
            Self::NoTraffic(_) if own && !was_broken => Ok(()),
            Self::NoData(_) if cause == ShiftCause::Evacuate && !was_broken => Ok(()),
            Self::NoData(detail) | Self::NoTraffic(detail) => Err(format!("no data: {detail}")),
            Self::Broken(detail) => Err(detail),
        }
    }
}
