//! The wire types of `/v1`: what the API answers and takes, as the CLI and the dashboard read it. Types of the inner
//! crates never go on the wire; they are converted explicitly (`convert`). Stable: others script against these.
//!
//! Units: a **share** is in percent, 0 to 100, with at most two decimals (`33.33`); `_ratio` is 0 to 1; `_seconds` are
//! seconds; times are RFC 3339 in UTC. Requests with an unknown field are refused with its place.
//!
//! A mutation needs `If-Match` (`"1841"`, the `ETag` of what was read, or `*`), takes `?dry_run=true` and `X-Reason`, and
//! answers with a [`Change`]: 202 and `Location` when a shift or an evacuation began, else 200. Errors are [`Problem`]s.
//!
//! | path | methods | body, answer |
//! |---|---|---|
//! | `/livez` `/readyz` `/metrics` | GET | text |
//! | `/v1/status` | GET | [`Status`] |
//! | `/v1/edge` | GET, PATCH | [`Edge`]; [`AdminPatch`] (`ready`, `drain`) → [`Change`] |
//! | `/v1/services` | GET | [`ServiceList`] |
//! | `/v1/services/{s}` | GET | [`Service`] |
//! | `/v1/services/{s}/weights` | GET, PUT | [`Weights`]; [`WeightsRequest`] → [`Change`] |
//! | `/v1/services/{s}/overrides` | GET, DELETE `?pace=policy\|now` | [`Overrides`]; → [`Change`] |
//! | `/v1/services/{s}/backends/{b}` | GET, PATCH | [`Backend`]; [`AdminPatch`] → [`Change`] |
//! | `/v1/services/{s}/backends/{b}/endpoints/{e}` | GET, PATCH | [`Endpoint`]; [`AdminPatch`] → [`Change`] |
//! | `/v1/services/{s}/explain/{b}` | GET | [`Explanation`] |
//! | `/v1/explain/request` | GET `?url=&method=&listener=&host=&headers=&client=` | [`RequestExplanation`] |
//! | `/v1/providers`, `/v1/providers/{p}` | GET; GET, PATCH | [`ProviderList`], [`Provider`]; [`AdminPatch`] → [`Change`] |
//! | `/v1/providers/{p}/evacuate` | POST | [`EvacuateRequest`] → [`Change`] |
//! | `/v1/providers/{p}/restore` | POST | [`ReasonRequest`] → [`Change`] |
//! | `/v1/evacuations`, `/v1/evacuations/{id}` | GET | [`EvacuationList`], [`Evacuation`] |
//! | `/v1/evacuations/{id}/evidence` | GET | [`Evidence`] |
//! | `/v1/shifts` | GET `?service=`, POST | [`ShiftList`]; [`ShiftRequest`] → [`Change`] |
//! | `/v1/shifts/{id}` | GET | [`Shift`] |
//! | `/v1/shifts/{id}/pause` `…/resume` `…/abort` | POST | [`ReasonRequest`] (may be empty) → [`Change`] |
//! | `/v1/history` | GET `?limit=&before=` | [`History`] |
//! | `/v1/history/{rev}` | GET | [`HistoryEntry`] |
//! | `/v1/history/{rev}/restore` | POST (`{rev}` may be `previous`) | [`ReasonRequest`] → [`Change`] |
//! | `/v1/config` | GET, PUT | [`Config`]; [`ConfigRequest`] → [`ConfigResult`] |
//! | `/v1/config/validate` | POST (changes nothing: no `If-Match`) | [`ConfigRequest`] → [`ConfigResult`] |
//! | `/v1/config/schema` | GET | JSON Schema |
//! | `/v1/events` | GET `?service=&kind=&since=&last=` | SSE of [`Event`]; `event: gap` with a [`Gap`] |
//! | `/v1/whoami` | GET | [`WhoAmI`] |
//! | `/v1/openapi.json` | GET | OpenAPI 3.1 |

mod change;
mod config;
mod evacuation;
mod event;
mod explain;
mod history;
mod loss;
mod problem;
mod request;
mod service;
mod shift;
mod state;
mod status;
mod weights;
mod who;

pub use change::{AdminPatch, Change, ReasonRequest, RowChange};
pub use config::{
    Config, ConfigFailure, ConfigRequest, ConfigResult, ConfigState, Diagnostic, Fix, Severity,
};
pub use evacuation::{
    EvacuateRequest, Evacuation, EvacuationList, EvacuationPhase, Evidence, Proof,
};
pub use event::{Event, Gap};
pub use explain::{Explanation, Factor, NotInPlay};
pub use history::{History, HistoryEntry};
pub use loss::Loss;
pub use problem::{FieldError, Problem};
pub use request::{
    RequestAffinity, RequestAttempts, RequestCandidate, RequestEndpoint, RequestExplanation,
    RequestKey, RequestPick, RequestQuery,
};
pub use service::{
    Affinity, Agent, Backend, BackendLimits, BackendShares, Ejection, Endpoint, Leaving, Load,
    Mode, Provider, ProviderBackend, ProviderList, Reason, Role, Service, ServiceList,
};
pub use shift::{Pace, Receiver, Shift, ShiftCause, ShiftList, ShiftPhase, ShiftRequest, TurnedBy};
pub use state::{AdminEntry, AdminState, ObservedState};
pub use status::{
    Actuator, ActuatorDns, Edge, Failing, Instance, Listener, Observed, ObservedHealth,
    ObservedValue, Source, Status,
};
pub use weights::{Measured, Override, Overrides, Weights, WeightsRequest};
pub use who::{AccessRole, WhoAmI};
