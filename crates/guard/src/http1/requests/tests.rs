//! Requests by example, cut anywhere, against a naive reader and against httparse.

use proptest::prelude::*;

use super::*;
use crate::http1::Body;

const FIELDS_MAX: usize = 12;

fn limits() -> Limits {
    Limits::of_requests(1024, FIELDS_MAX)
}

/// Shows the text in pieces, as a stream would, and gives what passed and how it ended.
fn show(text: &[u8], cuts: &[usize]) -> Passed {
    let mut requests = Requests::new(limits());
    let mut ends: Vec<usize> = cuts.iter().map(|cut| (*cut).min(text.len())).collect();
    ends.push(text.len());
    ends.sort_unstable();
    let (mut bytes, mut heads) = (0, 0);
    let mut then = Then::More;
    for end in ends {
        let passed = requests.pass(&text[bytes..end]);
        bytes += passed.bytes;
        heads += passed.heads;
        then = passed.then;
    }
    Passed { bytes, heads, then }
}

fn whole(text: &str) -> Passed {
    show(text.as_bytes(), &[])
}

fn refused(text: &str) -> Option<Violation> {
    let passed = whole(text);
    match passed.then {
        Then::BadHead(violation) | Then::BadBody(violation) => Some(violation),
        Then::More | Then::Hold | Then::Drop => None,
    }
}

#[test]
fn requests_pass_one_behind_the_other() {
    for text in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a?b=c&d={e} HTTP/1.1\r\nhost:\t a.example:80 \t\r\nempty:\r\nx: \u{e4}\tb\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://A.example:80 HTTP/1.1\r\nHost: a.EXAMPLE:80\r\n\r\n",
        "GET HTTPS://a/x HTTP/1.1\r\nX: 1\r\nHost: a\r\n\r\n",
        "M-SEARCH / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    ] {
        let length = text.len();
        assert_eq!(
            whole(text),
            Passed {
                bytes: length,
                heads: 1,
                then: Then::More
            },
            "{text:?}"
        );
        let twice = text.repeat(2);
        assert_eq!(
            whole(&twice),
            Passed {
                bytes: length * 2,
                heads: 2,
                then: Then::More
            },
            "{text:?}"
        );
        let half = &twice[..length + 8];
        let passed = Passed {
            bytes: length,
            heads: 1,
            then: Then::Hold,
        };
        assert_eq!(whole(half), passed, "{text:?}");
    }
}

#[test]
fn behind_the_last_request_nothing_passes() {
    for text in [
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi",
    ] {
        let more = format!("{text}GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(
            whole(&more),
            Passed {
                bytes: text.len(),
                heads: 1,
                then: Then::Drop
            },
            "{text:?}"
        );
    }
}

#[test]
fn a_first_line_has_three_parts_with_single_spaces() {
    use Violation::{Connect, LineEnd, RequestLine, Target, TargetTooLong, Version};
    let long = format!("GET /{} HTTP/1.1", "x".repeat(512));
    for (line, violation) in [
        ("GET  / HTTP/1.1", RequestLine),
        ("GET /  HTTP/1.1", RequestLine),
        (" GET / HTTP/1.1", RequestLine),
        ("GET / HTTP/1.1 ", RequestLine),
        ("GET\t/ HTTP/1.1", RequestLine),
        ("GET /\tHTTP/1.1", Target),
        ("GET /", RequestLine),
        ("GET", RequestLine),
        ("GET / http/1.1", RequestLine),
        ("GET / HTTP/1.1x", RequestLine),
        ("GET / HTTP/11", RequestLine),
        ("GET / HTTP/1.", RequestLine),
        ("GET / HTTP/1.1\r", LineEnd),
        ("GET / HTTP /1.1", RequestLine),
        ("GET / ICY/1.1", RequestLine),
        ("G@T / HTTP/1.1", RequestLine),
        ("(GET) / HTTP/1.1", RequestLine),
        ("\u{16}\u{3}\u{1}", RequestLine),
        ("GET / HTTP/2.0", Version),
        ("GET / HTTP/1.2", Version),
        ("GET / HTTP/0.9", Version),
        ("PRI * HTTP/2.0", Version),
        ("GET /\0 HTTP/1.1", Target),
        ("GET /\u{e4} HTTP/1.1", Target),
        ("GET /a#b HTTP/1.1", Target),
        ("GET /a%zz HTTP/1.1", Target),
        ("GET /a?b=% HTTP/1.1", Target),
        ("GET /a%00b HTTP/1.1", Target),
        ("GET /a\rb HTTP/1.1", LineEnd),
        ("GET\ra HTTP/1.1", LineEnd),
        ("GET /\\ HTTP/1.1", Target),
        ("GET a HTTP/1.1", Target),
        ("GET * HTTP/1.1", Target),
        ("GET a:80 HTTP/1.1", Target),
        ("GET ftp://a/ HTTP/1.1", Target),
        ("GET http:/a HTTP/1.1", Target),
        ("GET http:///a HTTP/1.1", Violation::Host),
        ("GET http://u@a/ HTTP/1.1", Violation::Host),
        ("CONNECT a:443 HTTP/1.1", Connect),
        (&long, TargetTooLong),
    ] {
        let text = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(refused(&text), Some(violation), "{line:?}");
    }
    assert_eq!(refused("GET / HTTP/1.1\nHost: a\n\n"), Some(LineEnd));
    assert_eq!(
        refused("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Some(LineEnd)
    );
    assert_eq!(refused("\r\n\r\n\r\nGET / HTTP/1.1\r\n"), Some(RequestLine));
}

#[test]
fn a_field_is_a_token_a_colon_and_a_value_on_one_line() {
    use Violation::{FieldName, FieldValue, LineEnd, ObsFold};
    for (line, violation) in [
        ("x : 1", FieldName),
        ("x", FieldName),
        (": 1", FieldName),
        ("b@d: 1", FieldName),
        ("b d: 1", FieldName),
        ("x\0: 1", FieldName),
        ("\u{e4}: 1", FieldName),
        (" folded", ObsFold),
        ("\tfolded", ObsFold),
        ("x: 1\r\n folded", ObsFold),
        ("Content-Length:\r\n 3", ObsFold),
        ("x: \0", FieldValue),
        ("x: \u{7f}", FieldValue),
        ("x: a\u{b}b", FieldValue),
        ("x: a\rb", LineEnd),
        ("x: a\nb: c", LineEnd),
        ("x: 1\r", LineEnd),
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
        assert_eq!(refused(&text), Some(violation), "{line:?}");
    }
    let long = format!("GET / HTTP/1.1\r\n{}: 1\r\n", "x".repeat(257));
    assert_eq!(refused(&long), Some(FieldName));
}

#[test]
fn one_host_is_named_once_and_is_the_targets() {
    for head in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
        "GET http://a/ HTTP/1.0\r\nHost: b\r\n\r\n",
    ] {
        assert_eq!(refused(head), Some(Violation::Host), "{head:?}");
    }
}

#[test]
fn a_body_is_framed_once() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ] {
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\n");
        assert_eq!(refused(&text), Some(Violation::Framing), "{fields:?}");
    }
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(refused(old), Some(Violation::Framing));
}

#[test]
fn what_comes_before_a_violation_passes() {
    let good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let passed = whole(&format!("{good}{good}GET / HTTP/1.1\r\n\r\n{good}"));
    let then = Then::BadHead(Violation::Host);
    assert_eq!(
        passed,
        Passed {
            bytes: good.len() * 2,
            heads: 2,
            then
        }
    );
    let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello";
    let passed = whole(&format!("{post}x{good}"));
    let then = Then::BadBody(Violation::Chunk);
    assert_eq!(
        passed,
        Passed {
            bytes: post.len(),
            heads: 1,
            then
        }
    );
}

#[test]
fn heads_have_limits() {
    let many = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "x: 1\r\n".repeat(FIELDS_MAX)
    );
    assert_eq!(refused(&many), Some(Violation::TooManyFields));
    let head = |length: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n",
            "x".repeat(length)
        )
    };
    let rest = head(0).len();
    assert_eq!(whole(&head(1024 - rest)).then, Then::More);
    assert_eq!(refused(&head(1025 - rest)), Some(Violation::HeadTooLong));
    assert_eq!(refused(&head(9999)), Some(Violation::HeadTooLong));
}

#[test]
fn a_body_that_is_still_to_come_is_known() {
    let mut requests = Requests::new(limits());
    requests.pass(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    assert!(requests.is_in_body());
    requests.pass(b"hi");
    assert!(!requests.is_in_body());
}

#[test]
fn a_target_without_a_path_is_known_by_the_number_of_its_head() {
    let mut requests = Requests::new(limits());
    for target in ["/", "http://a", "http://a/", "http://a", "http://a?x"] {
        requests.pass(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    }
    let known = (1..=5).map(|head| requests.was_without_path(head));
    assert_eq!(known.collect::<Vec<_>>(), [false, true, false, true, false]);
}

/// The rules again, in the plainest way: for one head that has come whole and has no body.
fn naive(text: &str) -> Option<Violation> {
    let (head, _) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let line: Vec<&str> = lines.next()?.split(' ').collect();
    let [method, target, version] = line[..] else {
        return Some(Violation::RequestLine);
    };
    if method.is_empty()
        || !method.bytes().all(|b| b.is_ascii_alphabetic())
        || version != "HTTP/1.1"
    {
        return Some(Violation::RequestLine);
    }
    if !target.starts_with('/') {
        return Some(Violation::Target);
    }
    let mut hosts = 0;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            return Some(Violation::FieldName);
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Some(Violation::FieldName);
        }
        if name.eq_ignore_ascii_case("host") {
            hosts += 1;
            if hosts > 1 || value.trim_matches([' ', '\t']) != "a" {
                return Some(Violation::Host);
            }
        }
    }
    (hosts == 0).then_some(Violation::Host)
}

fn heads() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "POST /a?b HTTP/1.1\r\n",
        "GET",
        " ",
        "/",
        "HTTP/1.1",
        "HTTP/1.0",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "Host: a\r\n",
        "host:a\r\n",
        "Host: b\r\n",
        "x: y\r\n",
        "x",
        ":",
        "Content-Length: 3\r\n",
        "Content-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "abc",
        "3\r\nabc\r\n0\r\n\r\n",
        "\0",
        "\t",
        "\u{e4}",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ]);
    prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn bytes_cut_anywhere_give_the_same(text in heads(), cuts in prop::collection::vec(0_usize..200, 0..8)) {
        prop_assert_eq!(show(text.as_bytes(), &cuts), whole(&text));
    }

    #[test]
    fn one_byte_at_a_time_gives_the_same(text in heads()) {
        let cuts: Vec<usize> = (0..text.len()).collect();
        prop_assert_eq!(show(text.as_bytes(), &cuts), whole(&text));
    }

    #[test]
    fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..300), cuts in prop::collection::vec(0_usize..300, 0..4)) {
        let passed = show(&text, &cuts);
        prop_assert!(passed.bytes <= text.len());
    }

    #[test]
    fn a_naive_reader_agrees(
        first in "(GET|POST|G T|) ?(/|/a|a)? ?HTTP/1.1",
        fields in prop::collection::vec("(Host: a|host:a|Host: b|x: y|x y: 1|: 1|novalue)", 0..4),
    ) {
        let lines: String = fields.iter().map(|line| format!("{line}\r\n")).collect();
        let text = format!("{first}\r\n{lines}\r\n");
        let naive = naive(&text);
        prop_assert_eq!(refused(&text).is_some(), naive.is_some(), "{:?}", naive);
        if !matches!(naive, Some(Violation::RequestLine | Violation::Target)) {
            prop_assert_eq!(refused(&text), naive);
        }
    }

    /// The engine's parser must read what passes, and read the same.
    #[test]
    fn what_passes_is_read_the_same_by_another_parser(text in heads()) {
        let bytes = text.as_bytes();
        let mut reader = RequestReader::default();
        if let Ok(Some(head)) = reader.read(bytes, &limits()) {
            let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
            let mut request = httparse::Request::new(&mut fields);
            let length = request.parse(bytes).unwrap();
            prop_assert_eq!(length, httparse::Status::Complete(head.length));
            let named = |name: &str| {
                let found = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
                found.map(|field| field.value.to_vec()).collect::<Vec<_>>()
            };
            let body = match (&named("content-length")[..], &named("transfer-encoding")[..]) {
                ([], []) => Body::None,
                ([length], []) => Body::Length(String::from_utf8_lossy(length).parse().unwrap()),
                ([], [_]) => Body::Chunked,
                _ => panic!("framed twice: {text:?}"),
            };
            prop_assert_eq!(head.body, body);
            prop_assert!(named("host").len() <= 1);
        }
    }
}
