//! One connection of the recording origin: reads, records, answers, to its end. It never judges: faults are recorded.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::message::{Message, Read, read_request};
use super::origin::{SENTINEL, Shared, Step};
use super::queue;

/// One connection.
#[derive(Debug)]
pub(super) struct Served {
    stream: TcpStream,
    number: usize,
    shared: Arc<Shared>,
    /// Read, and not yet a whole message.
    bytes: Vec<u8>,
    /// The message that is coming has been counted.
    is_counted: bool,
    /// It has been answered before it was whole.
    is_answered: bool,
}

/// Whether a connection goes on.
#[derive(Debug, PartialEq, Eq)]
enum Then {
    /// With the bytes at hand.
    Next,
    /// When more have come.
    More,
    End,
}

impl Served {
    /// The connection with this number.
    pub(super) const fn new(stream: TcpStream, number: usize, shared: Arc<Shared>) -> Self {
        Self {
            stream,
            number,
            shared,
            bytes: Vec::new(),
            is_counted: false,
            is_answered: false,
        }
    }

    /// Reads and answers until the connection ends.
    pub(super) fn run(mut self) -> Result<()> {
        self.stream.set_nodelay(true)?;
        loop {
            match self.next()? {
                Then::End => return self.drain(),
                Then::Next => {}
                Then::More if self.more() => {}
                Then::More => {
                    self.record_part();
                    return Ok(());
                }
            }
        }
    }

    /// Does what the bytes at hand allow.
    fn next(&mut self) -> Result<Then> {
        match read_request(&self.bytes) {
            Read::Whole(message, length) => {
                self.bytes.drain(..length);
                self.whole(&message)
            }
            Read::Broken(message) => Ok(self.broken(&message)),
            Read::Part(message) if message.has_head && !self.is_counted => self.part(&message),
            Read::Part(_) | Read::Nothing => Ok(Then::More),
        }
    }

    fn whole(&mut self, message: &Message) -> Result<Then> {
        self.count(message);
        self.record(message);
        self.is_counted = false;
        let is_answered = std::mem::take(&mut self.is_answered);
        let has_rest = {
            let state = self.shared.state();
            state.script.front().is_some_and(|answer| answer.is_rest)
        };
        if is_answered && !has_rest {
            return Ok(Then::Next);
        }
        self.answer(message)
    }

    fn broken(&mut self, message: &Message) -> Then {
        self.count(message);
        self.record(message);
        self.shared.change(|state| {
            let connection = state.connections.entry(self.number);
            connection.or_default().has_broken = true;
        });
        drop(self.stream.shutdown(Shutdown::Write));
        Then::End
    }

    /// A head has come, and its body has not.
    fn part(&mut self, message: &Message) -> Result<Then> {
        self.count(message);
        let is_early = {
            let state = self.shared.state();
            state.script.front().is_some_and(|answer| answer.is_early)
        };
        if !is_early {
            return Ok(Then::More);
        }
        self.is_answered = true;
        let then = self.answer(message)?;
        if then == Then::End {
            self.record_part();
        }
        Ok(then)
    }

    /// Reads what comes next; `false`: nothing ever will.
    fn more(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) | Err(_) => false,
            Ok(size) => {
                let piece = piece.get(..size).unwrap_or_default();
                self.bytes.extend_from_slice(piece);
                true
            }
        }
    }

    fn record_part(&self) {
        if let Read::Part(message) = read_request(&self.bytes) {
            self.record(&message);
        }
    }

    fn record(&self, message: &Message) {
        self.shared.change(|state| {
            let connection = state.connections.entry(self.number).or_default();
            connection.messages.push(message.clone());
        });
    }

    fn count(&mut self, message: &Message) {
        if !self.is_counted && !is_sentinel(message) {
            self.shared.change(|state| state.heads += 1);
        }
        self.is_counted = true;
    }

    fn answer(&mut self, message: &Message) -> Result<Then> {
        if is_sentinel(message) {
            let target = String::from_utf8_lossy(message.target()).into_owned();
            let has_body = message.method() != b"HEAD";
            self.say(if has_body { &target } else { "" })?;
            return Ok(Then::Next);
        }
        let scripted = self.shared.state().script.pop_front();
        let Some(answer) = scripted else {
            self.say(if message.method() == b"HEAD" {
                ""
            } else {
                "ok\n"
            })?;
            return Ok(Then::Next);
        };
        let mut then = Then::Next;
        for step in answer.steps {
            then = self.perform(step)?;
            if then == Then::End {
                break;
            }
        }
        self.shared.change(|state| state.answered += 1);
        Ok(then)
    }

    fn say(&mut self, body: &str) -> Result<()> {
        let length = body.len();
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
        Ok(self.stream.write_all(text.as_bytes())?)
    }

    fn perform(&mut self, step: Step) -> Result<Then> {
        match step {
            // Whoever refuses an answer may stop reading it: then the case says what must follow.
            Step::Send(bytes) if self.stream.write_all(&bytes).is_err() => return Ok(Then::End),
            Step::Send(_) => {}
            Step::UntilRead => queue::until_read(&self.stream)?,
            Step::UntilAnswered(number) => {
                let is_so = |has: usize, is_over: bool| has >= number || is_over;
                self.shared
                    .until(|state| is_so(state.client_has, state.is_over));
            }
            Step::Close => {
                drop(self.stream.shutdown(Shutdown::Write));
                return Ok(Then::End);
            }
            Step::Reset => {
                rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO))?;
                // With the last descriptor of it gone it is reset.
                self.shared
                    .change(|state| drop(state.live.remove(&self.number)));
                return Ok(Then::End);
            }
            Step::Hold => {
                self.shared.until(|state| state.is_over);
            }
        }
        Ok(Then::Next)
    }

    /// Reads and forgets what still comes, until the other side has closed too.
    fn drain(&mut self) -> Result<()> {
        let is_live = self.shared.state().live.contains_key(&self.number);
        while is_live && self.more() {
            self.bytes.clear();
        }
        Ok(())
    }
}

pub(super) fn is_sentinel(message: &Message) -> bool {
    message.target().starts_with(SENTINEL.as_bytes())
}
