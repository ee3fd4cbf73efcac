//! Plays one case: sends the pieces through the real binary and collects what came of them. It judges nothing.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use bascule_testkit::strict::{Framing, Message, Read, StrictOrigin, queue, read_response};
use fastrand::Rng;

use super::judge::Came;
use super::meaning::{End, Meaning};
use crate::http1::PATIENCE;
use crate::http1::drive::disturbs_nobody;

/// One in so many cases waits between its pieces until they were read.
const WAITS: u8 = 8;

/// Sends them, and reads until the end of the connection.
pub(super) fn play(
    rng: &mut Rng,
    pieces: &[Vec<u8>],
    meaning: &Meaning,
    edge: SocketAddr,
    origin: &StrictOrigin,
) -> anyhow::Result<Came> {
    origin.begin(Vec::new());
    let mut stream = TcpStream::connect(edge)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let waits = rng.u8(..WAITS) == 0;
    for piece in pieces {
        // An edge that has refused may have closed: what it said is read below.
        let sent = stream.write_all(piece);
        if waits && sent.is_ok() && queue::until_read(&stream).is_err() {
            break;
        }
    }
    let mut client = Client {
        stream,
        meaning,
        bytes: Vec::new(),
        answers: Vec::new(),
        end: None,
    };
    client.until(|answers| answers.len() >= meaning.requests.len());
    // Where the bytes could go on, only the client can end the connection; otherwise the edge must.
    if matches!(meaning.end, End::Clean | End::Part) {
        drop(client.stream.shutdown(Shutdown::Write));
    }
    client.until(|_| false);
    // Also comes to the origin behind everything that the edge would have forwarded of these.
    disturbs_nobody(edge, PATIENCE).map_err(anyhow::Error::msg)?;
    Ok(client.came(origin.finish()?))
}

struct Client<'a> {
    stream: TcpStream,
    meaning: &'a Meaning,
    bytes: Vec<u8>,
    answers: Vec<Message>,
    /// Whether the edge ended the connection, once nothing more comes.
    end: Option<bool>,
}

impl Client<'_> {
    fn until(&mut self, is_enough: impl Fn(&[Message]) -> bool) {
        loop {
            self.take();
            if is_enough(&self.answers) || self.end.is_some() {
                return;
            }
            self.more();
        }
    }

    fn read_answer(&self) -> Read {
        let request = self.meaning.requests.get(self.answers.len());
        read_response(
            &self.bytes,
            request.map_or(b"GET", |it| it.method.as_slice()),
        )
    }

    fn take(&mut self) {
        while let Read::Whole(message, length) = self.read_answer() {
            self.bytes.drain(..length);
            if !message.is_interim() {
                self.answers.push(message);
            }
        }
    }

    fn more(&mut self) {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => self.end = Some(true),
            Ok(size) => self.bytes.extend_from_slice(&piece[..size]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.end = Some(error.kind() != ErrorKind::WouldBlock),
        }
    }

    fn came(mut self, origin: Vec<bascule_testkit::strict::Connection>) -> Came {
        let is_refusal = self.answers.len() >= self.meaning.requests.len();
        if let Read::Part(message) = self.read_answer() {
            // What is refused may have been a HEAD, whose answer has no body.
            let has_no_body = is_refusal && message.body.is_empty();
            if message.has_head && (has_no_body || message.framing == Framing::UntilClose) {
                self.answers.push(message);
                self.bytes.clear();
            }
        }
        Came {
            answers: self.answers,
            rest: self.bytes,
            is_closed: self.end == Some(true),
            origin,
        }
    }
}
