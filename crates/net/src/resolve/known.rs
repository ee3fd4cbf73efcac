//! What is known of one host: decides what an answer changes and when to ask again. No answer that failed takes an
//! address away, nor does one that says the name is gone: a name server that lost a zone must not stop traffic. An
//! address goes when an answer that has others lacks it. Pure: told the time. [`srv`](super::srv) does the same for SRV
//! names, whose targets are hosts.

use std::net::IpAddr;
use std::time::Duration;

use bascule_model::Instant;

use super::Settings;

/// The most addresses of one name. Each is an endpoint with checks, connections and metrics of its own, at every worker: more
/// than any backend has, and few enough that a name server gone wrong costs memory and checks that a machine can bear.
pub(super) const ADDRESSES_MAX: usize = 1_000;

/// The answer about one family of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Family {
    /// These, for at most so long.
    Addresses(Vec<IpAddr>, Duration),
    /// The host has none of this family.
    None,
    /// Not known, and why.
    Failed(String),
}

/// The answers about both families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) v4: Family,
    pub(super) v6: Family,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Learned {
    /// The new set, when it is another one.
    pub(super) changed: Option<Vec<IpAddr>>,
    /// When to ask again.
    pub(super) again_in: Duration,
    /// What went wrong, in part or in whole.
    pub(super) failure: Option<String>,
    /// Failures without a success between: with this one when it failed, before this one when it did not.
    pub(super) failures_in_row: u32,
    /// Time since the last answer without a failure; `None` when there was none.
    pub(super) age: Option<Duration>,
    /// How many addresses are left out, as they are more than [`ADDRESSES_MAX`].
    pub(super) left_out: usize,
}

/// How the look-ups of one name went.
#[derive(Debug, Default)]
pub(super) struct Course {
    failures: u32,
    last_success: Option<Instant>,
}

/// What is known of one host.
#[derive(Debug, Default)]
pub(super) struct Known {
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
    course: Course,
}

impl Known {
    /// All addresses, IPv4 first, sorted; the first [`ADDRESSES_MAX`], so that all edges leave out the same ones.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        let mut all = self.all();
        all.truncate(ADDRESSES_MAX);
        all
    }

    fn all(&self) -> Vec<IpAddr> {
        let mut all = [self.v4.as_slice(), self.v6.as_slice()].concat();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Takes an answer in.
    pub(super) fn learn(&mut self, now: Instant, answer: &Answer, settings: &Settings) -> Learned {
        let before = self.addresses();
        let found = [&answer.v4, &answer.v6].map(|family| match family {
            Family::Addresses(_, ttl) => Some(*ttl),
            Family::None | Family::Failed(_) => None,
        });
        let ttl = found.into_iter().flatten().min();
        if ttl.is_some() {
            take(&mut self.v4, &answer.v4);
            take(&mut self.v6, &answer.v6);
        }
        let failure = failure(answer, ttl.is_some());
        let learned = self.course.learn(now, failure, ttl, settings);
        let after = self.addresses();
        Learned {
            left_out: self.all().len() - after.len(),
            changed: (after != before).then_some(after),
            ..learned
        }
    }
}

impl Course {
    /// Takes in how a look-up ended: why it failed, and how long what it found lives. It changes no addresses.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        failure: Option<String>,
        ttl: Option<Duration>,
        settings: &Settings,
    ) -> Learned {
        let failures_before = self.failures;
        if failure.is_some() {
            self.failures = self.failures.saturating_add(1);
        } else {
            self.failures = 0;
            self.last_success = Some(now);
        }
        Learned {
            again_in: self.again_in(ttl, settings),
            changed: None,
            failures_in_row: failures_before.max(self.failures),
            age: self.last_success.map(|then| now.since(then)),
            left_out: 0,
            failure,
        }
    }

    fn again_in(&self, ttl: Option<Duration>, settings: &Settings) -> Duration {
        let life = ttl.map(|ttl| ttl.min(settings.ttl_max).max(settings.ttl_min));
        let doublings = self.failures.saturating_sub(1).min(16);
        let pause = (settings.pause_min * (1 << doublings)).min(settings.pause_max);
        match life {
            Some(life) if self.failures == 0 => life,
            Some(life) => life.min(pause),
            None => pause,
        }
    }
}

fn take(known: &mut Vec<IpAddr>, answer: &Family) {
    match answer {
        Family::Addresses(addresses, _) => known.clone_from(addresses),
        Family::None => known.clear(),
        Family::Failed(_) => {}
    }
}

fn failure(answer: &Answer, any_found: bool) -> Option<String> {
    match (&answer.v4, &answer.v6) {
        (Family::Failed(a), Family::Failed(b)) if a != b => Some(format!("{a}; {b}")),
        (Family::Failed(a), _) | (_, Family::Failed(a)) => Some(a.clone()),
        _ if any_found => None,
        _ => Some("the name has no address".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(ips: &[&str], ttl: u64) -> Family {
        let ips = ips.iter().map(|ip| ip.parse().unwrap());
        Family::Addresses(ips.collect(), Duration::from_secs(ttl))
    }

    fn failed() -> Family {
        Family::Failed("no answer".to_owned())
    }

    fn learn(known: &mut Known, v4: Family, v6: Family) -> Learned {
        learn_at(known, 0, v4, v6)
    }

    fn learn_at(known: &mut Known, seconds: u64, v4: Family, v6: Family) -> Learned {
        let now = Instant::from_millis(seconds * 1000);
        known.learn(now, &Answer { v4, v6 }, &Settings::default())
    }

    fn texts(learned: &Learned) -> Option<Vec<String>> {
        let changed = learned.changed.as_ref()?;
        Some(changed.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_set_is_told_once_sorted_and_again_only_when_it_changes() {
        let mut known = Known::default();
        let first = learn(
            &mut known,
            found(&["10.0.0.2", "10.0.0.1"], 60),
            found(&["::1"], 30),
        );
        let expected = ["10.0.0.1", "10.0.0.2", "::1"].map(str::to_owned).to_vec();
        assert_eq!(texts(&first), Some(expected));
        assert_eq!(first.again_in, Duration::from_secs(30));
        let other_order = learn(
            &mut known,
            found(&["10.0.0.1", "10.0.0.2"], 60),
            found(&["::1"], 60),
        );
        assert_eq!(other_order.changed, None);
        let fewer = learn(&mut known, found(&["10.0.0.1"], 60), Family::None);
        assert_eq!(texts(&fewer), Some(vec!["10.0.0.1".to_owned()]));
    }

    #[test]
    fn a_failure_or_a_vanished_name_takes_nothing_away() {
        let mut known = Known::default();
        learn(&mut known, found(&["10.0.0.1"], 60), found(&["::1"], 60));
        for (v4, v6) in [
            (failed(), failed()),
            (Family::None, Family::None),
            (Family::None, failed()),
        ] {
            let learned = learn_at(&mut known, 90, v4, v6);
            assert_eq!(learned.changed, None);
            assert!(learned.failure.is_some());
            assert_eq!(learned.age, Some(Duration::from_secs(90)));
        }
        assert_eq!(known.addresses().len(), 2);
    }

    #[test]
    fn a_family_that_fails_keeps_its_addresses_while_the_other_is_renewed() {
        let mut known = Known::default();
        learn(&mut known, found(&["10.0.0.1"], 60), found(&["::1"], 60));
        let half = learn(&mut known, found(&["10.0.0.2"], 60), failed());
        assert_eq!(
            texts(&half),
            Some(vec!["10.0.0.2".to_owned(), "::1".to_owned()])
        );
        assert_eq!(half.again_in, Settings::default().pause_min);
    }

    #[test]
    fn failures_are_asked_again_ever_later_and_a_success_ends_that() {
        let mut known = Known::default();
        let pauses: Vec<u64> = (0..7)
            .map(|_| learn(&mut known, failed(), failed()).again_in.as_secs())
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        let back = learn(&mut known, found(&["10.0.0.1"], 60), Family::None);
        assert_eq!((back.failures_in_row, back.again_in.as_secs()), (7, 60));
        assert_eq!(learn(&mut known, failed(), failed()).again_in.as_secs(), 1);
    }

    #[test]
    fn of_too_many_addresses_the_first_are_kept_whatever_their_order() {
        let ip = |n: u32| IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + n));
        let forward: Vec<IpAddr> = (0..1_500).map(ip).collect();
        let backward = forward.iter().rev().copied().collect();
        let life = Duration::from_secs(60);
        let mut known = Known::default();
        let first = learn(&mut known, Family::Addresses(backward, life), Family::None);
        let kept = first.changed.unwrap();
        assert_eq!((kept.as_slice(), first.left_out), (&forward[..1_000], 500));
        let again = learn(&mut known, Family::Addresses(forward, life), Family::None);
        assert_eq!((again.changed, again.left_out), (None, 500));
    }

    #[test]
    fn a_life_is_held_within_its_bounds() {
        let mut known = Known::default();
        let again =
            |known: &mut Known, ttl| learn(known, found(&["10.0.0.1"], ttl), Family::None).again_in;
        assert_eq!(again(&mut known, 0), Settings::default().ttl_min);
        assert_eq!(again(&mut known, 1_000_000), Settings::default().ttl_max);
    }
}
