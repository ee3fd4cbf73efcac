//! What clients saw and what reached the endpoints, kept by the world itself: the product is not asked how well it did.

use std::time::Duration;

use bascule_model::Instant;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// May be repeated.
    Get,
    /// Must not be repeated once it may have arrived.
    Post,
}

impl Method {
    /// As on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// How a request ended for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Answered as it should be.
    Well,
    /// Answered by the endpoint with an error.
    Error,
    /// Refused at the edge, with `Retry-After`.
    Refused,
    /// Failed.
    Failed,
}

/// A request that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// What it was.
    pub method: Method,
    /// When the client began.
    pub began: Instant,
    /// How long it waited.
    pub took: Duration,
    /// How it ended.
    pub ending: Ending,
    /// Tries it took.
    pub tries: usize,
}

/// One try, as the world saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// When it began.
    pub at: Instant,
    /// By which edge.
    pub edge: usize,
    /// Where.
    pub place: usize,
    /// Whether it was the first of its request.
    pub first: bool,
}

/// All that happened to requests.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Every request that ended, in order.
    pub ended: Vec<Ended>,
    /// Every try, in order.
    pub tries: Vec<Tried>,
    /// Requests that began.
    pub began: u64,
}

impl Ledger {
    /// The requests that ended so and began in this time.
    pub fn count(&self, from: Instant, until: Instant, ending: Ending) -> usize {
        let counts = |e: &&Ended| from <= e.began && e.began < until && e.ending == ending;
        self.ended.iter().filter(counts).count()
    }

    /// The tries at these places in this time.
    #[must_use]
    pub fn tries_at(&self, places: &[usize], from: Instant, until: Instant) -> usize {
        let counts = |t: &&Tried| from <= t.at && t.at < until && places.contains(&t.place);
        self.tries.iter().filter(counts).count()
    }

    /// When the places were left after `fault`, as seen at the endpoints: the start of the first second from which on no
    /// second brings them more than one in a hundred of the load, up to `end`. `None`: never.
    #[must_use]
    pub fn left(&self, places: &[usize], fault: Instant, end: Instant) -> Option<Duration> {
        let second = Duration::from_secs(1);
        let mine: Vec<Instant> = self
            .tries
            .iter()
            .filter(|t| t.at >= fault && t.at < end && places.contains(&t.place))
            .map(|t| t.at)
            .collect();
        let all: Vec<Instant> = self
            .tries
            .iter()
            .filter(|t| t.at >= fault && t.at < end)
            .map(|t| t.at)
            .collect();
        let too_many = |start: Instant| {
            let within = |at: &&Instant| start <= **at && **at < start + second;
            let bad = mine.iter().filter(within).count();
            bad * 100 > all.iter().filter(within).count()
        };
        // A second can only begin to be quiet right after a try; so these instants are all that need to be looked at. What
        // begins in the last second is not known.
        let mut starts = mine.iter().rev().filter(|at| **at + second <= end);
        match starts.find(|at| too_many(**at)) {
            None => Some(Duration::ZERO),
            Some(last) if *last + 2 * second <= end => {
                Some(last.since(fault) + Duration::from_nanos(1))
            }
            Some(_) => None,
        }
    }
}
