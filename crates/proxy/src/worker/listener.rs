//! **accept**: the listeners of one worker. Each has a task that accepts until the listener is closed, and then takes what
//! waits in the socket's queue, so that no client that was let in by the kernel is turned away. Changing what a listener
//! allows reaches new connections; running ones are never touched.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use bascule_config::Listener;
use bascule_model::ListenerName;
use bascule_net::tcp::{Accepted, Acceptor};
use bascule_net::tls::ServerTls;
use bascule_telemetry::spawn;
use futures_util::FutureExt as _;
use tokio::sync::oneshot;

use crate::http::serve::serve;
use crate::worker::{ACCEPT, CLIENT, Worker};

/// One listener for one worker.
#[derive(Debug)]
pub(crate) struct WorkerListener {
    /// What the configuration says.
    pub(crate) listener: Arc<Listener>,
    /// This worker's new socket; `None`: it keeps the one it has.
    pub(crate) socket: Option<std::net::TcpListener>,
    /// Its TLS side.
    pub(crate) tls: Option<ServerTls>,
}

/// What a new connection is served by.
#[derive(Debug, Clone)]
struct Terms {
    listener: Rc<Listener>,
    tls: Option<ServerTls>,
}

#[derive(Debug)]
struct Running {
    terms: Rc<RefCell<Terms>>,
    /// Dropped, it ends the accepting.
    _open: oneshot::Sender<()>,
}

/// The listeners that run.
#[derive(Debug, Default)]
pub(crate) struct Listeners(BTreeMap<ListenerName, Running>);

impl Listeners {
    /// Makes them as wanted: closes those that are not named, takes over new sockets, changes the rest in place.
    ///
    /// # Errors
    /// The first socket the runtime cannot watch; the others are taken over all the same.
    pub(crate) fn set(
        &mut self,
        worker: &Rc<Worker>,
        wanted: Vec<WorkerListener>,
    ) -> io::Result<()> {
        let mut result = Ok(());
        let mut before = std::mem::take(&mut self.0);
        for listener in wanted {
            let name = listener.listener.name.clone();
            let known = before.remove(&name);
            match open(worker, listener, known) {
                Ok(Some(running)) => {
                    self.0.insert(name, running);
                }
                Ok(None) => {}
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }

    /// Closes all.
    pub(crate) fn close(&mut self) {
        self.0.clear();
    }
}

/// Opens a listener, or changes the one that runs.
fn open(
    worker: &Rc<Worker>,
    wanted: WorkerListener,
    known: Option<Running>,
) -> io::Result<Option<Running>> {
    let name = wanted.listener.name.clone();
    let terms = Terms {
        listener: Rc::new(Listener::clone(&wanted.listener)),
        tls: wanted.tls,
    };
    let Some(socket) = wanted.socket else {
        return Ok(known.inspect(|running| {
            running.terms.replace(terms);
        }));
    };
    let acceptor = Acceptor::new(socket, &name, &worker.connections)?;
    let terms = Rc::new(RefCell::new(terms));
    let (open, closed) = oneshot::channel();
    let accepting = accept(Rc::clone(worker), acceptor, Rc::clone(&terms), closed);
    spawn::local(ACCEPT, accepting).detach();
    Ok(Some(Running { terms, _open: open }))
}

async fn accept(
    worker: Rc<Worker>,
    mut acceptor: Acceptor,
    terms: Rc<RefCell<Terms>>,
    mut closed: oneshot::Receiver<()>,
) {
    loop {
        // Accepting loses no connection when it is dropped.
        tokio::select! {
            accepted = acceptor.accept() => start(&worker, &terms, accepted),
            _ = &mut closed => break,
        }
    }
    // What the kernel let in meanwhile is seen once the runtime has asked it; then only what waits is taken.
    tokio::task::yield_now().await;
    while let Some(accepted) = acceptor.accept().now_or_never() {
        start(&worker, &terms, accepted);
    }
}

fn start(worker: &Rc<Worker>, terms: &RefCell<Terms>, accepted: Accepted) {
    let Terms { listener, tls } = terms.borrow().clone();
    spawn::local(CLIENT, serve(Rc::clone(worker), listener, tls, accepted)).detach();
}
