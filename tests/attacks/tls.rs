//! Handshakes that hang, come in floods, or are junk.

use std::time::Duration;

use bascule_testkit::attack::tls::{
    HandshakeFlood, HandshakeJunk, Hang, HangingHandshake, Junk, KeyUpdateFlood,
};

use crate::field::{Field, Outcome, Terms, scaled};

fn hangs(hang: Hang) {
    let field = Field::start(Terms {
        timeouts: "request_headers: 1s",
        ..Terms::default()
    });
    let attack = HangingHandshake {
        config: field.tls_client(&["h2"]),
        hang,
    };
    let target = field.target("tls");
    let outcome = field.withstand_until(attack, target, 300, 500, |seen, _| {
        seen.ended() >= scaled(500)
    });
    assert_failed(&outcome, 500);
}

fn junk(junk: Junk) {
    let field = Field::start(Terms::default());
    let attack = HandshakeJunk {
        config: field.tls_client(&["h2"]),
        junk,
    };
    let target = field.target("tls");
    let outcome = field.withstand_until(attack, target, 20, 300, |seen, _| {
        seen.ended() >= scaled(300)
    });
    assert_failed(&outcome, 300);
}

/// Those that were not finished in time, and those whose client gave up or spoke no TLS.
#[track_caller]
fn assert_failed(outcome: &Outcome, at_least: u64) {
    let of = |result| {
        let counts = &outcome.counts;
        counts.sum("bascule_tls_handshakes_total", "result", result)
    };
    let failed = of("failed") + of("timeout");
    #[expect(clippy::cast_precision_loss, reason = "counts of a test are small")]
    let wanted = at_least as f64;
    assert!(
        failed >= wanted,
        "{failed} handshakes failed, not {at_least}"
    );
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn silent_handshakes_are_cut() {
    hangs(Hang::Silent);
}

#[test]
fn half_handshakes_are_cut() {
    hangs(Hang::Half);
}

#[test]
fn unanswered_handshakes_are_cut() {
    hangs(Hang::AfterHello);
}

#[test]
fn slow_handshakes_are_cut() {
    hangs(Hang::Drip(Duration::from_millis(20)));
}

#[test]
fn a_flood_of_handshakes_disturbs_nobody() {
    let field = Field::start(Terms::default());
    let attack = HandshakeFlood {
        config: field.tls_client(&["h2"]),
    };
    let target = field.target("tls");
    field.withstand_until(attack, target, 16, 500, |seen, _| {
        seen.units() >= scaled(500)
    });
}

#[test]
fn a_second_hello_ends_the_handshake() {
    junk(Junk::HelloAgain);
}

#[test]
fn warnings_end_the_handshake() {
    junk(Junk::Warnings);
}

#[test]
fn empty_records_end_the_handshake() {
    junk(Junk::EmptyRecords);
}

#[test]
fn a_huge_message_ends_the_handshake() {
    junk(Junk::HugeMessage);
}

#[test]
fn noise_ends_the_handshake() {
    junk(Junk::Noise);
}

#[test]
fn a_flood_of_key_updates_disturbs_nobody() {
    let field = Field::start(Terms::default());
    let attack = KeyUpdateFlood {
        config: field.tls_client(&["h2"]),
        updates: 2_000,
    };
    let target = field.target("tls");
    field.withstand_until(attack, target, 8, 20_000, |seen, _| {
        seen.units() >= scaled(20_000)
    });
}
