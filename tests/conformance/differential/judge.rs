//! Compares what the client's bytes mean to the strict reading with what the origin saw and what the client got. It knows
//! nothing of how they came: it must find a smuggled request wherever it comes from.

use bascule_testkit::strict::{Connection, Message, origin::SENTINEL};

use super::meaning::{self, End, Meaning, Understood};

/// What came of the bytes.
#[derive(Debug, Default)]
pub(super) struct Came {
    /// The final answers, and the bytes behind them that are none.
    pub(super) answers: Vec<Message>,
    pub(super) rest: Vec<u8>,
    /// The edge ended the connection.
    pub(super) is_closed: bool,
    /// What the origin got.
    pub(super) origin: Vec<Connection>,
}

/// What must not be, in words.
pub(super) fn judge(meaning: &Meaning, came: &Came) -> Vec<String> {
    let mut wrong = Vec::new();
    forwarded(meaning, came, &mut wrong);
    answered(meaning, came, &mut wrong);
    if !came.is_closed {
        wrong.push("the edge does not end the connection".to_owned());
    }
    wrong
}

/// Each request that the origin saw is one that the bytes hold, once, and in their order.
pub(super) fn forwarded(meaning: &Meaning, came: &Came, wrong: &mut Vec<String>) {
    let mut left: Vec<Option<&Understood>> = meaning.requests.iter().map(Some).collect();
    let mut cut = meaning.cut.as_ref();
    for connection in &came.origin {
        let mut from = 0;
        for seen in connection.messages.iter().filter(|it| !is_runners(it)) {
            wrong.extend(
                seen.faults
                    .iter()
                    .map(|fault| format!("the origin got {fault}")),
            );
            let fits = |it: &&Understood| is_same(it, seen) && it.body == seen.body;
            let place = left
                .iter()
                .skip(from)
                .position(|it| it.as_ref().is_some_and(fits));
            let begins = |it: &&Understood| is_same(it, seen) && it.body.starts_with(&seen.body);
            let may_be_cut = |it: &Option<&Understood>| {
                it.as_ref().is_some_and(|it| !it.is_certain && begins(it))
            };
            match place.map(|place| place + from) {
                Some(place) if seen.is_whole => {
                    left[place] = None;
                    from = place + 1;
                }
                _ if seen.is_whole => wrong.push(format!("smuggled: {}", seen.raw.escape_ascii())),
                _ if cut.as_ref().is_some_and(begins) => cut = None,
                _ if left.iter().any(may_be_cut) => {}
                _ => wrong.push(format!("a part of no request: {}", seen.raw.escape_ascii())),
            }
        }
        if connection.has_broken {
            wrong.push("the origin got what it cannot read".to_owned());
        }
    }
}

/// The other client's, which comes when all is over.
fn is_runners(message: &Message) -> bool {
    message.target() == b"/sentinel/other-client"
}

/// The same request, the body apart.
fn is_same(meant: &Understood, seen: &Message) -> bool {
    let host = seen.values("host").next();
    let own = meaning::own_fields(seen.fields.iter());
    // A trailer may be dropped, and none may be added.
    let mut meant_trailers = meant.trailers.iter();
    let is_meant = |trailer: &bascule_testkit::strict::Field| {
        meant_trailers
            .any(|it| it.name.eq_ignore_ascii_case(&trailer.name) && it.value == trailer.value)
    };
    meant.method == seen.method()
        && meant.target.as_deref() == Some(seen.target())
        && (meant.host.is_none() || meant.host.as_deref() == host)
        && meant.fields == own
        && seen.trailers.iter().all(is_meant)
}

/// Each request is answered once, by what it asked for; at most one refusal ends them.
fn answered(meaning: &Meaning, came: &Came, wrong: &mut Vec<String>) {
    let mut waiting = meaning.requests.iter();
    let (mut is_over, mut may_end) = (false, false);
    for answer in &came.answers {
        let faults = answer.faults.iter();
        wrong.extend(faults.map(|fault| format!("the client got {fault}")));
        let status = answer.status();
        if is_over {
            wrong.push(format!("{status} behind the refusal"));
        }
        // The last hop of an OPTIONS answers itself, and need not read its body.
        let is_own = answer.values("proxy-status").next().is_some();
        let is_refusal = is_own || (400..600).contains(&status);
        match (waiting.next(), status) {
            (Some(request), 200) if !is_own => {
                let echo = echo(request);
                if echo.as_deref() != Some(answer.body.as_slice()) {
                    let (echo, body) = (echo.unwrap_or_default(), &answer.body);
                    let (echo, body) = (echo.escape_ascii(), body.escape_ascii());
                    wrong.push(format!("the answer to {body} where {echo} was asked for"));
                }
            }
            (Some(request), _) if is_refusal && !request.is_certain => {
                is_over = closes(answer);
                may_end |= is_over;
            }
            (Some(_), _) => wrong.push(format!("{status} for a request that is well")),
            (None, _) if is_refusal && matches!(meaning.end, End::Part | End::Refused) => {
                is_over = true;
            }
            (None, _) => wrong.push(format!("{status} where nothing was asked for")),
        }
    }
    if !may_end && waiting.next().is_some_and(|request| request.is_certain) {
        wrong.push("a request that is well has no answer".to_owned());
    }
    if !came.rest.is_empty() {
        let rest = came.rest.escape_ascii();
        wrong.push(format!("the client got what is no answer: {rest}"));
    }
}

/// Whether it says that no other follows.
fn closes(answer: &Message) -> bool {
    let mut values = answer.values("connection");
    values.any(|value| value.eq_ignore_ascii_case(b"close"))
}

/// The body of the origin's answer to it.
pub(super) fn echo(request: &Understood) -> Option<Vec<u8>> {
    let target = request.target.as_ref()?;
    Some(match request.method.as_slice() {
        b"HEAD" => Vec::new(),
        _ if target.starts_with(SENTINEL.as_bytes()) => target.clone(),
        _ => b"ok\n".to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use bascule_testkit::strict::{Read, read_request, read_response};

    use super::*;

    const HIDDEN: &str = "GET /sentinel/hidden HTTP/1.1\r\nHost: a\r\n\r\n";

    fn read(mut bytes: &[u8]) -> Connection {
        let mut connection = Connection::default();
        while let Read::Whole(message, length) = read_request(bytes) {
            connection.messages.push(message);
            bytes = &bytes[length..];
        }
        connection
    }

    fn answer(body: &str) -> Message {
        let length = body.len();
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
        match read_response(text.as_bytes(), b"GET") {
            Read::Whole(message, _) => message,
            other => panic!("{other:?}"),
        }
    }

    fn wrong(client: &str, origin: &str, answers: &[&str]) -> Vec<String> {
        let came = Came {
            answers: answers.iter().map(|body| answer(body)).collect(),
            origin: vec![read(origin.as_bytes())],
            is_closed: true,
            ..Came::default()
        };
        judge(&meaning::of(client.as_bytes()), &came)
    }

    fn with_body(fields: &str) -> String {
        format!("POST /sentinel/a HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{HIDDEN}")
    }

    #[test]
    fn a_request_hidden_in_a_body_is_found_when_the_origin_sees_it() {
        let length = HIDDEN.len();
        let client = with_body(&format!("Content-Length: {length}"));
        assert_eq!(
            wrong(&client, &client, &["/sentinel/a"]),
            Vec::<String>::new()
        );
        let split = with_body("Content-Length: 0");
        let found = wrong(&client, &split, &["/sentinel/a", "/sentinel/hidden"]);
        assert!(
            found
                .iter()
                .any(|it| it.starts_with("smuggled: GET /sentinel/hidden")),
            "{found:?}"
        );
        assert!(
            found
                .iter()
                .any(|it| it == "200 where nothing was asked for"),
            "{found:?}"
        );
    }

    #[test]
    fn a_length_said_twice_must_be_forwarded_neither_way() {
        let client = with_body("Content-Length: 0\r\nContent-Length: 42");
        for seen in [
            with_body("Content-Length: 0"),
            with_body("Content-Length: 42"),
        ] {
            assert!(!wrong(&client, &seen, &[]).is_empty());
        }
        assert_eq!(wrong(&client, "", &[]), Vec::<String>::new());
    }

    #[test]
    fn what_is_changed_doubled_turned_or_not_answered_is_found() {
        let a = "GET /sentinel/a HTTP/1.1\r\nHost: a\r\nX-Z: 1\r\n\r\n";
        let both = [a, HIDDEN].concat();
        let answers = ["/sentinel/a", "/sentinel/hidden"];
        assert_eq!(wrong(&both, &both, &answers), Vec::<String>::new());
        assert!(!wrong(&both, &[HIDDEN, a].concat(), &answers).is_empty());
        assert!(!wrong(&both, &[a, a, HIDDEN].concat(), &answers).is_empty());
        assert!(!wrong(&both, &both.replace("X-Z: 1", "X-Z: 2"), &answers).is_empty());
        assert!(!wrong(&both, &both.replace("Host: a", "Host: b"), &answers).is_empty());
        assert!(!wrong(&both, &both, &["/sentinel/hidden", "/sentinel/a"]).is_empty());
        assert!(!wrong(&both, &both, &["/sentinel/a"]).is_empty());
    }
}
