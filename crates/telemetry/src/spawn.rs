//! The only place that starts tasks and threads. Each has a name; a panic in one is caught, counted in
//! `bascule_panics_total{task}` and logged, and ends only that one. Tasks of a thread are counted, so that a shutdown can
//! wait for them. It never restarts anything: whoever needs that awaits the [`Task`].

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bascule_model::Instant;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};

use crate::{clock, names};

/// Why a task gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// It panicked; counted and logged already.
    #[error("task `{task}` panicked: {message}")]
    Panicked {
        /// The task's name.
        task: &'static str,
        /// What the panic said.
        message: String,
    },
    /// It was aborted, or its runtime ended.
    #[error("task `{task}` was aborted")]
    Aborted {
        /// The task's name.
        task: &'static str,
    },
}

/// A running task. Awaiting it gives its result; dropping it lets the task run on.
#[derive(Debug)]
pub struct Task<T> {
    name: &'static str,
    handle: JoinHandle<Result<T, TaskError>>,
}

impl<T> Task<T> {
    /// The name it was started with.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Lets it run on, and forgets it.
    pub fn detach(self) {}

    /// Stops it at its next await.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// Stops it when the handle given back is dropped.
    #[must_use]
    pub fn abort_on_drop(self) -> AbortOnDrop {
        AbortOnDrop(self.handle.abort_handle())
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let task = self.name;
        Pin::new(&mut self.handle)
            .poll(cx)
            .map(|joined| joined.unwrap_or(Err(TaskError::Aborted { task })))
    }
}

/// Stops its task when dropped.
#[derive(Debug)]
pub struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts a task on this thread's `LocalSet`.
///
/// # Panics
/// Outside a `LocalSet`: that is a mistake of the program's composition, found by its first run.
pub fn local<F>(name: &'static str, future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let live = Live::start(name);
    // On the heap at once: each wrapper below would hold room for the whole future, and starting a task moves it several
    // times. Futures that serve a connection or a stream are some kilobytes.
    let future = Box::pin(future);
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let handle = tokio::task::spawn_local(async move {
        let result = caught(name, future).await;
        drop(live);
        result
    });
    Task { name, handle }
}

/// Starts a task on the runtime of this thread, for futures that are `Send` where there is no `LocalSet`.
///
/// # Panics
/// Outside a runtime: that is a mistake of the program's composition, found by its first run.
pub fn send<F>(name: &'static str, future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let handle = tokio::spawn(caught(name, future));
    Task { name, handle }
}

/// Runs a function that may block on a thread of the runtime's blocking pool.
///
/// # Panics
/// Outside a runtime: that is a mistake of the program's composition, found by its first run.
pub fn blocking<T, F>(name: &'static str, function: F) -> Task<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let handle = tokio::task::spawn_blocking(move || {
        catch_unwind(AssertUnwindSafe(function)).map_err(|panic| panicked(name, &*panic))
    });
    Task { name, handle }
}

/// A running thread.
#[derive(Debug)]
pub struct Thread<T> {
    name: String,
    task: &'static str,
    handle: std::thread::JoinHandle<Result<T, TaskError>>,
}

impl<T> Thread<T> {
    /// The name it was started with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// The thread itself, to wake it.
    #[must_use]
    pub fn thread(&self) -> &std::thread::Thread {
        self.handle.thread()
    }

    /// Waits for its end. Blocks.
    ///
    /// # Errors
    /// [`TaskError::Panicked`] when it panicked.
    pub fn join(self) -> Result<T, TaskError> {
        let task = self.task;
        let joined = self.handle.join();
        joined.unwrap_or(Err(TaskError::Aborted { task }))
    }
}

/// Starts a thread. `number` tells several of the same name apart (`worker-3`); metrics carry `name` alone.
///
/// # Errors
/// The operating system's, when it gives no thread.
pub fn thread<T, F>(
    name: &'static str,
    number: Option<usize>,
    function: F,
) -> std::io::Result<Thread<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let full = number.map_or_else(|| name.to_owned(), |n| format!("{name}-{n}"));
    let run =
        move || catch_unwind(AssertUnwindSafe(function)).map_err(|panic| panicked(name, &*panic));
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let handle = std::thread::Builder::new().name(full.clone()).spawn(run)?;
    Ok(Thread {
        name: full,
        task: name,
        handle,
    })
}

/// The future's result, or the panic it ended with. For code that serves one connection inside a larger task.
///
/// # Errors
/// [`TaskError::Panicked`] when the future panicked; counted and logged already.
pub async fn caught<F: Future>(name: &'static str, future: F) -> Result<F::Output, TaskError> {
    let mut future = pin!(future);
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panicked(name, &*panic))),
        },
    )
    .await
}

fn panicked(task: &'static str, panic: &(dyn Any + Send)) -> TaskError {
    let text = panic.downcast_ref::<&str>().copied();
    let message = text
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
        .to_owned();
    metrics::counter!(names::PANICS, "task" => task).increment(1);
    tracing::error!(
        event = "task_panicked",
        task,
        reason = message,
        "a task ended by a panic"
    );
    TaskError::Panicked { task, message }
}

/// The tasks of one thread that run, by name.
#[derive(Default)]
struct Running {
    counts: RefCell<BTreeMap<&'static str, usize>>,
    ended: Notify,
}

thread_local! {
    static RUNNING: Rc<Running> = Rc::default();
}

/// One running task of this thread; counted from its start until the drop of its future, aborted or not.
struct Live {
    name: &'static str,
    running: Rc<Running>,
}

impl Live {
    fn start(name: &'static str) -> Self {
        let running = RUNNING.with(Rc::clone);
        *running.counts.borrow_mut().entry(name).or_default() += 1;
        Self { name, running }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let mut counts = self.running.counts.borrow_mut();
        if let Some(count) = counts.get_mut(self.name) {
            *count = count.saturating_sub(1);
        }
        self.running.ended.notify_waiters();
    }
}

/// How many [`local`] tasks of this name run on this thread.
#[must_use]
pub fn running(name: &str) -> usize {
    RUNNING.with(|running| running.counts.borrow().get(name).copied().unwrap_or(0))
}

/// Waits until no [`local`] task of these names runs on this thread any more.
///
/// # Errors
/// At the deadline: the names that still run, with how many of each.
pub async fn ended(
    names: &[&'static str],
    deadline: Instant,
) -> Result<(), BTreeMap<&'static str, usize>> {
    let state = RUNNING.with(Rc::clone);
    loop {
        let change = state.ended.notified();
        let left: BTreeMap<_, _> = names
            .iter()
            .map(|name| (*name, running(name)))
            .filter(|(_, count)| *count > 0)
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        // Both branches only wait: losing either loses nothing.
        tokio::select! {
            () = change => {}
            () = clock::sleep_until(deadline) => return Err(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::LocalSet;

    use super::*;
    use crate::Registry;

    #[tokio::test]
    async fn a_panic_is_counted_and_ends_only_its_task() {
        let registry = Registry::new();
        let recorder = registry.shared();
        let _local = metrics::set_default_local_recorder(&recorder);
        let run = async {
            let bad = local("bad", std::future::poll_fn(|_| panic!("on purpose")));
            let good = local("good", std::future::ready(7));
            let message = "on purpose".to_owned();
            let task = "bad";
            assert_eq!(
                bad.await,
                Err::<(), _>(TaskError::Panicked { task, message })
            );
            assert_eq!(good.await, Ok(7));
        };
        LocalSet::new().run_until(run).await;
        assert_eq!(registry.counter(names::PANICS, &[("task", "bad")]), 1);
        assert_eq!(running("bad") + running("good"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_the_last_task_or_at_the_deadline() {
        let run = async {
            let deadline = clock::now() + Duration::from_secs(5);
            local("short", tokio::time::sleep(Duration::from_secs(1))).detach();
            let stuck = local("stuck", std::future::pending::<()>());
            assert_eq!(ended(&["short"], deadline).await, Ok(()));
            let left = ended(&["short", "stuck"], deadline).await;
            assert_eq!(left, Err(BTreeMap::from([("stuck", 1)])));
            stuck.abort();
            let later = clock::now() + Duration::from_secs(5);
            assert_eq!(ended(&["stuck"], later).await, Ok(()));
        };
        LocalSet::new().run_until(run).await;
    }

    #[test]
    fn a_panic_in_a_thread_is_an_error_of_its_join() {
        let thread = thread("doomed", Some(3), || panic!("{}", 1 + 1)).unwrap();
        assert_eq!(thread.name(), "doomed-3");
        let message = "2".to_owned();
        let task = "doomed";
        assert_eq!(
            thread.join(),
            Err::<(), _>(TaskError::Panicked { task, message })
        );
    }

    #[tokio::test]
    async fn dropping_the_guard_aborts_the_task() {
        let run = async {
            let guard = local("guarded", std::future::pending::<()>()).abort_on_drop();
            drop(guard);
            let deadline = clock::now() + Duration::from_secs(30);
            assert_eq!(ended(&["guarded"], deadline).await, Ok(()));
        };
        LocalSet::new().run_until(run).await;
    }
}
