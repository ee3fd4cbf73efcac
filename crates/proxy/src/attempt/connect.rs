//! **connect** for the current try, and what is done where that takes strangely long: nothing that comes back from where an
//! endpoint was is silence as much as a request without an answer is. Only a connection that is made anew can take long; one
//! that is kept never comes here.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;

use bascule_telemetry::clock;
use bascule_traffic::retry::{Cause, Failure};

use super::beside::{Pair, Second, alone};
use super::wait::{Found, Wait};
use super::{Answer, Attempt};
use crate::http::refuse::Refused;
use crate::upstream::{self, Connected, Endpoint, Source, Watch};

/// What connecting comes to.
pub(super) enum Met {
    /// A connection.
    Connected(Connected),
    /// The answer of a second try that was made beside it.
    Answered(Answer),
}

impl Attempt<'_> {
    /// **connect**: makes a connection. Where that takes strangely long a second try is made beside it, if there may be one.
    pub(super) async fn connect(
        &mut self,
        endpoint: &Rc<Endpoint>,
        source: Source,
    ) -> Result<Met, Refused> {
        let timeouts = &self.service.service.spec.timeouts;
        let connecting = upstream::connect_new(endpoint, timeouts, source, self.deadline);
        let mut connecting = pin!(connecting);
        let cause = match until_strange(connecting.as_mut(), &endpoint.watch).await {
            Ok(connected) => return Ok(Met::Connected(connected?)),
            Err(cause) => cause,
        };
        self.exchange.strange(cause);
        if let Some(second) = self.second(cause) {
            let raced = self.race_connecting(connecting.as_mut(), endpoint, second);
            if let Some(met) = raced.await? {
                return Ok(met);
            }
        }
        Ok(Met::Connected(connecting.await?))
    }

    /// Waits for a connection or the second's answer. Once there is a connection the first goes on alone: what was to be
    /// feared has not come true. `None`: the second has failed, and the connection is still waited for.
    async fn race_connecting<F>(
        &mut self,
        mut connecting: Pin<&mut F>,
        endpoint: &Rc<Endpoint>,
        second: Second,
    ) -> Result<Option<Met>, Refused>
    where
        F: Future<Output = Result<Connected, Failure>>,
    {
        let Second { place, request } = second;
        let (other, host) = place.endpoint();
        let progress = Rc::clone(&self.exchange.progress);
        progress.touch();
        let spec = &self.service.service.spec;
        let mut wait = Wait::begin(spec, &other.watch, self.deadline, false);
        let mut pair = Pair::of(self.exchange, self.outgoing, &spec.retry, endpoint, place);
        let second = alone(&other, host, request, self.outgoing, &spec.timeouts);
        let mut second = pin!(second);
        loop {
            // Both go on where they are until one has ended; losing the timer loses nothing.
            let answer = tokio::select! {
                biased;
                connected = &mut connecting, if pair.awaits_first() => match connected {
                    Ok(connected) => return Ok(Some(Met::Connected(connected))),
                    Err(failure) => {
                        pair.first_failed(&failure);
                        continue;
                    }
                },
                ended = &mut second => pair.second_ended(ended)?,
                () = wait.due(&progress, &other.watch) => {
                    match wait.look(&progress, &other.watch) {
                        Found::Over(cause) => pair.over(cause)?,
                        Found::Strange(_) | Found::BodyLate | Found::Nothing => continue,
                    }
                }
            };
            return Ok(answer.map(Met::Answered));
        }
    }
}

/// Waits for a connection; or until it takes strangely long, and nobody else hears anything from there.
async fn until_strange<F: Future>(
    mut connecting: Pin<&mut F>,
    watch: &Watch,
) -> Result<F::Output, Cause> {
    let began = clock::now();
    let mut since = began;
    loop {
        let silence = watch.silence();
        // Losing the timer, or who listens, loses nothing.
        tokio::select! {
            biased;
            connected = &mut connecting => return Ok(connected),
            () = watch.went_down() => return Err(Cause::WentDown),
            () = clock::sleep_until(since + silence.unwrap_or_default()), if silence.is_some() => {}
        }
        if watch.is_silent_since(began) {
            return Err(Cause::Silent);
        }
        since = clock::now();
    }
}
