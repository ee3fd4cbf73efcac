//! `config migrate`: a file in the newest version of the configuration's shape.

use bascule_config::MigrateError;
use serde_json::json;

use super::{Text, invalid};
use crate::cli::exit::{CliError, CliResult, Exit};
use crate::cli::output::Output;

/// Does it.
pub(super) fn run(text: &Text, to: Option<u64>, write: bool, out: &mut Output) -> CliResult {
    // What is not UTF-8 is told with its place, and never written back.
    if std::str::from_utf8(&text.bytes).is_err() {
        return Err(invalid(&text.problems()));
    }
    let before = text.as_utf8();
    let migrated =
        bascule_config::migrate(&text.name, &before, to).map_err(|error| match error {
            MigrateError::Refused(problems) => invalid(&problems),
            MigrateError::NoWay { .. } => CliError::new(Exit::Usage, error.to_string())
                .with_help("leave --to out to reach the newest version"),
        })?;
    let changed = migrated.text != before;
    if write {
        if changed {
            text.write(&migrated.text)?;
        }
    } else if !out.format.is_json() {
        out.text(&migrated.text)?;
    }
    for done in &migrated.done {
        out.note(done);
    }
    let version = migrated.to;
    let told = match (changed, write) {
        (false, _) => format!("{} is of version {version} already", text.name),
        (true, true) => format!("{} is of version {version} now", text.name),
        (true, false) => format!(
            "not written: add --write to make {} of version {version}",
            text.name
        ),
    };
    if out.format.is_json() {
        let data = json!({
            "file": text.name, "from": migrated.from, "to": version, "changed": changed, "done": migrated.done,
            "text": migrated.text,
        });
        out.data("Migration", &data)?;
    } else {
        out.note(&told);
    }
    Ok(Exit::Ok)
}
