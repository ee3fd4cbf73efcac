//! `shift` and `undo`: show what would change, ask, change it, follow it. The revision that was shown is the one the
//! change is based on.

use std::collections::BTreeMap;

use bascule_admin::api::{
    Change, Pace, ReasonRequest, Role, RowChange, Service, ShiftRequest, Status,
};
use http::Method;

use super::args::{Format, ShiftArgs, UndoArgs};
use super::client::segment;
use super::exit::{CliError, CliResult, Exit};
use super::follow::{self, Interrupt};
use super::session::{NO_BODY, Session, Shown};
use super::text;

/// `shift SERVICE BACKEND=PERCENT…`.
pub(crate) async fn shift(session: &mut Session<'_>, args: &ShiftArgs) -> CliResult {
    session.can_ask()?;
    let service: Service = session
        .get(&format!("/v1/services/{}", segment(&args.service)))
        .await?;
    let ask = Ask::of(args, session.global.reason.clone());
    let check = ask.check(session, service.revision).await;
    let check = check.map_err(|error| with_command(error, args))?;
    session.tell(&plan(&service, &check, args))?;
    session.warn(&check);
    if session.global.dry_run {
        return checked(session, &check);
    }
    session.confirm("Apply? only \"yes\" continues: ", "yes")?;
    let change = ask.make(session, service.revision, &check).await?;
    started(session, &change, service.revision, args.detach).await
}

/// `undo [REV]`.
pub(crate) async fn undo(session: &mut Session<'_>, args: &UndoArgs) -> CliResult {
    session.can_ask()?;
    let status: Status = session.get("/v1/status").await?;
    let to = args
        .revision
        .map_or_else(|| "previous".to_owned(), |revision| revision.to_string());
    let path = format!("/v1/history/{to}/restore");
    let body = ReasonRequest {
        reason: session.global.reason.clone(),
    };
    let check = session
        .check(Method::POST, &path, status.revision, Some(&body))
        .await?;
    let whereto = args.revision.map_or_else(
        || "before the last change".to_owned(),
        |r| format!("of revision {r}"),
    );
    let mut plan = format!(
        "Back to the overrides and admin states {whereto}, from revision {}\n",
        status.revision
    );
    for (service, row) in &check.rows {
        plan.push_str(&format!("\n  ~ service \"{service}\"\n"));
        plan.push_str(&rows(row, &BTreeMap::new()));
    }
    session.tell(&plan)?;
    session.warn(&check);
    if session.global.dry_run {
        return checked(session, &check);
    }
    session.confirm("Go back? only \"yes\" continues: ", "yes")?;
    let shown = if args.revision.is_some() {
        Shown::Change(&check)
    } else {
        Shown::State
    };
    let change = session
        .make(Method::POST, &path, status.revision, Some(&body), shown)
        .await?;
    started(session, &change, status.revision, args.detach).await
}

/// What is asked of the API.
enum Ask {
    Shift(ShiftRequest),
    Declared(String),
}

impl Ask {
    fn of(args: &ShiftArgs, reason: Option<String>) -> Self {
        if args.declared {
            let pace = if args.now { "now" } else { "policy" };
            return Self::Declared(format!(
                "/v1/services/{}/overrides?pace={pace}",
                segment(&args.service)
            ));
        }
        let pace = match (args.now, args.step, args.bake) {
            (true, ..) => Pace::Now,
            (_, Some(step), Some(bake)) => Pace::Steps {
                step: step.percent(),
                bake_seconds: bake.0.as_secs_f64(),
            },
            _ => Pace::Policy,
        };
        let shares = args
            .shares
            .iter()
            .map(|one| (one.backend.to_string(), one.share.percent()));
        Self::Shift(ShiftRequest {
            service: args.service.clone(),
            shares: shares.collect(),
            pace,
            expires_in_seconds: args.expires.map(|expires| expires.0.as_secs()),
            reason,
        })
    }

    async fn check(&self, session: &mut Session<'_>, revision: u64) -> Result<Change, CliError> {
        match self {
            Self::Shift(request) => {
                session
                    .check(Method::POST, SHIFTS, revision, Some(request))
                    .await
            }
            Self::Declared(path) => session.check(Method::DELETE, path, revision, NO_BODY).await,
        }
    }

    async fn make(
        &self,
        session: &mut Session<'_>,
        revision: u64,
        shown: &Change,
    ) -> Result<Change, CliError> {
        let shown = Shown::Change(shown);
        match self {
            Self::Shift(request) => {
                session
                    .make(Method::POST, SHIFTS, revision, Some(request), shown)
                    .await
            }
            Self::Declared(path) => {
                session
                    .make(Method::DELETE, path, revision, NO_BODY, shown)
                    .await
            }
        }
    }
}

const SHIFTS: &str = "/v1/shifts";

/// A refusal by rails, with the command that passes all of them.
fn with_command(mut error: CliError, args: &ShiftArgs) -> CliError {
    let row = error
        .problem
        .as_ref()
        .and_then(|problem| problem.nearest.clone());
    if let (Some(row), Exit::Refused) = (row, error.exit) {
        let row = text::assignments(&row);
        error
            .help
            .insert(0, format!("passes: bascule shift {} {row}", args.service));
    }
    error
}

/// What will change, for the person who is asked.
fn plan(service: &Service, check: &Change, args: &ShiftArgs) -> String {
    let mut plan = format!(
        "Shift of service {}, on revision {}\n\n",
        service.name, service.revision
    );
    let Some(row) = check.rows.get(&service.name) else {
        plan.push_str("  The shares stay as they are; only how long they hold changes.\n");
        return plan;
    };
    let notes: BTreeMap<&str, &str> = service
        .backends
        .iter()
        .filter(|backend| backend.role == Role::Standby)
        .map(|backend| (backend.name.as_str(), "standby"))
        .collect();
    plan.push_str(&format!("  ~ service \"{}\"\n", service.name));
    plan.push_str(&rows(row, &notes));
    plan.push_str(&format!("\n  How: {}\n", how(row, args)));
    if !args.declared {
        let ends = args.expires.map_or_else(
            || "by the service's default".to_owned(),
            |e| format!("in {}", text::coarse(e.0.as_secs())),
        );
        plan.push_str(&format!(
            "  Ends: {ends}, then back to what the file declares.\n"
        ));
    }
    plan
}

/// `      ~ aws   70 → 50   (-20)`, one line a backend.
fn rows(row: &RowChange, notes: &BTreeMap<&str, &str>) -> String {
    let width = row
        .after
        .keys()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    let mut lines = String::new();
    for (name, after) in &row.after {
        let before = row
            .before
            .as_ref()
            .and_then(|before| before.get(name))
            .copied()
            .unwrap_or(0.0);
        let delta = after - before;
        let mut line = if delta.abs() < 0.005 {
            format!(
                "        {name:<width$}   {}   (unchanged)",
                text::share(*after)
            )
        } else {
            let sign = if delta > 0.0 { "+" } else { "" };
            let (from, to, delta) = (text::share(before), text::share(*after), text::share(delta));
            format!("      ~ {name:<width$}   {from} → {to}   ({sign}{delta})")
        };
        if let Some(note) = notes.get(name.as_str()) {
            line.push_str(&format!("   {note}"));
        }
        lines.push_str(&line);
        lines.push('\n');
    }
    lines
}

/// The pace in words.
fn how(row: &RowChange, args: &ShiftArgs) -> String {
    let delta = |(name, after): (&String, &f64)| {
        let before = row
            .before
            .as_ref()
            .and_then(|before| before.get(name))
            .copied()
            .unwrap_or(0.0);
        (after - before).abs()
    };
    let largest = row.after.iter().map(delta).fold(0.0, f64::max);
    match (args.now, args.step, args.bake) {
        (true, ..) => "in one step, at once.".to_owned(),
        (_, Some(step), Some(bake)) => {
            let steps = (largest / step.percent()).ceil().max(1.0);
            let bake = bake.0.as_secs_f64();
            format!(
                "{steps} steps of {} points, {} bake each → there after {}.",
                text::share(step.percent()),
                text::duration(bake),
                text::duration(steps * bake)
            )
        }
        _ => "in the service's own steps and bake time.".to_owned(),
    }
}

/// The end of a dry run.
pub(crate) fn checked(session: &mut Session<'_>, check: &Change) -> CliResult {
    if session.out.format.is_json() {
        session.out.data("Change", check)?;
    } else {
        session
            .out
            .note("dry run: it would be accepted; nothing changed");
    }
    Ok(Exit::Ok)
}

/// After a change was accepted: follow it, or say how to.
pub(crate) async fn started(
    session: &mut Session<'_>,
    change: &Change,
    before: u64,
    detach: bool,
) -> CliResult {
    if change.shifts.is_empty() || detach {
        let ids = change.shifts.join(", ");
        let what = if ids.is_empty() {
            String::new()
        } else {
            format!("{ids} runs. ")
        };
        session.out.answer("Change", change, |change| {
            format!(
                "{what}rev {}.   Undo: bascule undo {before}",
                change.revision
            )
        })?;
        return Ok(Exit::Ok);
    }
    if session.out.format == Format::Jsonl {
        session.out.data("Change", change)?;
    }
    follow::shifts(session, &change.shifts, before, Interrupt::listen()).await
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::args::{Cli, Command};
    use super::super::samples;
    use super::*;

    fn args(words: &[&str]) -> ShiftArgs {
        match Cli::try_parse_from(["bascule", "shift"].iter().chain(words))
            .unwrap()
            .command
        {
            Command::Shift(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_plan_shows_every_backend_and_the_pace() {
        let args = args(&[
            "meet",
            "aws=50",
            "oci=50",
            "--step",
            "5",
            "--bake",
            "3m",
            "--expires",
            "24h",
        ]);
        insta::assert_snapshot!(plan(&samples::service(), &samples::change(), &args));
    }

    #[test]
    fn a_plan_without_a_new_row_says_so() {
        let args = args(&["meet", "aws=70"]);
        insta::assert_snapshot!(plan(&samples::service(), &Change::default(), &args));
    }

    #[test]
    fn the_pace_is_the_services_unless_said_otherwise() {
        let pace = |words: &[&str]| match Ask::of(&args(words), None) {
            Ask::Shift(request) => request.pace,
            Ask::Declared(..) => panic!("not asked for"),
        };
        assert_eq!(pace(&["meet", "a=1"]), Pace::Policy);
        assert_eq!(pace(&["meet", "a=1", "--now"]), Pace::Now);
        let steps = Pace::Steps {
            step: 2.5,
            bake_seconds: 90.0,
        };
        assert_eq!(
            pace(&["meet", "a=1", "--step", "2.5", "--bake", "90s"]),
            steps
        );
    }

    #[test]
    fn shift_needs_shares_or_declared_and_not_both() {
        for wrong in [
            &["meet"][..],
            &["meet", "a=1", "--declared"],
            &["meet", "a=1", "--now", "--step", "5", "--bake", "1m"],
        ] {
            let words = ["bascule", "shift"].iter().chain(wrong);
            assert!(Cli::try_parse_from(words).is_err(), "{wrong:?}");
        }
        assert!(args(&["meet", "--declared"]).declared);
    }
}
