//! HTTP/2: floods of frames, resets, heads that unfold, and streams that are held.

use std::time::Duration;

use bascule_testkit::attack::Ears;
use bascule_testkit::attack::http2::opening::{HalfOpen, HugeFrame, Stop};
use bascule_testkit::attack::http2::reset::{Fault, MadeYouReset, RapidReset};
use bascule_testkit::attack::http2::stream::{
    ConnectionStalled, Dribble, Overrun, StalledUploads, WindowStalled,
};
use bascule_testkit::attack::http2::{Flood, Flooding, continuation, control, hpack};

use crate::field::{Field, Outcome, Terms, scaled};

const CONNECTIONS: usize = 8;

/// A flood whose senders are ended, connection after connection.
fn ends(flood: impl Flood + 'static, ears: Ears, frames: u64) -> Outcome {
    let field = Field::start(Terms::default());
    let target = field.target("web");
    let attack = Flooding(flood, ears);
    field.withstand_until(attack, target, CONNECTIONS, frames, |seen, _| {
        seen.units() >= scaled(frames) && seen.ended() >= 20
    })
}

#[test]
fn rapid_resets_end_the_connection() {
    ends(RapidReset, Ears::Open, 10_000);
}

#[test]
fn a_zero_window_update_again_and_again_ends_the_connection() {
    ends(MadeYouReset(Fault::ZeroWindow), Ears::Open, 5_000);
}

#[test]
fn a_window_that_overflows_again_and_again_ends_the_connection() {
    ends(MadeYouReset(Fault::WindowOverflow), Ears::Open, 5_000);
}

#[test]
fn data_after_the_end_again_and_again_ends_the_connection() {
    ends(MadeYouReset(Fault::DataAfterEnd), Ears::Open, 5_000);
}

#[test]
fn streams_that_depend_on_themselves_end_the_connection() {
    ends(MadeYouReset(Fault::SelfDependency), Ears::Open, 5_000);
}

#[test]
fn short_priorities_end_the_connection() {
    ends(MadeYouReset(Fault::ShortPriority), Ears::Open, 5_000);
}

#[test]
fn bodies_longer_than_they_say_end_the_connection() {
    ends(MadeYouReset(Fault::LengthMismatch), Ears::Open, 5_000);
}

#[test]
fn malformed_heads_again_and_again_end_the_connection() {
    let outcome = ends(MadeYouReset(Fault::MalformedHead), Ears::Open, 2_000);
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn trailers_that_end_nothing_end_the_connection() {
    ends(MadeYouReset(Fault::OpenTrailers), Ears::Open, 5_000);
}

#[test]
fn settings_without_end_end_the_connection() {
    ends(control::Settings, Ears::Open, 20_000);
}

#[test]
fn settings_whose_acknowledgements_nobody_reads_end_the_connection() {
    ends(control::EmptySettings, Ears::Deaf, 20_000);
}

#[test]
fn pings_without_end_end_the_connection() {
    ends(control::Ping, Ears::Open, 20_000);
}

#[test]
fn pings_whose_answers_nobody_reads_end_the_connection() {
    ends(control::Ping, Ears::Deaf, 20_000);
}

#[test]
fn priorities_without_end_end_the_connection() {
    ends(control::Priority, Ears::Open, 20_000);
}

#[test]
fn window_updates_without_end_end_the_connection() {
    ends(control::WindowUpdates, Ears::Open, 20_000);
}

#[test]
fn empty_data_without_end_ends_the_connection() {
    ends(control::EmptyData, Ears::Open, 20_000);
}

#[test]
fn padding_without_end_ends_the_connection() {
    ends(control::PaddingOnly, Ears::Open, 20_000);
}

#[test]
fn empty_heads_end_the_connection() {
    let outcome = ends(control::EmptyHeaders, Ears::Open, 5_000);
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn unknown_frames_without_end_end_the_connection() {
    ends(control::UnknownFrames, Ears::Open, 20_000);
}

#[test]
fn requests_after_goaway_end_the_connection() {
    ends(control::GoawayThenMore, Ears::Open, 2_000);
}

#[test]
fn acknowledgements_of_nothing_end_the_connection() {
    ends(control::SettingsAcks, Ears::Open, 20_000);
}

#[test]
fn answers_to_no_ping_end_the_connection() {
    ends(control::Pongs, Ears::Open, 20_000);
}

#[test]
fn a_head_without_end_ends_the_connection() {
    let outcome = ends(continuation::Endless, Ears::Open, 20_000);
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn empty_continuations_end_the_connection() {
    let outcome = ends(continuation::Empty, Ears::Open, 20_000);
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn heads_in_crumbs_end_the_connection() {
    ends(continuation::Crumbled, Ears::Open, 20_000);
}

#[test]
fn huge_heads_end_the_connection() {
    let outcome = ends(continuation::Huge, Ears::Open, 2_000);
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn an_hpack_bomb_does_not_unfold() {
    let field = Field::start(Terms::default());
    // The first head of each connection is an honest one.
    let outcome = field.withstand(Flooding(hpack::Bomb, Ears::Open), CONNECTIONS, 2_000);
    assert!(outcome.forwarded <= outcome.seen.opened());
}

#[test]
fn cookie_crumbs_are_not_joined_without_limit() {
    let field = Field::start(Terms::default());
    let outcome = field.withstand(
        Flooding(hpack::CookieCrumbs, Ears::Open),
        CONNECTIONS,
        2_000,
    );
    assert!(outcome.forwarded <= outcome.seen.opened());
}

#[test]
fn table_sizes_without_end_end_the_connection() {
    let outcome = ends(hpack::TableSizes, Ears::Open, 500);
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn a_table_that_is_always_new_disturbs_nobody() {
    let field = Field::start(Terms::default());
    field.withstand(Flooding(hpack::TableChurn, Ears::Open), CONNECTIONS, 2_000);
}

#[test]
fn more_streams_than_allowed_are_refused_and_then_end_the_connection() {
    ends(Overrun, Ears::Open, 5_000);
}

fn impatient() -> Field {
    Field::start(Terms {
        timeouts: "request_headers: 1s, client_idle: 1s, stream_idle: 1s, response_headers: 1s",
        ..Terms::default()
    })
}

#[test]
fn streams_whose_window_never_opens_are_reset() {
    let field = impatient();
    let target = field.target("web");
    let attack = WindowStalled {
        streams: 100,
        path: "/bytes/100000000",
    };
    field.withstand_until(attack, target, CONNECTIONS, 800, |seen, _| {
        seen.noted("reset") >= scaled(800) || seen.ended() >= 8
    });
}

#[test]
fn a_connection_whose_window_never_opens_is_ended() {
    let field = impatient();
    let target = field.target("web");
    let attack = ConnectionStalled { streams: 100 };
    field.withstand_until(attack, target, CONNECTIONS, 800, |seen, _| {
        seen.noted("reset") >= scaled(700) || seen.ended() >= 8
    });
}

#[test]
fn streams_that_take_a_byte_now_and_then_hold_little() {
    let field = Field::start(Terms::default());
    let attack = Dribble {
        streams: 100,
        pause: Duration::from_millis(50),
    };
    field.withstand(attack, CONNECTIONS, 8_000);
}

#[test]
fn uploads_that_stall_are_reset() {
    let field = impatient();
    let target = field.target("web");
    let attack = StalledUploads { streams: 100 };
    field.withstand_until(attack, target, 4, 400, |seen, _| {
        seen.noted("headers") + seen.noted("reset") >= scaled(400) || seen.ended() >= 4
    });
}

fn half_open(stop: Stop) {
    let field = impatient();
    let target = field.target("web");
    let outcome = field.withstand_until(HalfOpen(stop), target, 300, 500, |seen, _| {
        seen.ended() >= scaled(500)
    });
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn half_a_preface_is_cut() {
    half_open(Stop::InPreface);
}

#[test]
fn a_preface_alone_is_cut() {
    half_open(Stop::BeforeSettings);
}

#[test]
fn a_connection_without_a_request_is_cut() {
    half_open(Stop::BeforeRequest);
}

#[test]
fn half_a_frame_is_cut() {
    half_open(Stop::InFrame);
}

#[test]
fn half_a_head_is_cut() {
    half_open(Stop::InHead);
}

#[test]
fn a_huge_frame_ends_the_connection() {
    let field = Field::start(Terms::default());
    let target = field.target("web");
    let outcome = field.withstand_until(HugeFrame, target, 20, 300, |seen, _| {
        seen.ended() >= scaled(300)
    });
    assert_eq!(outcome.forwarded, 0);
}
