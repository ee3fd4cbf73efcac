//! The threads that peers and clients of tests run on, each with a runtime of its own, so that nothing of the test can hold
//! them up. It decides nothing about what runs there.

use std::future::Future;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

/// Runs it on a thread of this name.
pub(crate) fn spawn<T, F>(name: &str, run: F) -> Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    #[expect(
        clippy::disallowed_methods,
        reason = "testkit stands below nothing: no telemetry"
    )]
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.with_context(|| format!("a thread for {name}"))
}

/// A runtime for one thread.
pub(crate) fn runtime() -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().context("a runtime")
}

/// Something that runs beside, on the same thread, and that nobody waits for.
pub(crate) fn beside(run: impl Future<Output = ()> + 'static) {
    #[expect(
        clippy::disallowed_methods,
        reason = "testkit stands below nothing: no telemetry"
    )]
    drop(tokio::task::spawn_local(run));
}
