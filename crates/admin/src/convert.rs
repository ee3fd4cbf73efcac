//! Types of the inner crates to wire types, and names and shares of requests back. Only turns one into the other: what
//! is shown is decided in [`picture`](crate::picture).

mod config;
mod shift;

use std::collections::BTreeMap;

use bascule_model::{
    AdminState, BackendName, BasisPoints, Instant, ObservedState, ServiceName, Shares, Timestamp,
};
use bascule_plan::view::{Accepted, AdminEntry, HistoryEntry, OverrideView, RowChange};
use bascule_telemetry::clock;

pub(crate) use config::{config_state, diagnostics, hash};
pub(crate) use shift::{evacuation, shift};

use crate::api;
use crate::problem::{Code, Refused};

/// A row in percent.
pub(crate) fn shares(row: &Shares) -> BTreeMap<String, f64> {
    row.iter()
        .map(|(name, share)| (name.to_string(), share.percent()))
        .collect()
}

/// A wall-clock time. One beyond what the wire's type holds is its end.
pub(crate) fn time(at: Timestamp) -> jiff::Timestamp {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX)
}

/// The wall-clock time of an instant that has passed.
pub(crate) fn past(at: Instant) -> jiff::Timestamp {
    let age = u64::try_from(clock::now().since(at).as_millis()).unwrap_or(u64::MAX);
    time(Timestamp::from_millis(
        clock::wall().as_millis().saturating_sub(age),
    ))
}

/// Why and since when traffic took an endpoint out.
pub(crate) fn ejection(ejection: bascule_health::Ejection) -> api::Ejection {
    api::Ejection {
        reason: ejection.offence.as_str().to_owned(),
        details: ejection.offence.to_string(),
        with_provider: ejection.with_provider,
        since: past(ejection.since),
        times: ejection.times,
        trials_passed: ejection.trials_passed,
    }
}

/// Percent of a request as a share.
///
/// # Errors
/// The place, when it is not 0 to 100 with at most two decimals.
pub(crate) fn share(pointer: &str, percent: f64) -> Result<BasisPoints, Refused> {
    let points = BasisPoints::from_ratio(percent / 100.0);
    let exact = (points.percent() - percent).abs() < 1e-9;
    if exact && percent.is_finite() {
        return Ok(points);
    }
    let detail = format!("{percent} is not a share: 0 to 100 percent, at most two decimals");
    Err(Refused::field(pointer, detail))
}

/// The shares of a request.
///
/// # Errors
/// The place of the first that is not a name or not a share.
pub(crate) fn shares_asked(
    row: &BTreeMap<String, f64>,
) -> Result<Vec<(BackendName, BasisPoints)>, Refused> {
    if row.is_empty() {
        return Err(Refused::field("/shares", "name at least one backend"));
    }
    row.iter()
        .map(|(name, percent)| {
            let pointer = format!("/shares/{}", name.replace('~', "~0").replace('/', "~1"));
            let backend = BackendName::parse(name)
                .map_err(|error| Refused::field(&pointer, format!("`{name}`: {error}")))?;
            Ok((backend, share(&pointer, *percent)?))
        })
        .collect()
}

/// The service of a path.
///
/// # Errors
/// 404 when it cannot be a name.
pub(crate) fn service_asked(name: &str) -> Result<ServiceName, Refused> {
    ServiceName::parse(name).map_err(|error| {
        Refused::new(
            Code::UnknownService,
            format!("`{name}` is no service: {error}"),
        )
    })
}

pub(crate) const fn admin_state(state: AdminState) -> api::AdminState {
    match state {
        AdminState::Ready => api::AdminState::Ready,
        AdminState::Drain => api::AdminState::Drain,
        AdminState::Maint => api::AdminState::Maint,
        AdminState::Offline => api::AdminState::Offline,
    }
}

pub(crate) const fn admin_asked(state: api::AdminState) -> AdminState {
    match state {
        api::AdminState::Ready => AdminState::Ready,
        api::AdminState::Drain => AdminState::Drain,
        api::AdminState::Maint => AdminState::Maint,
        api::AdminState::Offline => AdminState::Offline,
    }
}

pub(crate) const fn observed(state: ObservedState) -> api::ObservedState {
    match state {
        ObservedState::Up => api::ObservedState::Up,
        ObservedState::Degraded => api::ObservedState::Degraded,
        ObservedState::Unknown => api::ObservedState::Unknown,
        ObservedState::Down => api::ObservedState::Down,
    }
}

pub(crate) fn admin_entry(entry: &AdminEntry) -> api::AdminEntry {
    api::AdminEntry {
        state: admin_state(entry.state),
        actor: entry.actor.clone(),
        reason: entry.reason.clone(),
        set_at: time(entry.set_at),
    }
}

pub(crate) fn override_row(view: &OverrideView) -> api::Override {
    api::Override {
        shares: shares(&view.shares),
        off: view.off.iter().map(ToString::to_string).collect(),
        actor: view.actor.clone(),
        reason: view.reason.clone(),
        set_at: time(view.set_at),
        expires_at: time(view.expires_at),
        evacuation: view.evacuation.clone(),
    }
}

pub(crate) fn change(accepted: &Accepted, dry_run: bool) -> api::Change {
    let row = |(name, (before, after)): (&ServiceName, &(Shares, Shares))| {
        let change = api::RowChange {
            before: Some(shares(before)),
            after: shares(after),
        };
        (name.to_string(), change)
    };
    api::Change {
        revision: accepted.revision.0,
        dry_run,
        shifts: accepted.shifts.clone(),
        evacuation: accepted.evacuation.clone(),
        rows: accepted.rows.iter().map(row).collect(),
        warnings: accepted.warnings.clone(),
    }
}

pub(crate) fn history_entry(recorded: &bascule_control::Recorded) -> api::HistoryEntry {
    let HistoryEntry {
        revision,
        at,
        actor,
        action,
        object,
        reason,
        refused,
        rows,
    } = &recorded.entry;
    let row = |(name, change): (&ServiceName, &RowChange)| {
        let change = api::RowChange {
            before: change.before.as_ref().map(shares),
            after: shares(&change.after),
        };
        (name.to_string(), change)
    };
    api::HistoryEntry {
        sequence: recorded.sequence,
        hash: recorded.hash.clone(),
        revision: revision.0,
        at: time(*at),
        actor: actor.clone(),
        action: action.clone(),
        object: object.clone(),
        reason: reason.clone(),
        refused: refused.clone(),
        rows: rows.iter().map(row).collect(),
    }
}

/// An event.
pub(crate) fn event(event: &bascule_telemetry::events::Event) -> api::Event {
    api::Event {
        seq: event.seq,
        at: time(event.at),
        kind: event.kind.to_owned(),
        service: event.service.as_ref().map(ToString::to_string),
        backend: event.backend.as_ref().map(ToString::to_string),
        provider: event.provider.as_ref().map(ToString::to_string),
        message: event.message.clone(),
        data: event.data.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_at_most_two_decimals() {
        for good in [0.0, 100.0, 33.33, 0.01, 7.1, 99.99] {
            assert!(share("/x", good).is_ok(), "{good}");
        }
        for bad in [-1.0, 100.01, 33.333, 0.001, f64::NAN, f64::INFINITY] {
            assert!(share("/x", bad).is_err(), "{bad}");
        }
    }
}
