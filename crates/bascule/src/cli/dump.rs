//! `support-dump`: asks the running process, looks at file and machine, and writes one redacted archive. Without a process
//! it writes what can be had, and says what is missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bascule_config::Source as _;
use http::Method;
use serde_json::json;

use super::args::{CheckArgs, DumpArgs, Global};
use super::client::{Call, Client};
use super::config::{Text, live};
use super::exit::{CliError, CliResult, Exit};
use super::output::Output;
use super::session::Session;
use super::text::plural;
use crate::check::peer;
use crate::dump::archive::{self, Existing};
use crate::dump::redact::Redaction;
use crate::dump::{Dump, hosts, machine, version};
use crate::files::Files;

/// How many events at the end are kept: an incident with what led to it.
const EVENTS_LAST: usize = 500;
/// How many lines of history.
const HISTORY_LAST: usize = 200;
/// A stream of events that is silent for so long has told what it keeps.
const SILENT_FOR: Duration = Duration::from_millis(300);

/// What is asked of the process: where, under which name it is kept, and why.
const QUESTIONS: &[(&str, &str, &str)] = &[
    (
        "/v1/status",
        "state/status.json",
        "shares, health and workers as they are",
    ),
    (
        "/v1/services",
        "state/services.json",
        "every backend and endpoint, with why",
    ),
    (
        "/v1/providers",
        "state/providers.json",
        "what each provider carries",
    ),
    (
        "/v1/shifts",
        "state/shifts.json",
        "ramps that run or ended lately",
    ),
    (
        "/v1/evacuations",
        "state/evacuations.json",
        "providers that are taken out",
    ),
    ("/metrics", "state/metrics.txt", "all counters and gauges"),
];

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

/// What there is to dump from.
struct Given {
    client: Option<Client>,
    process: Option<i32>,
    text: Option<Text>,
    /// What is missing so far.
    missing: Vec<String>,
    files: Files,
}

impl Given {
    async fn collect(
        args: &DumpArgs,
        session: Result<Session<'_>, CliError>,
    ) -> Result<Self, CliError> {
        let mut missing = Vec::new();
        let mut text = args.config.as_deref().map(Text::read).transpose()?;
        let mut client = None;
        match session {
            Err(error) => missing.push(format!(
                "everything of a running process: {}",
                error.message
            )),
            Ok(mut session) => match live(&mut session).await {
                Ok(running) => {
                    text = text.or(Some(running));
                    client = Some(session.client);
                }
                Err(error) => missing.push(format!(
                    "everything of a running process: {}",
                    error.message
                )),
            },
        }
        let process = client
            .as_ref()
            .and_then(|client| peer::process(client.context()));
        let path = text
            .as_ref()
            .map_or_else(PathBuf::new, |text| text.path.clone());
        let env = process.map(peer::environment).unwrap_or_default();
        let files = Files::of(&path).with_env(&env);
        Ok(Self {
            client,
            process,
            text,
            missing,
            files,
        })
    }

    /// What must not be told: what variables of the configuration hold, and the secrets in the files that it names.
    fn redaction(&self, hides_hosts: bool) -> Redaction {
        let mut redaction = Redaction::default();
        let Some(text) = &self.text else {
            return redaction;
        };
        let written = text.as_utf8();
        for name in references(&written) {
            if let Some(value) = self.files.env(name) {
                redaction.know(&value, &format!("<env {name}>"));
            }
        }
        let Ok(loaded) = bascule_config::load_bytes(&text.name, &text.bytes, &self.files) else {
            return redaction;
        };
        let certificates = loaded.config.listeners.values().flat_map(|l| &l.tls);
        for certificate in certificates.flat_map(|tls| &tls.certificates) {
            let key = String::from_utf8_lossy(&certificate.key_pem).into_owned();
            let body = key.lines().filter(|line| !line.starts_with("-----"));
            body.for_each(|line| redaction.know(line, "<private key>"));
        }
        let tokens = loaded.config.admin.tokens_file.as_deref();
        let tokens = tokens
            .and_then(|file| self.files.read(file).ok())
            .unwrap_or_default();
        for word in String::from_utf8_lossy(&tokens).split(|c: char| c.is_whitespace() || c == ':')
        {
            // Names and roles are short words; what is long is a hash, or a token that was put there by mistake.
            if word.len() > 16 {
                redaction.know(word, "<token>");
            }
        }
        if hides_hosts {
            redaction.hide_hosts(&hosts(&loaded.config));
        }
        redaction
    }

    /// The configuration: with all defaults where it can be read, else what is wrong with it.
    fn configuration(&mut self, dump: &mut Dump) {
        for what in std::mem::take(&mut self.missing) {
            dump.lacks(&what);
        }
        let Some(text) = &self.text else {
            dump.lacks("a configuration: no process answers, and no --config was given");
            return;
        };
        let written = text.as_utf8();
        match bascule_config::load_bytes(&text.name, &text.bytes, &self.files) {
            Ok(loaded) => {
                let shown = bascule_config::show_defaults(&loaded.config, &written);
                dump.add(
                    "config/effective.yaml",
                    "what holds, defaults included; comments are left out",
                    &shown,
                );
                let warnings = loaded.warnings.to_string();
                if !warnings.is_empty() {
                    dump.add("config/warnings.txt", "what validation warns of", &warnings);
                }
            }
            Err(problems) => {
                dump.add(
                    "config/text.yaml",
                    "the file as it is written, as it cannot be read",
                    &without_comments(&written),
                );
                dump.add(
                    "config/errors.txt",
                    "why it cannot be read",
                    &problems.to_string(),
                );
            }
        }
        let unseen: Vec<&str> = references(&written)
            .into_iter()
            .filter(|name| self.client.is_some() && !self.files.knows(name))
            .collect();
        if !unseen.is_empty() {
            dump.lacks(&format!(
                "certainty about {}: the environment of the process is not to be seen, so addresses made of it may show in state/",
                unseen.join(", ")
            ));
        }
    }

    /// What the process says.
    async fn process(&self, dump: &mut Dump) {
        let Some(client) = &self.client else { return };
        for (path, name, why) in QUESTIONS {
            ask(client, path, (name, why), dump).await;
        }
        let history = format!("/v1/history?limit={HISTORY_LAST}");
        ask(
            client,
            &history,
            ("state/history.json", "the last changes, with who and why"),
            dump,
        )
        .await;
        match events(client).await {
            Ok(text) => dump.add("state/events.txt", "the last events", &text),
            Err(error) => dump.lacks(&format!("events: {}", error.message)),
        }
    }
}

async fn ask(
    client: &Client,
    path: &str,
    (name, why): (&'static str, &'static str),
    dump: &mut Dump,
) {
    match client.exchange(Call::new(Method::GET, path)).await {
        Ok(reply) if reply.status.is_success() => {
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            let pretty = serde_json::from_str::<serde_json::Value>(&text)
                .and_then(|value| serde_json::to_string_pretty(&value));
            dump.add(name, why, &pretty.unwrap_or(text));
        }
        Ok(reply) => dump.lacks(&format!("{path}: status {}", reply.status)),
        Err(error) => dump.lacks(&format!("{path}: {}", error.message)),
    }
}

async fn events(client: &Client) -> Result<String, CliError> {
    let call = Call::new(Method::GET, format!("/v1/events?last={EVENTS_LAST}"));
    let mut stream = client.stream(call).await?;
    let mut bytes = Vec::new();
    // Cancellation safe: a piece that is not there yet stays in the stream, which is dropped here.
    while let Ok(Some(piece)) = tokio::time::timeout(SILENT_FOR, stream.next()).await {
        bytes.extend_from_slice(&piece);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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

/// The variables that a text refers to.
fn references(text: &str) -> Vec<&str> {
    let pieces = text.split("${").skip(1);
    let names = pieces.filter_map(|piece| {
        let end = piece.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        piece.get(..end).filter(|name| !name.is_empty())
    });
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A file without what follows `#`: comments hold what nobody thinks of. A `#` inside quotes goes too; the text is for
/// eyes.
fn without_comments(text: &str) -> String {
    let strip = |line: &str| match line.split_once('#') {
        Some((before, _)) => before.trim_end().to_owned(),
        None => line.to_owned(),
    };
    text.lines().map(|line| strip(line) + "\n").collect()
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
