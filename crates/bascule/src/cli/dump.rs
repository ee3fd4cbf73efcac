//! `support-dump`: asks the running process, looks at file and machine, and writes one redacted archive. Without a process
//! it writes what can be had, and says what is missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::{CheckArgs, DumpArgs, Global};
use super::exit::{CliError, CliResult, Exit};
use super::output::Output;
use super::session::Session;
use super::text::plural;
use crate::check::peer;
use crate::dump::archive::{self, Existing};
use crate::dump::{Dump, machine, version};
use given::Given;

mod given;

/// Does it.
pub(crate) async fn run(args: &DumpArgs, global: &Global, out: &mut Output) -> CliResult {
    let now = bascule_telemetry::clock::wall();
    let path = args.file.clone().unwrap_or_else(|| default_name(now));
    may_be_written(&path, args.force)?;
    let mut silent = Output::silent();
    let session = Session::open(global, &mut silent);
    let mut given = Given::collect(args, session).await?;
    let mut dump = Dump::new(given.redaction(args.redact_hosts));
    dump.add("version.txt", "which program wrote this", &version());
    given.configuration(&mut dump);
    given.process(&mut dump).await;
    check(args, &given, global, &mut dump).await;
    facts(&given, &mut dump);
    dump.finish();
    let seconds = now.as_millis() / 1000;
    let existing = if args.force {
        Existing::Replace
    } else {
        Existing::Keep
    };
    let length = archive::write(&path, &dump.entries, seconds, existing)
        .map_err(|error| CliError::file("write", &path, &error))?;
    tell(&path, length, &dump, out)?;
    Ok(Exit::Ok)
}

fn default_name(now: bascule_model::Timestamp) -> PathBuf {
    let time: String = bascule_telemetry::clock::rfc3339(now)
        .chars()
        .take_while(|c| *c != '.')
        .filter(char::is_ascii_alphanumeric)
        .collect();
    PathBuf::from(format!(
        "bascule-dump-{}Z.tar.gz",
        time.trim_end_matches('Z')
    ))
}

/// Refused before anything is collected, not after.
fn may_be_written(path: &Path, force: bool) -> Result<(), CliError> {
    let shown = path.display();
    if path.is_dir() {
        return Err(
            CliError::new(Exit::Usage, format!("{shown} is a directory")).with_help(format!(
                "name a file in it: --file {}",
                path.join("bascule-dump.tar.gz").display()
            )),
        );
    }
    if path.exists() && !force {
        return Err(CliError::new(
            Exit::Usage,
            format!("{shown} is there already, and is not written over"),
        )
        .with_help("add --force, or name another --file"));
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(CliError::new(
            Exit::Usage,
            format!("there is no directory {}", folder.display()),
        )
        .with_help("make it, or name another --file")),
        _ => Ok(()),
    }
}

async fn check(args: &DumpArgs, given: &Given, global: &Global, dump: &mut Dump) {
    let running = given.client.is_some();
    if !running && args.config.is_none() {
        return;
    }
    let args = CheckArgs {
        config: args.config.clone(),
        pre: !running,
        strict: false,
    };
    match super::check::text(&args, global).await {
        Ok(text) => dump.add("check.txt", "bascule check, as seen from here", &text),
        Err(error) => dump.lacks(&format!("bascule check: {}", error.message)),
    }
}

fn facts(given: &Given, dump: &mut Dump) {
    let process = given
        .process
        .unwrap_or_else(|| i32::try_from(std::process::id()).unwrap_or_default());
    match peer::limits(process) {
        Some(text) => dump.add("machine/limits.txt", "the limits of the process", &text),
        None => dump.lacks("the limits of the process: not to be seen by this user"),
    }
    dump.add(
        "machine/kernel.txt",
        "kernel settings that a proxy feels",
        &machine::kernel(),
    );
    let group = machine::control_group(given.process);
    dump.add(
        "machine/cgroup.txt",
        "what the control group allows",
        &group,
    );
}

fn tell(path: &Path, length: u64, dump: &Dump, out: &mut Output) -> Result<(), CliError> {
    let entries: Vec<_> = dump
        .entries
        .iter()
        .map(|e| json!({ "name": e.name, "why": e.why, "bytes": e.text.len() }))
        .collect();
    let redacted: BTreeMap<&str, usize> = dump.redaction.counts().collect();
    let data = json!({
        "file": path, "bytes": length, "entries": entries, "redacted": redacted, "missing": dump.missing,
    });
    out.answer("SupportDump", &data, |_| render(path, length, dump))
}

fn render(path: &Path, length: u64, dump: &Dump) -> String {
    let mut text = format!(
        "{}   {}, {} KiB\n",
        path.display(),
        plural(dump.entries.len(), "file"),
        length.div_ceil(1024)
    );
    for entry in &dump.entries {
        text.push_str(&format!("  {:<24} {}\n", entry.name, entry.why));
    }
    let redacted: Vec<String> = dump
        .redaction
        .counts()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    let redacted = if redacted.is_empty() {
        "nothing was found to be".to_owned()
    } else {
        redacted.join(" · ")
    };
    text.push_str(&format!("Redacted: {redacted}\n"));
    for what in &dump.missing {
        text.push_str(&format!("Not in it: {what}\n"));
    }
    text.push_str("Read it before you send it.");
    text
}

#[cfg(test)]
mod tests;
