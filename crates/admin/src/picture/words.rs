//! The words beside the numbers. Short, with numbers, and only what differs from the ordinary.

use std::time::Duration;

use bascule_model::{AdminTarget, BasisPoints, Timestamp};
use bascule_plan::view::{AdminEntry, OverrideView};
use bascule_traffic::snapshot::{Backend, Service};
use bascule_traffic::spec::Role;

use super::{Picture, takes_part};
use crate::api;

/// Why the backend's effective share is not the declared one; empty when it is.
pub(crate) fn why(picture: &Picture<'_>, service: &Service, backend: &Backend) -> String {
    let off = off_why(picture, service, backend);
    if !off.is_empty() {
        return off;
    }
    let mut parts = Vec::new();
    let target = target_why(picture, service, backend);
    if !target.is_empty() {
        parts.push(target);
    }
    let factors = backend.factors;
    if factors.health < 1.0 {
        let (up, total) = (factors.up, factors.total);
        parts.push(format!(
            "{up} of {total} endpoints up, factor {:.2}",
            factors.health
        ));
    }
    if factors.slow_start < 1.0 {
        parts.push(format!(
            "returning, ramp at {:.0} %",
            factors.slow_start * 100.0
        ));
    }
    if factors.capacity < 1.0 {
        parts.push("full: the rest goes to others".to_owned());
    }
    let own = factors.health >= 1.0 && factors.slow_start >= 1.0 && factors.capacity >= 1.0;
    if own && backend.effective != factors.target {
        parts.push("takes over what others cannot serve".to_owned());
    }
    parts.join("; ")
}

/// Why the target is not the declared share; empty when it is.
pub(crate) fn target_why(picture: &Picture<'_>, service: &Service, backend: &Backend) -> String {
    let (declared, target) = (&service.spec.declared, &service.target);
    if declared.get(&backend.name) == target.get(&backend.name) {
        return String::new();
    }
    let view = picture.view(service.name());
    let row = view.and_then(|view| view.override_row.as_ref());
    let shift = view.and_then(|view| view.shift.as_ref());
    match (row, shift) {
        (Some(row), None) => override_words(row, picture.now),
        (Some(row), Some(shift)) => {
            format!(
                "{}, shift {shift} is moving",
                override_words(row, picture.now)
            )
        }
        (None, Some(shift)) => format!("shift {shift} is moving it back"),
        (None, None) => String::new(),
    }
}

/// `override by ops, CHG-4412, 23 h left`.
pub(crate) fn override_words(row: &OverrideView, now: Timestamp) -> String {
    let what = match &row.evacuation {
        Some(id) => format!("evacuation {id}"),
        None => "override".to_owned(),
    };
    let reason = comma(&row.reason);
    let left = span(row.expires_at.since(now));
    format!("{what} by {}{reason}, {left} left", row.actor)
}

/// Why the backend is off; empty when it is not.
pub(crate) fn off_why(picture: &Picture<'_>, service: &Service, backend: &Backend) -> String {
    if !backend.off {
        return String::new();
    }
    let own = AdminTarget::Backend(service.name().clone(), backend.name.clone());
    let provider = AdminTarget::Provider(backend.provider.clone());
    let entry = |target: &AdminTarget| picture.state.admin.get(target);
    if let Some(entry) = entry(&own) {
        return admin_words("", entry);
    }
    if let Some(entry) = entry(&provider) {
        return admin_words(&format!("provider {} ", backend.provider), entry);
    }
    let view = picture.view(service.name());
    let row = view.and_then(|view| view.override_row.as_ref());
    if let Some(row) = row.filter(|row| row.off.contains(&backend.name)) {
        return format!("off: {}", override_words(row, picture.now));
    }
    let spec = service.spec.backends.get(&backend.name);
    match spec.map(|spec| spec.role) {
        Some(Role::Weighted(0)) => "off: weight 0 in the configuration".to_owned(),
        _ => "off".to_owned(),
    }
}

fn admin_words(what: &str, entry: &AdminEntry) -> String {
    let reason = comma(&entry.reason);
    format!(
        "{what}{} set by {}{reason}",
        entry.state.as_str(),
        entry.actor
    )
}

fn comma(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(", {reason}")
    }
}

/// A span as people say it: `40 s`, `12 min`, `23 h`, `3 d`.
pub(crate) fn span(span: Duration) -> String {
    match span.as_secs() {
        s @ ..60 => format!("{s} s"),
        s @ 60..7200 => format!("{} min", s / 60),
        s @ 7200..172_800 => format!("{} h", s / 3600),
        s => format!("{} d", s / 86_400),
    }
}

/// What stands out in a service; empty when all is well.
pub(crate) fn summary(
    mode: api::Mode,
    refusal: Option<&str>,
    shed: BasisPoints,
    backends: &[api::Backend],
) -> Vec<String> {
    let mut lines = Vec::new();
    match (mode, refusal) {
        (api::Mode::Refuse, Some("all_off")) => {
            lines.push("every request is refused: all backends are off".to_owned());
        }
        (api::Mode::Refuse, _) => {
            lines.push("every request is refused: no backend is up".to_owned());
        }
        (api::Mode::FailOpen, _) => {
            lines.push("no backend is up: all are tried all the same (fail-open)".to_owned());
        }
        (api::Mode::Serve, _) => {}
    }
    if !shed.is_zero() {
        lines.push(format!(
            "{shed} % of requests are shed: more comes than the backends that are up can take"
        ));
    }
    for backend in backends {
        let (name, up, total) = (&backend.name, backend.endpoints_up, backend.endpoints_total);
        let counts = format!("{up} of {total} endpoints up");
        let line = match (backend.off, backend.observed_state) {
            (true, _) if !backend.why.is_empty() => format!("{name} gets nothing: {}", backend.why),
            (true, _) => continue,
            (_, api::ObservedState::Up) => continue,
            (_, api::ObservedState::Unknown) if takes_part(backend) => {
                format!("{name} is not known yet")
            }
            (_, api::ObservedState::Unknown) => continue,
            (_, api::ObservedState::Degraded) => format!("{name} works in part: {counts}"),
            (_, api::ObservedState::Down) => format!("{name} is down: {counts}"),
        };
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_as_people_say_them() {
        let said = [0, 59, 60, 7199, 7200, 86_400, 172_800].map(|s| span(Duration::from_secs(s)));
        assert_eq!(
            said,
            ["0 s", "59 s", "1 min", "119 min", "2 h", "24 h", "2 d"]
        );
    }
}
