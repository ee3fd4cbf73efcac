//! Waits for what a cloud has taken and not done yet, by looking again and again. A look that fails in passing is not the end
//! of what it looks at: the next one may tell. Decides how long and how often, never what a look means. It waits by the clock
//! of `telemetry`.

use std::time::Duration;

use bascule_telemetry::clock;

use crate::{Error, Kind};

/// How long is waited for what is under way, and how often it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After the first look; twice as long after each further one.
    pub pause: Duration,
    /// And never longer.
    pub pause_max: Duration,
    /// For all of it; a look that began before its end is heard out.
    pub whole: Duration,
}

impl Patience {
    /// Looks until a look says what came of it. A look that fails so that it [passes](Kind::passes) is made again.
    ///
    /// # Errors
    /// That of a look that no further one can mend; at the end that of the last look, or [`Transient`](Kind::Transient) where
    /// it was well, about this call and this resource: it may still be done.
    pub async fn until_done<T, F>(
        self,
        call: &'static str,
        resource: &str,
        mut look: impl FnMut() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<Option<T>, Error>>,
    {
        let until = clock::now() + self.whole;
        let late = || {
            let seen = format!(
                "not done after {} s; it may still be done",
                self.whole.as_secs()
            );
            Error::new(Kind::Transient, call, resource).detail(seen)
        };
        let mut pause = self.pause;
        loop {
            let (wait, failed) = match look().await {
                Ok(Some(done)) => return Ok(done),
                Ok(None) => (pause, None),
                Err(error) if error.kind.passes() => (pause.max(asked_for(&error)), Some(error)),
                Err(error) => return Err(error),
            };
            if clock::now() + wait > until {
                return Err(failed.unwrap_or_else(late));
            }
            clock::sleep_until(clock::now() + wait).await;
            pause = (pause * 2).min(self.pause_max);
        }
    }
}

/// How long the cloud wants to be left alone.
fn asked_for(error: &Error) -> Duration {
    match error.kind {
        Kind::Throttled { retry_after } => retry_after.unwrap_or_default(),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use bascule_model::Instant;

    use super::*;

    const PATIENCE: Patience = Patience {
        pause: Duration::from_secs(1),
        pause_max: Duration::from_secs(4),
        whole: Duration::from_secs(30),
    };

    type Look = fn() -> Result<Option<()>, Error>;

    fn failure(kind: Kind) -> Result<Option<()>, Error> {
        Err(Error::new(kind, "GetChange", "C1"))
    }

    /// What comes of looks of these kinds, the last of them again and again; and at which second each was.
    async fn wait(looks: &[Look]) -> (Result<(), Error>, Vec<u64>) {
        let (begun, mut times, mut left) = (clock::now(), Vec::<Instant>::new(), looks.iter());
        let mut last = left.clone().next_back();
        let done = PATIENCE.until_done("GetChange", "C1", || {
            times.push(clock::now());
            last = left.next().or(last);
            let look = last.map(|look| look());
            async { look.unwrap() }
        });
        let done = done.await;
        let seconds = times.iter().map(|at| at.since(begun).as_millis() / 1000);
        (done, seconds.map(|s| u64::try_from(s).unwrap()).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_looked_at_more_and_more_seldom_until_it_is_done() {
        let not_yet: Look = || Ok(None);
        let (done, times) = wait(&[not_yet, not_yet, not_yet, not_yet, || Ok(Some(()))]).await;
        done.unwrap();
        assert_eq!(times, [0, 1, 3, 7, 11]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_fails_in_passing_is_made_again_and_another_failure_is_the_end() {
        let throttled: Look = || {
            failure(Kind::Throttled {
                retry_after: Some(Duration::from_secs(9)),
            })
        };
        let (done, times) = wait(&[
            || failure(Kind::Transient),
            throttled,
            || Ok(None),
            || Ok(Some(())),
        ])
        .await;
        done.unwrap();
        assert_eq!(times, [0, 1, 10, 14]);
        let (done, times) = wait(&[|| Ok(None), || failure(Kind::Denied)]).await;
        assert_eq!(done.unwrap_err().kind, Kind::Denied);
        assert_eq!(times.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_and_says_whether_it_was_seen_or_not() {
        let (done, times) = wait(&[|| Ok(None)]).await;
        let error = done.unwrap_err();
        assert_eq!(
            error.to_string(),
            "GetChange of C1: transient: not done after 30 s; it may still be done"
        );
        assert_eq!(times.last(), Some(&27));
        let (done, _) = wait(&[|| failure(Kind::Conflict)]).await;
        assert_eq!(done.unwrap_err().kind, Kind::Conflict);
    }
}
