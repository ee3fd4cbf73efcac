//! What of the status stands in clouds: where endpoints are found, and where else the split becomes true.

use bascule_admin::api::Status;

use crate::cli::text::{self, Clock};

/// Where in clouds endpoints are found: a line each, and another for what is wrong with it.
pub(super) fn sources(status: &Status, clock: &Clock) -> Option<String> {
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
            let since = text::coarse(clock.ago(failing.since));
            let times = text::plural(usize::try_from(failing.count).unwrap_or(usize::MAX), "time");
            lines.push_str(&format!(
                "  ! failing for {since} ({times}): {}\n",
                failing.message
            ));
        }
    }
    (!lines.is_empty()).then_some(lines)
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
                format!("rev {revision} read back {ago} ago")
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
    }
    (!lines.is_empty()).then_some(lines)
}
