//! One thread, one runtime, its clock and its tasks. The product's own clock and tasks (`telemetry`) are left out on
//! purpose: the load must not change when they do.

use std::future::Future;
use std::time::Instant;

use tokio::task::{JoinHandle, LocalSet};

/// Now.
#[must_use]
pub fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a measuring tool beside the product, with a clock of its own"
    )]
    Instant::now()
}

/// Starts a task on this thread. Panics reach whoever awaits it.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    #[expect(
        clippy::disallowed_methods,
        reason = "a measuring tool beside the product, with tasks of its own"
    )]
    tokio::task::spawn_local(future)
}

/// Runs a future, and the tasks it starts, on this thread.
///
/// # Errors
/// The operating system gives no event queue.
pub fn run<T>(future: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(LocalSet::new().block_on(&runtime, future))
}
