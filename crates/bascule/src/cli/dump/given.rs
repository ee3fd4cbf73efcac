//! What a dump is made from: the running process where one answers, the configuration, and what must not be told of both.

use std::path::PathBuf;
use std::time::Duration;

use bascule_config::Source as _;
use http::Method;

use crate::check::peer;
use crate::cli::args::DumpArgs;
use crate::cli::client::{Call, Client};
use crate::cli::config::{Text, live};
use crate::cli::exit::CliError;
use crate::cli::session::Session;
use crate::dump::redact::Redaction;
use crate::dump::{Dump, hosts};
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

/// What there is to dump from.
pub(super) struct Given {
    pub(super) client: Option<Client>,
    pub(super) process: Option<i32>,
    text: Option<Text>,
    /// What is missing so far.
    missing: Vec<String>,
    files: Files,
}

impl Given {
    pub(super) async fn collect(
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
    pub(super) fn redaction(&self, hides_hosts: bool) -> Redaction {
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
    pub(super) fn configuration(&mut self, dump: &mut Dump) {
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
    pub(super) async fn process(&self, dump: &mut Dump) {
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
