//! `Expect: 100-continue` across the proxy (RFC 9110 §10.1.1). The expectation is forwarded, and the client's body is not
//! asked for before the backend says 100: asking is what makes hyper's server send our 100. A backend that never says it
//! gets the body after a second all the same, as clients do. Where the backend cannot be heard (HTTP/2: hyper shows no
//! interim responses there) the expectation is answered by us: the body is simply read when it is needed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bascule_telemetry::clock;
use futures_util::task::AtomicWaker;
use http::{Request, StatusCode};

/// How long a backend may leave an expectation unanswered. Source: curl waits as long before it sends.
const PATIENCE: Duration = Duration::from_secs(1);

/// Opens when the backend says 100, or patience is over.
#[derive(Debug)]
pub(crate) struct Gate {
    signal: Arc<Signal>,
    patience: Pin<Box<tokio::time::Sleep>>,
}

/// hyper wants its callback to be `Send`; this is only ever used on one thread.
#[derive(Debug, Default)]
struct Signal {
    open: AtomicBool,
    waiting: AtomicWaker,
}

impl Gate {
    /// A gate that the answer to this request opens.
    pub(crate) fn before<B>(request: &mut Request<B>) -> Self {
        let signal = Arc::new(Signal::default());
        let heard = Arc::clone(&signal);
        hyper::ext::on_informational(request, move |response| {
            if response.status() == StatusCode::CONTINUE {
                heard.open.store(true, Ordering::Release);
                heard.waiting.wake();
            }
        });
        let patience = Box::pin(clock::sleep_until(clock::now() + PATIENCE));
        Self { signal, patience }
    }

    /// Ready once it is open.
    pub(crate) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.signal.open.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        self.signal.waiting.register(cx.waker());
        if self.patience.as_mut().poll(cx).is_ready() {
            self.signal.open.store(true, Ordering::Release);
        }
        if self.signal.open.load(Ordering::Acquire) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
