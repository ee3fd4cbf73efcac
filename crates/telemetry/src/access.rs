//! The access log: one JSON line for each request (or a sample of them). Each worker writes into a buffer of its own; one
//! thread takes the buffers and writes them out. A worker never waits: what does not fit is dropped and counted.

mod decision;
mod entry;

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use bascule_model::Timestamp;

use crate::spawn::{self, TaskError, Thread};
use crate::{clock, names};

pub use decision::{Affinity, Candidate, Decision, EndpointSeen, Try};
pub use entry::Entry;

/// What a worker's buffer holds at most: about 20 000 lines, more than a worker makes between two rounds of the writer.
const BUFFER_BYTES_MAX: usize = 8 << 20;
/// From here on the writer is woken before its next round.
const WAKE_BYTES: usize = 256 << 10;
/// How long a line waits at most.
const ROUND: Duration = Duration::from_millis(100);

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output, beside the log.
    Stdout,
    /// Appended to a file.
    File(PathBuf),
}

/// What a worker and the writer share: lines that wait, and how many were dropped.
#[derive(Debug, Default)]
struct Buffer {
    lines: Mutex<Vec<u8>>,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Shared {
    buffers: Mutex<Vec<Arc<Buffer>>>,
    /// The bits of the sample's ratio.
    sample: AtomicU64,
    /// The bits of the ratio of lines that say what was decided.
    decisions: AtomicU64,
    stop: AtomicBool,
}

/// The access log of the process.
#[derive(Debug)]
pub struct AccessLog {
    shared: Arc<Shared>,
    writer: Thread<()>,
}

impl AccessLog {
    /// Starts the writer. `sample` is the part of successful requests that is logged, 0 to 1; those that failed (status
    /// 5xx, or ended by an error) are always logged.
    ///
    /// # Errors
    /// The file cannot be opened, or there is no thread.
    pub fn start(destination: &Destination, sample: f64) -> std::io::Result<Self> {
        let out: Box<dyn Write + Send> = match destination {
            Destination::Stdout => Box::new(std::io::stdout()),
            Destination::File(path) => {
                Box::new(File::options().create(true).append(true).open(path)?)
            }
        };
        Self::start_with(out, sample)
    }

    /// As [`start`](Self::start), to any writer.
    ///
    /// # Errors
    /// There is no thread.
    pub fn start_with(out: Box<dyn Write + Send>, sample: f64) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let of_writer = Arc::clone(&shared);
        let writer = spawn::thread("access-log", None, move || write_loop(&of_writer, out))?;
        let log = Self { shared, writer };
        log.set_sample(sample);
        Ok(log)
    }

    /// Changes the part of successful requests that is logged, for all workers.
    pub fn set_sample(&self, sample: f64) {
        self.sample().set(sample);
    }

    /// What changes both parts while somebody else holds the log.
    #[must_use]
    pub fn sample(&self) -> Sample {
        Sample(Arc::clone(&self.shared))
    }

    /// The part of one worker. Lives on the worker's thread.
    #[must_use]
    pub fn worker(&self) -> Worker {
        let buffer = Arc::<Buffer>::default();
        let mut buffers = self.shared.buffers.lock();
        let buffers = buffers.as_deref_mut();
        buffers
            .unwrap_or_else(|poisoned| poisoned.get_mut())
            .push(Arc::clone(&buffer));
        Worker {
            buffer,
            writer: self.writer.thread().clone(),
            shared: Arc::clone(&self.shared),
            state: RefCell::default(),
        }
    }

    /// Writes what waits, and ends the writer. Blocks; for the end of the process.
    ///
    /// # Errors
    /// The writer panicked.
    pub fn stop(self) -> Result<(), TaskError> {
        self.shared.stop.store(true, Relaxed);
        self.writer.thread().unpark();
        self.writer.join()
    }
}

#[derive(Debug, Default)]
struct State {
    /// Lines made while the writer held the buffer.
    aside: Vec<u8>,
    /// Rises by the sample's ratio with each request; a whole one is a line.
    credit: f64,
    /// The same for lines that say what was decided.
    decided: f64,
    /// The second of the last line, and its text up to the milliseconds: most lines share it with the one before.
    second: (u64, String),
}

impl State {
    fn write(&mut self, entry: &Entry<'_>) -> serde_json::Result<()> {
        let now = clock::wall().as_millis();
        let (second, text) = &mut self.second;
        if *second != now / 1000 || text.is_empty() {
            *second = now / 1000;
            *text = clock::rfc3339(Timestamp::from_millis(now));
            // `2026-11-20T09:30:00.` is left.
            text.truncate(20);
        }
        let lines = &mut self.aside;
        lines.extend_from_slice(b"{\"ts\":\"");
        lines.extend_from_slice(text.as_bytes());
        write!(lines, "{:03}Z", now % 1000).map_err(serde_json::Error::io)?;
        lines.extend_from_slice(b"\",\"level\":\"info\",\"event\":\"access\"");
        // The entry's own object goes on where this one stands: its brace becomes a comma.
        let brace = lines.len();
        serde_json::to_writer(&mut *lines, entry)?;
        if let Some(byte) = lines.get_mut(brace) {
            *byte = b',';
        }
        lines.push(b'\n');
        Ok(())
    }
}

/// The part of successful requests that is logged, and the part of all that is logged with what was decided.
#[derive(Debug, Clone)]
pub struct Sample(Arc<Shared>);

impl Sample {
    /// Changes it, for all workers; cut to 0 to 1.
    pub fn set(&self, sample: f64) {
        self.0
            .sample
            .store(sample.clamp(0.0, 1.0).to_bits(), Relaxed);
    }

    /// Changes the part that says what was decided, for all workers; cut to 0 to 1. It begins with 0.
    pub fn set_decisions(&self, part: f64) {
        // Without a sign: a zero is all zero bits, which is looked for.
        let part = part.clamp(0.0, 1.0).abs();
        self.0.decisions.store(part.to_bits(), Relaxed);
    }
}

/// A worker's part of the access log.
#[derive(Debug)]
pub struct Worker {
    buffer: Arc<Buffer>,
    writer: std::thread::Thread,
    shared: Arc<Shared>,
    state: RefCell<State>,
}

impl Worker {
    /// Whether a request that ended like this is to be logged. Asked once for each request.
    #[must_use]
    pub fn wants(&self, failed: bool) -> bool {
        if failed {
            return true;
        }
        let Ok(mut state) = self.state.try_borrow_mut() else {
            return false;
        };
        state.credit += f64::from_bits(self.shared.sample.load(Relaxed));
        let wanted = state.credit >= 1.0;
        if wanted {
            state.credit -= 1.0;
        }
        wanted
    }

    /// Whether the line of a request that has just come is to say what will be decided about it. Asked once for each.
    #[must_use]
    pub fn wants_decision(&self) -> bool {
        let part = self.shared.decisions.load(Relaxed);
        part != 0 && self.is_due(f64::from_bits(part))
    }

    #[cold]
    fn is_due(&self, part: f64) -> bool {
        let Ok(mut state) = self.state.try_borrow_mut() else {
            return false;
        };
        state.decided += part;
        let due = state.decided >= 1.0;
        if due {
            state.decided -= 1.0;
        }
        due
    }

    /// Adds a line. Never waits.
    pub fn record(&self, entry: &Entry<'_>) {
        let Ok(mut state) = self.state.try_borrow_mut() else {
            return;
        };
        let start = state.aside.len();
        if state.write(entry).is_err() {
            // An entry has nothing that JSON cannot hold; were it so, half a line must not stay.
            state.aside.truncate(start);
            self.buffer.dropped.fetch_add(1, Relaxed);
            return;
        }
        self.hand_over(&mut state, start);
    }

    /// Moves what is aside to the writer, unless the writer holds the buffer right now; it does for a pointer swap only.
    fn hand_over(&self, state: &mut State, line_start: usize) {
        let mut lines = match self.buffer.lines.try_lock() {
            Ok(lines) => lines,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                if state.aside.len() > BUFFER_BYTES_MAX {
                    state.aside.truncate(line_start);
                    self.buffer.dropped.fetch_add(1, Relaxed);
                }
                return;
            }
        };
        if lines.len() + state.aside.len() > BUFFER_BYTES_MAX {
            let line_ends = state.aside.iter().filter(|byte| **byte == b'\n').count();
            let count = u64::try_from(line_ends).unwrap_or(u64::MAX);
            self.buffer.dropped.fetch_add(count, Relaxed);
            state.aside.clear();
            return;
        }
        let before = lines.len();
        lines.append(&mut state.aside);
        let now = lines.len();
        drop(lines);
        if before < WAKE_BYTES && now >= WAKE_BYTES {
            self.writer.unpark();
        }
    }
}

fn write_loop(shared: &Shared, mut out: Box<dyn Write + Send>) {
    let mut taken = Vec::new();
    loop {
        let last = shared.stop.load(Relaxed);
        let buffers = shared.buffers.lock();
        let buffers = buffers.unwrap_or_else(PoisonError::into_inner).clone();
        for buffer in buffers {
            write_one(&buffer, &mut taken, &mut out);
        }
        if last {
            break;
        }
        std::thread::park_timeout(ROUND);
    }
}

fn write_one(buffer: &Buffer, taken: &mut Vec<u8>, out: &mut Box<dyn Write + Send>) {
    taken.clear();
    let lines = buffer.lines.lock();
    std::mem::swap(&mut *lines.unwrap_or_else(PoisonError::into_inner), taken);
    let mut dropped = buffer.dropped.swap(0, Relaxed);
    if !taken.is_empty() && out.write_all(taken).and_then(|()| out.flush()).is_err() {
        let line_ends = taken.iter().filter(|byte| **byte == b'\n').count();
        dropped += u64::try_from(line_ends).unwrap_or(u64::MAX);
    }
    if dropped > 0 {
        metrics::counter!(names::ACCESS_LOG_DROPPED).increment(dropped);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A writer that hands what it gets to the test, and may be held up by it.
    struct ToTest(mpsc::Sender<Vec<u8>>, Arc<Mutex<()>>);

    impl Write for ToTest {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _held = self.1.lock().unwrap();
            self.0.send(bytes.to_vec()).map_err(std::io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn log(sample: f64) -> (AccessLog, mpsc::Receiver<Vec<u8>>, Arc<Mutex<()>>) {
        let (sender, receiver) = mpsc::channel();
        let held = Arc::new(Mutex::new(()));
        let out = Box::new(ToTest(sender, Arc::clone(&held)));
        (AccessLog::start_with(out, sample).unwrap(), receiver, held)
    }

    fn lines(receiver: &mpsc::Receiver<Vec<u8>>) -> Vec<serde_json::Value> {
        let text = String::from_utf8(receiver.iter().flatten().collect()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn every_line_of_every_worker_is_written_once_and_is_json() {
        let (log, receiver, _) = log(1.0);
        let start = |number: u16| {
            let worker = log.worker();
            let line = move |status| Entry {
                path: "/a\"b\n",
                status: number * 1000 + status,
                ..Entry::default()
            };
            let run = move || (0..500).for_each(|status| worker.record(&line(status)));
            spawn::thread("worker", Some(number.into()), run).unwrap()
        };
        let threads: Vec<_> = (0..4).map(start).collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        log.stop().unwrap();
        let lines = lines(&receiver);
        let mut seen: Vec<u64> = lines
            .iter()
            .map(|line| line["http.response.status_code"].as_u64().unwrap())
            .collect();
        seen.sort_unstable();
        let expected = (0..4_u64).flat_map(|w| (0..500).map(move |n| w * 1000 + n));
        assert_eq!(seen, expected.collect::<Vec<_>>());
        assert_eq!(lines[0]["url.path"], "/a\"b\n");
        assert_eq!(
            (&lines[0]["event"], &lines[0]["level"]),
            (&"access".into(), &"info".into())
        );
        let time: jiff::Timestamp = lines[0]["ts"].as_str().unwrap().parse().unwrap();
        let age = clock::wall().as_millis() - u64::try_from(time.as_millisecond()).unwrap();
        assert!(age < 60_000, "{age}");
    }

    #[test]
    fn a_stuck_writer_costs_lines_and_never_the_worker() {
        let (log, receiver, held) = log(1.0);
        let worker = log.worker();
        let stuck = held.lock().unwrap();
        let path = "x".repeat(1 << 20);
        for _ in 0..40 {
            worker.record(&Entry {
                path: &path,
                ..Entry::default()
            });
        }
        drop(stuck);
        log.stop().unwrap();
        let written = lines(&receiver).len();
        assert!((1..40).contains(&written), "{written}");
    }

    #[test]
    fn a_sample_is_exact_and_failures_are_always_in_it() {
        let (log, _receiver, _) = log(0.25);
        let worker = log.worker();
        assert_eq!((0..1000).filter(|_| worker.wants(false)).count(), 250);
        assert!((0..1000).all(|_| worker.wants(true)));
        log.set_sample(1.0);
        assert!((0..1000).all(|_| worker.wants(false)));
    }

    #[test]
    fn a_sample_of_decisions_is_exact_and_begins_with_none() {
        let (log, _receiver, _) = log(1.0);
        let worker = log.worker();
        assert!((0..1000).all(|_| !worker.wants_decision()));
        log.sample().set_decisions(0.125);
        assert_eq!((0..1000).filter(|_| worker.wants_decision()).count(), 125);
        log.sample().set_decisions(-0.0);
        assert!((0..1000).all(|_| !worker.wants_decision()));
    }
}
