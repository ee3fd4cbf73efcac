//! Responses by example, and cut anywhere.

use proptest::prelude::*;

use super::*;

fn asked(asked: Asked) -> Responses {
    let mut responses = Responses::new(Limits::of_responses(1024, 12));
    responses.ask(asked);
    responses.sent();
    responses
}

fn refused(text: &str) -> Option<Violation> {
    match asked(Asked::Other).pass(text.as_bytes()).then {
        Then::BadHead(violation) | Then::BadBody(violation) => Some(violation),
        Then::More | Then::Hold | Then::Drop => None,
    }
}

#[test]
fn a_response_passes_to_its_end_and_the_connection_may_be_reused() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 \u{e4}\tb\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
    ] {
        let mut responses = asked(Asked::Other);
        let passed = responses.pass(text.as_bytes());
        assert_eq!(
            (passed.bytes, passed.then),
            (text.len(), Then::More),
            "{text:?}"
        );
        assert!(responses.may_be_reused(), "{text:?}");
    }
}

#[test]
fn a_response_behind_which_none_may_come_ends_the_use_of_its_connection() {
    for text in [
        "HTTP/1.1 200 OK\r\n\r\nuntil close",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
    ] {
        let mut responses = asked(Asked::Other);
        let passed = responses.pass(text.as_bytes());
        assert_eq!(
            (passed.bytes, passed.then),
            (text.len(), Then::More),
            "{text:?}"
        );
        assert!(!responses.may_be_reused(), "{text:?}");
    }
}

#[test]
fn the_answer_to_head_has_no_body() {
    let mut responses = asked(Asked::Head);
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let passed = responses.pass(format!("{text}hello").as_bytes());
    assert_eq!(passed.bytes, text.len());
    assert_eq!(passed.then, Then::BadHead(Violation::Unasked));
    assert!(!responses.may_be_reused());
}

#[test]
fn what_nobody_asked_for_does_not_pass() {
    let answer = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
    let unasked = Passed {
        bytes: 0,
        heads: 0,
        then: Then::BadHead(Violation::Unasked),
    };
    let mut idle = Responses::new(Limits::of_responses(1024, 12));
    assert_eq!(idle.pass(answer.as_bytes()), unasked);
    assert!(!idle.may_be_reused());
    let mut unsent = Responses::new(Limits::of_responses(1024, 12));
    unsent.ask(Asked::Other);
    assert_eq!(unsent.pass(answer.as_bytes()), unasked);
    let mut behind = asked(Asked::Other);
    assert_eq!(behind.pass(answer.as_bytes()).then, Then::More);
    assert_eq!(behind.pass(answer.as_bytes()), unasked);
}

#[test]
fn a_status_line_is_a_version_and_three_digits() {
    use Violation::{LineEnd, StatusLine};
    for (line, violation) in [
        ("HTTP/1.1  200 OK", StatusLine),
        ("HTTP/1.1 20 OK", StatusLine),
        ("HTTP/1.1 2000 OK", StatusLine),
        ("HTTP/1.1 099 OK", StatusLine),
        ("HTTP/1.1 600 OK", StatusLine),
        ("HTTP/1.1 2x0 OK", StatusLine),
        ("HTTP/1.1 +20 OK", StatusLine),
        ("HTTP/1.1\t200 OK", StatusLine),
        ("HTTP/1.1", StatusLine),
        ("HTTP/2 200 OK", StatusLine),
        ("HTTP/0.9 200 OK", StatusLine),
        ("http/1.1 200 OK", StatusLine),
        ("ICY 200 OK", StatusLine),
        ("<html>", StatusLine),
        (" HTTP/1.1 200 OK", StatusLine),
        ("\r\nHTTP/1.1 200 OK", StatusLine),
        ("HTTP/1.1 200 O\0K", StatusLine),
        ("HTTP/1.1 200 OK\n", LineEnd),
        ("HTTP/1.1 200 O\rK", LineEnd),
    ] {
        let text = format!("{line}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(refused(&text), Some(violation), "{line:?}");
    }
}

#[test]
fn a_response_is_framed_once() {
    use Violation::{Framing, TransferCoding};
    for (fields, violation) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", Framing),
        ("Content-Length: 5\r\nContent-Length: 6", Framing),
        ("Content-Length: 5, 5", Framing),
        ("Content-Length: -1", Framing),
        ("Transfer-Encoding: gzip, chunked", TransferCoding),
        ("Transfer-Encoding: identity", Framing),
        (" folded: 1", Violation::ObsFold),
        ("x : 1", Violation::FieldName),
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
        assert_eq!(refused(&text), Some(violation), "{fields:?}");
    }
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refused(old), Some(Framing));
}

#[test]
fn interim_responses_have_a_limit_and_switching_is_never_asked_for() {
    let interim = "HTTP/1.1 102 Processing\r\n\r\n";
    let last = "HTTP/1.1 204 No Content\r\n\r\n";
    assert_eq!(refused(&format!("{}{last}", interim.repeat(16))), None);
    let many = format!("{}{last}", interim.repeat(17));
    assert_eq!(refused(&many), Some(Violation::TooManyInterim));
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n";
    assert_eq!(refused(switch), Some(Violation::Upgrade));
}

#[test]
fn heads_have_limits() {
    let head = |length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\nx: {}\r\nContent-Length: 0\r\n\r\n",
            "x".repeat(length)
        )
    };
    let rest = head(0).len();
    assert_eq!(refused(&head(1024 - rest)), None);
    assert_eq!(refused(&head(1025 - rest)), Some(Violation::HeadTooLong));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: 1\r\n".repeat(13));
    assert_eq!(refused(&many), Some(Violation::TooManyFields));
}

fn texts() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 304\r\n",
        "HTTP/1.1",
        " ",
        "200",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "x: y\r\n",
        "x",
        ":",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "abc",
        "3\r\nabc\r\n0\r\n\r\n",
        "\0",
        "\u{e4}",
    ]);
    prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn bytes_cut_anywhere_give_the_same(text in texts(), cuts in prop::collection::vec(0_usize..200, 0..8)) {
        let whole = asked(Asked::Other).pass(text.as_bytes());
        let mut responses = asked(Asked::Other);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| (*cut).min(text.len())).collect();
        ends.push(text.len());
        ends.sort_unstable();
        let (mut bytes, mut heads) = (0, 0);
        let mut then = Then::More;
        for end in ends {
            let passed = responses.pass(&text.as_bytes()[bytes..end]);
            (bytes, heads, then) = (bytes + passed.bytes, heads + passed.heads, passed.then);
        }
        prop_assert_eq!(Passed { bytes, heads, then }, whole);
    }

    #[test]
    fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
        let passed = asked(Asked::Head).pass(&text);
        prop_assert!(passed.bytes <= text.len());
    }
}
