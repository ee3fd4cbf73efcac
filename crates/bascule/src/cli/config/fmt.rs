//! `config fmt`: the canonical form of a file, comments kept.

use serde_json::json;

use super::{Text, invalid};
use crate::cli::exit::{CliResult, Exit};
use crate::cli::output::Output;

/// Does it.
pub(super) fn run(text: &Text, check: bool, write: bool, out: &mut Output) -> CliResult {
    let before = text.as_utf8();
    let after = bascule_config::fmt(&text.name, &before).map_err(|problems| invalid(&problems))?;
    let changed = after != before;
    if check {
        let data = json!({ "file": text.name, "canonical": !changed });
        out.answer("Format", &data, |_| match changed {
            true => format!(
                "{} is not in canonical form: bascule config fmt --write {}",
                text.name,
                text.path.display()
            ),
            false => String::new(),
        })?;
        return Ok(if changed {
            Exit::ChangesPresent
        } else {
            Exit::Ok
        });
    }
    if !write {
        out.text(&after)?;
        return Ok(Exit::Ok);
    }
    if changed || text.is_stdin() {
        text.write(&after)?;
        out.note(&format!("{} written", text.name));
    }
    Ok(Exit::Ok)
}
