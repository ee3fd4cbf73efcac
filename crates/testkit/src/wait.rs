//! Waiting for a condition, with a generous limit: tests never wait for time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a condition may take on a loaded machine before the test has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again every 10 ms until there is an answer.
///
/// # Errors
/// When there is none within [`PATIENCE`]; `what` says what was waited for.
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> Result<T> {
    within(PATIENCE, what, ask)
}

/// As [`until`], for what moves much data: waits ten times as long.
///
/// # Errors
/// When there is no answer in that time.
pub fn until_long<T>(what: &str, ask: impl FnMut() -> Option<T>) -> Result<T> {
    within(PATIENCE * 10, what, ask)
}

/// As [`until`], for as long as `patience`.
///
/// # Errors
/// When there is no answer in that time.
pub fn within<T>(patience: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> Result<T> {
    #[expect(clippy::disallowed_methods, reason = "tests have no telemetry clock")]
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if started.elapsed() > patience {
            bail!("waited {patience:?} in vain for {what}");
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the pause between two looks at the condition"
        )]
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Now. Tests have no telemetry clock.
#[must_use]
pub fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "tests have no telemetry clock")]
    Instant::now()
}
