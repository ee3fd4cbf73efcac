//! `check`, and what `config validate --online` asks of the network: groups, one line each, details only of trouble, with
//! the page that explains it. What is looked at is decided in [`check`](crate::check).

use bascule_admin::api::Status;
use bascule_config::{Diagnostics, Loaded};
use serde_json::json;

use super::args::{CheckArgs, Global};
use super::config::{Text, invalid, live};
use super::exit::{CliError, CliResult, Exit};
use super::output::Output;
use super::session::Session;
use super::text::plural;
use crate::check::host::Whose;
use crate::check::{
    Finding, Group, Level, Report, Subject, clouds, files, host, online, peer, ports, prices,
    running,
};

/// Does it.
pub(crate) async fn run(args: &CheckArgs, global: &Global, out: &mut Output) -> CliResult {
    let began = bascule_telemetry::clock::now();
    let (name, report) = look(args, global).await?;
    let took = bascule_telemetry::clock::now().since(began);
    let data = json!({
        "config": name, "errors": report.count(Level::Error), "warnings": report.count(Level::Warning),
        "unknown": report.count(Level::Unknown), "groups": report.groups,
    });
    out.answer("Check", &data, |_| render(&report, took.as_secs_f64()))?;
    Ok(verdict(&report, args.strict))
}

/// What it would print.
pub(crate) async fn text(args: &CheckArgs, global: &Global) -> Result<String, CliError> {
    let (_, report) = look(args, global).await?;
    Ok(groups(&report))
}

async fn look(args: &CheckArgs, global: &Global) -> Result<(String, Report), CliError> {
    let process = if args.pre {
        None
    } else {
        Some(process(global).await)
    };
    let text = match (&args.config, &process) {
        (Some(file), _) => Text::read(file)?,
        (None, Some(Ok(process))) => process.text.copy(),
        (None, Some(Err(error))) => {
            return Err(error
                .clone()
                .with_help("or look before a start: bascule check --pre --config FILE"));
        }
        (None, None) => return Err(CliError::new(Exit::Usage, "--pre needs --config FILE")),
    };
    let loaded = text.load().map_err(|problems| invalid(&problems))?;
    let report = report(args, &text, &loaded, process.as_ref()).await;
    Ok((text.name, report))
}

/// A process that answers.
struct Process {
    status: Status,
    text: Text,
    whose: Whose,
}

async fn process(global: &Global) -> Result<Process, CliError> {
    let mut silent = Output::silent();
    let mut session = Session::open(global, &mut silent)?;
    let status: Status = session.get("/v1/status").await?;
    let text = live(&mut session).await?;
    let limits = peer::process(session.client.context()).and_then(peer::limits);
    let descriptors = limits.as_deref().and_then(peer::descriptors);
    let whose = Whose::Running { descriptors };
    Ok(Process {
        status,
        text,
        whose,
    })
}

async fn report(
    args: &CheckArgs,
    text: &Text,
    loaded: &Loaded,
    look: Option<&Result<Process, CliError>>,
) -> Report {
    let source = text.files();
    let subject = Subject {
        config: &loaded.config,
        files: &source,
        now: bascule_telemetry::clock::wall(),
    };
    let process = look.and_then(|look| look.as_ref().ok());
    let status = process.map(|process| &process.status);
    let whose = process.map_or(Whose::Own, |process| process.whose);
    let mut machine = host::look(&subject, whose);
    machine.extend(ports::look(&loaded.config, status));
    let mut file = files::look(&subject, &loaded.warnings);
    file.extend(prices::look(&subject));
    let mut groups = vec![Group::new("host", machine), Group::new("config", file)];
    groups.extend(online::look(&loaded.config, subject.now).await);
    groups.extend(clouds::look(&loaded.config, &source).await);
    match look {
        None => groups.push(Group::new(
            "safety",
            running::safety_of_file(&loaded.config),
        )),
        Some(Err(error)) => groups.push(Group::new("edges", vec![running::absent(error)])),
        Some(Ok(process)) => {
            let file = args.config.as_ref().map(|_| text.as_utf8());
            let mut edges = running::edges(&process.status);
            edges.extend(running::loaded(
                &process.status,
                file.as_deref(),
                &process.text.as_utf8(),
            ));
            let mut safety = running::safety(&process.status);
            safety.extend(running::load_after_a_loss(&process.status));
            groups.push(Group::new("edges", edges));
            groups.push(Group::new("safety", safety));
            groups.push(Group::new(
                "controller",
                running::controller(&process.status),
            ));
        }
    }
    Report { groups }
}

/// What `config validate --online` adds: ports, endpoints and clouds, of files that are valid.
pub(crate) async fn ask_network(texts: &[Text], global: &Global) -> Vec<(Report, Diagnostics)> {
    let status = process(global).await.ok().map(|process| process.status);
    let mut all = Vec::new();
    for text in texts {
        let Ok(loaded) = text.load() else { continue };
        let mut groups = vec![Group::new(
            "listeners",
            ports::look(&loaded.config, status.as_ref()),
        )];
        groups.extend(online::look(&loaded.config, bascule_telemetry::clock::wall()).await);
        groups.extend(clouds::look(&loaded.config, &text.files()).await);
        let report = Report { groups };
        let found = diagnostics(&report, text, &loaded);
        all.push((report, found));
    }
    all
}

/// What was found, at its place in the file.
fn diagnostics(report: &Report, text: &Text, loaded: &Loaded) -> Diagnostics {
    let wrong = report.findings().filter_map(|finding| {
        let code = finding.code?;
        let pointer = finding.pointer.as_deref().unwrap_or_default();
        let help = finding.help.as_deref().unwrap_or_default();
        Some(bascule_config::found(
            &loaded.config.origins,
            code,
            pointer,
            &finding.text,
            help,
        ))
    });
    Diagnostics::of(&text.name, &text.as_utf8(), wrong.collect())
}

/// How it ends.
pub(crate) fn verdict(report: &Report, strict: bool) -> Exit {
    let fails = report.count(Level::Error) > 0 || (strict && report.count(Level::Warning) > 0);
    if fails { Exit::Problem } else { Exit::Ok }
}

/// The text for people.
pub(crate) fn render(report: &Report, seconds: f64) -> String {
    let mut text = groups(report);
    let (errors, warnings) = (report.count(Level::Error), report.count(Level::Warning));
    let unknown = match report.count(Level::Unknown) {
        0 => String::new(),
        count => format!(", {count} unknown"),
    };
    text.push_str(&format!(
        "{}, {}{unknown} ({seconds:.1} s)",
        plural(errors, "error"),
        plural(warnings, "warning")
    ));
    text
}

/// The groups: one line each, then what is not fine in them.
pub(crate) fn groups(report: &Report) -> String {
    let mut text = String::new();
    let mut at = 0;
    while let Some(first) = report.groups.get(at) {
        let rest = report.groups.get(at..).unwrap_or_default();
        let parts: Vec<&Group> = rest
            .iter()
            .take_while(|group| group.name == first.name)
            .collect();
        at += parts.len().max(1);
        let summary: Vec<String> = parts.iter().map(|part| summary(part)).collect();
        let line = format!("{:<12}{}", first.name, summary.join(" · "));
        text.push_str(line.trim_end());
        text.push('\n');
        for part in parts {
            let trouble: Vec<&Finding> = part
                .findings
                .iter()
                .filter(|f| f.level != Level::Ok)
                .collect();
            for (at, finding) in trouble.iter().enumerate() {
                let same = |next: &&Finding| next.code == finding.code && next.help == finding.help;
                let is_last = !trouble.get(at + 1).is_some_and(same);
                text.push_str(&detail(&part.part, finding, is_last));
            }
        }
    }
    text
}

/// `aws ok 6`, `ok 11   (8192 descriptors, …)`, `2 warnings, ok 5`.
fn summary(part: &Group) -> String {
    let count = |level| part.count(level);
    let mut words = Vec::new();
    for (number, word) in [
        (count(Level::Error), "error"),
        (count(Level::Warning), "warning"),
    ] {
        if number > 0 {
            words.push(plural(number, word));
        }
    }
    if count(Level::Unknown) > 0 {
        words.push(format!("{} unknown", count(Level::Unknown)));
    }
    if count(Level::Ok) > 0 || words.is_empty() {
        words.push(format!("ok {}", count(Level::Ok)));
    }
    let name = if part.part.is_empty() {
        String::new()
    } else {
        format!("{} ", part.part)
    };
    let fine = part
        .findings
        .iter()
        .filter(|f| f.level == Level::Ok && !f.text.is_empty());
    let remarks: Vec<&str> = fine.map(|finding| finding.text.as_str()).collect();
    let remarks = match remarks.as_slice() {
        [] => String::new(),
        all => format!("   ({})", all.join(", ")),
    };
    format!("{name}{}{remarks}", words.join(", "))
}

/// One finding; what to do stands behind the last of those that have the same cure.
fn detail(part: &str, finding: &Finding, is_last: bool) -> String {
    let sign = match finding.level {
        Level::Error => 'x',
        Level::Warning => '!',
        Level::Unknown | Level::Ok => '?',
    };
    let part = if part.is_empty() {
        String::new()
    } else {
        format!("{part}  ")
    };
    let mut text = format!("  {sign}  {part}{}\n", finding.text);
    if !is_last {
        return text;
    }
    if let Some(help) = &finding.help {
        text.push_str(&format!("     → {help}\n"));
    }
    if let Some(code) = finding.code {
        text.push_str(&format!("     bascule help {code}\n"));
    }
    text
}

#[cfg(test)]
mod tests;
