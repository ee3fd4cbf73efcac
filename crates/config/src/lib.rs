//! Text to configuration: strict YAML in, a typed [`Config`] or all errors at once out, each with a stable code, line and
//! column in the user's file, and a fix where one is safe. Pure: files and environment come through [`Source`]. The
//! steps, one module each: `yaml` (text to a tree with spans) → `lower` (the tree against the table of keys, units
//! resolved) → `build` (to types) → `meaning` (references and sense).

pub mod args;
pub mod codes;
pub mod config;
pub mod diagnostic;
pub mod origin;
pub mod source;
pub mod text;

use std::sync::Arc;

pub use args::{ArgsError, from_args};
pub use codes::{CODES, Code, code};
pub use config::{
    AccessLog, Admin, Certificate, Config, Limits, ListenAddress, Listener, ListenerTimeouts, Log,
    LogFormat, LogLevel, Protocols, Runtime, Shutdown, TlsListener,
};
pub use diagnostic::{Diagnostic, Diagnostics, Edit, Fix, Related, Severity};
pub use origin::{Origins, Place, Span};
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
    let _ = source;
    let item = Diagnostic::error("E0101", Span::default(), "", "the parser is not there yet");
    Err(Diagnostics {
        file: Arc::from(file),
        text: Arc::from(text),
        items: vec![item],
    })
}

/// Reads a configuration from bytes, which must be UTF-8.
///
/// # Errors
/// As [`load`].
pub fn load_bytes(file: &str, bytes: &[u8], source: &dyn Source) -> Result<Loaded, Diagnostics> {
    load(file, &String::from_utf8_lossy(bytes), source)
}

/// The text in canonical order and spacing, comments kept.
///
/// # Errors
/// All that keeps it from being read, or the construct that cannot be moved without losing something.
pub fn fmt(file: &str, text: &str) -> Result<String, Diagnostics> {
    load(file, text, &MemorySource::default()).map(|_| text.to_owned())
}

/// The text with every safe fix applied.
#[must_use]
pub fn fix(text: &str, diagnostics: &Diagnostics) -> String {
    let _ = diagnostics;
    text.to_owned()
}

/// The JSON Schema (2020-12) of a configuration file.
#[must_use]
pub fn schema() -> serde_json::Value {
    serde_json::json!({"$schema": "https://json-schema.org/draft/2020-12/schema"})
}

/// The effective configuration as a text that loads to the same.
#[must_use]
pub fn render(config: &Config) -> String {
    format!("# {} services\n", config.services.len())
}

/// `docs/reference/config.md`: every key.
#[must_use]
pub fn config_reference() -> String {
    String::new()
}

/// `docs/reference/errors.md`: every code.
#[must_use]
pub fn errors_reference() -> String {
    String::new()
}
