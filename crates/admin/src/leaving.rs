//! How long what still runs on a drained target will take: from how fast it has become less. Pure and told the time.
//! Sessions end each in its own time, so that fewer end a second the fewer are left: n of them end like decay, and the
//! last takes far longer than the first half. Where nothing has ended yet it says nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{EndpointId, Instant};

/// How far back is looked: long enough for some of slow sessions to end, short enough to follow a change.
const WINDOW: Duration = Duration::from_secs(120);
/// Euler's constant: 1 + 1/2 + … + 1/n is about ln n + this.
const GAMMA: f64 = 0.577_215_664_9;

/// Whose sessions end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    /// This edge's: its clients' connections.
    Edge,
    /// An endpoint's.
    Endpoint(Arc<EndpointId>),
}

/// What ran on everything that is drained, once a second.
#[derive(Debug, Default)]
pub(crate) struct Leaving(BTreeMap<Whose, VecDeque<(Instant, u32)>>);

impl Leaving {
    /// One reading of all that are drained now. Others are forgotten: one that comes back and goes again begins anew.
    pub(crate) fn push(&mut self, now: Instant, running: impl Iterator<Item = (Whose, u32)>) {
        let mut before = std::mem::take(&mut self.0);
        for (whose, running) in running {
            let mut readings = before.remove(&whose).unwrap_or_default();
            readings.push_back((now, running));
            // The second one is still old enough.
            while readings
                .get(1)
                .is_some_and(|(at, _)| now.since(*at) >= WINDOW)
            {
                readings.pop_front();
            }
            self.0.insert(whose, readings);
        }
    }

    /// How long until nothing runs on these any more; `None` where that cannot be told: not all of them are drained, or
    /// nothing has ended since.
    pub(crate) fn time_left(&self, all: impl Iterator<Item = Whose>) -> Option<Duration> {
        let all: Option<Vec<_>> = all.map(|whose| self.0.get(&whose)).collect();
        let all = all?;
        // All are seen together from when the last of them was drained.
        let since = all.iter().map(|r| r.front().map(|(at, _)| *at)).max()??;
        let until = all
            .iter()
            .filter_map(|r| r.back())
            .map(|(at, _)| *at)
            .max()?;
        let at = |readings: &VecDeque<(Instant, u32)>| {
            let first = readings.iter().find(|(at, _)| *at >= since);
            first.map_or(0, |(_, running)| u64::from(*running))
        };
        let then = all.iter().map(|readings| at(readings)).sum();
        let now = all
            .iter()
            .filter_map(|r| r.back())
            .map(|(_, n)| u64::from(*n))
            .sum();
        time_left(then, now, until.since(since))
    }
}

/// `then` ran, and `took` later `now` do.
#[expect(clippy::cast_precision_loss, reason = "sessions are far below 2^52")]
fn time_left(then: u64, now: u64, took: Duration) -> Option<Duration> {
    if now == 0 {
        return Some(Duration::ZERO);
    }
    if now >= then || took.is_zero() {
        return None;
    }
    let (then, now) = (then as f64, now as f64);
    let each_second = (then / now).ln() / took.as_secs_f64();
    let to_the_last = now.ln() + GAMMA + 1.0 / (2.0 * now);
    Duration::try_from_secs_f64(to_the_last / each_second).ok()
}

#[cfg(test)]
mod tests {
    use bascule_model::Scheme;
    use proptest::prelude::*;

    use super::*;

    fn id(port: u16) -> Whose {
        Whose::Endpoint(Arc::new(EndpointId {
            service: "meet".parse().unwrap(),
            backend: "aws".parse().unwrap(),
            scheme: Scheme::Http,
            host: None,
            address: std::net::SocketAddr::from(([10, 0, 0, 1], port)),
        }))
    }

    fn readings(counts: &[(u16, u32)]) -> Vec<(Whose, u32)> {
        counts.iter().map(|(port, n)| (id(*port), *n)).collect()
    }

    fn at(second: u64) -> Instant {
        Instant::from_millis(second * 1000)
    }

    fn left(leaving: &Leaving, ports: &[u16]) -> Option<u64> {
        let left = leaving.time_left(ports.iter().map(|port| id(*port)));
        left.map(|left| left.as_secs())
    }

    #[test]
    fn sessions_that_halve_each_minute_take_as_many_minutes_as_they_halve_and_a_little_more() {
        let mut leaving = Leaving::default();
        leaving.push(at(0), readings(&[(1, 200)]).into_iter());
        assert_eq!(left(&leaving, &[1]), None, "nothing has ended yet");
        leaving.push(at(60), readings(&[(1, 100)]).into_iter());
        // H(100) = 5.19 mean life times of 60/ln 2 = 86.6 s.
        assert_eq!(left(&leaving, &[1]), Some(449));
        leaving.push(at(120), readings(&[(1, 0)]).into_iter());
        assert_eq!(left(&leaving, &[1]), Some(0));
    }

    #[test]
    fn several_are_seen_together_from_when_the_last_was_drained() {
        let mut leaving = Leaving::default();
        leaving.push(at(0), readings(&[(1, 80)]).into_iter());
        leaving.push(at(30), readings(&[(1, 60), (2, 60)]).into_iter());
        leaving.push(at(60), readings(&[(1, 40), (2, 20)]).into_iter());
        assert_eq!(
            left(&leaving, &[1, 2]),
            time_left(120, 60, Duration::from_secs(30)).map(|t| t.as_secs())
        );
        assert_eq!(left(&leaving, &[1, 3]), None, "one of them is not drained");
        leaving.push(at(61), readings(&[(2, 20)]).into_iter());
        assert_eq!(left(&leaving, &[1]), None, "it came back");
    }

    #[test]
    fn only_the_last_two_minutes_count() {
        let mut leaving = Leaving::default();
        for second in 0..1_000 {
            leaving.push(at(second), readings(&[(1, 50)]).into_iter());
        }
        assert!(leaving.0.values().all(|kept| kept.len() <= 122));
    }

    proptest! {
        #[test]
        fn fewer_that_are_left_or_more_that_ended_never_take_longer(
            then in 2_u64..100_000, now in 1_u64..100_000, seconds in 1_u64..120,
        ) {
            prop_assume!(now < then);
            let took = Duration::from_secs(seconds);
            let left = time_left(then, now, took).unwrap();
            if now > 1 {
                prop_assert!(time_left(then, now - 1, took).unwrap() <= left);
            }
            prop_assert!(time_left(then + 1, now, took).unwrap() <= left);
        }
    }
}
