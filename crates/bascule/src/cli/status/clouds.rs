//! What of the status stands in clouds: where endpoints are found, and where else the split becomes true.

use std::time::Duration;

use bascule_admin::api::{ActuatorDns, Failing, Observed, Status};

use crate::cli::text::{self, Clock};

/// Where in clouds endpoints are found: a line each, and another for what is wrong with it; wide also what the clouds say.
pub(super) fn sources(status: &Status, wide: bool, clock: &Clock) -> Option<String> {
    let mut lines = String::new();
    for source in &status.sources {
        let (account, name) = (&source.account, &source.source);
        let running = text::plural(source.running, "instance");
        let age = match source.good_at {
            Some(at) => format!("as of {} ago", text::coarse(clock.ago(at))),
            None => "no answer yet".to_owned(),
        };
        let backends = source.backends.join(", ");
        lines.push_str(&format!(
            "Source {account} {name}: {running}, {age}   for {backends}\n"
        ));
        if let Some(since) = source.doubted_since {
            let since = text::coarse(clock.ago(since));
            lines.push_str(&format!(
                "  ! more than half of it would be gone for {since}: held back until confirmed\n"
            ));
        }
        if let Some(failing) = &source.failing {
            lines.push_str(&self::failing("failing", failing, clock));
        }
        if let Some(observed) = source.observed.as_ref().filter(|_| wide) {
            lines.push_str(&self::observed(observed, clock));
        }
    }
    (!lines.is_empty()).then_some(lines)
}

fn failing(what: &str, failing: &Failing, clock: &Clock) -> String {
    let since = text::coarse(clock.ago(failing.since));
    let times = text::plural(usize::try_from(failing.count).unwrap_or(usize::MAX), "time");
    format!("  ! {what} for {since} ({times}): {}\n", failing.message)
}

/// What a cloud says of a source: each with its age, and by how much it came late.
fn observed(observed: &Observed, clock: &Clock) -> String {
    let mut parts = Vec::new();
    if let Some(health) = &observed.health {
        let counts = health.instances.iter();
        let counts: Vec<String> = counts.map(|(word, n)| format!("{n} {word}")).collect();
        let age = age(health.age_seconds, health.lag_seconds);
        parts.push(format!("{} ({age})", counts.join(", ")));
    }
    for value in &observed.values {
        let shown = match value.what.as_str() {
            "cpu_ratio" => format!("processors {} %", text::share(value.value * 100.0)),
            "instances_wanted" => format!("{} wanted", value.value),
            "instances_max" => format!("{} at most", value.value),
            other => format!("{other} {}", value.value),
        };
        let age = age(value.age_seconds, value.lag_seconds);
        parts.push(format!("{shown} ({age})"));
    }
    let mut lines = match parts.is_empty() {
        true => String::new(),
        false => format!("  observed: {}\n", parts.join(" · ")),
    };
    let not_healthy = observed.health.iter().flat_map(|h| &h.not_healthy);
    let named: Vec<String> = not_healthy.map(|(of, is)| format!("{of} {is}")).collect();
    if !named.is_empty() {
        lines.push_str(&format!("  not healthy there: {}\n", named.join(", ")));
    }
    if let Some(failing) = &observed.failing {
        lines.push_str(&self::failing("not observed", failing, clock));
    }
    lines
}

fn age(age: f64, lag: f64) -> String {
    let whole = |seconds: f64| {
        Duration::try_from_secs_f64(seconds)
            .unwrap_or_default()
            .as_secs()
    };
    let old = format!("{} old", text::coarse(whole(age)));
    match whole(lag) {
        0 => old,
        lag => format!("{old}, {} late", text::coarse(lag)),
    }
}

/// Where else the split becomes true: a line each, and another for what is wrong with it.
pub(super) fn actuators(status: &Status, clock: &Clock) -> Option<String> {
    let mut lines = String::new();
    for actuator in &status.actuators {
        let number = |(name, number): (&String, &Option<u32>)| match number {
            Some(0) => format!("{name} off"),
            Some(number) => format!("{name} {number}"),
            None => format!("{name} not set"),
        };
        let members: Vec<String> = actuator.members.iter().map(number).collect();
        let (service, account, name) = (&actuator.service, &actuator.account, &actuator.actuator);
        let stands = match (actuator.confirmed, actuator.read_at) {
            (Some(revision), Some(at)) => {
                let ago = text::coarse(clock.ago(at));
                let dns = actuator.dns.as_ref();
                let agrees = dns.is_some_and(|dns| dns.verdict == "agrees");
                let dns = if agrees { ", and DNS answers so" } else { "" };
                format!("rev {revision} read back {ago} ago{dns}")
            }
            _ => "not set yet".to_owned(),
        };
        lines.push_str(&format!(
            "Applied to {account} {name} for {service}: {}   {stands}\n",
            members.join("  ")
        ));
        if actuator
            .confirmed
            .is_some_and(|confirmed| confirmed < actuator.wanted)
        {
            lines.push_str(&format!(
                "  ! behind: the edges have rev {}\n",
                actuator.wanted
            ));
        }
        if actuator.foreign > 0.0 {
            lines.push_str(&format!(
                "  ! {} % of it goes to what is not set here\n",
                text::share(actuator.foreign)
            ));
        }
        if let Some(since) = actuator.drifted_since {
            let since = text::coarse(clock.ago(since));
            lines.push_str(&format!(
                "  ! changed by another tool {since} ago, and left until shares change\n"
            ));
        }
        if let Some(failing) = &actuator.failing {
            let since = text::coarse(clock.ago(failing.since));
            lines.push_str(&format!("  ! failing for {since}: {}\n", failing.message));
        }
        if let Some(dns) = &actuator.dns {
            lines.push_str(&heard(dns, clock));
        }
    }
    (!lines.is_empty()).then_some(lines)
}

/// What DNS answers, unless that is as it should be.
fn heard(dns: &ActuatorDns, clock: &Clock) -> String {
    let mut lines = match (dns.verdict.as_str(), dns.differs_since) {
        ("differs", Some(since)) => {
            let since = text::coarse(clock.ago(since));
            format!("  ! {}   for {since}\n", dns.message)
        }
        // It was told, and now there is no answer, or there are too few.
        (_, Some(since)) => {
            let since = text::coarse(clock.ago(since));
            format!("  ! DNS answered otherwise {since} ago, and has not been heard to agree\n")
        }
        ("differs", None) => format!("  {}: asked again\n", dns.message),
        ("unclear", None) => format!("  {}\n", dns.message),
        _ => String::new(),
    };
    if !dns.failures.is_empty() {
        let failures = dns.failures.join("; ");
        let what = if dns.verdict == "not_asked" {
            "not asked"
        } else {
            "asked in part"
        };
        lines.push_str(&format!("  ! DNS {what}: {failures}\n"));
    }
    lines
}
