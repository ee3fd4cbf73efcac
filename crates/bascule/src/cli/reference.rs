//! What the binary says about itself: help, error pages, completion, man pages and the generated reference. All of it is
//! made from the same clap tree, so it cannot tell another story than the parser.

use std::fmt::Write as _;
use std::path::Path;

use bascule_config::Example;
use clap::{Arg, CommandFactory as _};
use clap_complete::Shell;

use super::args::{Cli, DocsPage};
use super::client::problem;
use super::exit::{CliError, CliResult, Exit};
use super::output::Output;

/// Prints a completion script.
pub(crate) fn completion(shell: Shell, out: &mut Output) -> CliResult {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bascule", &mut script);
    out.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}

/// Writes one man page a command.
pub(crate) fn man(dir: &Path, out: &mut Output) -> CliResult {
    std::fs::create_dir_all(dir).map_err(|error| CliError::file("create", dir, &error))?;
    clap_mangen::generate_to(Cli::command(), dir)
        .map_err(|error| CliError::file("write man pages to", dir, &error))?;
    out.note(&format!("man pages are in {}", dir.display()));
    Ok(Exit::Ok)
}

/// Prints the version.
pub(crate) fn version(out: &mut Output) -> CliResult {
    let version = env!("CARGO_PKG_VERSION");
    let data = serde_json::json!({ "version": version });
    out.answer("Version", &data, |_| format!("bascule {version}"))?;
    Ok(Exit::Ok)
}

/// Prints help for a command, or the page of an error code.
pub(crate) fn help(topic: &[String], out: &mut Output) -> CliResult {
    if let [code] = topic
        && let Some(code) = bascule_config::code(code)
    {
        let page = bascule_config::page(code.code);
        let example = page.map(|page| match page.example {
            Example::File(text) | Example::Situation(text) => text,
        });
        let data = serde_json::json!({
            "code": code.code, "title": code.title, "explanation": code.explanation, "example": example,
            "mend": page.map(|page| page.mend), "related": page.map(|page| page.related),
        });
        out.answer("ErrorCode", &data, |_| bascule_config::page_text(code))?;
        return Ok(Exit::Ok);
    }
    if let [name] = topic
        && let Some(code) = bascule_admin::Code::ALL
            .iter()
            .find(|code| code.as_str().eq_ignore_ascii_case(name))
    {
        let (status, exit) = (code.status().as_u16(), problem::exit_of_code(*code).code());
        let data = serde_json::json!({ "code": code.as_str(), "title": code.title(), "status": status, "exit": exit });
        let text = format!(
            "{}: {}\n\nAn answer of the admin API, with HTTP status {status}; a command that gets it exits {exit}.",
            code.as_str(),
            code.title()
        );
        out.answer("ErrorCode", &data, |_| text)?;
        return Ok(Exit::Ok);
    }
    let mut command = Cli::command();
    command.build();
    let mut found = command;
    for (depth, word) in topic.iter().enumerate() {
        let Some(inner) = found.find_subcommand(word).cloned() else {
            let shown = found
                .get_subcommands()
                .filter(|command| !command.is_hide_set());
            let names: Vec<&str> = shown.map(clap::Command::get_name).collect();
            let known = if depth == 0 {
                "an error code such as E0104, or one of "
            } else {
                ""
            };
            return Err(
                CliError::new(Exit::Usage, format!("there is no help on `{word}`"))
                    .with_help(format!("{known}{}", names.join(", "))),
            );
        };
        found = inner;
    }
    let text = found.render_long_help().to_string();
    out.text(&text)?;
    Ok(Exit::Ok)
}

/// Prints a generated reference page.
pub(crate) fn page(page: DocsPage, out: &mut Output) -> CliResult {
    let text = match page {
        DocsPage::Cli => render_cli(),
        DocsPage::Config => bascule_config::config_reference(),
        DocsPage::Errors => render_errors(),
        DocsPage::Openapi => openapi()?,
        DocsPage::Metrics => bascule_telemetry::names::reference(),
    };
    out.text(&text)?;
    Ok(Exit::Ok)
}

/// `docs/reference/openapi.json`.
fn openapi() -> Result<String, CliError> {
    serde_json::to_string_pretty(&bascule_admin::openapi())
        .map_err(|error| CliError::new(Exit::Failed, error.to_string()))
}

/// `docs/reference/errors.md`: the codes of configurations, then those of the admin API.
fn render_errors() -> String {
    let mut text = bascule_config::errors_reference();
    text.push_str("\n# Codes of the admin API\n\nIn `code` of a problem document. The exit code is that of the command line.\n");
    text.push_str("\n| code | status | exit | meaning |\n|---|---:|---:|---|\n");
    for code in bascule_admin::Code::ALL {
        let (status, exit) = (code.status().as_u16(), problem::exit_of_code(*code).code());
        push(
            &mut text,
            format_args!(
                "| {} | {status} | {exit} | {} |\n",
                code.as_str(),
                code.title()
            ),
        );
    }
    text
}

/// `docs/reference/cli.md`.
pub(crate) fn render_cli() -> String {
    let mut root = Cli::command().term_width(0);
    root.build();
    let mut text = String::from(
        "# Command line\n\nGenerated by `bascule internal-docs cli`; do not edit.\n\n",
    );
    text.push_str(
        &root
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default(),
    );
    text.push_str("\n\n## Global options\n\nEvery command takes these.\n\n");
    for arg in root.get_arguments().filter(|arg| arg.is_global_set()) {
        text.push_str(&argument(arg));
    }
    text.push_str("\n## Exit codes\n\n");
    text.push_str(EXIT_CODES);
    for command in root
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        render_command(command, "bascule", &mut text);
    }
    text
}

const EXIT_CODES: &str = "\
| code | meaning |
|---:|---|
| 0 | ok, also when there was nothing to do |
| 1 | failed |
| 2 | usage: the command line, or a name in it, is wrong |
| 3 | a configuration is invalid; of the daemon: do not restart |
| 4 | controller or edge cannot be reached |
| 5 | conflict: the state moved since it was looked at |
| 6 | refused by a safety rule |
| 7 | a check found a problem |
| 8 | a guardrail tripped, and the shift was turned back |
| 9 | not permitted |
| 10 | changes are present (`config fmt --check`, `config diff --detailed-exitcode`) |
| 130 | interrupted; a shift goes on |
";

/// One command and those below it.
fn render_command(command: &clap::Command, parent: &str, text: &mut String) {
    let name = format!("{parent} {}", command.get_name());
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = sentence(&about.map(ToString::to_string).unwrap_or_default());
    push(text, format_args!("\n## {name}\n\n{about}\n"));
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    push(text, format_args!("\n```text\n{usage}\n```\n"));
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help")
        .collect();
    if !own.is_empty() {
        text.push('\n');
    }
    for arg in own {
        text.push_str(&argument(arg));
    }
    for inner in command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
    {
        render_command(inner, &name, text);
    }
}

/// With the full stop that clap takes away.
fn sentence(text: &str) -> String {
    if text.ends_with('.') {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// One line of a list.
fn argument(arg: &Arg) -> String {
    let mut line = format!("- `{}`", written(arg));
    let help = arg.get_long_help().or_else(|| arg.get_help());
    if let Some(help) = help {
        push(&mut line, format_args!(": {}", sentence(&help.to_string())));
    }
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if arg.get_action().takes_values() && !values.is_empty() {
        push(&mut line, format_args!(" One of {}.", values.join(", ")));
    }
    if arg.get_action().takes_values() {
        let defaults: Vec<_> = arg
            .get_default_values()
            .iter()
            .map(|v| v.to_string_lossy())
            .collect();
        if !defaults.is_empty() {
            push(
                &mut line,
                format_args!(" Default: `{}`.", defaults.join(" ")),
            );
        }
    }
    if let Some(env) = arg.get_env() {
        push(
            &mut line,
            format_args!(" Environment: `{}`.", env.to_string_lossy()),
        );
    }
    line.push('\n');
    line
}

/// How an argument is written: `-o, --output <OUTPUT>`.
fn written(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let mut value: String = names
        .iter()
        .map(|name| format!("<{name}>"))
        .collect::<Vec<_>>()
        .join(" ");
    if arg
        .get_num_args()
        .is_some_and(|range| range.max_values() > 1)
    {
        value.push('…');
    }
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let flag: Vec<String> = short.into_iter().chain(long).collect();
    match (flag.is_empty(), arg.get_action().takes_values()) {
        (true, _) => value,
        (false, false) => flag.join(", "),
        (false, true) => format!("{} {value}", flag.join(", ")),
    }
}

/// Writing to a `String` cannot fail.
fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    if text.write_fmt(arguments).is_err() {
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::Format;
    use super::super::output::Shared;
    use super::*;

    #[test]
    fn the_clap_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn completion_and_man_pages_are_generated_for_every_shell() {
        for shell in [
            Shell::Bash,
            Shell::Zsh,
            Shell::Fish,
            Shell::Elvish,
            Shell::PowerShell,
        ] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "bascule", &mut script);
            assert!(!script.is_empty());
        }
        let dir = tempfile::tempdir().unwrap();
        clap_mangen::generate_to(Cli::command(), dir.path()).unwrap();
        assert!(dir.path().join("bascule-shift.1").exists());
    }

    #[test]
    fn help_knows_commands_codes_of_configurations_and_of_the_admin_api() {
        let on = |words: &[&str]| {
            let out = Shared::default();
            let mut output = Output::of(
                Format::Table,
                Box::new(out.clone()),
                Box::new(std::io::sink()),
            );
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            help(&words, &mut output).map(|_| out.text())
        };
        assert!(
            on(&["config", "validate"])
                .unwrap()
                .contains("bascule config validate")
        );
        assert!(on(&["e0104"]).unwrap().starts_with("E0104: "));
        assert!(
            on(&["E0612"])
                .unwrap()
                .ends_with("with HTTP status 409; a command that gets it exits 6.\n")
        );
        let wrong = on(&["E9999"]).unwrap_err();
        assert_eq!(wrong.exit, Exit::Usage);
        assert!(!wrong.to_string().contains("internal-docs"), "{wrong}");
    }

    #[test]
    fn every_generated_page_has_content() {
        for page in [
            DocsPage::Cli,
            DocsPage::Config,
            DocsPage::Errors,
            DocsPage::Metrics,
            DocsPage::Openapi,
        ] {
            let out = Shared::default();
            let mut output = Output::of(
                Format::Table,
                Box::new(out.clone()),
                Box::new(std::io::sink()),
            );
            assert_eq!(super::page(page, &mut output), Ok(Exit::Ok));
            assert!(out.text().lines().count() > 20, "{page:?}");
        }
    }

    #[test]
    fn the_reference_in_docs_is_the_one_generated() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == render_cli(),
            "docs/reference/cli.md is old: cargo run -q -- internal-docs cli > docs/reference/cli.md"
        );
    }
}
