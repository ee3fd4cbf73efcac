//! What `config` prints and how it exits, on files in a directory of their own.

use clap::Parser as _;

use super::validate::closing;
use super::*;
use crate::cli::args::Cli;
use crate::cli::args::ValidateArgs;
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

fn validate(file: PathBuf, fix: bool) -> ConfigCommand {
    let files = vec![file];
    ConfigCommand::Validate(ValidateArgs {
        files,
        fix,
        ..ValidateArgs::default()
    })
}

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
    let (result, out, after) = on(&bad, |file| validate(file, false), &[]);
    assert_eq!((result, after), (Ok(Exit::ConfigInvalid), bad.clone()));
    assert!(
        out.contains("E0104") && out.contains("meet.yaml:5:14") && out.contains("2 errors"),
        "{out}"
    );
    let (_, out, _) = on(&bad, |file| validate(file, false), &["-o", "json"]);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["data"]["valid"], false);
    assert_eq!(document["data"]["diagnostics"][0]["line"], 5);
}

#[test]
fn fix_mends_the_file_and_a_dry_run_does_not() {
    let bad = GOOD.replace("weight", "wieght");
    let (result, _, after) = on(&bad, |file| validate(file, true), &["--dry-run"]);
    assert_eq!((result, after), (Ok(Exit::ConfigInvalid), bad.clone()));
    let (result, out, after) = on(&bad, |file| validate(file, true), &[]);
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
        defaults: false,
    };
    let (result, effective, _) = on(GOOD, show, &[]);
    assert_eq!(result, Ok(Exit::Ok));
    assert!(effective.contains("interval: 3s"), "{effective}");
    let (result, out, _) = on(&effective, |file| validate(file, false), &[]);
    assert_eq!((result, out.as_str()), (Ok(Exit::Ok), "valid\n"));
}

#[test]
fn the_last_line_says_what_still_runs() {
    let source = bascule_config::MemorySource::default();
    let problems = bascule_config::load("meet.yaml", "nonsense: 1\n", &source)
        .map(|_| ())
        .unwrap_err();
    let end = closing(&[problems], Some(1841), false);
    assert!(
        end.contains(
            "Nothing was applied; the running configuration is still that of revision 1841."
        ),
        "{end}"
    );
    assert!(end.contains("Details: bascule help E"), "{end}");
}
