//! The recording origin: it reads every message strictly, keeps it, and answers what the case says. One thread a
//! connection, loopback, a free port. Between cases [`StrictOrigin::finish`] ends all its connections and waits until the
//! other side has let go of them, so that no case meets the leavings of another.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};

use super::message::Message;
use super::serve::{Served, is_sentinel};
use crate::thread;
use crate::wait::PATIENCE;

/// Requests whose target begins with this are the runner's own: answered with the target, never by the script.
pub const SENTINEL: &str = "/sentinel/";

/// What the origin says to one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Before the request's body has come.
    pub is_early: bool,
    /// Once the body has come of a request that had an early one before.
    pub is_rest: bool,
    /// One after the other.
    pub steps: Vec<Step>,
}

/// One thing that it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Waits until the other side has read them.
    UntilRead,
    /// Waits until the client has so many responses, interim ones included.
    UntilAnswered(usize),
    /// Closes in an orderly way.
    Close,
    /// Breaks the connection.
    Reset,
    /// Says no more, and keeps the connection until the case ends.
    Hold,
}

/// What came over one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// In order; the last one may be a part of one.
    pub messages: Vec<Message>,
    /// What could not be read at all: bytes behind a message that broke.
    pub has_broken: bool,
}

/// A running origin; stops when dropped.
#[derive(Debug)]
pub struct StrictOrigin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// By number; numbers are never used again, lest a late connection be taken for an early one.
    pub(super) connections: BTreeMap<usize, Connection>,
    next: usize,
    pub(super) script: VecDeque<Answer>,
    pub(super) live: BTreeMap<usize, TcpStream>,
    /// Heads of requests that have come, the runner's own excepted.
    pub(super) heads: usize,
    /// Answers of which all steps are done.
    pub(super) answered: usize,
    /// Responses that the client has.
    pub(super) client_has: usize,
    pub(super) is_over: bool,
    is_stopped: bool,
}

impl State {
    /// Requests that have come to their last byte, the runner's own excepted.
    fn whole(&self) -> usize {
        let messages = self.connections.values().flat_map(|c| &c.messages);
        messages.filter(|m| m.is_whole && !is_sentinel(m)).count()
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// Waits until it is so; `false`: in vain.
    pub(super) fn until(&self, is_so: impl Fn(&State) -> bool) -> bool {
        self.within(PATIENCE, is_so)
    }

    fn within(&self, patience: Duration, is_so: impl Fn(&State) -> bool) -> bool {
        let waits = |state: &mut State| !is_so(state);
        let waited = self
            .changed
            .wait_timeout_while(self.state(), patience, waits);
        let (_state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }
}

impl StrictOrigin {
    /// Starts one.
    ///
    /// # Errors
    /// When no port or thread is to be had.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let origin = Self {
            address,
            shared: Arc::clone(&shared),
        };
        thread::spawn("strict origin", move || accept(&listener, &shared))?;
        Ok(origin)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins a case. Requests beyond the script get a 200 with `ok`.
    pub fn begin(&self, script: Vec<Answer>) {
        self.shared.change(|state| {
            state.connections.clear();
            state.script = script.into();
            (state.heads, state.answered, state.client_has) = (0, 0, 0);
            state.is_over = false;
        });
    }

    /// Notes how many responses the client has by now.
    pub fn client_has(&self, responses: usize) {
        self.shared.change(|state| state.client_has = responses);
    }

    /// Waits until the heads of so many requests have come, for as long as `patience`.
    ///
    /// # Errors
    /// When they do not.
    pub fn until_heads(&self, heads: usize, patience: Duration) -> Result<()> {
        match self.shared.within(patience, |state| state.heads >= heads) {
            true => Ok(()),
            false => bail!("the origin waited in vain for {heads} requests"),
        }
    }

    /// Waits until so many requests have come to their last byte, for as long as `patience`.
    ///
    /// # Errors
    /// When they do not.
    pub fn until_whole(&self, requests: usize, patience: Duration) -> Result<()> {
        match self
            .shared
            .within(patience, |state| state.whole() >= requests)
        {
            true => Ok(()),
            false => bail!("the origin waited in vain for {requests} whole requests"),
        }
    }

    /// Waits until so many answers have been given with all their steps, for as long as `patience`.
    ///
    /// # Errors
    /// When they are not.
    pub fn until_answered(&self, answers: usize, patience: Duration) -> Result<()> {
        match self
            .shared
            .within(patience, |state| state.answered >= answers)
        {
            true => Ok(()),
            false => bail!("the origin waited in vain to give {answers} answers"),
        }
    }

    /// Ends the case: closes all connections, waits until the other side has closed them too, and tells what came.
    ///
    /// # Errors
    /// When the other side holds a connection that has ended.
    pub fn finish(&self) -> Result<Vec<Connection>> {
        self.shared.change(|state| {
            state.is_over = true;
            for stream in state.live.values() {
                // One that is gone needs no end.
                drop(stream.shutdown(Shutdown::Write));
            }
        });
        if !self.shared.until(|state| state.live.is_empty()) {
            bail!("a connection to the origin is held after its end");
        }
        Ok(self.shared.state().connections.values().cloned().collect())
    }
}

impl Drop for StrictOrigin {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.is_over = true;
            state.is_stopped = true;
            for stream in state.live.values() {
                drop(stream.shutdown(Shutdown::Both));
            }
        });
        // One more connection wakes the thread that accepts, which then sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let mut state = shared.state();
        if state.is_stopped {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(twin) = stream.try_clone() else {
            continue;
        };
        let number = state.next;
        state.next += 1;
        state.live.insert(number, twin);
        drop(state);
        let of_connection = Arc::clone(shared);
        let served = thread::spawn("strict connection", move || {
            drop(Served::new(stream, number, Arc::clone(&of_connection)).run());
            of_connection.change(|state| drop(state.live.remove(&number)));
        });
        if served.is_err() {
            shared.change(|state| drop(state.live.remove(&number)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    fn exchange(origin: &StrictOrigin, request: &str) -> String {
        let mut stream = TcpStream::connect(origin.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn it_records_what_came_and_answers_as_it_was_told() {
        let origin = StrictOrigin::start().unwrap();
        origin.begin(vec![Answer {
            steps: vec![
                Step::Send(b"HTTP/1.1 204 None\r\n\r\n".to_vec()),
                Step::Close,
            ],
            ..Answer::default()
        }]);
        let answer = exchange(&origin, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(answer, "HTTP/1.1 204 None\r\n\r\n");
        let connections = origin.finish().unwrap();
        assert_eq!(connections[0].messages[0].target(), b"/a");
        assert!(connections[0].messages[0].is_whole);
    }

    #[test]
    fn a_message_that_is_cut_is_kept_as_a_part() {
        let origin = StrictOrigin::start().unwrap();
        origin.begin(Vec::new());
        exchange(
            &origin,
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
        );
        let connections = origin.finish().unwrap();
        assert!(!connections[0].messages[0].is_whole);
        assert_eq!(connections[0].messages[0].body, b"abc");
    }
}
