//! Text to configuration: strict YAML in, a typed [`Config`] or all errors at once out, each with a stable code, line and
//! column in the user's file, and a fix where one is safe. Pure: files and environment come through [`Source`]. The
//! steps, one module each: `yaml` (text to a tree with spans) → `lower` (the tree against the table of keys, units
//! resolved) → `build` (to types) → `meaning` (references and sense).

pub mod args;
mod build;
pub mod codes;
pub mod config;
pub mod diagnostic;
pub mod diff;
mod env;
pub mod fix;
mod form;
pub mod format;
pub mod github;
pub mod held;
mod lower;
mod meaning;
pub mod migrate;
mod node;
pub mod origin;
pub mod pages;
pub mod put;
mod read;
pub mod reference;
pub mod reload;
pub mod render;
pub mod sarif;
pub mod schema;
mod similar;
pub mod source;
mod table;
pub mod text;
mod write;
mod yaml;

use std::sync::Arc;

pub use args::{ArgsError, from_args};
pub use codes::{CODES, Code, code};
pub use config::{
    AccessLog, Account, ActuatorKind, ActuatorName, Addresses, Admin, Apply, AskDns, Auth,
    Certificate, Cloud, Config, Discover, Dns, Hsts, Limits, ListenAddress, Listener,
    ListenerTimeouts, Log, LogFormat, LogLevel, Observe, OnDrift, Protocols, Runtime, Secrets,
    Shutdown, SourceKind, SourceName, TlsListener, TlsVersion,
};
pub use diagnostic::{Diagnostic, Diagnostics, Edit, Fix, Related, Severity, found};
pub use diff::{Change, ChangeKind, diff};
pub use fix::fix;
pub use format::fmt;
pub use github::github;
pub use held::{Held, Said, held, show_defaults};
pub use migrate::{MigrateError, Migrated, migrate};
pub use origin::{Origins, Place, Span};
pub use pages::{Example, Page, page, page_text};
pub use put::{Put, PutError, put};
pub use reference::{config_reference, errors_reference};
pub use reload::needs_start;
pub use render::{render, retry_when};
pub use sarif::sarif;
pub use schema::schema;
pub use source::{MemorySource, Source, SourceError};
pub use text::Style;

/// A configuration that may be used, and what somebody should look at.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings; may be empty.
    pub warnings: Diagnostics,
}

/// Reads a configuration. `file` is only its name, for messages.
///
/// # Errors
/// All that is wrong in it, warnings included.
pub fn load(file: &str, text: &str, source: &dyn Source) -> Result<Loaded, Diagnostics> {
    let file: Arc<str> = Arc::from(file);
    let (root, mut items) = yaml::parse(text);
    let config = root.and_then(|root| {
        let lowered = lower::lower(&root, &table::ROOT, source);
        items.extend(lowered.problems);
        let origins = Origins {
            file: Arc::clone(&file),
            spans: lowered.origins,
        };
        let (config, problems) = build::build(&lowered.root, source, origins);
        items.extend(problems);
        config
    });
    let diagnostics = Diagnostics::new(file, Arc::from(text), items);
    match config {
        Some(config) if diagnostics.count(Severity::Error) == 0 => Ok(Loaded {
            config,
            warnings: diagnostics,
        }),
        _ => Err(diagnostics.never_silent()),
    }
}

/// Reads a configuration from bytes, which must be UTF-8.
///
/// # Errors
/// As [`load`].
pub fn load_bytes(file: &str, bytes: &[u8], source: &dyn Source) -> Result<Loaded, Diagnostics> {
    match std::str::from_utf8(bytes) {
        Ok(text) => load(file, text, source),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let text = String::from_utf8_lossy(bytes);
            let span = origin::at_end_of(&String::from_utf8_lossy(valid));
            let item = Diagnostic::error("E0111", span, "", "the file is not UTF-8")
                .label("a byte here is not part of a character");
            let item = match bytes {
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => item.help("it is UTF-16: save it as UTF-8"),
                _ => item.help("save it as UTF-8, for example by `iconv -f latin1 -t utf-8`"),
            };
            Err(Diagnostics::new(
                Arc::from(file),
                Arc::from(&*text),
                vec![item],
            ))
        }
    }
}
