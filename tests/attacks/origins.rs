//! Origins that do harm to the edge that asks them. What holds is the same: other services do not feel it, memory is
//! bounded, and whoever asks gets a defined answer or a cut, never what was not understood.

use std::time::Duration;

use bascule_testkit::attack::origin::http1::Ailment as One;
use bascule_testkit::attack::origin::http2::Ailment as Two;
use bascule_testkit::attack::origin::{Ask, Ill, IllOrigin};

use crate::field::{Field, Outcome, Terms, scaled};

const ASKERS: usize = 20;

/// Asks an ill origin again and again.
fn ask(ill: impl Ill, body: usize) -> Outcome {
    let timeouts = "response_headers: 500ms, stream_idle: 1s";
    ask_within(timeouts, Duration::from_secs(2), ill, body)
}

/// As [`ask`], where what ends it is what the origin says and never the time that a busy machine takes to hear it.
fn ask_at_leisure(ill: impl Ill) -> Outcome {
    let timeouts = "response_headers: 10s, stream_idle: 1s";
    ask_within(timeouts, Duration::from_secs(20), ill, 0)
}

fn ask_within(timeouts: &'static str, patience: Duration, ill: impl Ill, body: usize) -> Outcome {
    let origin = IllOrigin::start(ill).unwrap();
    let field = Field::start(Terms {
        timeouts,
        origin: Some(origin.url()),
        ..Terms::default()
    });
    let attack = Ask {
        name: origin.name(),
        body,
        patience,
    };
    let target = field.target("web");
    let outcome = field.withstand_until(attack, target, ASKERS, 100, |seen, _| {
        seen.units() >= scaled(100)
    });
    assert!(origin.said() > 0, "it was never asked");
    outcome
}

/// Every asker gets this answer and no other.
#[track_caller]
fn all_get(status: u16, outcome: &Outcome) {
    let (got, asked) = (outcome.seen.answers(status), outcome.seen.units());
    assert!(
        got >= asked,
        "{got} of {asked} got {status}: {:?}",
        outcome.seen
    );
}

#[test]
fn a_head_without_end_is_a_502() {
    all_get(502, &ask_at_leisure(One::EndlessHead));
}

#[test]
fn a_huge_field_is_a_502() {
    all_get(502, &ask_at_leisure(One::HugeField));
}

#[test]
fn a_huge_status_line_is_a_502() {
    all_get(502, &ask_at_leisure(One::HugeStatusLine));
}

#[test]
fn hints_without_end_are_a_502() {
    all_get(502, &ask_at_leisure(One::EndlessHints));
}

#[test]
fn continue_without_end_is_a_502() {
    all_get(502, &ask_at_leisure(One::EndlessContinue));
}

#[test]
fn garbage_is_a_502() {
    all_get(502, &ask_at_leisure(One::Garbage));
}

#[test]
fn silence_is_a_504() {
    all_get(504, &ask(One::Silence, 0));
}

#[test]
fn a_head_that_drips_is_a_504() {
    all_get(504, &ask(One::DrippingHead, 0));
}

#[test]
fn closing_at_once_is_a_502() {
    all_get(502, &ask_at_leisure(One::Closing));
}

#[test]
fn an_endless_chunk_extension_is_cut() {
    ask(One::EndlessExtension, 0);
}

#[test]
fn endless_trailers_are_cut() {
    ask(One::EndlessTrailers, 0);
}

#[test]
fn tiny_chunks_without_end_disturb_nobody() {
    ask(One::TinyChunks, 0);
}

#[test]
fn a_body_that_drips_disturbs_nobody() {
    ask(One::DrippingBody, 0);
}

#[test]
fn a_body_that_stands_still_is_cut() {
    ask(One::StalledBody, 0);
}

#[test]
fn a_body_that_is_cut_is_cut_for_the_client() {
    ask(One::CutBody, 0);
}

#[test]
fn answers_that_nobody_asked_for_are_given_to_nobody() {
    let outcome = ask(One::MoreAnswers, 0);
    assert_eq!(outcome.seen.answers(299), 0);
    all_get(200, &outcome);
}

#[test]
fn bytes_that_belong_to_nothing_are_given_to_nobody() {
    let outcome = ask(One::MoreBytes, 0);
    let (ok, bad) = (outcome.seen.answers(200), outcome.seen.answers(502));
    assert!(ok > 0 && ok + bad >= outcome.seen.units(), "{outcome:?}");
}

#[test]
fn settings_without_end_disturb_nobody() {
    ask(Two::Settings, 0);
}

#[test]
fn pings_without_end_disturb_nobody() {
    ask(Two::Pings, 0);
}

#[test]
fn window_updates_without_end_disturb_nobody() {
    ask(Two::WindowUpdates, 0);
}

#[test]
fn priorities_without_end_disturb_nobody() {
    ask(Two::Priorities, 0);
}

#[test]
fn a_continuation_without_end_disturbs_nobody() {
    ask(Two::Continuation, 0);
}

#[test]
fn a_head_that_unfolds_disturbs_nobody() {
    ask(Two::Bomb, 0);
}

#[test]
fn http2_hints_without_end_disturb_nobody() {
    ask(Two::Hints, 0);
}

#[test]
fn empty_data_without_end_disturbs_nobody() {
    ask(Two::EmptyData, 0);
}

#[test]
fn streams_that_are_all_reset_disturb_nobody() {
    ask(Two::Resets, 0);
}

#[test]
fn goaway_every_time_disturbs_nobody() {
    ask(Two::Goaway, 0);
}

#[test]
fn promises_disturb_nobody() {
    ask(Two::Promises, 0);
}

#[test]
fn a_body_that_is_never_taken_disturbs_nobody() {
    ask(Two::NoWindow, 100_000);
}

#[test]
fn http2_silence_is_a_504() {
    all_get(504, &ask(Two::Silence, 0));
}
