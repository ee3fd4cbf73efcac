//! `config validate`: every error of every file in one run, for people, for programs, for code scanning. The last line says
//! what still runs.

use std::time::Duration;

use bascule_admin::api::Status;
use bascule_config::{Diagnostics, Severity};
use serde_json::{Value, json};

use super::{Text, style};
use crate::check::Report;
use crate::cli::args::{Format, Global, ValidateArgs};
use crate::cli::check;
use crate::cli::exit::{CliError, CliResult, Exit};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::cli::text::plural;
use crate::cli::values::DurationArg;

/// How long `validate` looks for a running process, to say what runs: it is a remark, not the answer.
const LOOK_FOR: Duration = Duration::from_millis(500);

/// Does it.
pub(super) async fn run(args: &ValidateArgs, global: &Global, out: &mut Output) -> CliResult {
    if args.files.iter().filter(|f| f.as_os_str() == "-").count() > 1 {
        let twice = "standard input can be read once only";
        return Err(CliError::new(Exit::Usage, twice));
    }
    let texts: Vec<Text> = args
        .files
        .iter()
        .map(|file| Text::read(file))
        .collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for text in &texts {
        let problems = text.problems();
        found.push(match args.fix {
            true => mend(text, problems, global.dry_run, out)?,
            false => problems,
        });
    }
    let exit = verdict(&found, args.strict);
    let asked = match exit {
        Exit::Ok if args.online => check::ask_network(&texts, global).await,
        _ => Vec::new(),
    };
    print(args, (&found, &asked), global, out).await?;
    let online = asked
        .iter()
        .map(|(report, _)| check::verdict(report, args.strict));
    Ok(online.fold(exit, std::cmp::max))
}

/// How it ends: warnings fail only when asked to.
fn verdict(found: &[Diagnostics], strict: bool) -> Exit {
    let count = |severity| found.iter().map(|f| f.count(severity)).sum::<usize>();
    let fails = count(Severity::Error) > 0 || (strict && count(Severity::Warning) > 0);
    if fails { Exit::ConfigInvalid } else { Exit::Ok }
}

async fn print(
    args: &ValidateArgs,
    (found, asked): (&[Diagnostics], &[(Report, Diagnostics)]),
    global: &Global,
    out: &mut Output,
) -> Result<(), CliError> {
    let all: Vec<Diagnostics> = found
        .iter()
        .chain(asked.iter().map(|(_, found)| found))
        .cloned()
        .collect();
    match out.format {
        Format::Sarif => {
            let log = bascule_config::sarif(&all, env!("CARGO_PKG_VERSION"));
            let text = serde_json::to_string_pretty(&log);
            out.text(&text.map_err(|error| CliError::new(Exit::Failed, error.to_string()))?)
        }
        Format::Github => out.text(&bascule_config::github(&all)),
        Format::Json | Format::Jsonl => match found {
            [one] => out.data("Validation", &document(one, asked.first())),
            all => {
                let valid = all.iter().all(|f| f.count(Severity::Error) == 0);
                let asked = asked.iter().map(Some).chain(std::iter::repeat(None));
                let files: Vec<Value> =
                    all.iter().zip(asked).map(|(f, a)| document(f, a)).collect();
                out.data("Validations", &json!({ "valid": valid, "files": files }))
            }
        },
        Format::Table | Format::Wide => {
            let is_wrong = found.iter().any(|f| !f.items.is_empty());
            let running = if is_wrong {
                running_revision(global).await
            } else {
                None
            };
            let mut text = String::new();
            for problems in found.iter().filter(|f| !f.items.is_empty()) {
                text.push_str(&bascule_config::text::render(problems, style(out)));
            }
            text.push_str(&closing(found, running, args.strict));
            for (report, about) in asked {
                let name = if asked.len() > 1 {
                    format!("{}:\n", about.file)
                } else {
                    String::new()
                };
                text.push_str(&format!("\n\n{name}{}", check::groups(report)));
            }
            out.text(&text)
        }
    }
}

fn document(problems: &Diagnostics, asked: Option<&(Report, Diagnostics)>) -> Value {
    let online = asked
        .map(|(report, found)| json!({ "groups": report.groups, "diagnostics": found.to_json() }));
    json!({
        "file": &*problems.file, "valid": problems.count(Severity::Error) == 0,
        "summary": problems.summary(), "diagnostics": problems.to_json(), "online": online,
    })
}

/// Applies the safe fixes, and gives what is left to say.
fn mend(
    text: &Text,
    problems: Diagnostics,
    dry_run: bool,
    out: &mut Output,
) -> Result<Diagnostics, CliError> {
    let before = text.as_utf8();
    let after = bascule_config::fix(&before, &problems);
    if after == before {
        if !problems.items.is_empty() {
            out.note("nothing here has a fix that is safe to apply");
        }
        return Ok(problems);
    }
    let left = text.with(after.clone().into_bytes()).problems();
    if dry_run {
        let summary = left.summary();
        out.note(&format!("dry run: with the fixes there would be {summary}"));
        return Ok(problems);
    }
    text.write(&after)?;
    let fixed = problems.items.len().saturating_sub(left.items.len());
    out.note(&format!(
        "{} fixed in {}",
        plural(fixed, "problem"),
        text.name
    ));
    Ok(left)
}

/// The last lines: how many, what runs, where to read more.
pub(super) fn closing(found: &[Diagnostics], running: Option<u64>, strict: bool) -> String {
    let wrong: Vec<&Diagnostics> = found.iter().filter(|f| !f.items.is_empty()).collect();
    let Some(first) = wrong.first().and_then(|f| f.items.first()) else {
        return "valid".to_owned();
    };
    let count = |severity| wrong.iter().map(|f| f.count(severity)).sum();
    let (errors, warnings): (usize, usize) = (count(Severity::Error), count(Severity::Warning));
    let mut summary = match (errors, warnings) {
        (errors, 0) => plural(errors, "error"),
        (0, warnings) => plural(warnings, "warning"),
        (errors, warnings) => format!(
            "{}, {}",
            plural(errors, "error"),
            plural(warnings, "warning")
        ),
    };
    if found.len() > 1 {
        summary.push_str(&format!(
            " in {} of {}",
            wrong.len(),
            plural(found.len(), "file")
        ));
    }
    if errors == 0 && strict {
        summary.push_str(", and --strict lets warnings fail");
    }
    let still = running.map_or_else(String::new, |revision| {
        format!("; the running configuration is still that of revision {revision}")
    });
    format!(
        "{summary}.  Nothing was applied{still}.\nDetails: bascule help {}",
        first.code
    )
}

/// The revision of a process that runs here, if one does.
async fn running_revision(global: &Global) -> Option<u64> {
    let mut quick = global.clone();
    (quick.timeout, quick.verbose) = (DurationArg(LOOK_FOR), false);
    let mut silent = Output::silent();
    let mut session = Session::open(&quick, &mut silent).ok()?;
    session
        .get::<Status>("/v1/status")
        .await
        .ok()
        .map(|status| status.revision)
}
