//! The second phase: nothing goes wrong any more and nobody does anything. Within a time that follows from the policies,
//! every edge must stand exactly where its targets say; it must not go back and forth on the way, and then stay.

use std::collections::BTreeMap;
use std::time::Duration;

use bascule_model::{BackendName, BasisPoints, Instant, ObservedState};
use bascule_traffic::snapshot::{Backend, Endpoint};

use crate::law::{Broken, Held, hold};
use crate::ledger::Ending;
use crate::world::World;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// How long it must stay where it came to.
const STAY: Duration = Duration::from_secs(3);
/// As often as this an endpoint is taken out in the first phase, at the most.
const OUT_TIMES: u32 = 4;
/// So many trials bring it back.
const TRIALS: u32 = 12;
/// The judge of traffic weighs what failed in the last second, and one more tenth.
const LOOKS_BACK: Duration = Duration::from_millis(1_100);
/// Room for what was under way when the calm began.
const SLACK: Duration = Duration::from_millis(500);

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Calm {
    /// How long it took until all edges stood right.
    pub after: Duration,
}

/// Lets a world come to rest.
///
/// # Errors
/// It does not, in time; or not straight; or a law is broken.
pub fn rest(world: &mut World) -> Result<Calm, Broken> {
    let began = world.now;
    let limit = began + time_to_rest(world);
    // What was under way when the calm began may still speak against an endpoint.
    world.run(settled(world, began))?;
    let mut courses = vec![BTreeMap::new(); world.edges.len()];
    while !stands_right(world) {
        hold(
            world.now,
            "the calm brings the targets in time",
            world.now < limit,
            || show(world),
        )?;
        world.run(world.now + LOOK)?;
        for (edge, courses) in courses.iter_mut().enumerate() {
            goes_straight(world, edge, courses)?;
        }
    }
    let after = world.now.since(began);
    let end = world.now + STAY;
    while world.now < end {
        world.run(world.now + LOOK)?;
        hold(
            world.now,
            "what stands right stays",
            stands_right(world),
            || show(world),
        )?;
    }
    nothing_goes_down(world, began)?;
    nothing_fails(world, began)?;
    Ok(Calm { after })
}

/// When nothing that began before the calm can speak against anybody any more.
fn settled(world: &World, began: Instant) -> Instant {
    let patience = world.layout.spec.timeouts.response_headers;
    began + world.layout.check.timeout.max(patience) + SLACK + LOOKS_BACK
}

/// A check under way fails, the next ones pass, then the ramp: with the regular interval for the first pass, since one that
/// is down is checked no faster.
fn time_to_rest(world: &World) -> Duration {
    let check = &world.layout.check;
    let seen =
        check.timeout + check.interval.mul_f64(1.0 + check.jitter.ratio()) * (check.rise + 1);
    // What traffic took out is held for a while and then has some trials to pass, two for each that is needed: one may be
    // the request of a client that cannot be made again, which is waited for. One is under way when the next is due.
    let outlier = &world.layout.outlier;
    let out = outlier.hold_of(OUT_TIMES) + outlier.trial_every * TRIALS;
    seen + out + world.layout.spec.ramp + SLACK
}

/// Every edge: everything is up, and the effective row is the target row.
fn stands_right(world: &World) -> bool {
    world.edges.iter().all(|edge| {
        let all_up = edge
            .states()
            .values()
            .all(|state| *state == ObservedState::Up);
        let service = edge.snapshot.as_ref().and_then(|s| s.services.first());
        let exact = service.is_some_and(|service| {
            let as_wanted = |b: &Backend| {
                let wanted = world.layout.spec.declared.get(&b.name);
                // While ramps are under way the row may cross what is wanted.
                let risen = b.factors.slow_start >= 1.0 && b.endpoints.iter().all(is_full);
                wanted.is_none_or(|wanted| wanted == b.effective) && risen
            };
            service.backends.iter().all(as_wanted)
        });
        all_up && exact
    })
}

fn is_full(endpoint: &Endpoint) -> bool {
    endpoint.weight == BasisPoints::FULL
}

/// How a backend's share moves: where it was at the last look, which way it went, and how often it turned.
#[derive(Debug, Clone, Copy, Default)]
struct Course {
    share: u16,
    rising: Option<bool>,
    turns: usize,
}

/// Ramps rise in steps of this time.
const STEP: Duration = Duration::from_millis(100);

/// A move that is no more than a step of a ramp is none: of two backends that return together each has steps of its own,
/// and between two of them the other stands a step too low.
fn step(ramp: Duration) -> u16 {
    let steps = ramp.as_millis() / STEP.as_millis();
    10_000 / u16::try_from(steps).unwrap_or(u16::MAX).max(1)
}

impl Course {
    fn moves(&mut self, share: u16, step: u16) {
        if share.abs_diff(self.share) <= step {
            return;
        }
        let rising = share > self.share;
        self.turns += usize::from(self.rising.is_some_and(|before| before != rising));
        self.rising = Some(rising);
        self.share = share;
    }
}

/// Shares do not swing: one rises while its backend returns and falls while others do, so that it turns at most once for
/// each that comes back.
fn goes_straight(world: &World, edge: usize, courses: &mut BTreeMap<BackendName, Course>) -> Held {
    let snapshot = world.edges.get(edge).and_then(|e| e.snapshot.clone());
    let Some(service) = snapshot.and_then(|s| s.services.first().cloned()) else {
        return Ok(());
    };
    let most = service.backends.len();
    for backend in &service.backends {
        let first = Course {
            share: backend.effective.get(),
            ..Course::default()
        };
        let course = courses.entry(backend.name.clone()).or_insert(first);
        course.moves(backend.effective.get(), step(service.spec.ramp));
        hold(
            world.now,
            "shares do not swing",
            course.turns <= most,
            || format!("{} at edge {edge}: {course:?}", backend.name),
        )?;
    }
    Ok(())
}

/// No verdict falls, but for what was under way.
fn nothing_goes_down(world: &World, began: Instant) -> Held {
    let known = settled(world, began);
    let falls = world.edges.iter().flat_map(|edge| &edge.transitions);
    let mut falls = falls.filter(|t| t.to == ObservedState::Down && t.at > known);
    match falls.next() {
        None => Ok(()),
        Some(fall) => hold(fall.at, "in calm nothing goes down", false, || {
            format!("{fall:?}")
        }),
    }
}

/// A request that begins in calm ends well, or is refused while nobody is up yet.
fn nothing_fails(world: &World, began: Instant) -> Held {
    let failed = world
        .ledger
        .ended
        .iter()
        .find(|e| e.began > began && matches!(e.ending, Ending::Failed | Ending::Error));
    hold(world.now, "in calm nothing fails", failed.is_none(), || {
        format!("{failed:?}")
    })
}

fn show(world: &World) -> String {
    let edges = world.edges.iter().map(|edge| {
        let service = edge
            .snapshot
            .as_ref()
            .and_then(|s| s.services.first().cloned());
        let rows: Vec<_> = service
            .iter()
            .flat_map(|s| &s.backends)
            .map(|b| {
                format!(
                    "{} {} wanted {}",
                    b.name,
                    b.effective.get(),
                    b.factors.target.get()
                )
            })
            .collect();
        let last: Vec<_> = edge.told.iter().rev().take(4).collect();
        let states: Vec<_> = edge.states().into_values().collect();
        format!("{rows:?} {states:?}, the last that was told: {last:?}")
    });
    edges.collect::<Vec<_>>().join("; ")
}
