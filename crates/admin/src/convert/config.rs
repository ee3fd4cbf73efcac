//! Configurations and their diagnostics to wire types.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use bascule_config::text::{Style, render};
use bascule_config::{Diagnostics, Severity};

use super::time;
use crate::api;
use crate::ports::{RefusedConfig, RunningConfig};

/// How many characters of the hash are shown: enough to tell two texts apart, short enough to read out.
const HASH_SHOWN: usize = 12;

/// The first characters of the text's SHA-256.
pub(crate) fn hash(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut hex = String::with_capacity(HASH_SHOWN);
    for byte in digest.as_ref().iter().take(HASH_SHOWN / 2) {
        // Writing to a String cannot fail.
        let (Ok(()) | Err(_)) = write!(hex, "{byte:02x}");
    }
    hex
}

/// About the running configuration.
pub(crate) fn config_state(running: &RunningConfig) -> api::ConfigState {
    api::ConfigState {
        hash: hash(&running.text),
        origin: running.origin.clone(),
        loaded_at: Some(time(running.loaded_at)),
        last_error: running.last_error.as_ref().map(failure),
    }
}

fn failure(refused: &RefusedConfig) -> api::ConfigFailure {
    let (diagnostics, rendered) = diagnostics(&refused.diagnostics);
    api::ConfigFailure {
        at: time(refused.at),
        origin: refused.origin.clone(),
        diagnostics,
        rendered,
    }
}

/// Diagnostics one by one, and all of them as text with excerpts.
pub(crate) fn diagnostics(all: &Diagnostics) -> (Vec<api::Diagnostic>, String) {
    let number = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let items = all.items.iter().map(|item| api::Diagnostic {
        code: item.code.to_owned(),
        severity: match item.severity {
            Severity::Error => api::Severity::Error,
            Severity::Warning => api::Severity::Warning,
        },
        file: all.file.to_string(),
        line: number(item.span.line),
        column: number(item.span.column),
        end_column: (item.span.end_line == item.span.line).then(|| number(item.span.end_column)),
        pointer: item.pointer.clone(),
        message: item.message.clone(),
        fix: item.fix.as_ref().map(|fix| api::Fix {
            text: fix.edit.text.clone(),
        }),
    });
    let rendered = if all.items.is_empty() {
        String::new()
    } else {
        render(all, Style::Plain)
    };
    (items.collect(), rendered)
}
