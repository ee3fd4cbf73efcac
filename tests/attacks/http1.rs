//! HTTP/1 requests that are slow, endless, huge or many.

use std::time::Duration;

use bascule_testkit::attack::body::{
    EndlessExtension, EndlessTrailers, ExpectNothing, ManyExtensions, SlowBody, StalledBody,
    StalledReader, TinyChunks,
};
use bascule_testkit::attack::http1::{EndlessHead, HugeField, HugeTarget, ManyFields, SlowHead};

use crate::field::{Field, Terms, scaled};

const PAUSE: Duration = Duration::from_millis(100);

fn plain() -> Field {
    Field::start(Terms::default())
}

fn impatient() -> Field {
    Field::start(Terms {
        timeouts: "request_headers: 1s, stream_idle: 1s, response_headers: 1s",
        ..Terms::default()
    })
}

#[test]
fn slow_heads_are_cut() {
    let field = impatient();
    let target = field.target("web");
    let attack = SlowHead { pause: PAUSE };
    let outcome = field.withstand_until(attack, target, 1_000, 2_000, |seen, _| {
        seen.ended() >= scaled(2_000)
    });
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn endless_heads_are_refused() {
    let outcome = plain().withstand(EndlessHead, 20, 200_000);
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn huge_fields_are_refused() {
    let outcome = plain().withstand(HugeField, 20, 1_000);
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn huge_targets_are_refused() {
    let outcome = plain().withstand(HugeTarget, 20, 1_000);
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn too_many_fields_are_refused() {
    let outcome = plain().withstand(ManyFields { fields: 2_000 }, 20, 1_000);
    assert_eq!(outcome.forwarded, 0);
}

#[test]
fn slow_bodies_disturb_nobody() {
    let field = impatient();
    field.withstand(SlowBody { pause: PAUSE }, 500, 10_000);
}

#[test]
fn stalled_bodies_are_cut() {
    let field = impatient();
    let target = field.target("web");
    field.withstand_until(StalledBody, target, 500, 1_000, |seen, _| {
        seen.ended() >= scaled(1_000)
    });
}

#[test]
fn expectations_without_a_body_are_cut() {
    let field = impatient();
    let target = field.target("web");
    field.withstand_until(ExpectNothing, target, 300, 300, |seen, _| {
        seen.ended() >= scaled(300)
    });
}

#[test]
fn readers_that_stall_are_cut() {
    let field = impatient();
    let target = field.target("web");
    let attack = StalledReader {
        path: "/bytes/100000000",
    };
    field.withstand_until(attack, target, 200, 200, |seen, _| seen.units() >= 200);
}

#[test]
fn tiny_chunks_disturb_nobody() {
    plain().withstand(TinyChunks { chunks: 20_000 }, 8, 200_000);
}

#[test]
fn endless_chunk_extensions_are_refused() {
    plain().withstand(EndlessExtension, 20, 500);
}

#[test]
fn extensions_on_every_chunk_are_refused() {
    plain().withstand(ManyExtensions, 20, 500);
}

#[test]
fn endless_trailers_are_refused() {
    plain().withstand(EndlessTrailers, 20, 500);
}
