//! The end, asked for by a signal: `/readyz` says 503 at once, listeners close after `shutdown.delay`, connections are
//! told to go, running requests end within `shutdown.deadline`. A second signal ends the wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use bascule_config::Shutdown;
use bascule_proxy::Edge;
use bascule_telemetry::clock;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Whether the process takes traffic.
#[derive(Debug, Clone, Default)]
pub(super) struct Ready(Arc<State>);

/// What decides.
#[derive(Debug, Default)]
struct State {
    runs: AtomicBool,
    /// A person takes it out.
    rests: AtomicBool,
}

impl Ready {
    /// It takes traffic from now on.
    pub(super) fn yes(&self) {
        self.0.runs.store(true, Ordering::Release);
        tell_supervisor(NotifyState::Ready);
    }

    /// A person takes the edge out of what is in front of it, or puts it back.
    pub(super) fn rest(&self, rest: bool) {
        self.0.rests.store(rest, Ordering::Release);
    }

    fn no(&self) {
        self.0.runs.store(false, Ordering::Release);
        tell_supervisor(NotifyState::Stopping);
    }

    /// For `/readyz`.
    pub(super) fn get(&self) -> Result<(), String> {
        if !self.0.runs.load(Ordering::Acquire) {
            return Err("starting or stopping".to_owned());
        }
        if self.0.rests.load(Ordering::Acquire) {
            return Err("drained by an operator".to_owned());
        }
        Ok(())
    }
}

/// The signals that matter to the process.
#[derive(Debug)]
pub(super) struct Signals {
    term: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on; SIGHUP goes to `reload`.
    pub(super) fn listen(reload: mpsc::Sender<()>) -> Result<Self> {
        let mut hang_up = signal(SignalKind::hangup())?;
        let pass_on = async move {
            while hang_up.recv().await.is_some() {
                nudge(&reload);
            }
        };
        bascule_telemetry::spawn::local("signals", pass_on).detach();
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the wish to end.
    pub(super) async fn asked(&mut self) {
        // Cancellation: a signal that is not taken is told again.
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Ends the data plane in good order.
pub(super) async fn stop(ready: &Ready, signals: &mut Signals, edge: &Edge, policy: Shutdown) {
    ready.no();
    tracing::info!(event = "stopping", in_flight = edge.in_flight());
    let orderly = async {
        tokio::time::sleep(policy.delay).await;
        edge.close_listeners();
        edge.drain();
        edge.stopped(clock::now() + policy.deadline).await
    };
    // Cancellation: what still runs is cut with the process.
    tokio::select! {
        cut = orderly => match cut {
            0 => tracing::info!(event = "stopped"),
            cut => tracing::warn!(event = "stopped", cut, "the deadline passed"),
        },
        () = signals.asked() => tracing::warn!(event = "stopped", cut = edge.in_flight(), "a second signal"),
    }
}

fn tell_supervisor(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(event = "supervisor_not_told", %error);
    }
}

/// Asks for a reload, unless one is asked for already.
pub(super) fn nudge(reload: &mpsc::Sender<()>) {
    if reload.try_send(()).is_err() {
        tracing::debug!("a reload is asked for already");
    }
}
