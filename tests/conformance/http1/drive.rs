//! Plays a case: the client's bytes to the edge, the script to the origin, and what came of it on both sides. It judges
//! nothing.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bascule_testkit::strict::{
    Connection, Framing, Message, Read, StrictOrigin, queue, read_response,
};

use super::case::{Action, Case, Then};

/// What happened.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The client's responses; the last one may be a part of one.
    pub(crate) responses: Vec<Message>,
    /// What came behind them and is no response.
    pub(crate) rest: Vec<u8>,
    pub(crate) end: End,
    /// What the origin got, by connection.
    pub(crate) origin: Vec<Connection>,
    /// What the case waited for in vain.
    pub(crate) waits: Vec<String>,
    /// What went wrong beside the case: another client that was disturbed, a connection that is held.
    pub(crate) trouble: Vec<String>,
}

/// How the client's connection stood at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It took another request and answered it.
    Open,
    Closed,
    Reset,
    /// Neither closed nor another answer.
    Silent,
}

/// Plays it against an edge. `patience`: how long an answer or an end may take.
pub(crate) fn play(
    case: &Case,
    edge: SocketAddr,
    origin: &StrictOrigin,
    patience: Duration,
) -> Seen {
    origin.begin(case.script.clone());
    let mut client = Client::connect(case, edge, patience);
    let mut waits = Vec::new();
    for action in &case.client {
        // A wait in vain is one of the things that happened; the case goes on.
        waits.extend(client.act(action, origin, patience).err());
    }
    let answers = case.answers();
    let finals = answers.iter().filter(|it| !is_interim(it.status)).count();
    client.until_finals(finals, origin);
    match case.then() {
        Then::Open => client.ask_again(),
        Then::Closed => client.until_end(),
        Then::Either => {}
    }
    let (responses, rest, end) = client.result();
    let mut trouble = Vec::new();
    if let Err(error) = disturbs_nobody(edge, patience) {
        trouble.push(error);
    }
    let origin = origin.finish().unwrap_or_else(|error| {
        trouble.push(error.to_string());
        Vec::new()
    });
    Seen {
        responses,
        rest,
        end,
        origin,
        waits,
        trouble,
    }
}

/// The client's connection, and what came over it.
struct Client<'a> {
    case: &'a Case,
    stream: TcpStream,
    bytes: Vec<u8>,
    responses: Vec<Message>,
    end: Option<End>,
}

impl<'a> Client<'a> {
    fn connect(case: &'a Case, edge: SocketAddr, patience: Duration) -> Self {
        let stream = TcpStream::connect(edge).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(patience)).unwrap();
        stream.set_write_timeout(Some(patience)).unwrap();
        Self {
            case,
            stream,
            bytes: Vec::new(),
            responses: Vec::new(),
            end: None,
        }
    }

    fn act(
        &mut self,
        action: &Action,
        origin: &StrictOrigin,
        patience: Duration,
    ) -> Result<(), String> {
        let told = |error: anyhow::Error| error.to_string();
        match action {
            // An edge that has refused may have closed: what it said is read later.
            Action::Send(bytes) => drop(self.stream.write_all(bytes)),
            Action::UntilRead => queue::until_read(&self.stream).map_err(told)?,
            Action::UntilAnswered(count) => {
                self.until_responses(*count, origin);
                if self.responses.len() < *count {
                    return Err(format!("the client waited in vain for {count} responses"));
                }
            }
            Action::UntilForwarded(count) => origin.until_heads(*count, patience).map_err(told)?,
            Action::UntilScript(count) => origin.until_answered(*count, patience).map_err(told)?,
            Action::Close => drop(self.stream.shutdown(Shutdown::Write)),
            Action::Reset => self.reset().map_err(|error| error.to_string())?,
        }
        Ok(())
    }

    /// Breaks the connection: a socket without a linger that is closed does. What it held is a new one that is idle.
    fn reset(&mut self) -> std::io::Result<()> {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO))?;
        self.stream = TcpStream::connect(self.stream.peer_addr()?)?;
        self.end = Some(End::Reset);
        Ok(())
    }

    /// Reads on until there are so many, interim ones included, or the end has come.
    fn until_responses(&mut self, count: usize, origin: &StrictOrigin) {
        self.until(origin, |responses| responses.len() >= count);
    }

    /// Reads on until there are so many answers, or the end has come.
    fn until_finals(&mut self, count: usize, origin: &StrictOrigin) {
        self.until(origin, |responses| finals(responses) >= count);
    }

    fn until(&mut self, origin: &StrictOrigin, is_enough: impl Fn(&[Message]) -> bool) {
        loop {
            self.take_responses();
            origin.client_has(self.responses.len());
            if is_enough(&self.responses) || self.end.is_some() {
                return;
            }
            self.more();
        }
    }

    fn until_end(&mut self) {
        while self.end.is_none() {
            self.more();
        }
        self.take_responses();
    }

    /// Another request on the same connection: whether it is still good for one.
    fn ask_again(&mut self) {
        if self.end.is_some() {
            return;
        }
        let target = "/sentinel/same-connection";
        let request = format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n");
        drop(self.stream.write_all(request.as_bytes()));
        loop {
            match read_response(&self.bytes, b"GET") {
                Read::Whole(answer, length) if answer.body == target.as_bytes() => {
                    self.bytes.drain(..length);
                    self.end = Some(End::Open);
                    return;
                }
                _ if self.end.is_some() => return,
                _ => self.more(),
            }
        }
    }

    fn take_responses(&mut self) {
        loop {
            let method = self.case.method(finals(&self.responses));
            match read_response(&self.bytes, &method) {
                Read::Whole(message, length) => {
                    self.bytes.drain(..length);
                    self.responses.push(message);
                }
                _ => return,
            }
        }
    }

    fn more(&mut self) {
        let mut piece = vec![0; 64 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => self.end = Some(End::Closed),
            Ok(size) => self.bytes.extend_from_slice(&piece[..size]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.end = Some(End::Silent),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.end = Some(End::Reset),
        }
    }

    /// The responses, a last one that is a part or ended with the connection, and what is no response.
    fn result(mut self) -> (Vec<Message>, Vec<u8>, End) {
        let end = self.end.unwrap_or(End::Silent);
        let method = self.case.method(finals(&self.responses));
        match read_response(&self.bytes, &method) {
            Read::Part(mut message) | Read::Broken(mut message) if message.has_head => {
                message.is_whole = message.framing == Framing::UntilClose && end == End::Closed;
                self.responses.push(message);
                self.bytes.clear();
            }
            _ => {}
        }
        (self.responses, self.bytes, end)
    }
}

fn finals(responses: &[Message]) -> usize {
    responses.iter().filter(|it| !it.is_interim()).count()
}

/// Whether an answer follows a response of this status.
pub(crate) const fn is_interim(status: u16) -> bool {
    matches!(status, 100 | 102..=199)
}

/// Another client's request goes well, whatever this case left behind. It also comes after everything that the edge would
/// have forwarded of the case.
pub(crate) fn disturbs_nobody(edge: SocketAddr, patience: Duration) -> Result<(), String> {
    let told = |error: std::io::Error| format!("another client: {error}");
    let mut stream = TcpStream::connect(edge).map_err(told)?;
    stream.set_read_timeout(Some(patience)).map_err(told)?;
    let target = "/sentinel/other-client";
    let request = format!("GET {target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(told)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(told)?;
    match read_response(&answer, b"GET") {
        Read::Whole(message, _) if message.body == target.as_bytes() => Ok(()),
        _ => Err(format!(
            "another client got: {}",
            super::text::shown(&answer)
        )),
    }
}
