//! The line of requests that wait for a place at one backend, of all workers: [`traffic::line`](bascule_traffic::line)
//! behind a lock that nobody takes while nobody waits, and the wakers of those in it. Whoever gives a place back says so
//! ([`PlaceLine::freed`]); whoever waits looks for a place when it is first ([`Waiting::find`]). Dropping a wait leaves the
//! line, so a client that goes away holds up nobody. It knows nothing of limits: what a place is, is the caller's to look
//! for.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bascule_traffic::line::{Line, Ticket};

/// No worker: nobody waits.
const NOBODY: usize = usize::MAX;

/// One that waits.
#[derive(Debug)]
struct Waiter {
    worker: usize,
    waker: Waker,
}

/// A backend's line.
#[derive(Debug)]
pub(crate) struct PlaceLine {
    /// Whether anybody may ever wait; else giving a place back costs one look at this.
    armed: AtomicBool,
    /// How many wait.
    len: AtomicUsize,
    /// The worker of the first.
    first: AtomicUsize,
    line: Mutex<Line<Waiter>>,
}

impl Default for PlaceLine {
    fn default() -> Self {
        Self {
            armed: AtomicBool::new(false),
            len: AtomicUsize::new(0),
            first: AtomicUsize::new(NOBODY),
            line: Mutex::default(),
        }
    }
}

impl PlaceLine {
    /// From now on somebody may wait. For ever: requests of a state before may still have to say that they end.
    pub(crate) fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether the one that comes next belongs to another worker: what this one keeps is of no use to it.
    pub(crate) fn is_for_another(&self, worker: usize) -> bool {
        let first = self.first.load(Ordering::Relaxed);
        first != NOBODY && first != worker
    }

    /// A place has been given back. The cells say so already: whoever joins after this sees them, and whoever joined
    /// before is seen here.
    pub(crate) fn freed(&self) {
        if !self.armed.load(Ordering::Relaxed) {
            return;
        }
        fence(Ordering::SeqCst);
        if self.len.load(Ordering::Relaxed) > 0
            && let Some(first) = self.lock().first()
        {
            first.waker.wake_by_ref();
        }
    }

    /// Joins the line where fewer than `max` are in it.
    pub(crate) fn join(self: &Arc<Self>, max: usize, worker: usize) -> Option<Waiting> {
        let mut line = self.lock();
        // The real waker comes with the first look.
        let waker = Waker::noop().clone();
        let ticket = line.join(max, Waiter { worker, waker })?;
        self.note(&line);
        drop(line);
        Some(Waiting {
            line: Arc::clone(self),
            ticket,
            worker,
        })
    }

    /// What can be read without the lock. After every change, before the lock is given up.
    fn note(&self, line: &Line<Waiter>) {
        let first = line.first().map_or(NOBODY, |first| first.worker);
        self.first.store(first, Ordering::Relaxed);
        self.len.store(line.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Line<Waiter>> {
        // A panic between lock and unlock leaves a line that is still whole.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in the line. Leaves it when dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    line: Arc<PlaceLine>,
    ticket: Ticket,
    worker: usize,
}

impl Waiting {
    /// Waits until this is the first and `look` finds a place. Cancelling it loses nothing but the place in the line.
    pub(crate) async fn find<T>(self, mut look: impl FnMut() -> Option<T>) -> T {
        let found = poll_fn(|cx| {
            if !self.listen(cx) {
                return Poll::Pending;
            }
            // Between the joining and the looking, as in `freed` between the freeing and the waking: one sees the other.
            fence(Ordering::SeqCst);
            look().map_or(Poll::Pending, Poll::Ready)
        });
        found.await
    }

    fn listen(&self, cx: &Context<'_>) -> bool {
        let waiter = Waiter {
            worker: self.worker,
            waker: cx.waker().clone(),
        };
        self.line.lock().listen(self.ticket, waiter)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut line = self.line.lock();
        let next = line.leave(self.ticket).map(|next| next.waker.clone());
        self.line.note(&line);
        drop(line);
        if let Some(next) = next {
            next.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;

    use super::*;

    /// Counts wakes.
    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn count(count: &Count) -> u32 {
        count.0.load(Ordering::SeqCst)
    }

    #[test]
    fn the_first_is_woken_by_a_place_that_frees_and_the_next_by_its_leaving() {
        let line = Arc::new(PlaceLine::default());
        line.arm();
        let wakes = [Arc::new(Count::default()), Arc::new(Count::default())];
        let free = AtomicUsize::new(0);
        let look = || {
            let some = free.load(Ordering::SeqCst) > 0;
            some.then(|| free.fetch_sub(1, Ordering::SeqCst))
        };
        let first = line.join(2, 0).unwrap();
        let second = line.join(2, 1).unwrap();
        assert!(line.join(2, 0).is_none(), "the line is full");
        assert_eq!((line.len(), line.is_for_another(0)), (2, false));
        let wakers = wakes.clone().map(Waker::from);
        let mut contexts = [
            Context::from_waker(&wakers[0]),
            Context::from_waker(&wakers[1]),
        ];
        let mut first = Box::pin(first.find(look));
        let mut second = pin!(second.find(look));
        assert!(first.as_mut().poll(&mut contexts[0]).is_pending());
        assert!(second.as_mut().poll(&mut contexts[1]).is_pending());

        free.store(2, Ordering::SeqCst);
        line.freed();
        assert_eq!((count(&wakes[0]), count(&wakes[1])), (1, 0));
        assert!(
            second.as_mut().poll(&mut contexts[1]).is_pending(),
            "not its turn"
        );
        assert!(first.as_mut().poll(&mut contexts[0]).is_ready());
        drop(first);
        assert_eq!(count(&wakes[1]), 1);
        assert!(line.is_for_another(0));
        assert!(second.as_mut().poll(&mut contexts[1]).is_ready());
    }

    #[test]
    fn a_wait_that_is_given_up_wakes_the_next_if_it_was_the_first() {
        let line = Arc::new(PlaceLine::default());
        let wakes = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);
        let waiting: Vec<Waiting> = (0..3).map(|_| line.join(3, 0).unwrap()).collect();
        let mut waits = waiting.into_iter();
        let (first, second) = (waits.next().unwrap(), waits.next().unwrap());
        let mut third = pin!(waits.next().unwrap().find(|| None::<()>));
        assert!(third.as_mut().poll(&mut cx).is_pending());
        drop(second);
        assert_eq!(count(&wakes), 0, "the first is still there");
        drop(first);
        assert_eq!((count(&wakes), line.len()), (1, 1));
    }

    #[test]
    fn places_are_passed_on_between_threads_until_everyone_had_one() {
        const PLACES: u32 = 2;
        const THREADS: usize = 4;
        const EACH: usize = 200;
        let line = Arc::new(PlaceLine::default());
        line.arm();
        let used = AtomicU32::new(0);
        let (line, used) = (&line, &used);
        // Only the first looks, so that a plain look and take is enough here too.
        let look = || {
            let free = used.load(Ordering::SeqCst) < PLACES;
            free.then(|| used.fetch_add(1, Ordering::SeqCst))
        };
        let serve = |worker| {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            for _ in 0..EACH {
                let waiting = line.join(usize::MAX, worker).unwrap();
                let running = runtime.as_ref().unwrap().block_on(waiting.find(look));
                assert!(running < PLACES);
                used.fetch_sub(1, Ordering::SeqCst);
                line.freed();
            }
        };
        // A wake that is lost would leave this waiting for ever.
        std::thread::scope(|scope| {
            for worker in 0..THREADS {
                scope.spawn(move || serve(worker));
            }
        });
        assert_eq!((used.load(Ordering::SeqCst), line.len()), (0, 0));
    }
}
