//! What keeps requests together, and the secrets of the cookies that do.

use std::time::Duration;

use bascule_traffic::spec::{AffinityBy, AffinitySpec, CookieSpec, KeySource, OnDrain, SameSite};

use super::Builder;
use crate::config::Secrets;
use crate::diagnostic::Diagnostic;
use crate::lower::Item;
use crate::read::Layers;

/// A working day.
const TTL: Duration = Duration::from_secs(12 * 3600);
/// What nobody but the owner, and the group for reading, may do with a file of secrets.
const MODE_TOO_OPEN: u32 = 0o037;

impl Builder<'_> {
    /// `None` where there is none, or when a problem was reported.
    pub(super) fn affinity(&mut self, item: Option<&Item>) -> Option<AffinitySpec> {
        let map = Layers::only(Some(item?));
        let secret_file = map
            .get("secret_file")
            .and_then(|item| self.secrets_of(item));
        Some(AffinitySpec {
            by: by(map, secret_file)?,
            ttl: map.duration("ttl").unwrap_or(TTL),
            on_drain: match map.word("on_drain") {
                Some("move") => OnDrain::Move,
                _ => OnDrain::KeepRunning,
            },
        })
    }

    /// The secrets of a file: kept by path, checked once they are read.
    fn secrets_of(&mut self, item: &Item) -> Option<String> {
        let (path, content) = self.file(item)?;
        if let Some(mode) = self
            .source
            .mode(&path)
            .filter(|mode| mode & MODE_TOO_OPEN != 0)
        {
            let message = format!("`{path}` is open to others");
            let problem = Diagnostic::error("E0354", item.span, &item.pointer, message)
                .label(format!("its mode is {mode:04o}; it must be 0600 or 0640"))
                .help(format!("chmod 0600 {path}"));
            self.problems.push(problem);
        }
        match Secrets::parse(&content) {
            Ok(secrets) => {
                self.secrets.insert(path.clone(), secrets);
                Some(path)
            }
            Err(label) => {
                let message = format!("`{path}` holds no secrets that can be used");
                let problem = Diagnostic::error("E0355", item.span, &item.pointer, message)
                    .label(label)
                    .help(format!("openssl rand -base64 48 > {path}"));
                self.problems.push(problem);
                None
            }
        }
    }
}

fn by(map: Layers<'_>, secret_file: Option<String>) -> Option<AffinityBy> {
    let Some(name) = map.inside("by").text("cookie") else {
        return key_source(map, "by").map(AffinityBy::Key);
    };
    Some(AffinityBy::Cookie(CookieSpec {
        name: name.to_owned(),
        secret_file: secret_file?,
        same_site: match map.word("same_site") {
            Some("strict") => SameSite::Strict,
            Some("none") => SameSite::None,
            _ => SameSite::Lax,
        },
    }))
}

/// Where requests have their key: a word, or a map that names it.
pub(super) fn key_source(map: Layers<'_>, key: &str) -> Option<KeySource> {
    match map.word(key) {
        Some("source_ip") => return Some(KeySource::SourceIp),
        Some("sni") => return Some(KeySource::Sni),
        _ => {}
    }
    let inside = map.inside(key);
    let header = inside.text("header").map(str::to_ascii_lowercase);
    let query = inside.text("query").map(str::to_owned);
    header
        .map(KeySource::Header)
        .or_else(|| query.map(KeySource::Query))
        .or_else(|| inside.integer("path_segment").map(KeySource::PathSegment))
}
