//! What a service brings, measured by the edge itself: from totals that only grow to a smoothed [`Demand`]. It counts what
//! clients ask for, not what is let in: else a service that sheds would seem to need less, let more in, and swing. What it
//! says is never below what it measures and at most a twentieth above, of what it measures or of what there is room for,
//! and changes only when it must, so that a snapshot is not made anew for noise. Sans-IO; judgements are in decision 0014.

use std::time::Duration;

use bascule_model::Instant;

use crate::capacity::{Capacity, Demand, Unit};

/// Over how long flows are smoothed: long enough for a pause between two bursts, short beside a check's `fall`.
const WINDOW: Duration = Duration::from_secs(2);
/// The same for requests in flight, which pile up before an endpoint that hangs.
const WINDOW_SESSIONS: Duration = Duration::from_secs(10);
/// How far above what is measured the demand in use may be: a part of it, or of the least capacity where that is more. A
/// few requests where thousands have room come unevenly, and say nothing of whether they fit.
const BAND: f64 = 0.05;
/// What fades below this, in any unit, is over: one request in flight is 1, one in a window brings a half.
const OVER: f64 = 0.01;
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
    /// Takes the totals of now and the least that a backend can take; the demand, where it is another than it said last.
    pub fn handle(&mut self, now: Instant, totals: Totals, least: &Capacity) -> Option<Demand> {
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
        m.requests = smooth(m.requests, rate(totals.offered, last.offered), flow);
        m.egress = smooth(m.egress, rate(totals.bytes, last.bytes) * 8.0, flow);
        self.finished += (rate(totals.finished, last.finished) - self.finished) * flow;
        let sessions = weight(WINDOW_SESSIONS.as_secs_f64());
        m.sessions = smooth(m.sessions, count(totals.in_flight), sessions);

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
        self.say(least)
    }

    /// What clients ask for: what is in flight and what is sent are by those that were let in.
    fn asked(&self) -> Demand {
        Demand {
            requests: self.measured.requests,
            sessions: self.measured.sessions / self.admitted.sessions.max(LEAST),
            egress: self.measured.egress / self.admitted.egress.max(LEAST),
        }
    }

    fn say(&mut self, least: &Capacity) -> Option<Demand> {
        let asked = self.asked();
        let right = |said: &Demand, unit| {
            // Nothing is limited in this unit.
            let Some(capacity) = least.of(unit) else {
                return true;
            };
            let (said, asked) = (said.of(unit), asked.of(unit));
            asked <= said && said <= asked + band(asked, capacity)
        };
        let said = self
            .said
            .filter(|said| Unit::ALL.into_iter().all(|unit| right(said, unit)));
        if said.is_some() {
            return None;
        }
        let next = |unit| {
            let asked = asked.of(unit);
            asked + band(asked, least.of(unit).unwrap_or(0)) / 2.0
        };
        let demand = Demand {
            requests: next(Unit::Requests),
            sessions: next(Unit::Sessions),
            egress: next(Unit::Egress),
        };
        self.said = Some(demand);
        Some(demand)
    }
}

/// How far above what is asked for a demand may be said to be. Nothing is nothing.
fn band(asked: f64, capacity: u64) -> f64 {
    if asked > 0.0 {
        BAND * asked.max(count(capacity))
    } else {
        0.0
    }
}

/// What is measured now counts by its weight, what was before by the rest.
fn smooth(before: f64, now: f64, weight: f64) -> f64 {
    let next = before + (now - before) * weight;
    if now > 0.0 || next >= OVER { next } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
const fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
