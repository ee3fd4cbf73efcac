//! Following shifts until they end: lines as things change, one line redrawn on a terminal, JSON lines for programs. It
//! only looks. Leaving (Ctrl-C) does not stop a shift, and the message says so.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bascule_admin::api::{Shift, ShiftPhase, TurnedBy};
use serde::de::DeserializeOwned;

use super::args::Format;
use super::client::segment;
use super::exit::{CliError, CliResult, Exit};
use super::session::Session;
use super::text::{self, duration};

/// Between two looks: short enough for a person, and nothing to a local socket.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How many looks may fail in a row, about half a minute: a restart of the daemon is shorter.
const LOOKS_FAILED_MAX: u32 = 100;
/// How wide the bar is.
const BAR_CELLS: usize = 24;

/// Ctrl-C, waited for beside everything else.
pub(crate) struct Interrupt(Pin<Box<dyn Future<Output = ()>>>);

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interrupt")
    }
}

impl Interrupt {
    /// From now on Ctrl-C does not end the process; it is noticed here.
    pub(crate) fn listen() -> Self {
        Self(Box::pin(async {
            // Without a signal handler Ctrl-C ends the process: nothing to wait for.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        }))
    }

    /// Interrupted from the start, for tests.
    #[cfg(test)]
    pub(crate) fn at_once() -> Self {
        Self(Box::pin(std::future::ready(())))
    }

    /// What `work` comes to; `None` when interrupted. Work that is dropped here only reads.
    pub(crate) async fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = &mut self.0 => None,
            value = work => Some(value),
        }
    }
}

/// Follows one shift after the other, as they were started together they end together.
pub(crate) async fn shifts(
    session: &mut Session<'_>,
    ids: &[String],
    before: u64,
    mut interrupt: Interrupt,
) -> CliResult {
    let several = ids.len() > 1;
    let mut worst = Exit::Ok;
    let mut progress: Vec<Progress> = ids.iter().map(|id| Progress::new(id, several)).collect();
    while progress.iter().any(|p| !p.ended()) {
        for one in progress.iter_mut().filter(|p| !p.ended()) {
            let Some(()) = interrupt.or(one.look(session)).await.transpose()? else {
                return Ok(detached(session, ids));
            };
        }
        if progress.iter().all(Progress::ended) {
            break;
        }
        if interrupt.or(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
            return Ok(detached(session, ids));
        }
    }
    for one in &progress {
        worst = worst.max(one.close(session, before)?);
    }
    Ok(worst)
}

/// Says that leaving changes nothing.
pub(crate) fn detached(session: &mut Session<'_>, ids: &[String]) -> Exit {
    session.out.end_live();
    let what = ids.join(", ");
    session.out.note(&format!(
        "detached: {what} goes on without this terminal.   Look: bascule status   Stop: bascule abort {what}"
    ));
    Exit::Interrupted
}

/// Looks that may fail for a while: what is followed goes on whether somebody looks or not.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    failed: u32,
}

impl Patience {
    /// Reads; `None` when nobody answered this time.
    pub(crate) async fn get<T: DeserializeOwned>(
        &mut self,
        session: &mut Session<'_>,
        path: &str,
    ) -> Result<Option<T>, CliError> {
        match session.get(path).await {
            Ok(seen) => {
                self.failed = 0;
                Ok(Some(seen))
            }
            Err(error) if error.exit == Exit::Unreachable && self.failed < LOOKS_FAILED_MAX => {
                if self.failed == 0 {
                    session.out.end_live();
                    session
                        .out
                        .note(&format!("{}; asking again", error.message));
                }
                self.failed += 1;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// What was last seen of one shift.
#[derive(Debug)]
pub(crate) struct Progress {
    id: String,
    /// Whether lines must say which service they are about.
    named: bool,
    last: Option<Shift>,
    patience: Patience,
}

impl Progress {
    /// Nothing seen yet.
    pub(crate) fn new(id: &str, named: bool) -> Self {
        Self {
            id: id.to_owned(),
            named,
            last: None,
            patience: Patience::default(),
        }
    }

    /// The shift's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What was last seen.
    pub(crate) fn last(&self) -> Option<&Shift> {
        self.last.as_ref()
    }

    /// Whether the shift has ended.
    pub(crate) fn ended(&self) -> bool {
        self.last.as_ref().is_some_and(|shift| shift.ended)
    }

    /// Looks once and prints what is new. An API that does not answer is asked again for a while.
    pub(crate) async fn look(&mut self, session: &mut Session<'_>) -> Result<(), CliError> {
        let path = format!("/v1/shifts/{}", segment(&self.id));
        match self.patience.get::<Shift>(session, &path).await? {
            Some(shift) => self.show(session, shift),
            None => Ok(()),
        }
    }

    fn show(&mut self, session: &mut Session<'_>, shift: Shift) -> Result<(), CliError> {
        let lines = news(self.last.as_ref(), &shift, self.named);
        match session.out.format {
            Format::Table | Format::Wide | Format::Sarif | Format::Github => {
                for line in &lines {
                    session.out.text_above_live(line)?;
                }
                if !shift.ended && !self.named {
                    session.out.live(&live(&shift))?;
                }
            }
            Format::Jsonl if !lines.is_empty() => session.out.data("Shift", &shift)?,
            Format::Jsonl | Format::Json => {}
        }
        self.last = Some(shift);
        Ok(())
    }

    /// Says how the shift ended, and gives the exit code of that.
    pub(crate) fn close(&self, session: &mut Session<'_>, before: u64) -> Result<Exit, CliError> {
        let Some(shift) = &self.last else {
            return Ok(Exit::Ok);
        };
        session.out.end_live();
        let (exit, line) = match shift.phase {
            ShiftPhase::Completed => (Exit::Ok, completed(shift, before)),
            ShiftPhase::Superseded => (
                Exit::Conflict,
                format!("{}: another command took its place", shift.id),
            ),
            _ => turned_back(shift),
        };
        match session.out.format {
            Format::Table | Format::Wide | Format::Sarif | Format::Github => {
                session.out.text(&line)?
            }
            Format::Json => session.out.data("Shift", shift)?,
            Format::Jsonl => session.out.note(&line),
        }
        Ok(exit)
    }
}

fn turned_back(shift: &Shift) -> (Exit, String) {
    let why = if shift.note.is_empty() {
        String::new()
    } else {
        format!(": {}", shift.note)
    };
    match shift.turned_by {
        Some(TurnedBy::Person) => (
            Exit::Failed,
            format!("{} was turned back by a person{why}", shift.id),
        ),
        Some(TurnedBy::Guardrail) | None => (
            Exit::TurnedBack,
            format!("{} was turned back by a guardrail{why}", shift.id),
        ),
    }
}

fn completed(shift: &Shift, before: u64) -> String {
    let took = shift
        .ended_at
        .map(|end| end.as_millisecond() - shift.started_at.as_millisecond());
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of a shift are far below 2^52"
    )]
    let took = took.map_or_else(String::new, |ms| {
        format!(" in {}", duration(ms as f64 / 1000.0))
    });
    format!(
        "done{took}, rev {}.   Undo: bascule undo {before}",
        shift.revision
    )
}

/// The lines that are new since the last look.
fn news(last: Option<&Shift>, shift: &Shift, named: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let name = |line: String| {
        if named {
            format!("{}: {}", shift.service, line.trim_start())
        } else {
            line
        }
    };
    let Some(last) = last else {
        let reason = if shift.reason.is_empty() {
            String::new()
        } else {
            format!("  {}", shift.reason)
        };
        lines.push(format!(
            "shift {} of {} by {}{reason}",
            shift.id, shift.service, shift.actor
        ));
        if !shift.ended {
            lines.push(name(step(shift)));
        }
        return lines;
    };
    let forward = !matches!(shift.phase, ShiftPhase::Returning | ShiftPhase::Aborted);
    let finished = shift.step > last.step || shift.phase == ShiftPhase::Completed;
    if forward && finished && last.step > 0 && !last.ended {
        lines.push(name(done(last)));
    }
    let moved = last.step != shift.step
        || last.phase != shift.phase
        || shape(&last.note) != shape(&shift.note);
    if moved && !shift.ended {
        lines.push(name(step(shift)));
    }
    lines
}

/// A note without its numbers: one that only counts on is no news.
pub(super) fn shape(note: &str) -> String {
    note.chars()
        .filter(|c| !c.is_ascii_digit() && *c != '.')
        .collect()
}

/// ` 2/4  aws 60  oci 40  baking  3m00s   note`.
fn step(shift: &Shift) -> String {
    let mut line = format!("{}  {:<9}", place(shift), phase(shift.phase));
    if shift.phase == ShiftPhase::Baking {
        line.push_str(&format!(" {}", duration(shift.bake_seconds)));
    }
    if !shift.note.is_empty() {
        line.push_str(&format!("   {}", shift.note));
    }
    line.trim_end().to_owned()
}

/// ` 1/4  aws 65  oci 35  done      3m00s   oci p95 145 ms  errors 0.026 %`.
fn done(shift: &Shift) -> String {
    let line = format!(
        "{}  done      {}   {}",
        place(shift),
        duration(shift.step_age_seconds),
        receivers(shift)
    );
    line.trim_end().to_owned()
}

/// ` 2/4  aws 60  oci 40  baking  1m12s / 3m00s  ████░░░░  35 %  oci p95 153 ms (limit 196 ms)  errors 0.033 %`.
fn live(shift: &Shift) -> String {
    let ratio = shift.progress_ratio.clamp(0.0, 1.0);
    let line = format!(
        "{}  {}  {} / {}  {}  {:.0} %  {}",
        place(shift),
        phase(shift.phase),
        duration(shift.step_age_seconds),
        duration(shift.bake_seconds),
        bar(ratio),
        ratio * 100.0,
        if shift.note.is_empty() {
            receivers(shift)
        } else {
            shift.note.clone()
        }
    );
    line.trim_end().to_owned()
}

fn place(shift: &Shift) -> String {
    let number = format!("{}/{}", shift.step, shift.steps);
    format!("{number:>5}  {}", text::row(&shift.now))
}

/// What was measured at the backends that grow.
fn receivers(shift: &Shift) -> String {
    let one = |(name, seen): (&String, &bascule_admin::api::Receiver)| {
        if seen.requests == 0 {
            return format!("{name} no data");
        }
        let limit = seen
            .p95_limit_seconds
            .map(|limit| format!(" (limit {})", text::latency(Some(limit))));
        let (p95, errors) = (
            text::latency(seen.p95_seconds),
            text::errors(Some(seen.error_ratio)),
        );
        format!(
            "{name} p95 {p95}{}  errors {errors}",
            limit.unwrap_or_default()
        )
    };
    shift
        .receivers
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join("   ")
}

fn bar(ratio: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a ratio of 0 to 1 times a small number"
    )]
    let full = ((ratio * BAR_CELLS as f64) as usize).min(BAR_CELLS);
    format!("{}{}", "█".repeat(full), "░".repeat(BAR_CELLS - full))
}

/// The word for a phase.
pub(crate) const fn phase(phase: ShiftPhase) -> &'static str {
    match phase {
        ShiftPhase::Moving => "moving",
        ShiftPhase::Baking => "baking",
        ShiftPhase::Holding => "holding",
        ShiftPhase::Paused => "paused",
        ShiftPhase::Returning => "returning",
        ShiftPhase::Completed => "completed",
        ShiftPhase::Aborted => "aborted",
        ShiftPhase::Superseded => "superseded",
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_ramp_is_told_step_by_step() {
        let looks = samples::ramp();
        let mut last = None;
        let mut lines = Vec::new();
        for shift in &looks {
            lines.extend(news(last, shift, false));
            last = Some(shift);
        }
        lines.push(completed(looks.last().unwrap(), 1841));
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn looking_twice_at_the_same_says_nothing() {
        let shift = &samples::ramp()[1];
        assert_eq!(news(Some(shift), shift, false), Vec::<String>::new());
    }

    #[test]
    fn a_note_that_only_counts_on_is_no_news() {
        let mut last = samples::ramp()[3].clone();
        last.note =
            "no data: oci answered 19 requests in this step, 50 are needed to judge it".to_owned();
        let mut shift = last.clone();
        shift.note = last.note.replace("19", "125");
        assert_eq!(news(Some(&last), &shift, false), Vec::<String>::new());
        shift.note = "oci p95 240 ms (limit 196 ms)".to_owned();
        assert_eq!(news(Some(&last), &shift, false).len(), 1);
    }

    #[test]
    fn the_live_line_shows_place_time_and_measures() {
        insta::assert_snapshot!(live(&samples::ramp()[2]));
    }

    #[test]
    fn lines_of_several_shifts_say_their_service() {
        let looks = samples::ramp();
        assert_eq!(
            news(None, &looks[0], true)[1],
            "meet: 1/2  aws 60  oci 40  moving"
        );
    }
}
