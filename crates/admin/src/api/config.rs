//! The configuration on the wire: its text, where it came from, and what is wrong with one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The running configuration. `/v1/config`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Config {
    /// The revision of what is wanted, for `If-Match`.
    pub revision: u64,
    /// The text as it was given.
    pub text: String,
    /// About it.
    pub state: ConfigState,
}

/// About the running configuration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct ConfigState {
    /// The first characters of the text's SHA-256.
    pub hash: String,
    /// Where it came from: a file's path, `api`, `arguments`, `last good`.
    pub origin: String,
    /// Since when it runs.
    pub loaded_at: Option<Timestamp>,
    /// The last attempt to replace it, where that was refused after it was loaded.
    pub last_error: Option<ConfigFailure>,
}

/// A refused configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConfigFailure {
    /// When.
    pub at: Timestamp,
    /// Where it came from.
    pub origin: String,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
    /// The same as text with excerpts.
    pub rendered: String,
}

/// A configuration to check or to load: `POST /v1/config/validate`, `PUT /v1/config`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigRequest {
    /// The text: YAML or JSON.
    pub text: String,
    /// The name to show in diagnostics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Why. `X-Reason` says it as well; the body wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What came of a configuration. Invalid answers validate with 200 and `valid: false`, PUT with a 422 problem.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct ConfigResult {
    /// Whether it can be loaded.
    pub valid: bool,
    /// Whether it was loaded.
    pub applied: bool,
    /// The first characters of the text's SHA-256.
    pub hash: String,
    /// The revision that runs.
    pub revision: u64,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The same as text with excerpts; empty when there is nothing to say.
    pub rendered: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Refuses the configuration.
    #[default]
    Error,
    /// Does not.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Diagnostic {
    /// Stable: `E0104`.
    pub code: String,
    /// How bad.
    pub severity: Severity,
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// Where it ends on that line.
    pub end_column: Option<usize>,
    /// Where in the document: `/services/meet/backends/aws/wieght`.
    pub pointer: String,
    /// In words.
    pub message: String,
    /// What would mend it.
    pub fix: Option<Fix>,
}

/// What would mend it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Fix {
    /// The text to put in place.
    pub text: String,
}
