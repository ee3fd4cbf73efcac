//! An origin that speaks HTTP/2 by prior knowledge, reads it strictly, records it, and answers by a [`Script`]: frames as
//! they are, right or wrong. Without a script it answers 200 with `ok` and a line end.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::hpack::Block;
use super::reader::Reader;
use super::seen::{Seen, Stream};
use super::{END_HEADERS, END_STREAM, Frame, PREFACE, request};

use crate::thread;

/// When a script plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// As soon as a request's head is there.
    Head,
    /// When the request is whole.
    Whole,
}

/// How requests are answered.
#[derive(Debug, Clone)]
pub struct Script {
    /// When it plays.
    pub when: When,
    /// What is sent. Stream 0 stands for the request's.
    pub frames: Vec<Frame>,
    /// Whether the connection is closed then.
    pub closes: bool,
}

impl Default for Script {
    fn default() -> Self {
        let head = Block::new().field(":status", "200");
        Self {
            when: When::Whole,
            frames: vec![
                Frame::headers(0, END_HEADERS, head),
                Frame::data(0, END_STREAM, *b"ok\n"),
            ],
            closes: false,
        }
    }
}

/// What has arrived.
#[derive(Debug, Default)]
struct Record {
    requests: BTreeMap<(usize, u32), Stream>,
    faults: Vec<String>,
    script: Script,
}

type Shared = Arc<Mutex<Record>>;

fn with<T>(shared: &Shared, use_it: impl FnOnce(&mut Record) -> T) -> T {
    // What a thread that panicked left is whole: every change is one statement.
    use_it(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A running origin; ends when dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    record: Shared,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Origin {
    /// Starts one on a free port of loopback.
    ///
    /// # Errors
    /// When no port or thread is to be had.
    pub fn start() -> Result<Self> {
        let runtime = thread::runtime()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let record = Shared::default();
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&record);
        let thread = thread::spawn("h2 origin", move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, shared) => {}
                    // A dropped sender means the same as a sent word.
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self {
            address,
            record,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers by this script from now on.
    pub fn play(&self, script: Script) {
        with(&self.record, |record| record.script = script);
    }

    /// How many requests have come since they were last taken.
    #[must_use]
    pub fn heads(&self) -> usize {
        with(&self.record, |record| record.requests.len())
    }

    /// How many of them have come to their end.
    #[must_use]
    pub fn whole(&self) -> usize {
        let is_whole = |stream: &&Stream| stream.end.is_some();
        with(&self.record, |record| {
            record.requests.values().filter(is_whole).count()
        })
    }

    /// Requests that came since the last call, as far as they have come, in order; forgets them.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Stream> {
        let taken = with(&self.record, |record| std::mem::take(&mut record.requests));
        taken.into_values().collect()
    }

    /// What was received that must not be sent, since the last call.
    #[must_use]
    pub fn take_faults(&self) -> Vec<String> {
        with(&self.record, |record| std::mem::take(&mut record.faults))
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        // Dropping the sender is the word to stop.
        drop(self.stop.take());
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

/// Serves until dropped, with all its connections.
async fn serve(listener: TcpListener, record: Shared) {
    let mut connections = JoinSet::new();
    for number in 0.. {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let mut connection = Connection {
            number,
            stream,
            record: Arc::clone(&record),
            reader: Reader::default(),
            has_begun: false,
            seen: Seen::default(),
            answered: 0,
        };
        connections.spawn(async move {
            // How the peer ends its connection is its own affair.
            drop(connection.run().await);
        });
    }
}

struct Connection {
    number: usize,
    stream: TcpStream,
    record: Shared,
    reader: Reader,
    has_begun: bool,
    seen: Seen,
    /// The last stream that was answered.
    answered: u32,
}

impl Connection {
    async fn run(&mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        self.stream.write_all(&Frame::settings(&[]).bytes()).await?;
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let count = self.stream.read(&mut bytes).await?;
            if count == 0 {
                return Ok(());
            }
            self.reader.push(bytes.get(..count).unwrap_or_default());
            if !self.take_all().await? {
                return Ok(());
            }
        }
    }

    /// Whether the connection goes on.
    async fn take_all(&mut self) -> io::Result<bool> {
        if !self.has_begun {
            match self.reader.take_prefix(PREFACE) {
                Some(true) => self.has_begun = true,
                Some(false) => {
                    self.fault("no preface".to_owned());
                    return Ok(false);
                }
                None => return Ok(true),
            }
        }
        while let Some(frame) = self.reader.next_frame() {
            if !self.take(&frame).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the connection goes on.
    async fn take(&mut self, frame: &Frame) -> io::Result<bool> {
        self.seen.note(frame);
        if let Some(fault) = self.seen.fault.take() {
            self.fault(fault);
            return Ok(false);
        }
        for reply in frame.replies() {
            self.stream.write_all(&reply.bytes()).await?;
        }
        let id = frame.stream;
        let Some(stream) = self.seen.streams.get(&id).cloned() else {
            return Ok(true);
        };
        if let Err(error) = request::check(&stream) {
            self.fault(format!("{error:#}"));
        }
        let has_head = !stream.heads.is_empty();
        let is_whole = stream.end.is_some();
        let script = with(&self.record, |record| {
            record.requests.insert((self.number, id), stream);
            record.script.clone()
        });
        let is_due = match script.when {
            When::Head => has_head,
            When::Whole => is_whole,
        };
        if is_due && id > self.answered {
            self.answered = id;
            return self.answer(&script, id).await;
        }
        Ok(true)
    }

    async fn answer(&mut self, script: &Script, id: u32) -> io::Result<bool> {
        for frame in &script.frames {
            let mut frame = frame.clone();
            if frame.stream == 0 {
                frame.stream = id;
            }
            self.stream.write_all(&frame.bytes()).await?;
        }
        Ok(!script.closes)
    }

    fn fault(&self, fault: String) {
        with(&self.record, |record| record.faults.push(fault));
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::Client;
    use super::*;

    #[test]
    fn a_request_is_recorded_answered_and_judged() {
        let origin = Origin::start().unwrap();
        let mut client = Client::connect(origin.address()).unwrap();
        client.hello(&[]).unwrap();
        let bad = Block::get("a.example", "/x").field("connection", "close");
        for (id, block) in [(1, Block::get("a.example", "/x")), (3, bad)] {
            let head = Frame::headers(id, END_HEADERS | END_STREAM, block);
            client.send(&head).unwrap();
            client
                .until("an answer", |seen| seen.has_ended(id))
                .unwrap();
            assert_eq!(client.seen().status(id), Some(200));
        }
        let requests = origin.take_requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].field(":path"), Some(&b"/x"[..]));
        let faults = origin.take_faults();
        assert_eq!(faults, ["connection: close: a field of one connection"]);
    }

    #[test]
    fn a_script_says_what_it_says() {
        let origin = Origin::start().unwrap();
        origin.play(Script {
            when: When::Head,
            frames: vec![Frame::reset(0, 7)],
            closes: false,
        });
        let mut client = Client::connect(origin.address()).unwrap();
        client.hello(&[]).unwrap();
        let head = Frame::headers(1, END_HEADERS, Block::get("a.example", "/x"));
        client.send(&head).unwrap();
        client.until("a reset", |seen| seen.has_ended(1)).unwrap();
        assert_eq!(client.seen().streams[&1].reset, Some(7));
    }
}
