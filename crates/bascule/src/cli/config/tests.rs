//! What `config` prints and how it exits, on files in a directory of their own.

use clap::Parser as _;

use super::validate::closing;
use super::*;
use crate::cli::args::Cli;
use crate::cli::args::{DiffArgs, ValidateArgs};
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

/// A configuration with another weight, another endpoint, another log format, a backend more and one less.
const OTHER: &str = "listen: { web: { address: \":8080\" } }\nlog: { format: text }\ndefaults: { check: { interval: 5s } }\nservices:\n  meet:\n    backends:\n      \
    aws: { weight: 50, endpoints: [\"http://10.0.1.10:8080\", \"http://10.0.1.11:8080\"] }\n      \
    oci: { weight: 50, endpoints: [\"http://10.1.1.10:8080\"] }\n";

/// `diff` of a file against another that lies beside it.
fn diff(other: &str, words: &[&str], detailed_exitcode: bool) -> (CliResult, String) {
    let dir = tempfile::tempdir().unwrap();
    let against = dir.path().join("other.yaml");
    std::fs::write(&against, other).unwrap();
    let named = against.display().to_string();
    let command = |file| {
        ConfigCommand::Diff(DiffArgs {
            file,
            against: named.clone(),
            detailed_exitcode,
        })
    };
    let (result, out, _) = on(OTHER, command, words);
    let out = out.replace(&named, "other.yaml");
    // The file of `on` lies in a directory that has another name each time.
    let name = out.find("meet.yaml").filter(|_| out.starts_with('/'));
    let out = out.split_at(name.unwrap_or_default()).1.to_owned();
    (result, out)
}

#[test]
fn a_difference_is_told_by_meaning_with_what_it_needs() {
    let (result, out) = diff(GOOD, &[], false);
    assert_eq!(result, Ok(Exit::Ok));
    insta::assert_snapshot!(out);
    assert_eq!(diff(GOOD, &[], true).0, Ok(Exit::ChangesPresent));
    assert_eq!(diff(OTHER, &[], true).0, Ok(Exit::Ok));
}

#[test]
fn a_difference_for_programs_has_pointers_and_both_values() {
    let (_, out) = diff(GOOD, &["-o", "json"], false);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    let changes = document["data"]["changes"].as_array().unwrap();
    let weight = changes
        .iter()
        .find(|c| c["pointer"] == "/services/meet/backends/aws/weight")
        .unwrap();
    assert_eq!(
        (&weight["old"], &weight["new"]),
        (&"70".into(), &"50".into())
    );
    assert_eq!(
        document["data"]["needs_start"],
        serde_json::json!(["/log/format"])
    );
}

#[test]
fn nothing_is_compared_with_a_file_that_is_invalid() {
    let (result, _) = diff("nonsense: 1\n", &[], false);
    assert_eq!(result.unwrap_err().exit, Exit::ConfigInvalid);
}

#[test]
fn what_is_committed_is_compared_through_git() {
    let dir = tempfile::tempdir().unwrap();
    let git = |words: &[&str]| {
        let done = std::process::Command::new("git")
            .arg("-C")
            .arg(dir.path())
            .args(["-c", "user.name=t", "-c", "user.email=t@test"])
            .args(words)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    let file = dir.path().join("meet.yaml");
    std::fs::write(&file, GOOD).unwrap();
    git(&["init", "-q"]);
    git(&["add", "meet.yaml"]);
    git(&["commit", "-q", "-m", "first"]);
    std::fs::write(&file, GOOD.replace("70", "50")).unwrap();
    let command = |against: &str| {
        let against = against.to_owned();
        let args = DiffArgs {
            file: file.clone(),
            against,
            detailed_exitcode: true,
        };
        let (result, out, _) = on("", |_| ConfigCommand::Diff(args), &[]);
        (result, out)
    };
    let (result, out) = command("git");
    assert_eq!(result, Ok(Exit::ChangesPresent));
    assert!(
        out.contains("~ services.meet.backends.aws.weight  70 → 50"),
        "{out}"
    );
    let error = command("git:nowhere").0.unwrap_err();
    assert!(
        error.to_string().contains("git has no nowhere:./meet.yaml"),
        "{error}"
    );
}

#[test]
fn migrate_writes_the_version_only_when_told_to() {
    let migrate = |write| {
        move |file| ConfigCommand::Migrate {
            file,
            to: None,
            write,
        }
    };
    let (result, out, after) = on(GOOD, migrate(false), &[]);
    assert_eq!((result, after.as_str()), (Ok(Exit::Ok), GOOD));
    assert_eq!(out, format!("version: 1\n{GOOD}"));
    let (result, _, after) = on(GOOD, migrate(true), &[]);
    assert_eq!(
        (result, after),
        (Ok(Exit::Ok), format!("version: 1\n{GOOD}"))
    );
    let (result, _, _) = on(&format!("version: 7\n{GOOD}"), migrate(true), &[]);
    let error = result.unwrap_err();
    assert_eq!(error.exit, Exit::ConfigInvalid);
    assert!(error.to_string().contains("E0121"), "{error}");
}

#[test]
fn every_key_is_shown_with_who_says_it() {
    let show = |file| ConfigCommand::Show {
        file: Some(file),
        effective: false,
        defaults: true,
    };
    let (result, out, _) = on(OTHER, show, &["-o", "json"]);
    assert_eq!(result, Ok(Exit::Ok));
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    let said = |pointer: &str| {
        let values = document["data"]["values"].as_array().unwrap();
        values.iter().find(|v| v["pointer"] == pointer).unwrap()["said"].clone()
    };
    assert_eq!(said("/log/format"), "file");
    assert_eq!(said("/services/meet/check/interval"), "defaults");
    assert_eq!(said("/services/meet/check/timeout"), "built_in");
}

#[test]
fn several_files_are_told_together_and_strict_lets_warnings_fail() {
    let warns = GOOD.replace(
        "    backends:",
        "    check: { interval: 40s }\n    backends:",
    );
    let strict = |strict| {
        move |file: PathBuf| {
            let files = vec![file.clone(), file];
            ConfigCommand::Validate(ValidateArgs {
                files,
                strict,
                ..ValidateArgs::default()
            })
        }
    };
    let (result, out, _) = on(&warns, strict(false), &[]);
    assert_eq!(result, Ok(Exit::Ok));
    assert!(out.contains("2 warnings in 2 of 2 files."), "{out}");
    let (result, out, _) = on(&warns, strict(true), &[]);
    assert_eq!(result, Ok(Exit::ConfigInvalid));
    assert!(out.contains("--strict lets warnings fail"), "{out}");
    let (_, out, _) = on(&warns, strict(true), &["-o", "json"]);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["data"]["files"].as_array().unwrap().len(), 2);
}

#[test]
fn sarif_and_github_are_printed_in_place_of_the_text() {
    let bad = GOOD.replace("weight", "wieght");
    let (result, out, _) = on(&bad, |file| validate(file, false), &["-o", "sarif"]);
    assert_eq!(result, Ok(Exit::ConfigInvalid));
    let log: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "E0104");
    let (_, out, _) = on(&bad, |file| validate(file, false), &["-o", "github"]);
    assert!(
        out.starts_with("::error file=") && out.contains(",line=5,"),
        "{out}"
    );
    let (result, out, _) = on(GOOD, |file| validate(file, false), &["-o", "github"]);
    assert_eq!((result, out.as_str()), (Ok(Exit::Ok), ""));
}

#[test]
fn online_asks_the_endpoints_and_tells_them_at_their_lines() {
    // A port that was free a moment ago: whoever connects is refused.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    drop(taken);
    let text = GOOD
        .replace("\":8080\"", "\"127.0.0.1:0\"")
        .replace("10.0.1.10:8080", &format!("127.0.0.1:{port}"));
    let online = |file: PathBuf| {
        let files = vec![file];
        ConfigCommand::Validate(ValidateArgs {
            files,
            online: true,
            ..ValidateArgs::default()
        })
    };
    let (result, out, _) = on(&text, online, &[]);
    assert_eq!(result, Ok(Exit::Problem), "{out}");
    assert!(
        out.contains("providers   aws 1 error") && out.contains("bascule help E0702"),
        "{out}"
    );
    let (_, out, _) = on(&text, online, &["-o", "github"]);
    assert!(
        out.contains(",line=5,") && out.contains("title=E0702"),
        "{out}"
    );
    let (_, out, _) = on(&text, online, &["-o", "json"]);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        document["data"]["online"]["diagnostics"][0]["code"],
        "E0702"
    );
}
