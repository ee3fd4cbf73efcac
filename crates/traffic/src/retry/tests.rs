//! Laws of retries: the budget holds in any ten seconds, and nothing is replayed that may have been acted on.

use std::sync::Arc;

use bascule_model::{BasisPoints, FailureClass};
use proptest::prelude::*;

use super::*;
use crate::spec::{GrpcStatuses, Statuses};
use crate::suspect::Outcome;

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
    for cause in [
        Cause::Connect,
        Cause::Died,
        Cause::StreamRefused,
        Cause::Silent,
    ] {
        let mut policy = RetryPolicy::default();
        match cause {
            Cause::Connect => policy.when.connect_failure = false,
            Cause::Died => policy.when.reset_before_response = false,
            Cause::Silent => policy.when.silence = false,
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
    let connect = failure.cause.against_endpoint();
    assert_eq!(connect, Some(FailureClass::Connect));
    assert_eq!(Cause::Exhausted.against_endpoint(), None);
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
fn workers_spend_one_budget() {
    let policy = RetryPolicy::default();
    for workers in [1, 2, 7, 64] {
        let ledger = Arc::new(Ledger::new(workers));
        let join = |worker| Budget::join(&policy, worker, Arc::clone(&ledger));
        let mut budgets: Vec<Budget> = (0..workers).map(join).collect();
        // One has all the requests, the others ask for the retries.
        (0..1000).for_each(|_| budgets[0].request(Instant::ZERO));
        let granted = (0..1000).filter(|n| budgets[n % workers].take(Instant::ZERO));
        assert_eq!(granted.count(), 200, "{workers} workers");
    }
}

/// How much the load on endpoints grows over a minute in which every try fails, for each request that comes.
fn growth(rate: u64, attempts: u8, workers: &[usize]) -> f64 {
    let policy = RetryPolicy {
        attempts,
        ..RetryPolicy::default()
    };
    let ledger = Arc::new(Ledger::new(workers.len()));
    let join = |worker| Budget::join(&policy, worker, Arc::clone(&ledger));
    let mut budgets: Vec<Budget> = (0..workers.len()).map(join).collect();
    // A worker gets so many parts of the requests.
    let turns: Vec<usize> = (0..workers.len())
        .flat_map(|worker| std::iter::repeat_n(worker, workers[worker]))
        .collect();
    let (mut requests, mut tries) = (0_u32, 0_u32);
    for n in 0..rate * 60 {
        let now = Instant::from_nanos(7 * SECOND / 10 + n * SECOND / rate);
        let budget = &mut budgets[turns[usize::try_from(n).unwrap() % turns.len()]];
        budget.request(now);
        (requests, tries) = (requests + 1, tries + 1);
        for attempts_done in 1..=attempts {
            let facts = RequestFacts {
                attempts_done,
                ..facts(true, Body::None, Written::Something)
            };
            let failure = Failure::new(Cause::Status, None);
            match decide(&failure, &facts, &policy, budget, now) {
                Decision::Retry => tries += 1,
                Decision::GiveUp(_) => break,
            }
        }
    }
    f64::from(tries) / f64::from(requests)
}

#[test]
fn where_everything_fails_load_grows_by_a_quarter_at_most() {
    for rate in [40, 41, 45, 50, 60, 100, 1000] {
        for attempts in [2, 5] {
            for workers in [&[1][..], &[1, 1], &[1, 9], &[3, 1, 1, 1], &[39, 1, 0, 0]] {
                let growth = growth(rate, attempts, workers);
                let case = format!("{growth} at {rate}/s, {attempts} tries, {workers:?}");
                assert!(growth <= 1.25 && growth > 1.15, "{case}");
            }
        }
    }
}

#[test]
fn the_wait_before_the_same_endpoint_grows_to_a_quarter_second_and_is_chance_below() {
    let mut rng = bascule_model::Rng::new(7);
    for (attempts_done, most) in [(1, 25), (2, 50), (3, 100), (4, 200), (5, 250), (200, 250)] {
        let waits: Vec<u128> = (0..1000)
            .map(|_| backoff(attempts_done, &mut rng).as_micros())
            .collect();
        assert!(waits.iter().all(|wait| *wait <= most * 1000));
        let (least, greatest) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!(
            *least < most * 100 && *greatest > most * 900,
            "{least} to {greatest}"
        );
    }
}

fn answered(status: u16, grpc: Option<u8>) -> Answered {
    Answered {
        status,
        grpc,
        retry_after: Some(std::time::Duration::from_secs(4)),
    }
}

#[test]
fn an_answer_speaks_for_the_endpoint_unless_it_says_that_it_cannot() {
    let retry_after = answered(503, None).retry_after;
    let failed = Outcome::Failed { retry_after };
    let pushback = Outcome::Pushback { retry_after };
    let good = Outcome::Good;
    let when = RetryWhen::default();
    for (status, grpc, expected) in [
        (200, None, good),
        (404, None, good),
        (500, None, good),
        (501, None, good),
        (502, None, failed),
        (503, None, failed),
        (504, None, failed),
        (429, None, pushback),
        (200, Some(0), good),
        (200, Some(5), good),
        (200, Some(8), pushback),
        (200, Some(14), failed),
    ] {
        let outcome = answered(status, grpc).outcome(when);
        assert_eq!(outcome, expected, "{status} {grpc:?}");
    }
    let statuses = Statuses::of(&[500]);
    assert_eq!(
        answered(500, None).outcome(RetryWhen { statuses, ..when }),
        failed
    );
}

#[test]
fn only_the_answers_that_the_configuration_names_are_tried_again() {
    let default = RetryWhen::default();
    let asked = |status, grpc, when| answered(status, grpc).cause(when);
    assert_eq!(asked(503, None, default), Some(Cause::Status));
    for (status, grpc) in [(502, None), (429, None), (500, None), (200, Some(14))] {
        assert_eq!(asked(status, grpc, default), None, "{status} {grpc:?}");
    }
    let named = RetryWhen {
        statuses: Statuses::of(&[429, 502]),
        grpc: GrpcStatuses::of(&[14]),
        ..default
    };
    assert_eq!(asked(502, None, named), Some(Cause::Status));
    assert_eq!(asked(429, None, named), Some(Cause::Status));
    assert_eq!(asked(503, None, named), None);
    assert_eq!(asked(200, Some(14), named), Some(Cause::GrpcStatus));
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
    // A gRPC call is made again only where the configuration names the status that it ended by.
    let is_known_harmless = matches!(cause, Cause::StreamRefused | Cause::GrpcStatus);
    written == Written::Something && !never_reached && !is_known_harmless
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
        ratio in 0_u16..=10_000, min in 0_u32..5,
        // Milliseconds to the event before, the worker, and whether it wants a retry.
        events in prop::collection::vec((prop_oneof![0_u64..20, 0_u64..3000], 0_usize..4, any::<bool>()), 1..400),
    ) {
        let policy = RetryPolicy {
            budget_ratio: BasisPoints::new(ratio).unwrap(),
            budget_min_per_second: min,
            ..RetryPolicy::default()
        };
        let ledger = Arc::new(Ledger::new(4));
        let join = |worker| Budget::join(&policy, worker, Arc::clone(&ledger));
        let mut budgets: Vec<Budget> = (0..4).map(join).collect();
        let (mut requests, mut retries) = (Vec::new(), Vec::new());
        let mut now = 0;
        for (wait, worker, wants_retry) in events {
            now += wait * 1_000_000;
            if !wants_retry {
                budgets[worker].request(Instant::from_nanos(now));
                requests.push(now);
            } else if budgets[worker].take(Instant::from_nanos(now)) {
                retries.push(now);
                let recent = |times: &[u64]| times.iter().filter(|at| **at + 10 * SECOND > now).count() as u64;
                let of_requests = recent(&requests) * u64::from(ratio) / 10_000;
                let of_minimum = u64::from(min) * 10;
                prop_assert!(recent(&retries) <= of_requests.max(of_minimum));
            }
        }
    }
}
