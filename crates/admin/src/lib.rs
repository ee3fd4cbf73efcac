//! The admin side of a process: the REST API under `/v1`, the metrics endpoint and the dashboard, on a unix socket, an
//! optional TCP listener and an optional metrics listener. Runs on the control thread and reads what others publish; all
//! it changes, it changes by asking [`Ports`]. It never touches a worker, never decides about traffic, and no GET here
//! changes anything. Wire types: [`api`]; the way into every handler: `rim`; the paths: `routes`.

mod access;
pub mod api;
mod app;
mod body;
mod convert;
mod explain;
mod gauges;
mod leaving;
mod measured;
mod openapi;
mod picture;
pub mod ports;
mod problem;
mod rim;
mod routes;
mod serve;
mod suggest;

pub use access::{TokenFileError, Tokens};
pub use explain::request::{Door, NoRequest, Seen, explain as explain_request};
pub use ports::{
    BoundListener, By, Clients, ConfigOutcome, ConfigPort, ControlPort, EdgeView, Later, Ports,
    RefusedConfig, RunningConfig, Settings, Supposed,
};
pub use problem::Code;
pub use routes::openapi;
pub use serve::{ServeError, Server, SocketError, serve};
