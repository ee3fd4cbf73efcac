//! The thread of one worker: started, counted while it lives, and heard of once.

use std::io;
use std::sync::{Arc, mpsc as blocking};

use bascule_telemetry::spawn;

use super::Hub;
use crate::worker::{self, Start};

/// A worker, and whether it accepts.
pub(super) type Outcome = (usize, io::Result<()>);

/// Starts a worker; it says through `started` whether it accepts.
pub(super) fn start(start: Start, started: blocking::Sender<Outcome>) -> io::Result<()> {
    let worker = start.ground.worker;
    let hub = Arc::clone(&start.hub);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    hub.live.send_modify(|live| *live += 1);
    let alive = Alive(Arc::clone(&hub));
    spawn::thread("worker", Some(worker), move || {
        let _alive = alive;
        // The sender goes with the one report: the edge waits until all of them have gone.
        worker::run(&runtime, start, move |outcome| {
            if started.send((worker, outcome)).is_err() {
                tracing::debug!("the edge was given up while it started");
            }
        });
    })
    .map(drop)
}

/// Counts a worker as live until its thread ends, however it does.
struct Alive(Arc<Hub>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0
            .live
            .send_modify(|live| *live = live.saturating_sub(1));
    }
}
