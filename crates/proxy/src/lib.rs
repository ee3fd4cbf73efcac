//! The data plane: HTTP/1.1 and HTTP/2 from accept to record. An [`Edge`] is N workers, each one thread with a runtime, a
//! socket of every listener, a view of the snapshot and connections to endpoints of its own: nothing is locked and no
//! cache line moves between cores for a request. What it does is decided by `traffic`; what it must never do is wait for
//! the control plane, or change a request's mind in the middle. Read `http/handle.rs` first.

mod affinity;
mod attempt;
mod edge;
mod held;
mod http;
mod line;
mod meters;
mod places;
mod settings;
mod shared;
mod spills;
mod tasks;
mod upstream;
mod view;
mod worker;

pub use edge::{Confirmed, Edge, StartError, Supposed, sight};
pub use settings::{CookieSecrets, ListenerSetup, Settings, UpstreamTls};
