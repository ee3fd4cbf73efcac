//! The process's log: JSON lines (or text for a person at a terminal) on standard output. Fields common to all lines are
//! `ts`, `level` and, where the line says that something happened, `event`. It only formats; what is worth a line is
//! decided where it happens. A thread that must never wait says so once ([`never_wait_here`]); its lines are handed to a
//! thread that writes them, and dropped and counted when that one cannot keep up.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::sync::mpsc::{SyncSender, sync_channel};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::{clock, names, spawn};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For a person.
    Text,
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
}

impl Format {
    /// Whether lines are text here.
    fn is_text(self) -> bool {
        match self {
            Self::Json => false,
            Self::Text => true,
            Self::Auto => std::io::stdout().is_terminal(),
        }
    }
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The level is not one of `error`, `warn`, `info`, `debug`, nor a list of directives.
    #[error("`{0}` is not a log level")]
    Level(String),
    /// A log is set up already.
    #[error("the log is set up already")]
    Twice,
    /// There is no thread for the lines of threads that must not wait.
    #[error("no thread for the log")]
    Thread(#[source] std::io::Error),
}

/// The log that [`init`] set up; to change its level while the process runs.
#[derive(Debug, Clone)]
pub struct Log(reload::Handle<EnvFilter, tracing_subscriber::Registry>);

impl Log {
    /// Changes what is logged; `level` as for [`init`].
    ///
    /// # Errors
    /// [`InitError::Level`], and nothing changes.
    pub fn set_level(&self, level: &str) -> Result<(), InitError> {
        let changed = self.0.reload(filter(level)?);
        // It fails only when the subscriber is gone, and with it every line.
        changed.map_err(|_| InitError::Level(level.to_owned()))
    }
}

/// Sets up the log of this process, with panics as lines of it. `level` is `error`, `warn`, `info`, `debug` or `trace`,
/// or directives of `tracing`'s filter (`info,bascule_proxy=debug`). Libraries below us speak from `warn` on, unless a
/// directive says otherwise.
///
/// # Errors
/// [`InitError`], and nothing is set up.
pub fn init(level: &str, format: Format) -> Result<Log, InitError> {
    let (filter, handle) = reload::Layer::new(filter(level)?);
    let lines = Lines {
        text: format.is_text(),
        queue: start_writer().map_err(InitError::Thread)?,
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    subscriber.try_init().map_err(|_| InitError::Twice)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(Log(handle))
}

fn filter(level: &str) -> Result<EnvFilter, InitError> {
    let quiet =
        "hickory_resolver=warn,hickory_net=warn,hickory_proto=warn,h2=warn,hyper=warn,rustls=warn";
    let filter = EnvFilter::try_new(format!("{quiet},{level}"));
    filter.map_err(|_| InitError::Level(level.to_owned()))
}

/// Where a panic was; what it ended is said by whoever caught it.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let thread = std::thread::current();
    let reason = panic.payload_as_str().unwrap_or("(no message)");
    tracing::error!(
        event = "panic",
        place,
        thread = thread.name(),
        reason,
        "panicked"
    );
}

/// Lines of threads that must not wait, that are not written yet: enough for a burst, little enough to be read.
const WAITING_MAX: usize = 4096;

thread_local! {
    static MAY_WAIT: Cell<bool> = const { Cell::new(true) };
}

/// From now on no line of this thread waits for standard output: for data-plane workers.
pub fn never_wait_here() {
    MAY_WAIT.set(false);
}

/// Starts the thread that writes the lines of threads that must not wait.
fn start_writer() -> std::io::Result<SyncSender<String>> {
    let (queue, lines) = sync_channel::<String>(WAITING_MAX);
    spawn::thread("log", None, move || {
        lines.iter().for_each(|line| write(&line));
    })?;
    Ok(queue)
}

fn write(line: &str) {
    // A log that cannot be written cannot be complained about either.
    let (Ok(()) | Err(_)) = std::io::stdout().lock().write_all(line.as_bytes());
}

/// Writes each event as one line.
struct Lines {
    text: bool,
    queue: SyncSender<String>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let ts = clock::rfc3339(clock::wall());
        let line = if self.text {
            text(&ts, event)
        } else {
            json(&ts, event)
        };
        if MAY_WAIT.get() {
            write(&line);
        } else if self.queue.try_send(line).is_err() {
            metrics::counter!(names::LOG_DROPPED).increment(1);
        }
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

fn fields(event: &Event<'_>) -> Map<String, Value> {
    let mut fields = Fields(Map::new());
    event.record(&mut fields);
    fields.0
}

fn json(ts: &str, event: &Event<'_>) -> String {
    let mut all = Map::new();
    all.insert("ts".to_owned(), ts.into());
    all.insert("level".to_owned(), level(*event.metadata().level()).into());
    let mut own = fields(event);
    for first in ["event", "message"] {
        if let Some(value) = own.remove(first) {
            all.insert(first.to_owned(), value);
        }
    }
    all.insert("target".to_owned(), event.metadata().target().into());
    all.extend(own);
    let mut line = Value::Object(all).to_string();
    line.push('\n');
    line
}

fn text(ts: &str, event: &Event<'_>) -> String {
    let mut own = fields(event);
    let message = own.remove("message").unwrap_or_default();
    let message = message.as_str().unwrap_or_default();
    let time = ts.get(11..23).unwrap_or(ts);
    let mut line = format!(
        "{time} {:5} {}",
        level(*event.metadata().level()),
        visible(message)
    );
    for (key, value) in own.iter().filter(|(key, _)| *key != "seq") {
        let value = match value {
            Value::String(text) => visible(text),
            other => other.to_string(),
        };
        line.push_str(&format!(" {key}={value}"));
    }
    line.push('\n');
    line
}

/// The text without control characters, so that no input can write escape sequences to a terminal or forge a line.
fn visible(text: &str) -> String {
    let replace = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(replace).collect()
}

/// Collects fields. `data` holds JSON already and is put in as such.
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "data"
            && let Ok(data) = serde_json::from_str::<Value>(value)
        {
            return self.put(field, data);
        }
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        self.put(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Keeps the lines instead of writing them.
    struct Kept(Arc<Mutex<Vec<String>>>, bool);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let line = if self.1 {
                text("2026-11-20T09:30:00.125Z", event)
            } else {
                json("T", event)
            };
            self.0.lock().unwrap().push(line);
        }
    }

    fn line(as_text: bool, log: impl FnOnce()) -> String {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let layer = Kept(Arc::clone(&lines), as_text);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let all = lines.lock().unwrap();
        all.concat()
    }

    #[test]
    fn a_json_line_has_its_fields_at_the_top_and_data_as_an_object() {
        let data = serde_json::json!({"from": 10, "to": 20}).to_string();
        let line = line(false, || {
            tracing::info!(
                event = "weight_changed",
                service = "meet",
                rev = 7_u64,
                data,
                "moved \"it\"\n"
            );
        });
        assert_eq!(line.matches('\n').count(), 1);
        let line: Value = serde_json::from_str(&line).unwrap();
        let expected = serde_json::json!({
            "ts": "T", "level": "info", "event": "weight_changed", "message": "moved \"it\"\n",
            "target": "bascule_telemetry::log::tests", "service": "meet", "rev": 7,
            "data": {"from": 10, "to": 20}
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn a_text_line_lets_no_control_character_through() {
        let path = "/\u{1b}[31m\nforged";
        let line = line(true, || tracing::warn!(path, "refused"));
        assert_eq!(
            line,
            "09:30:00.125 warn  refused path=/\u{fffd}[31m\u{fffd}forged\n"
        );
    }

    #[test]
    fn a_thread_that_never_waits_drops_and_counts_what_does_not_fit() {
        let registry = crate::Registry::new();
        let recorder = registry.shared();
        let (queue, lines) = sync_channel(3);
        let worker = move || {
            never_wait_here();
            let layer = Lines { text: false, queue };
            let subscriber = tracing_subscriber::registry().with(layer);
            let speak = || (0..5).for_each(|number| tracing::warn!(number, "said"));
            metrics::with_local_recorder(&recorder, || {
                tracing::subscriber::with_default(subscriber, speak);
            });
        };
        spawn::thread("worker", None, worker)
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(lines.iter().count(), 3);
        assert_eq!(registry.counter(names::LOG_DROPPED, &[]), 2);
    }

    #[test]
    fn a_level_is_a_word_or_a_list_and_nothing_else() {
        for good in ["info", "debug", "warn,bascule_proxy=debug"] {
            filter(good).unwrap();
        }
        let error = filter("loud=ly").unwrap_err();
        assert_eq!(error.to_string(), "`loud=ly` is not a log level");
    }

    #[test]
    fn an_event_of_the_bus_is_one_line() {
        let service = bascule_model::ServiceName::parse("meet").unwrap();
        let bus = crate::events::Bus::new();
        let line = line(false, || {
            let event = crate::events::Event::new("health_changed", "aws is down");
            bus.publish(event.service(&service).data(serde_json::json!({"up": 0})));
        });
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&line["event"], &line["service"]),
            (&"health_changed".into(), &"meet".into())
        );
        assert_eq!(line["data"]["up"], 0);
        assert!(line.get("backend").is_none());
    }
}
