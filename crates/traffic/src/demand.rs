//! What a service brings, measured by the edge itself: from totals that only grow to a smoothed [`Demand`]. It counts what
//! clients ask for, not what is let in: else a service that sheds would seem to need less, let more in, and swing. What it
//! says is never below what it measures and at most a twentieth above, and changes only when it must, so that a snapshot
//! is not made anew for noise. Sans-IO; judgements are in decision 0014.

use std::time::Duration;

use bascule_model::Instant;

use crate::capacity::Demand;

/// Over how long flows are smoothed: long enough for a pause between two bursts, short beside a check's `fall`.
const WINDOW: Duration = Duration::from_secs(2);
/// The same for requests in flight, which pile up before an endpoint that hangs.
const WINDOW_SESSIONS: Duration = Duration::from_secs(10);
/// How far above what is measured the demand in use may be.
const BAND: f64 = 1.05;

/// Where less than this part is let in, what those bring says nothing about the others.
const LEAST: f64 = 0.01;

/// Totals of one service since the start, over all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Requests that asked for it.
    pub offered: u64,
    /// Of these, those that were shed.
    pub shed: u64,
    /// Tries that ended at its backends.
    pub finished: u64,
    /// Requests in flight now.
    pub in_flight: u64,
    /// Bytes of bodies sent to clients.
    pub bytes: u64,
}

/// Measures one service.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    begun: Option<Instant>,
    last: Option<(Instant, Totals)>,
    measured: Demand,
    finished: f64,
    admitted: Admitted,
    said: Option<Demand>,
}

/// What part of those who asked was let in, delayed as what is measured of them is: else shedding would make a service
/// seem to ask for more, be shed more, and so on.
#[derive(Debug, Clone, Copy)]
struct Admitted {
    /// Of the requests that are in flight now.
    in_flight: f64,
    /// The same, smoothed as the sessions are.
    sessions: f64,
    /// The same, smoothed as the egress is.
    egress: f64,
}

impl Default for Admitted {
    fn default() -> Self {
        Self {
            in_flight: 1.0,
            sessions: 1.0,
            egress: 1.0,
        }
    }
}

impl Meter {
    /// Takes the totals of now; the demand, where it is another than it said last.
    pub fn handle(&mut self, now: Instant, totals: Totals) -> Option<Demand> {
        let begun = *self.begun.get_or_insert(now);
        let (at, last) = self.last.replace((now, totals))?;
        let step = now.since(at).as_secs_f64();
        if step <= 0.0 {
            self.last = Some((at, last));
            return None;
        }
        // Until a window is full what has passed counts evenly: the first figure is no worse than the next.
        let passed = now.since(begun).as_secs_f64();
        let weight = |window: f64| step / (window + step).min(passed).max(step);
        let rate = |now: u64, last: u64| count(now.saturating_sub(last)) / step;
        let flow = weight(WINDOW.as_secs_f64());
        let m = &mut self.measured;
        m.requests += (rate(totals.offered, last.offered) - m.requests) * flow;
        m.egress += (rate(totals.bytes, last.bytes) * 8.0 - m.egress) * flow;
        self.finished += (rate(totals.finished, last.finished) - self.finished) * flow;
        let sessions = weight(WINDOW_SESSIONS.as_secs_f64());
        m.sessions += (count(totals.in_flight) - m.sessions) * sessions;

        let offered = totals.offered.saturating_sub(last.offered);
        let let_in = offered.saturating_sub(totals.shed.saturating_sub(last.shed));
        let admitted = &mut self.admitted;
        if offered > 0 {
            // What is in flight was let in over as long as a request lasts.
            let lasts = m.sessions / self.finished.max(0.001);
            let now = count(let_in) / count(offered);
            admitted.in_flight += (now - admitted.in_flight) * step / (lasts + step);
        }
        admitted.sessions += (admitted.in_flight - admitted.sessions) * sessions;
        admitted.egress += (admitted.in_flight - admitted.egress) * flow;
        self.say()
    }

    /// What clients ask for: what is in flight and what is sent are by those that were let in.
    fn asked(&self) -> Demand {
        Demand {
            requests: self.measured.requests,
            sessions: self.measured.sessions / self.admitted.sessions.max(LEAST),
            egress: self.measured.egress / self.admitted.egress.max(LEAST),
        }
    }

    fn say(&mut self) -> Option<Demand> {
        let asked = self.asked();
        let said = self.said.unwrap_or_default();
        let fits = |said: f64, asked: f64| asked <= said && said <= asked * BAND;
        let is_right = fits(said.requests, asked.requests)
            && fits(said.sessions, asked.sessions)
            && fits(said.egress, asked.egress);
        if is_right && self.said.is_some() {
            return None;
        }
        let middle = f64::midpoint(1.0, BAND);
        let next = |said: f64, asked: f64| {
            if fits(said, asked) {
                said
            } else {
                asked * middle
            }
        };
        let demand = Demand {
            requests: next(said.requests, asked.requests),
            sessions: next(said.sessions, asked.sessions),
            egress: next(said.egress, asked.egress),
        };
        self.said = Some(demand);
        Some(demand)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
const fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
