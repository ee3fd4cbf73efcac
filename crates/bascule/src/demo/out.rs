//! How the demo speaks: a line of time, topic and text, or the same as a JSON line for programs.

use std::io::Write;

use bascule_model::Instant;
use bascule_telemetry::clock;
use serde_json::json;

/// Where the story is told.
#[derive(Debug)]
pub(super) struct Out {
    json: bool,
    started: Instant,
}

impl Out {
    /// Time counts from now.
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            started: clock::now(),
        }
    }

    /// Seconds since the demo began.
    pub(super) fn seconds(&self, at: Instant) -> f64 {
        at.since(self.started).as_secs_f64()
    }

    /// Tells what happens now.
    pub(super) fn tell(&self, topic: &str, text: &str) {
        self.tell_at(clock::now(), topic, text);
    }

    /// Tells what happened at a moment.
    pub(super) fn tell_at(&self, at: Instant, topic: &str, text: &str) {
        let seconds = self.seconds(at);
        if self.json {
            let rounded = (seconds * 1000.0).round() / 1000.0;
            self.write(&json!({"at_seconds": rounded, "topic": topic, "text": text}).to_string());
        } else {
            let minutes = (seconds / 60.0).floor();
            let rest = seconds - minutes * 60.0;
            self.write(&format!(" {minutes:02}:{rest:04.1}  {topic:<16} {text}"));
        }
    }

    /// Tells something outside the flow of time: the banner, a table.
    pub(super) fn plain(&self, text: &str) {
        if self.json {
            self.write(&json!({"text": text}).to_string());
        } else {
            self.write(text);
        }
    }

    /// Gives a program the figures behind the story; people have read them already.
    pub(super) fn figures(&self, figures: &serde_json::Value) {
        if self.json {
            self.write(&figures.to_string());
        }
    }

    fn write(&self, text: &str) {
        // A closed pipe is the reader's wish to hear no more. Raw terminal mode needs the carriage return.
        let end = if self.json { "\n" } else { "\r\n" };
        let mut out = std::io::stdout();
        drop(write!(out, "{text}{end}").and_then(|()| out.flush()));
    }
}
