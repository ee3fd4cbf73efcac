//! How long a try is waited for, and what is found when a wait is over. One timer a try, set to whatever comes first; with a
//! quick answer it never fires. It decides when something is late, never what becomes of the request.

use std::time::Duration;

use bascule_model::Instant;
use bascule_telemetry::clock;
use bascule_traffic::retry::Cause;
use bascule_traffic::spec::ServiceSpec;
use bascule_traffic::suspect::SILENCE_MIN;

use crate::http::progress::{Direction, Flow, Progress};
use crate::upstream::Watch;

/// How often a client that sends a body is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The limits of one try's wait for the head of a response.
#[derive(Debug)]
pub(super) struct Wait {
    /// After the last byte went out.
    patience: Duration,
    /// The same, before it is strange; never again once that was found.
    silence: Option<Duration>,
    /// The same, before another try is made beside it; once.
    try_timeout: Option<Duration>,
    /// When the silence began to count: a later one than the last byte, where the endpoint has answered others since.
    silent_since: Instant,
    deadline: Option<Instant>,
    has_body: bool,
    down: Down,
}

/// What is listened for of the endpoint's going down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Down {
    /// Nothing before then: listening costs something, and nearly all answers come sooner.
    From(Instant),
    /// That it goes down.
    Listens,
    /// Nothing: it was down when the try began, or that it went down was found; once.
    Known,
}

/// What is found when a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing: it is waited on.
    Nothing,
    /// The client does not send its body.
    BodyLate,
    /// The try, or the request, is over.
    Over(Cause),
    /// It takes strangely long; another try may be made beside it.
    Strange(Cause),
}

impl Wait {
    /// Of a try that begins now.
    pub(super) fn begin(
        spec: &ServiceSpec,
        watch: &Watch,
        deadline: Option<Instant>,
        has_body: bool,
    ) -> Self {
        let down = match watch.is_down() {
            true => Down::Known,
            false => Down::From(clock::now() + SILENCE_MIN),
        };
        Self {
            patience: spec.timeouts.response_headers,
            // A request that can be made again must not fail by the limit before it is.
            silence: watch
                .silence()
                .map(|silence| silence.min(spec.timeouts.response_headers / 2)),
            try_timeout: spec.retry.try_timeout,
            silent_since: Instant::ZERO,
            deadline,
            has_body,
            down,
        }
    }

    /// Waits until there is something to look at. Losing it loses nothing.
    pub(super) async fn due(&self, progress: &Progress, watch: &Watch) {
        let timer = clock::sleep_until(self.until(progress));
        if self.down != Down::Listens {
            return timer.await;
        }
        tokio::select! {
            biased;
            () = watch.went_down() => {}
            () = timer => {}
        }
    }

    fn until(&self, progress: &Progress) -> Instant {
        let moved = progress.moved();
        let mut until = moved + self.patience;
        if let Down::From(listen_at) = self.down {
            until = until.min(listen_at);
        }
        if let Some(deadline) = self.deadline {
            until = until.min(deadline);
        }
        if self.has_body {
            // The client may begin to stand still at any time.
            let look_at = clock::now() + LOOK_EVERY;
            until = until.min(progress.body_deadline().unwrap_or(look_at));
        }
        if self.is_all_sent(progress) {
            if let Some(silence) = self.silence {
                until = until.min(moved.max(self.silent_since) + silence);
            }
            if let Some(try_timeout) = self.try_timeout {
                until = until.min(moved + try_timeout);
            }
        }
        until
    }

    /// Who has not been sent everything has no reason to answer.
    fn is_all_sent(&self, progress: &Progress) -> bool {
        !self.has_body || progress.flow(Direction::Request) == Flow::Done
    }

    /// What is found now. A strange silence is found once, and so is that the try may take no longer.
    pub(super) fn look(&mut self, progress: &Progress, watch: &Watch) -> Found {
        let now = clock::now();
        let moved = progress.moved();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Found::Over(Cause::Deadline);
        }
        if progress.body_deadline().is_some_and(|until| until <= now) {
            return Found::BodyLate;
        }
        if moved + self.patience <= now {
            // A backend that waits for the rest of a body is not to be blamed.
            return if progress.is_starved(Direction::Request) {
                Found::BodyLate
            } else {
                Found::Over(Cause::ResponseTimeout)
            };
        }
        if let Down::From(listen_at) = self.down
            && listen_at <= now
        {
            self.down = Down::Listens;
        }
        if !self.is_all_sent(progress) {
            return Found::Nothing;
        }
        if self.down == Down::Listens && watch.is_down() {
            self.down = Down::Known;
            return Found::Strange(Cause::WentDown);
        }
        let is_over = |limit: Option<Duration>, since: Instant| {
            limit.is_some_and(|limit| since + limit <= now)
        };
        if is_over(self.try_timeout, moved) {
            self.try_timeout = None;
            return Found::Strange(Cause::TryTimeout);
        }
        if is_over(self.silence, moved.max(self.silent_since)) {
            if watch.is_silent_since(moved) {
                self.silence = None;
                return Found::Strange(Cause::Silent);
            }
            self.silent_since = now;
        }
        Found::Nothing
    }
}
