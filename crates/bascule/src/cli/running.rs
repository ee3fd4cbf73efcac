//! `pause`, `resume` and `abort`: on the shift named, or on the one that runs when it is exactly one. They do not ask:
//! each can be taken back, and seconds may count.

use bascule_admin::api::{ReasonRequest, Shift, ShiftList};
use http::Method;

use super::args::RunningArgs;
use super::client::segment;
use super::exit::{CliError, CliResult, Exit};
use super::follow::phase;
use super::session::{Session, Shown};
use super::text;

/// What is done to a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Hold it.
    Pause,
    /// Let it go on.
    Resume,
    /// Turn it back.
    Abort,
}

impl Verb {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
        }
    }
}

/// Does it.
pub(crate) async fn run(session: &mut Session<'_>, args: &RunningArgs, verb: Verb) -> CliResult {
    let shift = find(session, args.shift.as_deref(), verb).await?;
    let path = format!("/v1/shifts/{}/{}", segment(&shift.id), verb.as_str());
    let body = ReasonRequest {
        reason: session.global.reason.clone(),
    };
    if session.global.dry_run {
        let check = session
            .check(Method::POST, &path, shift.revision, Some(&body))
            .await?;
        session.warn(&check);
        return super::shift::checked(session, &check);
    }
    let change = session
        .make(
            Method::POST,
            &path,
            shift.revision,
            Some(&body),
            Shown::Nothing,
        )
        .await?;
    session.warn(&change);
    session.out.answer("Change", &change, |change| {
        done(&shift, verb, change.revision)
    })?;
    Ok(Exit::Ok)
}

fn done(shift: &Shift, verb: Verb, revision: u64) -> String {
    let (id, at) = (&shift.id, text::row(&shift.now));
    match verb {
        Verb::Pause => {
            format!("{id} is paused at {at}, rev {revision}.   Go on: bascule resume {id}")
        }
        Verb::Resume => format!(
            "{id} goes on from {at}, rev {revision}.   Look: bascule status {}",
            shift.service
        ),
        Verb::Abort => {
            format!(
                "{id} ramps back to {}, rev {revision}.   Look: bascule status {}",
                text::row(&shift.from),
                shift.service
            )
        }
    }
}

/// The shift named, or the only one that runs.
async fn find(session: &mut Session<'_>, id: Option<&str>, verb: Verb) -> Result<Shift, CliError> {
    if let Some(id) = id {
        return session.get(&format!("/v1/shifts/{}", segment(id))).await;
    }
    let list: ShiftList = session.get("/v1/shifts").await?;
    let running: Vec<Shift> = list
        .shifts
        .into_iter()
        .filter(|shift| !shift.ended)
        .collect();
    only(running, verb)
}

/// The only one, or an error that lists them.
fn only(mut running: Vec<Shift>, verb: Verb) -> Result<Shift, CliError> {
    match (running.pop(), running.is_empty()) {
        (Some(shift), true) => Ok(shift),
        (None, _) => {
            Err(CliError::new(Exit::Usage, "no shift is running").with_help("bascule history"))
        }
        (Some(last), false) => {
            running.push(last);
            let mut error = CliError::new(
                Exit::Usage,
                format!("{} shifts are running; say which", running.len()),
            );
            for shift in &running {
                error.details.push(format!(
                    "{}  {}  {}",
                    shift.id,
                    shift.service,
                    phase(shift.phase)
                ));
                error
                    .help
                    .push(format!("bascule {} {}", verb.as_str(), shift.id));
            }
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_only_running_shift_need_not_be_named() {
        let one = samples::ramp()[1].clone();
        assert_eq!(
            only(vec![one.clone()], Verb::Pause).map(|s| s.id),
            Ok("s-0192".to_owned())
        );
        assert_eq!(
            only(Vec::new(), Verb::Pause).map_err(|e| e.exit),
            Err(Exit::Usage)
        );
        let mut other = one.clone();
        other.id = "s-0193".to_owned();
        insta::assert_snapshot!(only(vec![one, other], Verb::Abort).unwrap_err().to_string(), @r"
        2 shifts are running; say which
          s-0192  meet  baking
          s-0193  meet  baking
          → bascule abort s-0192
          → bascule abort s-0193
        ");
    }
}
