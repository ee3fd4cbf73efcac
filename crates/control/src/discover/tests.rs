//! Sources that answer by a script, in paused time.

use std::collections::VecDeque;
use std::sync::Mutex;

use bascule_provider::port::{Call, Instance, Lifecycle};
use tokio::task::LocalSet;

use super::*;

/// A source that gives these answers, and then the last one for ever: so many instances, or a failure.
#[derive(Debug)]
struct Script {
    answers: Mutex<VecDeque<Result<u8, Kind>>>,
    asked: Mutex<Vec<Duration>>,
    begun: bascule_model::Instant,
}

impl Script {
    fn of(answers: &[Result<u8, Kind>]) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.iter().copied().collect()),
            asked: Mutex::default(),
            begun: clock::now(),
        })
    }

    fn next(&self) -> Result<Set, Error> {
        self.asked
            .lock()
            .unwrap()
            .push(clock::now().since(self.begun));
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.len() {
            1 => answers[0],
            _ => answers.pop_front().unwrap(),
        };
        answer
            .map(set)
            .map_err(|kind| Error::new(kind, "List", "pool"))
    }

    /// After how many seconds it was asked.
    fn asked(&self) -> Vec<u64> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(Duration::as_secs).collect()
    }
}

impl Discover for Script {
    fn source(&self) -> &'static str {
        "script"
    }

    fn discover(&self) -> Call<'_, Set> {
        Box::pin(async { self.next() })
    }
}

fn set(count: u8) -> Set {
    let instance = |number: u8| Instance {
        address: [10, 0, 0, number].into(),
        port: None,
        zone: None,
        lifecycle: Lifecycle::Running,
    };
    let numbers = 0..count;
    Set {
        instances: numbers
            .map(|n| (format!("i-{n}").into(), instance(n)))
            .collect(),
    }
}

fn place(source: &str) -> Place {
    Place {
        account: "a".into(),
        source: source.into(),
    }
}

fn wanted(script: &Arc<Script>) -> Wanted {
    Wanted {
        source: script.clone(),
        refresh: Duration::from_secs(60),
    }
}

/// Runs a test with a watcher of one source under paused time.
async fn with<T>(
    script: &Arc<Script>,
    test: impl AsyncFnOnce(Watcher, mpsc::Receiver<Found>, Bus) -> T,
) -> T {
    let bus = Bus::new();
    let local = LocalSet::new();
    local
        .run_until(async {
            let (mut watcher, found) = Watcher::start(bus.clone(), Vec::new());
            watcher.watch([(place("x"), wanted(script))].into());
            test(watcher, found, bus.clone()).await
        })
        .await
}

fn said(bus: &Bus) -> Vec<&'static str> {
    bus.since(0).events.iter().map(|event| event.kind).collect()
}

#[tokio::test(start_paused = true)]
async fn a_set_is_told_when_it_changes_and_asked_for_as_often_as_wanted() {
    let script = Script::of(&[Ok(3), Ok(3), Ok(4)]);
    let bus = with(&script, async |watcher, mut found, bus| {
        let first = found.recv().await.unwrap();
        assert_eq!((first.place, first.set.instances.len()), (place("x"), 3));
        let second = found.recv().await.unwrap();
        assert_eq!(second.set.instances.len(), 4);
        let standing = &watcher.board().all()[&place("x")];
        assert_eq!((standing.revision, standing.running), (2, 4));
        bus
    })
    .await;
    let asked = script.asked();
    assert_eq!(asked.len(), 3);
    let (first, second) = (asked[1] - asked[0], asked[2] - asked[1]);
    assert!(
        (54..=60).contains(&first) && (54..=60).contains(&second),
        "{asked:?}"
    );
    assert_eq!(said(&bus), ["endpoints_found", "endpoints_found"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_once_and_asked_again_sooner_and_then_more_seldom() {
    let transient = Err(Kind::Transient);
    let script = Script::of(&[Ok(3), transient, transient, transient, transient, Ok(2)]);
    with(&script, async |watcher, mut found, bus| {
        found.recv().await.unwrap();
        clock::sleep_until(clock::now() + Duration::from_secs(65)).await;
        let standing = watcher.board().all()[&place("x")].clone();
        let failing = standing.error.unwrap();
        assert_eq!(
            (failing.kind, failing.message.as_str()),
            ("transient", "List of pool: transient")
        );
        assert!(failing.count > 1 && standing.running == 3, "{failing:?}");
        assert_eq!(found.recv().await.unwrap().set.instances.len(), 2);
        assert_eq!(watcher.board().all()[&place("x")].error, None);
        assert_eq!(
            said(&bus),
            ["endpoints_found", "discovery_failed", "endpoints_found"]
        );
    })
    .await;
    let asked = script.asked();
    let pauses: Vec<u64> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        pauses[1] <= 2 && pauses[1] < pauses[3] && pauses[4] <= 16,
        "{pauses:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_set_that_loses_most_is_asked_for_again_soon_and_believed_when_two_more_say_so() {
    let script = Script::of(&[Ok(10), Ok(1)]);
    with(&script, async |watcher, mut found, bus| {
        found.recv().await.unwrap();
        let told = found.recv().await.unwrap();
        assert_eq!(told.set.instances.len(), 1);
        let doubted = [
            "endpoints_found",
            "endpoints_doubted",
            "endpoints_doubted",
            "endpoints_found",
        ];
        assert_eq!(said(&bus), doubted);
        assert_eq!(watcher.board().all()[&place("x")].doubted_since, None);
    })
    .await;
    let asked = script.asked();
    assert!(asked[3] - asked[1] <= 4, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn what_the_cloud_asks_for_is_kept() {
    let retry_after = Some(Duration::from_secs(300));
    let script = Script::of(&[Err(Kind::Throttled { retry_after }), Ok(1)]);
    with(&script, async |_watcher, mut found, _bus| {
        found.recv().await.unwrap()
    })
    .await;
    assert_eq!(script.asked(), [0, 300]);
}

#[tokio::test(start_paused = true)]
async fn what_is_believed_outlives_another_way_of_asking_and_leaves_with_its_source() {
    let script = Script::of(&[Ok(3)]);
    with(&script, async |mut watcher, mut found, _bus| {
        found.recv().await.unwrap();
        let refused = Script::of(&[Err(Kind::Denied)]);
        assert!(
            watcher
                .watch([(place("x"), wanted(&refused))].into())
                .is_empty()
        );
        tokio::task::yield_now().await;
        let standing = watcher.board().all()[&place("x")].clone();
        assert_eq!(
            (standing.running, standing.error.unwrap().kind),
            (3, "denied")
        );
        assert_eq!(watcher.watch(BTreeMap::new()), [place("x")]);
        assert!(watcher.board().all().is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_longer_than_a_day_ago_is_not_used_even_where_it_is_wanted_late() {
    let script = Script::of(&[Ok(1)]);
    let day = 86_400_000;
    let kept = Kept {
        account: "a".into(),
        source: "x".into(),
        at: Timestamp::from_millis(clock::wall().as_millis() - day - 1_000),
        set: set(4),
    };
    let run = async {
        let (mut watcher, mut found) = Watcher::start(Bus::new(), vec![kept]);
        watcher.watch([(place("x"), wanted(&script))].into());
        assert_eq!(*found.recv().await.unwrap().set, set(1));
    };
    LocalSet::new().run_until(run).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_over_a_restart_is_told_at_once_and_stays_while_the_cloud_fails() {
    let script = Script::of(&[Err(Kind::Transient), Ok(1), Ok(4)]);
    let at = Timestamp::from_millis(clock::wall().as_millis() - 60_000);
    let kept = Kept {
        account: "a".into(),
        source: "x".into(),
        at,
        set: set(4),
    };
    let run = async {
        let bus = Bus::new();
        let (mut watcher, mut found) = Watcher::start(bus.clone(), vec![kept]);
        watcher.watch([(place("x"), wanted(&script))].into());
        assert_eq!(*found.recv().await.unwrap().set, set(4));
        clock::sleep_until(clock::now() + Duration::from_secs(1)).await;
        let standing = watcher.board().all()[&place("x")].clone();
        assert_eq!((standing.running, standing.good_at), (4, Some(at)));
        assert_eq!(standing.error.unwrap().kind, "transient");
        // The first answer after the start is doubted as any other, and then the pool is as it was.
        clock::sleep_until(clock::now() + Duration::from_secs(120)).await;
        assert_eq!(said(&bus), ["discovery_failed", "endpoints_doubted"]);
        let standing = watcher.board().all()[&place("x")].clone();
        assert_eq!((standing.running, standing.doubted_since), (4, None));
        assert!(standing.good_at.unwrap() > at);
        assert!(found.try_recv().is_err());
    };
    LocalSet::new().run_until(run).await;
}
