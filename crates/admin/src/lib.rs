//! The admin side of a process: the REST API under `/v1`, the metrics endpoint and the dashboard, on a unix socket, an
//! optional TCP listener and an optional metrics listener. Runs on the control thread and reads what others publish; all
//! it changes, it changes by asking [`Ports`]. It never touches a worker, never decides about traffic, and no GET here
//! changes anything. Wire types: [`api`].

pub mod api;
