//! Who is asking, on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AccessRole {
    /// May look.
    #[default]
    Viewer,
    /// May also move traffic and set admin states; must say why.
    Operator,
    /// May also replace the configuration; need not say why.
    Admin,
}

/// Who is asking. `/v1/whoami`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct WhoAmI {
    /// `uid:1000`, `token:ops`, `anonymous`.
    pub actor: String,
    /// What they may do.
    pub role: AccessRole,
    /// How they are known: `peer_uid`, `token`, `none`.
    pub auth: String,
    /// Where from: `unix`, or an address.
    pub source: String,
}
