//! Sources that say what a script says, in paused time.

use std::sync::Mutex;

use bascule_provider::Kind;
use bascule_provider::port::{Call, Seen};
use tokio::task::LocalSet;

use super::*;

/// Says that so many machines are wanted, or fails; the last for ever.
#[derive(Debug)]
struct Script {
    answers: Mutex<Vec<Result<u32, Kind>>>,
    asked: Mutex<Vec<bascule_model::Instant>>,
}

impl Script {
    fn of(answers: &[Result<u32, Kind>]) -> Arc<Self> {
        let mut answers = answers.to_vec();
        answers.reverse();
        Arc::new(Self {
            answers: Mutex::new(answers),
            asked: Mutex::default(),
        })
    }

    fn next(&self) -> Result<Vec<Observation>, Error> {
        self.asked.lock().unwrap().push(clock::now());
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.as_slice() {
            [last] => *last,
            _ => answers.pop().unwrap(),
        };
        let seen = |size| Observation {
            of: "pool".into(),
            what: Seen::SizeWanted(size),
            at: Timestamp::from_millis(1),
        };
        let failed = |kind| Error::new(kind, "Summarize", "pool");
        answer.map(|size| vec![seen(size)]).map_err(failed)
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Whole seconds between the questions.
    fn pauses(&self) -> Vec<u64> {
        let asked = self.asked.lock().unwrap();
        let between = asked.windows(2).map(|two| two[1].since(two[0]).as_secs());
        between.collect()
    }
}

impl Observe for Script {
    fn source(&self) -> &'static str {
        "script"
    }

    fn observe(&self) -> Call<'_, Vec<Observation>> {
        Box::pin(async { self.next() })
    }
}

fn place(source: &str) -> Place {
    Place {
        account: "a".into(),
        source: source.into(),
    }
}

fn wanted(script: &Arc<Script>) -> BTreeMap<Place, Wanted> {
    let wanted = Wanted {
        source: script.clone(),
        every: Duration::from_secs(60),
    };
    [(place("x"), wanted)].into()
}

/// The size that is believed, and how often in a row the cloud has failed since.
fn seen(board: &Board) -> Option<(Option<Seen>, u32)> {
    let seeing = board.all().remove(&place("x"))?;
    let size = seeing.observations.first().map(|seen| seen.what.clone());
    Some((size, seeing.failing.map_or(0, |failing| failing.count)))
}

/// Lets time pass until it was asked so often, and what came of it is known.
async fn until_asked(script: &Script, times: u32) {
    while script.asked() < usize::try_from(times).unwrap() {
        clock::sleep_until(clock::now() + Duration::from_millis(100)).await;
    }
}

async fn after(seconds: u64) {
    clock::sleep_until(clock::now() + Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_the_last_values_is_told_once_and_tried_again_soon() {
    let denied = Err(Kind::Denied);
    let script = Script::of(&[Ok(3), denied, denied, Ok(4)]);
    let bus = Bus::new();
    let local = LocalSet::new();
    let play = async {
        let mut observer = Observer::start(bus.clone());
        let board = observer.board();
        observer.watch(wanted(&script));
        until_asked(&script, 1).await;
        assert_eq!(seen(&board), Some((Some(Seen::SizeWanted(3)), 0)));
        let read_at = board.all()[&place("x")].read_at;
        for failures in [1, 2] {
            until_asked(&script, 1 + failures).await;
            let stays = Some(Seen::SizeWanted(3));
            assert_eq!(seen(&board), Some((stays, failures)));
            assert_eq!(board.all()[&place("x")].read_at, read_at);
        }
        until_asked(&script, 4).await;
        assert_eq!(seen(&board), Some((Some(Seen::SizeWanted(4)), 0)));
    };
    local.run_until(play).await;
    let asked: Vec<u64> = script.pauses();
    assert!(asked[0] > 50 && asked[1] <= 2 && asked[2] <= 4, "{asked:?}");
    let events = bus.since(0).events;
    let told: Vec<(&str, &str)> = events.iter().map(|e| (e.kind, &*e.message)).collect();
    let line = "a x cannot be observed: Summarize of pool: denied";
    assert_eq!(told, [("observation_failed", line)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_observed_no_longer_is_asked_and_shown_no_longer() {
    let script = Script::of(&[Ok(3)]);
    let local = LocalSet::new();
    let play = async {
        let mut observer = Observer::start(Bus::new());
        let board = observer.board();
        observer.watch(wanted(&script));
        after(1).await;
        // The same again is not asked anew.
        observer.watch(wanted(&script));
        after(1).await;
        assert_eq!(script.asked(), 1);
        // Asked in another way, what was said stays until there is a new answer.
        let denied = Script::of(&[Err(Kind::Denied)]);
        observer.watch(wanted(&denied));
        after(1).await;
        assert_eq!(seen(&board), Some((Some(Seen::SizeWanted(3)), 1)));
        observer.watch(BTreeMap::new());
        assert_eq!(seen(&board), None);
        let asked = denied.asked();
        after(600).await;
        assert_eq!((script.asked(), denied.asked()), (1, asked));
    };
    local.run_until(play).await;
}
