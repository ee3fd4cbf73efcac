//! How HTTP/2 engines start tasks: on the worker's own thread, as everything here.

use std::future::Future;

use bascule_telemetry::spawn;

/// Starts futures on this thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        spawn::local("upstream-stream", future).detach();
    }
}
