//! The average against a naive model that keeps all that happened, and what must hold of it.

use proptest::prelude::*;

use super::*;

const MILLI: u64 = 1_000_000;

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What happened to an endpoint, in order, and when.
#[derive(Debug, Clone, Copy)]
enum Event {
    Answered(u64),
    Penalised(Option<u64>),
}

/// In milliseconds, from everything that happened, by the definition.
fn model(events: &[(u64, Event)], now: u64) -> Option<f64> {
    let kept = |from: u64, to: u64| (-((to - from) as f64) / 10_000.0).exp();
    let (mut average, mut told, mut slow_until) = (None::<f64>, 0, 0);
    for (when, event) in events {
        match event {
            Event::Answered(took) => {
                let took = *took as f64;
                average = Some(match average {
                    Some(old) if took < old => {
                        let kept = kept(told, *when);
                        old * kept + took * (1.0 - kept)
                    }
                    _ => took,
                });
                told = *when;
            }
            Event::Penalised(wait) => {
                slow_until = slow_until.max(when + wait.unwrap_or(1_000).min(60_000));
            }
        }
    }
    let penalty = slow_until.saturating_sub(now);
    let average = average.map(|average| average * kept(told, now));
    match (average, penalty) {
        (None, 0) => None,
        (average, penalty) => Some(average.unwrap_or(30.0) + penalty as f64),
    }
}

fn play(events: &[(u64, Event)]) -> PeakEwma {
    events
        .iter()
        .fold(PeakEwma::default(), |ewma, (when, event)| match event {
            Event::Answered(took) => ewma.answered(at(*when), millis(*took)),
            Event::Penalised(wait) => ewma.penalised(at(*when), wait.map(millis)),
        })
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let event = prop_oneof![
        4 => (1_u64..20_000).prop_map(Event::Answered),
        1 => prop::option::of(0_u64..100_000).prop_map(Event::Penalised)
    ];
    let in_order = |events: Vec<(u64, Event)>| {
        let mut now = 0;
        let later = |(after, event)| {
            now += after;
            (now, event)
        };
        events.into_iter().map(later).collect()
    };
    prop::collection::vec((0_u64..5_000, event), 0..40).prop_map(in_order)
}

#[test]
fn a_slow_answer_is_believed_at_once_and_a_fast_one_slowly() {
    let ewma = PeakEwma::default()
        .answered(at(0), millis(2))
        .answered(at(1), millis(400));
    assert_eq!(ewma.latency(at(1)), Some(400 * MILLI));
    let ewma = ewma.answered(at(2), millis(2));
    assert!(ewma.latency(at(2)).unwrap() > 399 * MILLI);
    let ewma = (0..20_000).fold(ewma, |ewma, n| ewma.answered(at(3 + n), millis(2)));
    assert!(ewma.latency(at(20_003)).unwrap() < 60 * MILLI);
}

#[test]
fn an_endpoint_that_gets_nothing_is_forgotten_and_tried_again() {
    let ewma = PeakEwma::default().answered(at(0), millis(500));
    let later = |seconds: u64| ewma.latency(at(seconds * 1000)).unwrap();
    assert!((183 * MILLI..185 * MILLI).contains(&later(10)));
    assert!(later(60) < 2 * MILLI);
}

#[test]
fn a_failure_counts_for_a_second_and_a_wish_to_be_left_alone_for_as_long_as_it_says() {
    let ewma = PeakEwma::default().answered(at(0), millis(4));
    let failed = ewma.penalised(at(0), None);
    assert_eq!(failed.latency(at(0)), Some(1_004 * MILLI));
    assert_eq!(failed.latency(at(1_000)), ewma.latency(at(1_000)));
    let asked = failed.penalised(at(0), Some(Duration::from_secs(5)));
    assert_eq!(asked.latency(at(0)), Some(5_004 * MILLI));
    assert_eq!(asked.latency(at(5_000)), ewma.latency(at(5_000)));
    let greedy = ewma.penalised(at(0), Some(Duration::from_secs(86_400)));
    assert_eq!(greedy.latency(at(0)), Some(60_004 * MILLI));
}

#[test]
fn who_stops_waiting_makes_an_endpoint_slower_and_never_faster() {
    let ewma = PeakEwma::default().answered(at(0), millis(50));
    assert_eq!(ewma.waited(at(0), millis(10)), ewma);
    assert_eq!(
        ewma.waited(at(0), millis(80)).latency(at(0)),
        Some(80 * MILLI)
    );
}

#[test]
fn of_an_endpoint_that_never_answered_nothing_is_known_but_its_failure() {
    assert_eq!(PeakEwma::default().latency(at(5)), None);
    let failed = PeakEwma::default().penalised(at(0), None);
    assert_eq!(failed.latency(at(0)), Some(1_030 * MILLI));
    assert_eq!(failed.latency(at(1_000)), None);
}

proptest! {
    #[test]
    fn it_is_what_a_model_that_forgets_nothing_says(events in events(), idle in 0_u64..60_000) {
        let now = events.last().map_or(0, |(when, _)| *when) + idle;
        let latency = play(&events).latency(at(now)).map(|nanos| nanos as f64 / MILLI as f64);
        match (latency, model(&events, now)) {
            (None, None) => {}
            (Some(got), Some(wanted)) => {
                prop_assert!((got - wanted).abs() < 0.001 + wanted / 1e6, "{got} for {wanted}");
            }
            (got, wanted) => prop_assert!(false, "{got:?} for {wanted:?}"),
        }
    }

    #[test]
    fn a_slower_answer_never_makes_it_look_faster(events in events(), took in 1_u64..10_000, slower in 0_u64..10_000) {
        let now = events.last().map_or(0, |(when, _)| *when);
        let latency = |took| play(&events).answered(at(now), millis(took)).latency(at(now));
        prop_assert!(latency(took) <= latency(took + slower));
    }
}
