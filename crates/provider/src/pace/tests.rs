//! The pace of an account: the bucket against a naive model, and what is tried again.

use std::cell::Cell;

use proptest::prelude::*;

use super::*;

const TEN: Limit = Limit {
    per_second: 10,
    burst: 3,
};

fn at(millis: u64) -> Instant {
    Instant::from_millis(1_000_000 + millis)
}

fn turn(bucket: &mut Bucket, now: u64) -> Option<u64> {
    let turn = bucket.take(at(now))?;
    Some(u64::try_from(turn.since(at(0)).as_millis()).unwrap())
}

#[test]
fn a_burst_goes_at_once_and_the_rest_by_the_rate() {
    let mut bucket = Bucket::new(TEN);
    let turns: Vec<_> = (0..6).map(|_| turn(&mut bucket, 0).unwrap()).collect();
    assert_eq!(turns, [0, 0, 0, 100, 200, 300]);
    // After a rest it is full again.
    let turns: Vec<_> = (0..4).map(|_| turn(&mut bucket, 1_000).unwrap()).collect();
    assert_eq!(turns, [1_000, 1_000, 1_000, 1_100]);
}

#[test]
fn a_pause_is_for_everybody() {
    let mut bucket = Bucket::new(TEN);
    bucket.pause(at(500));
    bucket.pause(at(400));
    assert_eq!(turn(&mut bucket, 0), Some(500));
    assert_eq!(turn(&mut bucket, 600), Some(600));
}

#[test]
fn who_waited_for_the_end_of_a_pause_go_on_by_the_rate() {
    let mut bucket = Bucket::new(TEN);
    bucket.pause(at(2_000));
    let turns: Vec<_> = (0..5)
        .map(|n| turn(&mut bucket, n * 300).unwrap())
        .collect();
    assert_eq!(turns, [2_000, 2_000, 2_000, 2_100, 2_200]);
}

#[test]
fn who_would_wait_for_more_than_a_minute_takes_no_token() {
    let mut bucket = Bucket::new(TEN);
    let taken = (0..10_000)
        .filter(|_| turn(&mut bucket, 0).is_some())
        .count();
    assert_eq!(taken, 603);
    assert_eq!(turn(&mut bucket, 100), Some(60_100));
}

proptest! {
    /// Against the naive model: in any second no more begin than the rate and the burst together.
    #[test]
    fn no_window_has_more_than_the_rate_and_the_burst(
        per_second in 1_u32..50, burst in 1_u32..20, steps in prop::collection::vec(0_u64..400, 1..200),
    ) {
        let mut bucket = Bucket::new(Limit { per_second, burst });
        let mut now = 0;
        let mut turns = Vec::new();
        for step in steps {
            now += step;
            turns.extend(turn(&mut bucket, now));
        }
        prop_assert!(turns.is_sorted());
        for (n, from) in turns.iter().enumerate() {
            let within = turns.iter().skip(n).filter(|t| **t < from + 1_000).count();
            prop_assert!(within <= usize::try_from(per_second + burst).unwrap());
        }
    }
}

fn failure(kind: Kind) -> Error {
    Error::new(kind, "List", "pool")
}

/// How often a call that always fails so is made, and after how long it is given up.
async fn given_up(kind: Kind, repeat: Repeat) -> (u32, Duration) {
    let pace = Pace::new(TEN, &[], 7);
    let (made, begun) = (Cell::new(0), clock::now());
    let failed = pace.call("list", repeat, || {
        made.set(made.get() + 1);
        async move { Err::<(), _>(failure(kind)) }
    });
    assert_eq!(failed.await.unwrap_err().kind, kind);
    (made.get(), clock::now().since(begun))
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_four_times_and_what_may_not_once() {
    let throttled = Kind::Throttled { retry_after: None };
    for kind in [Kind::Transient, throttled] {
        assert_eq!(given_up(kind, Repeat::Yes).await.0, 4);
        assert_eq!(given_up(kind, Repeat::No).await.0, 1);
    }
    for kind in [Kind::Denied, Kind::Conflict, Kind::Invalid] {
        assert_eq!(given_up(kind, Repeat::Yes).await, (1, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_cloud_asks_for_is_kept_by_all_and_given_up_where_it_is_too_long() {
    let asked = |seconds| Kind::Throttled {
        retry_after: Some(Duration::from_secs(seconds)),
    };
    let (made, took) = given_up(asked(5), Repeat::Yes).await;
    assert_eq!(made, 4);
    assert!(took >= Duration::from_secs(15), "{took:?}");
    assert_eq!(given_up(asked(120), Repeat::Yes).await.0, 1);

    let pace = Pace::new(TEN, &[], 7);
    let denied = async || Err::<(), _>(failure(asked(5)));
    pace.call("list", Repeat::No, denied).await.unwrap_err();
    let begun = clock::now();
    pace.call("read", Repeat::No, async || Ok(()))
        .await
        .unwrap();
    assert_eq!(clock::now().since(begun), Duration::ZERO);
    pace.call("list", Repeat::No, async || Ok(()))
        .await
        .unwrap();
    assert!(clock::now().since(begun) >= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_was_given_before_a_pause_is_taken_after_it() {
    let pace = Pace::new(TEN, &[], 7);
    let begun = clock::now();
    let since = || clock::now().since(begun);
    let refused = async || {
        clock::sleep_until(begun + Duration::from_millis(50)).await;
        let retry_after = Some(Duration::from_secs(5));
        Err::<(), _>(failure(Kind::Throttled { retry_after }))
    };
    // A burst of three goes at once; the turns of the fourth and the fifth come when the first was refused.
    let other = || pace.call("list", Repeat::No, async || Ok(since()));
    let first = pace.call("list", Repeat::No, refused);
    let (first, second, third, fourth, fifth) =
        tokio::join!(first, other(), other(), other(), other());
    first.unwrap_err();
    for at in [second.unwrap(), third.unwrap()] {
        assert_eq!(at, Duration::ZERO);
    }
    for at in [fourth.unwrap(), fifth.unwrap()] {
        let range = Duration::from_secs(5)..Duration::from_secs(6);
        assert!(range.contains(&at), "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_kept_away_for_longer_than_the_cap() {
    let pace = Pace::new(TEN, &[], 7);
    let year = Some(Duration::from_hours(24 * 365));
    let refused = async || Err::<(), _>(failure(Kind::Throttled { retry_after: year }));
    let error = pace.call("list", Repeat::Yes, refused).await.unwrap_err();
    let retry_after = Some(RETRY_AFTER_MAX);
    assert_eq!(error.kind, Kind::Throttled { retry_after });
    let soon = pace.call("list", Repeat::No, async || Ok(())).await;
    soon.unwrap_err();
    clock::sleep_until(clock::now() + RETRY_AFTER_MAX).await;
    pace.call("list", Repeat::No, async || Ok(()))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_a_failure_is_the_answer() {
    let pace = Pace::new(TEN, &[("list", TEN)], 7);
    let made = Cell::new(0);
    let answer = pace.call("list", Repeat::Yes, || {
        made.set(made.get() + 1);
        let answer = Some(made.get()).filter(|made| *made == 3);
        async move { answer.ok_or_else(|| failure(Kind::Transient)) }
    });
    assert_eq!(answer.await.unwrap(), 3);
}
