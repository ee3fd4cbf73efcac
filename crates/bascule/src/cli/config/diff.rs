//! `config diff`: what a file would change, by meaning, in the grammar of Terraform: `+` is new, `~` another value, `-`
//! gone.

use std::fmt::Write as _;

use bascule_config::{Change, ChangeKind, Config, Held, Said};
use serde_json::{Value, json};

use super::against::Against;
use super::{Text, invalid};
use crate::cli::args::{DiffArgs, Global};
use crate::cli::exit::{CliResult, Exit};
use crate::cli::output::Output;
use crate::cli::text::plural;

/// Does it.
pub(super) async fn run(args: &DiffArgs, global: &Global, out: &mut Output) -> CliResult {
    let against = Against::parse(&args.against)?;
    let mut file = Text::read(&args.file)?;
    let (text, called) = against.text(&file, global, out).await?;
    // What would be applied to a process is read with the environment of that process.
    file.env.clone_from(&text.env);
    let new = file.load().map_err(|problems| invalid(&problems))?.config;
    let old = text.load().map_err(|problems| invalid(&problems))?.config;
    let changes = bascule_config::diff((&old, &text.as_utf8()), (&new, &file.as_utf8()));
    let start = bascule_config::needs_start(&old, &new);
    let data = json!({
        "file": file.name, "against": called, "changes": changes.iter().map(document).collect::<Vec<_>>(),
        "needs_start": start,
    });
    out.answer("ConfigDiff", &data, |_| {
        render(&changes, &file.name, &called)
    })?;
    let tells = args.detailed_exitcode && !changes.is_empty();
    Ok(if tells {
        Exit::ChangesPresent
    } else {
        Exit::Ok
    })
}

fn document(change: &Change) -> Value {
    let value = |held: &Option<Held>| held.as_ref().map(|held| held.text.clone());
    let place = change.new.as_ref().and_then(|held| match &held.said {
        Said::Written(place) | Said::Inherited(place) => Some(place.to_string()),
        Said::BuiltIn => None,
    });
    json!({
        "change": change.kind.as_str(), "pointer": change.pointer(), "old": value(&change.old),
        "new": value(&change.new), "place": place, "needs_start": change.needs_start(),
    })
}

/// The text for people.
pub(super) fn render(changes: &[Change], file: &str, against: &str) -> String {
    if changes.is_empty() {
        return format!("{file} changes nothing of {against}.");
    }
    let mut out = format!("{file} against {against}:\n\n{}", lines(changes));
    let count = |kind| changes.iter().filter(|c| c.kind == kind).count();
    let (add, update, remove) = (
        count(ChangeKind::Add),
        count(ChangeKind::Update),
        count(ChangeKind::Remove),
    );
    let start: Vec<&str> = changes
        .iter()
        .filter(|c| c.needs_start())
        .map(Change::path)
        .collect();
    let needs = match start.as_slice() {
        [] => "A reload does it.".to_owned(),
        all if all.len() == changes.len() => "It takes effect with the next start only.".to_owned(),
        some => format!(
            "A reload does it, but for {}, which the next start does.",
            some.join(", ")
        ),
    };
    let total = plural(changes.len(), "change");
    push(
        &mut out,
        format_args!("\n{total}: {update} to change, {add} to add, {remove} to remove. {needs}"),
    );
    out
}

/// The lines of what differs between two texts, with what they mean.
pub(crate) fn changes(
    (old, old_text): (&Config, &Text),
    (new, new_text): (&Config, &Text),
) -> String {
    let changes = bascule_config::diff((old, &old_text.as_utf8()), (new, &new_text.as_utf8()));
    lines(&changes)
}

fn lines(changes: &[Change]) -> String {
    let mut out = String::new();
    let width = changes
        .iter()
        .map(|c| c.path().chars().count())
        .max()
        .unwrap_or(0);
    for change in changes {
        line(&mut out, change, width);
    }
    out
}

fn line(out: &mut String, change: &Change, width: usize) {
    let (sign, path) = (change.kind.sign(), change.path());
    let start = if change.needs_start() {
        "   (needs a start)"
    } else {
        ""
    };
    let (gone, come) = change.items();
    if change.kind == ChangeKind::Update && !(gone.is_empty() && come.is_empty()) {
        push(out, format_args!("  {sign} {path}{start}\n"));
        for item in gone {
            push(out, format_args!("      - {item}\n"));
        }
        for item in come {
            push(out, format_args!("      + {item}\n"));
        }
        return;
    }
    let value = match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("{} → {}", shown(old), shown(new)),
        (Some(one), None) | (None, Some(one)) => shown(one),
        (None, None) => String::new(),
    };
    push(
        out,
        format_args!("  {sign} {path:<width$}  {value}{start}\n"),
    );
}

/// A value, and whether nobody wrote it.
fn shown(held: &Held) -> String {
    match held.said {
        Said::BuiltIn => format!("{} (default)", held.text),
        Said::Written(_) | Said::Inherited(_) => held.text.clone(),
    }
}

/// Writing to a `String` cannot fail.
fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    if text.write_fmt(arguments).is_err() {
        text.push('…');
    }
}
