//! Laws of retries: the budget holds in any ten seconds, and nothing is replayed that may have been acted on.

use proptest::prelude::*;

use super::*;
use bascule_model::BasisPoints;

const SECOND: u64 = 1_000_000_000;

fn facts(idempotent: bool, body: Body, written: Written) -> RequestFacts {
    RequestFacts {
        idempotent,
        body,
        written,
        attempts_done: 1,
    }
}

fn decision(cause: Cause, facts: RequestFacts) -> Decision {
    let policy = RetryPolicy::default();
    let mut budget = Budget::new(&policy, 0, 1);
    let failure = Failure::new(cause, None);
    decide(&failure, &facts, &policy, &mut budget, Instant::ZERO)
}

#[test]
fn a_failed_connect_is_tried_again_whatever_the_method() {
    let post = facts(false, Body::Unread, Written::Nothing);
    for cause in [
        Cause::Connect,
        Cause::ConnectTimeout,
        Cause::Tls,
        Cause::Exhausted,
    ] {
        assert_eq!(decision(cause, post), Decision::Retry, "{cause:?}");
    }
}

#[test]
fn a_post_is_tried_again_only_where_it_cannot_have_been_acted_on() {
    let sent = facts(false, Body::Replayable, Written::Something);
    let give_up = Decision::GiveUp(Reason::NotIdempotent);
    assert_eq!(decision(Cause::Died, sent), give_up);
    assert_eq!(decision(Cause::StreamRefused, sent), Decision::Retry);
    let unsent = facts(false, Body::Replayable, Written::Nothing);
    assert_eq!(decision(Cause::Died, unsent), Decision::Retry);
}

#[test]
fn a_get_is_tried_again_when_the_connection_died_but_not_when_it_was_slow() {
    let sent = facts(true, Body::None, Written::Something);
    assert_eq!(decision(Cause::Died, sent), Decision::Retry);
    assert_eq!(
        decision(Cause::ResponseTimeout, sent),
        Decision::GiveUp(Reason::Final)
    );
    assert_eq!(
        decision(Cause::ResponseCut, sent),
        Decision::GiveUp(Reason::Final)
    );
}

#[test]
fn a_body_that_is_gone_is_never_sent_again() {
    let gone = facts(true, Body::Streamed, Written::Nothing);
    assert_eq!(
        decision(Cause::Connect, gone),
        Decision::GiveUp(Reason::BodyGone)
    );
}

#[test]
fn the_configuration_can_forbid_each_kind() {
    for cause in [Cause::Connect, Cause::Died, Cause::StreamRefused] {
        let mut policy = RetryPolicy::default();
        match cause {
            Cause::Connect => policy.when.connect_failure = false,
            Cause::Died => policy.when.reset_before_response = false,
            _ => policy.when.refused_stream = false,
        }
        let mut budget = Budget::new(&policy, 0, 1);
        let facts = facts(true, Body::None, Written::Nothing);
        let failure = Failure::new(cause, None);
        let decision = decide(&failure, &facts, &policy, &mut budget, Instant::ZERO);
        assert_eq!(decision, Decision::GiveUp(Reason::Configured), "{cause:?}");
    }
}

#[test]
fn the_chain_of_a_failure_ends_with_what_was_beneath() {
    use std::error::Error;
    let failure = Failure::new(Cause::Connect, None).because("connection refused");
    assert_eq!(
        failure.to_string(),
        "the endpoint could not be connected to (connect)"
    );
    assert_eq!(failure.source().unwrap().to_string(), "connection refused");
    assert!(failure.speaks_against_endpoint());
    assert!(!Failure::new(Cause::Exhausted, None).speaks_against_endpoint());
}

#[test]
fn methods_are_idempotent_by_rfc_9110() {
    let all = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];
    assert!(all.into_iter().all(is_idempotent));
    assert!(
        !["POST", "PATCH", "CONNECT", "get", ""]
            .into_iter()
            .any(is_idempotent)
    );
}

#[test]
fn half_a_fleet_may_be_lost_at_once_within_what_ten_seconds_grant() {
    let policy = RetryPolicy::default();
    let mut budget = Budget::new(&policy, 0, 1);
    let at = |millis| Instant::from_millis(millis);
    // Ten seconds of 1000 requests/s, then every second request fails.
    (0..10_000).for_each(|millis| budget.request(at(millis)));
    let granted = (10_000..14_000)
        .filter(|millis| {
            budget.request(at(*millis));
            millis % 2 == 0 && budget.take(at(*millis))
        })
        .count();
    assert!((1790..=2000).contains(&granted), "{granted} of 2000");
}

#[test]
fn a_quiet_service_still_has_the_minimum() {
    let policy = RetryPolicy::default();
    let mut budget = Budget::new(&policy, 0, 1);
    let granted = (0..500).filter(|_| budget.take(Instant::ZERO)).count();
    assert_eq!(granted, 100);
    assert!(!budget.take(Instant::from_millis(10_999)));
    assert!(budget.take(Instant::from_millis(11_000)));
}

#[test]
fn workers_divide_the_minimum_without_rest() {
    let policy = RetryPolicy::default();
    for workers in [1, 2, 3, 7, 64, 1000] {
        let granted = |worker| {
            let mut budget = Budget::new(&policy, worker, workers);
            (0..200).filter(|_| budget.take(Instant::ZERO)).count()
        };
        assert_eq!(
            (0..workers).map(granted).sum::<usize>(),
            100,
            "{workers} workers"
        );
    }
}

fn any_facts() -> impl Strategy<Value = RequestFacts> {
    let body = prop::sample::select(vec![
        Body::None,
        Body::Replayable,
        Body::Unread,
        Body::Streamed,
    ]);
    let written = prop::sample::select(vec![Written::Nothing, Written::Something]);
    (any::<bool>(), body, written, 1_u8..6).prop_map(
        |(idempotent, body, written, attempts_done)| RequestFacts {
            idempotent,
            body,
            written,
            attempts_done,
        },
    )
}

/// Said again, apart from the table: whether the endpoint may have acted on the request.
fn may_have_been_acted_on(cause: Cause, written: Written) -> bool {
    let never_reached = matches!(
        cause,
        Cause::Connect
            | Cause::ConnectTimeout
            | Cause::Tls
            | Cause::Exhausted
            | Cause::ClosedUnsent
    );
    written == Written::Something && !never_reached && cause != Cause::StreamRefused
}

proptest! {
    #[test]
    fn nothing_is_replayed_that_may_have_been_acted_on_and_is_not_idempotent(
        cause in prop::sample::select(Cause::ALL.to_vec()), facts in any_facts(), attempts in 1_u8..6
    ) {
        let policy = RetryPolicy { attempts, ..RetryPolicy::default() };
        let mut budget = Budget::new(&policy, 0, 1);
        let failure = Failure::new(cause, None);
        if decide(&failure, &facts, &policy, &mut budget, Instant::ZERO) == Decision::Retry {
            prop_assert!(facts.idempotent || !may_have_been_acted_on(cause, facts.written));
            prop_assert!(facts.body != Body::Streamed);
            prop_assert!(facts.attempts_done < attempts);
            prop_assert!(failure.side != Side::Client);
            prop_assert!(failure.phase < Phase::Respond);
        }
    }

    #[test]
    fn the_budget_holds_in_any_ten_seconds(
        ratio in 0_u16..=10_000, min in 0_u32..5, worker in 0_usize..4,
        // Milliseconds to the event before, and whether it wants a retry.
        events in prop::collection::vec((prop_oneof![0_u64..20, 0_u64..3000], any::<bool>()), 1..400),
    ) {
        let policy = RetryPolicy {
            budget_ratio: BasisPoints::new(ratio).unwrap(),
            budget_min_per_second: min,
            ..RetryPolicy::default()
        };
        let mut budget = Budget::new(&policy, worker, 4);
        let (mut requests, mut retries) = (Vec::new(), Vec::new());
        let mut now = 0;
        for (wait, wants_retry) in events {
            now += wait * 1_000_000;
            if !wants_retry {
                budget.request(Instant::from_nanos(now));
                requests.push(now);
            } else if budget.take(Instant::from_nanos(now)) {
                retries.push(now);
                let recent = |times: &[u64]| times.iter().filter(|at| **at + 10 * SECOND > now).count() as u64;
                let of_requests = recent(&requests) * u64::from(ratio) / 10_000;
                let of_minimum = u64::from(min) * 10 / 4 + 1;
                prop_assert!(recent(&retries) <= of_requests.max(of_minimum));
            }
        }
    }
}
