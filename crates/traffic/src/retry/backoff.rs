//! How long to wait before the same endpoint is asked once more, where there is no other: longer each time, and by chance
//! within that, so that those who failed together do not come back together.

use std::time::Duration;

use bascule_model::Rng;

/// The longest wait before the second try. Source: Envoy and linkerd begin at 25 ms and 20 ms; an endpoint that restarts a
/// worker needs about as much.
const BASE: Duration = Duration::from_millis(25);
/// The longest wait of all: the client waits meanwhile.
const BACKOFF_MAX: Duration = Duration::from_millis(250);

/// The wait after so many tries: anything up to 25 ms after the first, and up to twice as much after each further one.
pub fn backoff(attempts_done: u8, rng: &mut Rng) -> Duration {
    let doublings = u32::from(attempts_done.saturating_sub(1));
    let most = BASE
        .saturating_mul(2_u32.saturating_pow(doublings))
        .min(BACKOFF_MAX);
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(rng.below(nanos.saturating_add(1)))
}
