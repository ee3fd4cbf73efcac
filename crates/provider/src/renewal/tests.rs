//! Callers in paused time, and a giver of tokens that is well, away, slow, or never answers.

use std::cell::Cell;
use std::future;

use super::*;

/// A token lasts half an hour, and is due ten minutes before.
const LASTS: Duration = Duration::from_mins(30);
const DUE: Duration = Duration::from_mins(20);

struct World {
    token: Renewed<String>,
    start: (Instant, Timestamp),
    asked: Cell<u32>,
}

impl World {
    fn new() -> Self {
        Self {
            token: Renewed::default(),
            start: (clock::now(), Timestamp::from_millis(1_790_000_000_000)),
            asked: Cell::new(0),
        }
    }

    /// The wall clock goes as the paused one does.
    fn wall(&self) -> Timestamp {
        self.start.1 + clock::now().since(self.start.0)
    }

    fn granted(&self) -> Granted<String> {
        Granted {
            what: Arc::new(format!("token {}", self.asked.get())),
            due: self.wall() + DUE,
            ends: self.wall() + LASTS,
        }
    }

    async fn ask_by<F>(&self, ask: impl FnOnce() -> F) -> Result<String, Kind>
    where
        F: Future<Output = Result<Granted<String>, Error>>,
    {
        let ask = || {
            self.asked.set(self.asked.get() + 1);
            ask()
        };
        let token = self.token.get(|| self.wall(), ask).await;
        token
            .map(|token| token.as_ref().clone())
            .map_err(|error| error.kind)
    }

    async fn ask(&self) -> Result<String, Kind> {
        self.ask_by(async || Ok(self.granted())).await
    }

    async fn ask_while_away(&self) -> Result<String, Kind> {
        self.ask_by(async || Err(Error::new(Kind::Transient, "Ask", "")))
            .await
    }
}

async fn pass(time: Duration) {
    clock::sleep_until(clock::now() + time).await;
}

fn named(number: u32) -> Result<String, Kind> {
    Ok(format!("token {number}"))
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_ends() {
    let world = World::new();
    assert_eq!(world.ask().await, named(1));
    pass(Duration::from_mins(19)).await;
    assert_eq!(world.ask().await, named(1));
    pass(Duration::from_mins(2)).await;
    assert_eq!(world.ask().await, named(2));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_renewed_serves_until_its_end_and_is_not_asked_for_all_the_time() {
    let world = World::new();
    world.ask().await.unwrap();
    pass(Duration::from_mins(21)).await;
    let end = world.start.1 + LASTS;
    while world.wall() < end {
        assert_eq!(world.ask_while_away().await, named(1));
        pass(Duration::from_millis(500)).await;
    }
    // Nine minutes with pauses that grow to between half a minute and one.
    let asked = world.asked.get();
    assert!((10..=25).contains(&asked), "{asked}");
    pass(AGAIN_MAX).await;
    assert_eq!(world.ask_while_away().await, Err(Kind::Transient));
    assert_eq!(world.asked.get(), asked + 1);
    // It is too early to ask, and who comes is told why.
    assert_eq!(world.ask().await, Err(Kind::Transient));
    assert_eq!(world.asked.get(), asked + 1);
    pass(AGAIN_MAX).await;
    assert_eq!(world.ask().await, named(asked + 2));
}

#[tokio::test(start_paused = true)]
async fn while_one_renews_the_others_go_on_and_it_waits_for_a_few_seconds_only() {
    let world = World::new();
    world.ask().await.unwrap();
    pass(Duration::from_mins(21)).await;
    let begun = clock::now();
    let slow = world.ask_by(async || {
        future::pending::<()>().await;
        Ok(world.granted())
    });
    let other = async {
        let got = world.ask().await;
        (got, clock::now().since(begun))
    };
    let (slow, (other, after)) = tokio::join!(slow, other);
    assert_eq!((slow, other), (named(1), named(1)));
    assert_eq!(after, Duration::ZERO);
    assert!(clock::now().since(begun) < RENEWAL_MAX + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_while_renewing_loses_nothing() {
    let world = World::new();
    world.ask().await.unwrap();
    pass(Duration::from_mins(21)).await;
    let silent = world.ask_by(future::pending);
    let short = Duration::from_millis(10);
    tokio::time::timeout(short, silent).await.unwrap_err();
    assert_eq!(world.ask_while_away().await, named(1));
}

#[tokio::test(start_paused = true)]
async fn of_many_that_have_none_one_asks() {
    let world = World::new();
    let slow = || {
        world.ask_by(async || {
            pass(Duration::from_secs(1)).await;
            Ok(world.granted())
        })
    };
    let got = tokio::join!(slow(), slow(), slow());
    assert_eq!(got, (named(1), named(1), named(1)));
    assert_eq!(world.asked.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_forgotten_and_a_newer_one_is_not() {
    let world = World::new();
    world.ask().await.unwrap();
    let ask = async || Ok(world.granted());
    let first = world.token.get(|| world.wall(), ask).await.unwrap();
    world.token.forget(&first);
    assert_eq!(world.ask().await, named(2));
    // Who was refused by the first comes late.
    world.token.forget(&first);
    assert_eq!(world.ask().await, named(2));
}
