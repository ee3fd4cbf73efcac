//! Why a backend has its share: the factor chain as data.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Loss, Mode, Override};

/// From the declared share to the effective one. `/v1/services/{s}/explain/{b}`. Shares in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The service.
    pub service: String,
    /// The backend.
    pub backend: String,
    /// Who runs it.
    pub provider: String,
    /// The revision of what is wanted.
    pub revision: u64,
    /// The answer: its effective share.
    pub effective: f64,
    /// The file's.
    pub declared: f64,
    /// Where the declared weight is written: `meet.yaml:19`.
    pub declared_at: Option<String>,
    /// The target share: what the chain begins with.
    pub target: f64,
    /// Why the target is not the declared share, in words; empty when it is.
    pub target_why: String,
    /// The chain, in order: `health`, `slow_start`, and `capacity` where one is declared. Multiplied with the target they give `product`.
    pub factors: Vec<Factor>,
    /// Target × factors, before normalising, in percent.
    pub product: f64,
    /// The sum of all backends' products, by which it is divided, in percent.
    pub product_sum: f64,
    /// The products of the others, in percent.
    pub others: Vec<Factor>,
    /// Whether the backend is off, so that the chain does not matter.
    pub off: bool,
    /// Why it is off, in words; empty when it is not.
    pub off_why: String,
    /// What happens to the service's requests; in `fail_open` the target row is used as it is.
    pub mode: Mode,
    /// The override in force.
    #[serde(rename = "override")]
    pub override_row: Option<Override>,
    /// The shift that moves the target.
    pub shift: Option<String>,
    /// Endpoints that are up.
    pub endpoints_up: usize,
    /// Endpoints that count.
    pub endpoints_total: usize,
    /// What could matter and does not.
    pub not_in_play: Vec<NotInPlay>,
    /// What part of the service's requests is refused as it fits nowhere, in percent.
    pub shed: f64,
    /// What would become of the service if one provider were lost, by provider.
    pub losses: Vec<Loss>,
    /// What would bring it back to its target, in words; empty when it is there.
    pub would_return: String,
    /// The revision that all workers have confirmed, and how many there are.
    pub confirmed_revision: u64,
    /// Workers of the edge.
    pub workers: usize,
    /// The whole in lines for people.
    pub text: Vec<String>,
}

/// One factor, or one backend's product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Factor {
    /// `health`, `slow_start`, `capacity`, or a backend.
    pub name: String,
    /// The number: a ratio for factors, percent for products.
    pub value: f64,
    /// In words: `2 of 4 endpoints up: min(1, 1.4 × 2/4)`.
    pub why: String,
}

/// What could matter and does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotInPlay {
    /// `override`, `capacity`, `fail_open`, …
    pub name: String,
    /// `none`, `off`, …
    pub why: String,
}
