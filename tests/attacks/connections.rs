//! Many connections, and what they do without a wrong word: nothing, hammering, vanishing.

use bascule_testkit::attack::connection::{
    Churn, Garbage, Hammer, IdleConnections, PipelineFlood, Vanish,
};

use crate::field::{Field, Terms, scaled};

#[test]
fn a_thousand_idle_connections_disturb_nobody_and_are_closed_in_time() {
    let field = Field::start(Terms {
        timeouts: "client_idle: 1s",
        ..Terms::default()
    });
    let target = field.target("web");
    let outcome = field.withstand_until(IdleConnections, target, 1_000, 2_000, |seen, _| {
        seen.ended() >= scaled(2_000)
    });
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn connections_opened_and_reset_at_once_disturb_nobody() {
    let outcome = Field::start(Terms::default()).withstand(Churn, 50, 5_000);
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn clients_that_vanish_before_their_answer_disturb_nobody() {
    let attack = Vanish {
        path: "/bytes/10000000",
    };
    Field::start(Terms::default()).withstand(attack, 50, 2_000);
}

#[test]
fn hammering_kept_connections_disturbs_nobody() {
    let attack = Hammer { requests: 1_000 };
    let outcome = Field::start(Terms::default()).withstand(attack, 8, 4_000);
    assert_eq!(outcome.seen.answers(200), outcome.seen.units());
}

#[test]
fn a_flood_of_pipelined_requests_is_held_back_by_its_unread_answers() {
    let attack = PipelineFlood {
        path: "/bytes/10000",
    };
    Field::start(Terms::default()).withstand(attack, 20, 20_000);
}

#[test]
fn garbage_is_refused_and_never_forwarded() {
    let attack = Garbage {
        seed: 1,
        bytes: 8_000,
    };
    let outcome = Field::start(Terms::default()).withstand(attack, 20, 2_000);
    outcome.assert_rose("bascule_requests_refused_total", 1_900);
    assert_eq!(outcome.forwarded, 0);
}
