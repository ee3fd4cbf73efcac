//! `history`: what changed, who changed it, and why; refused attempts too.

use bascule_admin::api::{History, HistoryEntry};

use super::args::{HistoryArgs, HistoryCommand};
use super::exit::{CliError, CliResult, Exit};
use super::output::{Align, Table};
use super::session::Session;
use super::text::{self, Clock};

/// How many entries are asked for at once.
const PAGE: usize = 200;

/// Lists, or shows one revision.
pub(crate) async fn run(session: &mut Session<'_>, args: &HistoryArgs) -> CliResult {
    if let Some(HistoryCommand::Show { revision }) = args.command {
        let entry: HistoryEntry = session.get(&format!("/v1/history/{revision}")).await?;
        let clock = session.clock.clone();
        session
            .out
            .answer("HistoryEntry", &entry, |entry| show(entry, &clock))?;
        return Ok(Exit::Ok);
    }
    let (history, more) = read(session, args).await?;
    let clock = session.clock.clone();
    session
        .out
        .answer("History", &history, |history| list(history, &clock))?;
    if more {
        session.out.note("there is more: --limit N");
    }
    Ok(Exit::Ok)
}

/// Reads pages until they are older than asked for, or there are enough; and whether there would be more.
async fn read(session: &mut Session<'_>, args: &HistoryArgs) -> Result<(History, bool), CliError> {
    let oldest = args.since.0.as_secs();
    let first = format!("/v1/history?limit={}", args.limit.clamp(1, PAGE));
    let mut history: History = session.get(&first).await?;
    loop {
        let read = history.entries.len();
        history
            .entries
            .retain(|entry| session.clock.ago(entry.at) <= oldest);
        let next = history
            .next
            .take()
            .filter(|_| history.entries.len() == read);
        let left = history.entries.len().saturating_sub(args.limit) > 0 || next.is_some();
        let Some(next) = next.filter(|_| read < args.limit) else {
            history.entries.truncate(args.limit);
            return Ok((history, left));
        };
        let path = format!(
            "/v1/history?limit={PAGE}&before={}",
            super::client::segment(&next)
        );
        let mut page: History = session.get(&path).await?;
        history.entries.append(&mut page.entries);
        history.next = page.next;
    }
}

/// The table.
fn list(history: &History, clock: &Clock) -> String {
    let mut table = Table::new([
        ("REV", Align::Right),
        ("WHEN", Align::Left),
        ("WHO", Align::Left),
        ("WHAT", Align::Left),
        ("ON", Align::Left),
        ("CHANGE", Align::Left),
        ("WHY", Align::Left),
    ]);
    for entry in &history.entries {
        table.row([
            entry.revision.to_string(),
            clock.short(entry.at),
            entry.actor.clone(),
            entry.action.clone(),
            entry.object.clone(),
            change(entry),
            entry.reason.clone(),
        ]);
    }
    if table.is_empty() {
        return "nothing changed in that time\n".to_owned();
    }
    table.render()
}

/// What an entry changed: `aws 70 → 50  oci 30 → 50`, or why it was refused.
fn change(entry: &HistoryEntry) -> String {
    if let Some(refused) = &entry.refused {
        return format!("refused: {refused}");
    }
    let several = entry.rows.len() > 1;
    let mut parts = Vec::new();
    for (service, row) in &entry.rows {
        let before = row.before.clone().unwrap_or_default();
        let moved = row.after.iter().filter(|(name, after)| {
            (**after - before.get(*name).copied().unwrap_or(0.0)).abs() >= 0.005
        });
        let moved: Vec<String> = moved
            .map(|(name, after)| {
                let before = before.get(name).copied().unwrap_or(0.0);
                format!("{name} {} → {}", text::share(before), text::share(*after))
            })
            .collect();
        let name = if several {
            format!("{service}: ")
        } else {
            String::new()
        };
        parts.push(format!("{name}{}", moved.join("  ")));
    }
    parts.join("; ")
}

/// One entry on one line.
pub(crate) fn line(entry: &HistoryEntry, clock: &Clock) -> String {
    let reason = if entry.reason.is_empty() {
        String::new()
    } else {
        format!(", {}", entry.reason)
    };
    let (at, change) = (clock.short(entry.at), change(entry));
    let words = [at.as_str(), &entry.action, &entry.object, &change];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    format!("{} ({}{reason})", words.join(" "), entry.actor)
}

/// One revision in full.
fn show(entry: &HistoryEntry, clock: &Clock) -> String {
    let mut lines = vec![
        format!("revision {}   {}", entry.revision, clock.long(entry.at)),
        match entry.object.as_str() {
            "" => format!("  {} by {}", entry.action, entry.actor),
            object => format!("  {} {object} by {}", entry.action, entry.actor),
        },
    ];
    if !entry.reason.is_empty() {
        lines.push(format!("  why      {}", entry.reason));
    }
    if let Some(refused) = &entry.refused {
        lines.push(format!("  refused  {refused}"));
    }
    for (service, row) in &entry.rows {
        let before = row
            .before
            .as_ref()
            .map_or_else(|| "(new)".to_owned(), text::row);
        lines.push(format!(
            "  {service}  {before}  →  {}",
            text::row(&row.after)
        ));
    }
    if entry.refused.is_none() {
        lines.push(format!("Back to it: bascule undo {}", entry.revision));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn history_shows_who_did_what_and_why_and_what_was_refused() {
        insta::assert_snapshot!(list(&samples::history(), &samples::clock()));
    }

    #[test]
    fn one_revision_is_shown_in_full() {
        insta::assert_snapshot!(show(&samples::history().entries[0], &samples::clock()));
    }
}
