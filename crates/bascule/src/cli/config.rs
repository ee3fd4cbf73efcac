//! `config validate|fmt|show|schema`: what a file says, before any process is asked to run it. Every error is printed in one
//! run, and the last line says what still runs.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bascule_admin::api::{Config, Status};
use bascule_config::{Diagnostics, Severity, Style};
use serde_json::json;

use super::args::{ConfigCommand, Global};
use super::exit::{CliError, CliResult, Exit};
use super::output::Output;
use super::session::Session;
use super::values::DurationArg;
use crate::files::Files;

/// How long `validate` looks for a running process, to say what runs: it is a remark, not the answer.
const LOOK_FOR: Duration = Duration::from_millis(500);

/// Does it.
pub(crate) async fn run(command: &ConfigCommand, global: &Global, out: &mut Output) -> CliResult {
    match command {
        ConfigCommand::Validate { file, fix } => {
            validate(&Text::read(file)?, *fix, global, out).await
        }
        ConfigCommand::Fmt { file, check, write } => fmt(&Text::read(file)?, *check, *write, out),
        ConfigCommand::Show {
            file: Some(file),
            effective,
        } => show(&Text::read(file)?, *effective, out),
        ConfigCommand::Show {
            file: None,
            effective,
        } => running(*effective, global, out).await,
        ConfigCommand::Schema => {
            let schema = serde_json::to_string_pretty(&bascule_config::schema());
            out.text(&schema.map_err(|error| CliError::new(Exit::Failed, error.to_string()))?)?;
            Ok(Exit::Ok)
        }
    }
}

/// A file that was read, or standard input.
struct Text {
    path: PathBuf,
    name: String,
    bytes: Vec<u8>,
}

impl Text {
    fn read(path: &Path) -> Result<Self, CliError> {
        let stdin = path.as_os_str() == "-";
        let read = if stdin {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map(|_| bytes)
        } else {
            std::fs::read(path)
        };
        let bytes = read.map_err(|error| CliError {
            exit: Exit::ConfigInvalid,
            ..CliError::file("read", path, &error)
        })?;
        let name = if stdin {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        Ok(Self {
            path: path.to_owned(),
            name,
            bytes,
        })
    }

    fn is_stdin(&self) -> bool {
        self.path.as_os_str() == "-"
    }

    /// All that is to be said about it.
    fn problems(&self) -> Diagnostics {
        match bascule_config::load_bytes(&self.name, &self.bytes, &Files::of(&self.path)) {
            Ok(loaded) => loaded.warnings,
            Err(problems) => problems,
        }
    }

    fn write(&self, text: &str) -> Result<(), CliError> {
        std::fs::write(&self.path, text)
            .map_err(|error| CliError::file("write", &self.path, &error))
    }

    fn as_utf8(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

async fn validate(text: &Text, fix: bool, global: &Global, out: &mut Output) -> CliResult {
    let mut problems = text.problems();
    if fix {
        if text.is_stdin() {
            return Err(CliError::new(
                Exit::Usage,
                "--fix changes a file, and standard input is none",
            ));
        }
        problems = mend(text, problems, global.dry_run, out)?;
    }
    let errors = problems.count(Severity::Error);
    if out.format.is_json() {
        out.data("Validation", &json!({
            "file": text.name, "valid": errors == 0, "summary": problems.summary(), "diagnostics": problems.to_json(),
        }))?;
    } else {
        let end = closing(&problems, running_revision(global).await);
        let rendered = bascule_config::text::render(&problems, style(out));
        let gap = if rendered.is_empty() || rendered.ends_with("\n\n") {
            ""
        } else {
            "\n"
        };
        out.text(&format!("{rendered}{gap}{end}"))?;
    }
    Ok(if errors == 0 {
        Exit::Ok
    } else {
        Exit::ConfigInvalid
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
        out.note("nothing here has a fix that is safe to apply");
        return Ok(problems);
    }
    let left = Text {
        path: text.path.clone(),
        name: text.name.clone(),
        bytes: after.clone().into_bytes(),
    }
    .problems();
    if dry_run {
        out.note(&format!(
            "dry run: with the fixes there would be {}",
            left.summary()
        ));
        return Ok(problems);
    }
    text.write(&after)?;
    let fixed = problems.items.len().saturating_sub(left.items.len());
    out.note(&format!(
        "{} fixed in {}",
        super::text::plural(fixed, "problem"),
        text.name
    ));
    Ok(left)
}

/// The last lines: how many, what runs, where to read more.
fn closing(problems: &Diagnostics, running: Option<u64>) -> String {
    if problems.items.is_empty() {
        return "valid".to_owned();
    }
    let still = running.map_or_else(String::new, |revision| {
        format!("; the running configuration is still that of revision {revision}")
    });
    let mut end = format!("{}.  Nothing was applied{still}.", problems.summary());
    if let Some(first) = problems.items.first() {
        end.push_str(&format!("\nDetails: bascule help {}", first.code));
    }
    end
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

fn fmt(text: &Text, check: bool, write: bool, out: &mut Output) -> CliResult {
    let before = text.as_utf8();
    let after = bascule_config::fmt(&text.name, &before).map_err(|problems| invalid(&problems))?;
    let changed = after != before;
    if check {
        let data = json!({ "file": text.name, "canonical": !changed });
        out.answer("Format", &data, |_| match changed {
            true => format!(
                "{} is not in canonical form: bascule config fmt --write {}",
                text.name,
                text.path.display()
            ),
            false => String::new(),
        })?;
        return Ok(if changed {
            Exit::ChangesPresent
        } else {
            Exit::Ok
        });
    }
    if !write {
        out.text(&after)?;
        return Ok(Exit::Ok);
    }
    if text.is_stdin() {
        return Err(CliError::new(
            Exit::Usage,
            "--write changes a file, and standard input is none",
        ));
    }
    if changed {
        text.write(&after)?;
        out.note(&format!("{} written", text.name));
    }
    Ok(Exit::Ok)
}

fn show(text: &Text, effective: bool, out: &mut Output) -> CliResult {
    let shown = if effective {
        let loaded = bascule_config::load_bytes(&text.name, &text.bytes, &Files::of(&text.path));
        bascule_config::render(&loaded.map_err(|problems| invalid(&problems))?.config)
    } else {
        text.as_utf8()
    };
    out.answer(
        "Config",
        &json!({ "origin": text.name, "text": shown }),
        |_| shown.clone(),
    )?;
    Ok(Exit::Ok)
}

/// The configuration of the running process.
async fn running(effective: bool, global: &Global, out: &mut Output) -> CliResult {
    let mut session = Session::open(global, out)?;
    let config: Config = session.get("/v1/config").await?;
    if !effective {
        session
            .out
            .answer("Config", &config, |config| config.text.clone())?;
        return Ok(Exit::Ok);
    }
    let path = PathBuf::from(&config.state.origin);
    let text = Text {
        path,
        name: config.state.origin,
        bytes: config.text.into_bytes(),
    };
    show(&text, true, session.out)
}

/// Problems as an error.
fn invalid(problems: &Diagnostics) -> CliError {
    let error = CliError::new(
        Exit::ConfigInvalid,
        format!("{}: {}", problems.file, problems.summary()),
    );
    let lines = bascule_config::text::render(problems, Style::Plain);
    lines.lines().fold(error, CliError::with_detail)
}

const fn style(out: &Output) -> Style {
    if out.terminal && out.colour() {
        Style::Ansi
    } else {
        Style::Plain
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::Cli;
    use crate::cli::output::Shared;

    #[test]
    fn a_file_that_is_not_there_is_an_invalid_configuration() {
        let error = Text::read(Path::new("/nowhere/meet.yaml"))
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.exit, Exit::ConfigInvalid);
        assert!(error.to_string().contains("/nowhere/meet.yaml"));
    }

    const GOOD: &str = "listen: { web: { address: \":8080\" } }\nservices:\n  meet:\n    backends:\n      \
        aws: { weight: 70, endpoints: [\"http://10.0.1.10:8080\"] }\n";

    /// What a command on a file with this text did: exit code, standard output, and the file after it.
    fn on(
        text: &str,
        command: impl FnOnce(PathBuf) -> ConfigCommand,
        words: &[&str],
    ) -> (CliResult, String, String) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("meet.yaml");
        std::fs::write(&file, text).unwrap();
        // A context that cannot be: what runs elsewhere on this machine must not show here.
        let base = ["bascule", "--context=unix:/nowhere/admin.sock", "version"];
        let cli = Cli::try_parse_from(base.iter().chain(words)).unwrap();
        let out = Shared::default();
        let mut output = Output::of(
            cli.global.output,
            Box::new(out.clone()),
            Box::new(std::io::sink()),
        );
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let result = runtime.block_on(run(&command(file.clone()), &cli.global, &mut output));
        (result, out.text(), std::fs::read_to_string(&file).unwrap())
    }

    #[test]
    fn an_invalid_file_exits_3_with_all_errors_and_where_they_are() {
        let bad = GOOD.replace("weight", "wieght")
            + "      oci: { weight: 3O, endpoints: [\"http://10.1.1.10:8080\"] }\n";
        let (result, out, after) = on(
            &bad,
            |file| ConfigCommand::Validate { file, fix: false },
            &[],
        );
        assert_eq!((result, after), (Ok(Exit::ConfigInvalid), bad.clone()));
        assert!(
            out.contains("E0104") && out.contains("meet.yaml:5:14") && out.contains("2 errors"),
            "{out}"
        );
        let (_, out, _) = on(
            &bad,
            |file| ConfigCommand::Validate { file, fix: false },
            &["-o", "json"],
        );
        let document: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(document["data"]["valid"], false);
        assert_eq!(document["data"]["diagnostics"][0]["line"], 5);
    }

    #[test]
    fn fix_mends_the_file_and_a_dry_run_does_not() {
        let bad = GOOD.replace("weight", "wieght");
        let (result, _, after) = on(
            &bad,
            |file| ConfigCommand::Validate { file, fix: true },
            &["--dry-run"],
        );
        assert_eq!((result, after), (Ok(Exit::ConfigInvalid), bad.clone()));
        let (result, out, after) = on(
            &bad,
            |file| ConfigCommand::Validate { file, fix: true },
            &[],
        );
        assert_eq!((result, after.as_str()), (Ok(Exit::Ok), GOOD));
        assert_eq!(out, "valid\n");
    }

    #[test]
    fn fmt_check_exits_10_and_write_makes_it_pass() {
        let spaced = GOOD.replace("address: ", "address:    ");
        let check = |file| ConfigCommand::Fmt {
            file,
            check: true,
            write: false,
        };
        let (result, out, after) = on(&spaced, check, &[]);
        assert_eq!((result, after), (Ok(Exit::ChangesPresent), spaced.clone()));
        assert!(out.contains("config fmt --write"), "{out}");
        let (result, _, after) = on(
            &spaced,
            |file| ConfigCommand::Fmt {
                file,
                check: false,
                write: true,
            },
            &[],
        );
        assert_eq!(result, Ok(Exit::Ok));
        assert_eq!(on(&after, check, &[]).0, Ok(Exit::Ok));
    }

    #[test]
    fn the_effective_configuration_of_a_file_is_a_valid_file() {
        let show = |file| ConfigCommand::Show {
            file: Some(file),
            effective: true,
        };
        let (result, effective, _) = on(GOOD, show, &[]);
        assert_eq!(result, Ok(Exit::Ok));
        assert!(effective.contains("interval: 3s"), "{effective}");
        let (result, out, _) = on(
            &effective,
            |file| ConfigCommand::Validate { file, fix: false },
            &[],
        );
        assert_eq!((result, out.as_str()), (Ok(Exit::Ok), "valid\n"));
    }

    #[test]
    fn the_last_line_says_what_still_runs() {
        let source = bascule_config::MemorySource::default();
        let problems = bascule_config::load("meet.yaml", "nonsense: 1\n", &source)
            .map(|_| ())
            .unwrap_err();
        let end = closing(&problems, Some(1841));
        assert!(
            end.contains(
                "Nothing was applied; the running configuration is still that of revision 1841."
            ),
            "{end}"
        );
        assert!(end.contains("Details: bascule help E"), "{end}");
    }
}
