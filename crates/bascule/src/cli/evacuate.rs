//! `evacuate` and `restore`: take a provider out of every service and bring it back. The person types the provider's name;
//! what follows is the ramp, the proof that nothing new goes there, and the drain of what runs.

use std::collections::BTreeMap;
use std::path::Path;

use bascule_admin::api::{
    Change, EvacuateRequest, Evacuation, EvacuationPhase, Evidence, Proof, Provider, ReasonRequest,
    ShiftPhase,
};
use http::Method;

use super::args::{EvacuateArgs, Format, RestoreArgs};
use super::client::segment;
use super::exit::{CliError, CliResult, Exit};
use super::follow::{Interrupt, LOOK_EVERY, Patience, Progress, detached, shape};
use super::session::{Session, Shown};
use super::shift::{checked, started};
use super::text;

/// `evacuate PROVIDER`.
pub(crate) async fn evacuate(session: &mut Session<'_>, args: &EvacuateArgs) -> CliResult {
    session.can_ask()?;
    let name = &args.provider;
    let provider: Provider = session
        .get(&format!("/v1/providers/{}", segment(name)))
        .await?;
    let path = format!("/v1/providers/{}/evacuate", segment(name));
    let body = EvacuateRequest {
        fast: args.fast,
        expires_in_seconds: args.expires.map(|expires| expires.0.as_secs()),
        reason: session.global.reason.clone(),
    };
    let check = session
        .check(Method::POST, &path, provider.revision, Some(&body))
        .await?;
    session.tell(&forecast(name, &check))?;
    session.warn(&check);
    if session.global.dry_run {
        return checked(session, &check);
    }
    session.confirm("Type the provider's name to continue: ", name)?;
    let shown = Shown::Change(&check);
    let change = session
        .make(Method::POST, &path, provider.revision, Some(&body), shown)
        .await?;
    let Some(id) = change.evacuation.clone().filter(|_| !args.detach) else {
        return started(session, &change, provider.revision, true).await;
    };
    let exit = Follow::new(&id, EvacuationPhase::Evacuated)
        .run(session)
        .await?;
    if let (Some(file), true) = (&args.evidence, exit != Exit::Interrupted) {
        keep_evidence(session, &id, file).await?;
    }
    Ok(exit)
}

/// `restore PROVIDER`.
pub(crate) async fn restore(session: &mut Session<'_>, args: &RestoreArgs) -> CliResult {
    let name = &args.provider;
    let provider: Provider = session
        .get(&format!("/v1/providers/{}", segment(name)))
        .await?;
    let path = format!("/v1/providers/{}/restore", segment(name));
    let body = ReasonRequest {
        reason: session.global.reason.clone(),
    };
    if session.global.dry_run {
        let check = session
            .check(Method::POST, &path, provider.revision, Some(&body))
            .await?;
        session.warn(&check);
        return checked(session, &check);
    }
    let before = match &provider.evacuation {
        Some(id) => {
            session
                .get::<Evacuation>(&format!("/v1/evacuations/{}", segment(id)))
                .await?
                .shifts
        }
        None => Vec::new(),
    };
    let change = session
        .make(
            Method::POST,
            &path,
            provider.revision,
            Some(&body),
            Shown::Nothing,
        )
        .await?;
    session.warn(&change);
    match change.evacuation.clone().filter(|_| !args.detach) {
        Some(id) => {
            let mut follow = Follow::new(&id, EvacuationPhase::Restored);
            follow.before = before;
            follow.run(session).await
        }
        None => started(session, &change, provider.revision, args.detach).await,
    }
}

/// What will come, for the person who is asked: who takes over, service by service.
fn forecast(provider: &str, check: &Change) -> String {
    let mut lines = Vec::new();
    for (service, row) in &check.rows {
        let before = row.before.clone().unwrap_or_default();
        let was = |name: &String| before.get(name).copied().unwrap_or(0.0);
        let grows = row.after.iter().filter(|(name, after)| **after > was(name));
        let grows: Vec<String> = grows
            .map(|(name, after)| {
                format!(
                    "{name} will go from {} % to {} %",
                    text::share(was(name)),
                    text::share(*after)
                )
            })
            .collect();
        lines.push(format!("! {service}: {}", grows.join(", ")));
    }
    if lines.is_empty() {
        lines.push(format!(
            "! no share changes: nothing goes to {provider} now"
        ));
    }
    lines.push(
        "  New requests move now; those that run may end. It ends in a gated restore.".to_owned(),
    );
    lines.join("\n")
}

/// The word for a phase.
pub(crate) const fn phase(phase: EvacuationPhase) -> &'static str {
    match phase {
        EvacuationPhase::Shifting => "shifting",
        EvacuationPhase::Proving => "proving",
        EvacuationPhase::Draining => "draining",
        EvacuationPhase::Evacuated => "evacuated",
        EvacuationPhase::Restoring => "restoring",
        EvacuationPhase::Restored => "restored",
    }
}

/// Following one evacuation until it is where it should come to.
#[derive(Debug)]
struct Follow {
    id: String,
    goal: EvacuationPhase,
    last: Option<Evacuation>,
    /// What was last said to run there.
    running: Option<u64>,
    shifts: BTreeMap<String, Progress>,
    patience: Patience,
    /// Shifts that belong to what was before, and are not followed.
    before: Vec<String>,
}

impl Follow {
    fn new(id: &str, goal: EvacuationPhase) -> Self {
        Self {
            id: id.to_owned(),
            goal,
            last: None,
            running: None,
            shifts: BTreeMap::new(),
            patience: Patience::default(),
            before: Vec::new(),
        }
    }

    async fn run(mut self, session: &mut Session<'_>) -> CliResult {
        let mut interrupt = Interrupt::listen();
        loop {
            let Some(end) = interrupt.or(self.look(session)).await.transpose()? else {
                return Ok(self.detach(session));
            };
            if let Some(exit) = end {
                return self.close(session, exit);
            }
            if interrupt.or(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
                return Ok(self.detach(session));
            }
        }
    }

    /// Looks once; the exit code when it is over.
    async fn look(&mut self, session: &mut Session<'_>) -> Result<Option<Exit>, CliError> {
        let path = format!("/v1/evacuations/{}", segment(&self.id));
        let Some(now) = self.patience.get::<Evacuation>(session, &path).await? else {
            return Ok(None);
        };
        for id in now.shifts.iter().filter(|id| !self.before.contains(*id)) {
            let progress = self
                .shifts
                .entry(id.clone())
                .or_insert_with(|| Progress::new(id, true));
            if !progress.ended() {
                progress.look(session).await?;
            }
        }
        let changed = self.last.as_ref() != Some(&now);
        let lines = self.news(&now);
        match session.out.format {
            Format::Table | Format::Wide | Format::Sarif | Format::Github => {
                for line in lines {
                    session.out.text(&line)?;
                }
            }
            Format::Jsonl if changed => session.out.data("Evacuation", &now)?,
            Format::Jsonl | Format::Json => {}
        }
        let end = self.end(&now);
        self.last = Some(now);
        Ok(end)
    }

    /// Whether it is over, and how.
    fn end(&self, now: &Evacuation) -> Option<Exit> {
        let turned_back = |progress: &Progress| {
            progress
                .last()
                .is_some_and(|shift| shift.phase == ShiftPhase::Aborted)
        };
        match (self.goal, now.phase) {
            (goal, phase) if goal == phase => match &now.proof {
                Some(proof) if goal == EvacuationPhase::Evacuated && !proof.holds => {
                    Some(Exit::Problem)
                }
                _ => Some(Exit::Ok),
            },
            (
                EvacuationPhase::Evacuated,
                EvacuationPhase::Restoring | EvacuationPhase::Restored,
            ) => Some(Exit::Conflict),
            _ if self.shifts.values().any(turned_back)
                && self.shifts.values().all(Progress::ended) =>
            {
                Some(Exit::TurnedBack)
            }
            _ => None,
        }
    }

    /// The lines that are new since the last look.
    fn news(&mut self, now: &Evacuation) -> Vec<String> {
        let mut lines = Vec::new();
        let last = self.last.as_ref();
        if last.is_none_or(|last| last.phase != now.phase || shape(&last.note) != shape(&now.note))
        {
            let note = if now.note.is_empty() {
                String::new()
            } else {
                format!("   {}", now.note)
            };
            lines.push(format!(
                "{} of {}: {}{note}",
                now.id,
                now.provider,
                phase(now.phase)
            ));
        }
        // On the way back the proof is old news.
        let proven_now = self.goal == EvacuationPhase::Evacuated
            && last.is_none_or(|last| last.proof != now.proof);
        if let (Some(proof), true) = (&now.proof, proven_now) {
            lines.extend(proven(proof, &now.provider));
        }
        let half = self.running.is_none_or(|said| now.running <= said / 2);
        if now.phase == EvacuationPhase::Draining && half && self.running != Some(now.running) {
            lines.push(format!(
                "requests left on {}  {}",
                now.provider,
                text::count(now.running)
            ));
            self.running = Some(now.running);
        }
        lines
    }

    fn detach(&self, session: &mut Session<'_>) -> Exit {
        let ids: Vec<String> = self
            .shifts
            .values()
            .filter(|p| !p.ended())
            .map(|p| p.id().to_owned())
            .collect();
        if ids.is_empty() {
            session.out.note(&format!(
                "detached: {} goes on without this terminal.   Look: bascule status",
                self.id
            ));
            return Exit::Interrupted;
        }
        detached(session, &ids)
    }

    fn close(&self, session: &mut Session<'_>, exit: Exit) -> CliResult {
        let Some(now) = &self.last else {
            return Ok(exit);
        };
        let line = match (exit, self.goal) {
            (Exit::Ok, EvacuationPhase::Evacuated) => format!(
                "{} is evacuated.   Back: bascule restore {}   Ends: {}, with a gated restore   Evidence: GET /v1/evacuations/{}/evidence",
                now.provider,
                now.provider,
                session.clock.short(now.expires_at),
                now.id
            ),
            (Exit::Ok, _) => format!("{} is back", now.provider),
            (Exit::Problem, _) => format!(
                "{} is off, and the proof does not hold: see above",
                now.provider
            ),
            (Exit::TurnedBack, _) => format!("{}: a guardrail turned a shift back", now.id),
            _ => format!(
                "{}: another command took its place, it is {}",
                now.id,
                phase(now.phase)
            ),
        };
        match session.out.format {
            Format::Table | Format::Wide | Format::Sarif | Format::Github => {
                session.out.text(&line)?
            }
            Format::Json => session.out.data("Evacuation", now)?,
            Format::Jsonl => session.out.note(&line),
        }
        Ok(exit)
    }
}

/// The proof, in lines.
fn proven(proof: &Proof, provider: &str) -> Vec<String> {
    let answered: u32 = proof.answered.values().sum();
    let by: Vec<String> = proof
        .answered
        .iter()
        .map(|(name, number)| format!("{name} {number}"))
        .collect();
    let word = if proof.holds { "PROOF" } else { "NO PROOF" };
    vec![
        format!(
            "{word}  {}  {} confirm rev {} · {} new requests on {provider} while the probes ran ({} elsewhere)",
            proof.at.strftime("%H:%M:%SZ"),
            text::plural(proof.workers, "worker"),
            proof.revision,
            text::count(proof.picks_on_evacuated),
            text::count(proof.picks_elsewhere)
        ),
        format!(
            "       client-side probes: {answered}/{} answered, by {} · {} failed",
            proof.probes,
            by.join(", "),
            proof.failed
        ),
    ]
}

/// Writes the evidence to a file.
async fn keep_evidence(session: &mut Session<'_>, id: &str, file: &Path) -> Result<(), CliError> {
    let evidence: Evidence = session
        .get(&format!("/v1/evacuations/{}/evidence", segment(id)))
        .await?;
    let text = serde_json::to_string_pretty(&evidence)
        .map_err(|e| CliError::new(Exit::Failed, e.to_string()))?;
    std::fs::write(file, text + "\n").map_err(|error| CliError::file("write", file, &error))?;
    session.out.note(&format!("Evidence: {}", file.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn who_takes_over_is_said_before_the_question() {
        insta::assert_snapshot!(forecast("aws", &samples::change()));
    }

    #[test]
    fn an_evacuation_is_told_phase_by_phase_with_its_proof() {
        let mut follow = Follow::new("e-0001", EvacuationPhase::Evacuated);
        let mut lines = Vec::new();
        for look in samples::evacuation() {
            lines.extend(follow.news(&look));
            follow.last = Some(look);
        }
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn an_evacuation_ends_well_only_with_a_proof_that_holds() {
        let follow = Follow::new("e-0001", EvacuationPhase::Evacuated);
        let looks = samples::evacuation();
        let mut end = looks.last().unwrap().clone();
        assert_eq!(
            looks
                .iter()
                .map(|look| follow.end(look))
                .collect::<Vec<_>>(),
            [None, None, None, None, Some(Exit::Ok)]
        );
        if let Some(proof) = &mut end.proof {
            proof.holds = false;
        }
        assert_eq!(follow.end(&end), Some(Exit::Problem));
        end.phase = EvacuationPhase::Restoring;
        assert_eq!(follow.end(&end), Some(Exit::Conflict));
    }
}
