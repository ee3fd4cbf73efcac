//! The same over HTTP/2: fields with odd names, values and places go to the real binary in frames, and what the HTTP/1 origin
//! sees must be what they say. A message means something when its fields, written as HTTP/1, read strictly as the same
//! fields again, and RFC 9113 §8.2 and §8.3 have nothing against it.

use bascule_testkit::StrictOrigin;
use bascule_testkit::frames::client::Client;
use bascule_testkit::frames::hpack::{Block, Field};
use bascule_testkit::frames::{END_HEADERS, END_STREAM, Frame};
use bascule_testkit::strict::{Read, read_request};
use fastrand::Rng;

use super::bytes::{ODD, TRICK, mostly, pick};
use super::judge::{self, Came};
use super::meaning::{self, End, Meaning, Understood};
use crate::http1::PATIENCE;
use crate::http1::drive::disturbs_nobody;

/// Fields of one hop (RFC 9113 §8.2.2).
const OF_ONE_HOP: [&[u8]; 5] = [
    b"connection",
    b"proxy-connection",
    b"keep-alive",
    b"transfer-encoding",
    b"upgrade",
];

/// Methods that are none, or are not offered.
const METHODS: &[&str] = &[
    "TRACE",
    "CONNECT",
    "G T",
    "",
    "GET / HTTP/1.1\r\nX: ",
    "get",
];
/// What may stand behind a path, or break it.
const PATH_ENDS: &[&str] = &[
    "?a=b",
    "/../x",
    "/%2e/y",
    "/..",
    "?q=%zz",
    " HTTP/1.1",
    "#",
    "/é",
    "\r\nHost: b",
];
/// Instead of a path.
const PATHS: &[&str] = &["*", "", "a", "http://b.example/", "//b/c", "/ /", "?x"];
/// Hosts, and what is none.
const HOSTS: &[&str] = &[
    "A.example:80",
    "",
    "a b",
    "u@a",
    "a\r\nX: 1",
    "[::1]",
    "a,b",
    "a/b",
    "a:99999",
];

/// One request, as it stands in frames.
#[derive(Debug)]
struct Asked {
    fields: Vec<Field>,
    body: Vec<u8>,
}

/// Plays the case of a seed, one stream after the other; what is wrong, with what was sent.
pub(super) fn failure(
    seed: u64,
    edge: std::net::SocketAddr,
    origin: &StrictOrigin,
) -> anyhow::Result<Option<String>> {
    let mut rng = Rng::with_seed(seed);
    origin.begin(Vec::new());
    let mut client = Client::connect(edge)?;
    client.hello(&[])?;
    let (mut wrong, mut requests, mut sent) = (Vec::new(), Vec::new(), String::new());
    for number in 0..rng.u32(1..=3) {
        let asked = asked(&mut rng, number);
        sent.extend(asked.fields.iter().map(|(name, value)| {
            format!(
                "  sent      {}: {}\n",
                name.escape_ascii(),
                value.escape_ascii()
            )
        }));
        let stream = number * 2 + 1;
        send(&mut client, stream, &asked)?;
        client.until("an end", |seen| seen.has_ended(stream))?;
        let meant = meaning(&asked);
        wrong.extend(answered(&client, stream, meant.as_ref()));
        requests.extend(meant);
        if client.seen().closed.is_some() {
            break;
        }
    }
    wrong.extend(client.seen().fault.clone());
    drop(client.finish());
    disturbs_nobody(edge, PATIENCE).map_err(anyhow::Error::msg)?;
    let came = Came {
        origin: origin.finish()?,
        ..Came::default()
    };
    let meaning = Meaning {
        requests,
        cut: None,
        end: End::Clean,
    };
    judge::forwarded(&meaning, &came, &mut wrong);
    let wrong = (!wrong.is_empty()).then(|| wrong.join("; "));
    Ok(wrong.map(|wrong| format!("BASCULE_DIFFERENTIAL_SEED={seed}: {wrong}\n{sent}")))
}

fn send(client: &mut Client, stream: u32, asked: &Asked) -> anyhow::Result<()> {
    let block = asked
        .fields
        .iter()
        .fold(Block::new(), |block, (name, value)| {
            block.field(name, value)
        });
    let has_body = !asked.body.is_empty();
    let end = if has_body { 0 } else { END_STREAM };
    client.send(&Frame::headers(stream, END_HEADERS | end, block))?;
    if has_body {
        client.send(&Frame::data(stream, END_STREAM, asked.body.clone()))?;
    }
    Ok(())
}

/// What is wrong with the answer on this stream.
fn answered(client: &Client, stream: u32, meant: Option<&Understood>) -> Option<String> {
    let status = client.seen().status(stream);
    let came = client.seen().streams.get(&stream);
    let is_own = came.is_some_and(|came| came.field("proxy-status").is_some());
    let body = came.map(|came| came.body.clone());
    match (status, meant) {
        (Some(200), Some(request)) if !is_own && body == judge::echo(request) => None,
        (Some(200), _) if !is_own => {
            Some(format!("stream {stream} has an answer that is not its own"))
        }
        (_, Some(request)) if request.is_certain => Some(format!(
            "{status:?} for the request on stream {stream}, which is well"
        )),
        _ => None,
    }
}

/// What it means; `None`: it must not be forwarded.
fn meaning(asked: &Asked) -> Option<Understood> {
    let is_pseudo = |field: &&Field| field.0.starts_with(b":");
    let pseudo: Vec<&Field> = asked.fields.iter().take_while(is_pseudo).collect();
    let others = asked.fields.get(pseudo.len()..).unwrap_or_default();
    let known: [&[u8]; 4] = [b":method", b":scheme", b":path", b":authority"];
    if !pseudo
        .iter()
        .all(|(name, _)| known.contains(&name.as_slice()))
    {
        return None;
    }
    let method = only(pseudo.iter().copied(), b":method")??;
    let scheme = only(pseudo.iter().copied(), b":scheme")??;
    let path = only(pseudo.iter().copied(), b":path")??;
    let authority = only(pseudo.iter().copied(), b":authority")?;
    let named = only(others.iter(), b"host")?;
    let length = only(others.iter(), b"content-length")?;
    let is_number = |said: &[u8]| !said.is_empty() && said.iter().all(u8::is_ascii_digit);
    let number = |said: &[u8]| -> Option<usize> { std::str::from_utf8(said).ok()?.parse().ok() };
    let says = |body: &[u8]| length.is_none_or(|said| number(said) == Some(body.len()));
    let body = match asked.body.as_slice() {
        body if says(body) => body.to_vec(),
        // Whole with its head, and perhaps on its way when the body comes that it must not have.
        _ if says(b"") => Vec::new(),
        // Its beginning may be on its way before the lie is seen. The byte more lets nothing be all of it.
        body => [body, b"\0"].concat(),
    };
    let host = named.or(authority)?;
    let agrees = authority.is_none_or(|authority| authority.eq_ignore_ascii_case(host));
    let is_wrong = |(name, value): &Field| {
        let is_te = name == b"te" && !value.eq_ignore_ascii_case(b"trailers");
        is_te || OF_ONE_HOP.contains(&name.as_slice()) || name.iter().any(u8::is_ascii_uppercase)
    };
    if !agrees || !length.is_none_or(is_number) || others.iter().any(is_wrong) {
        return None;
    }
    let mut lines: Vec<Field> = vec![(b"Host".to_vec(), host.to_vec())];
    let framing: [&[u8]; 3] = [b"host", b"content-length", b"te"];
    lines.extend(
        others
            .iter()
            .filter(|(name, _)| !framing.contains(&name.as_slice()))
            .cloned(),
    );
    let understood = read_back(&[method, b" ", path, b" HTTP/1.1"].concat(), &lines)?;
    Some(Understood {
        is_certain: understood.is_certain && scheme == b"http" && body == asked.body,
        body,
        ..understood
    })
    .filter(|_| matches!(scheme, b"http" | b"https"))
}

/// The value of the one field with this name; the outer `None`: there are several.
fn only<'a>(fields: impl Iterator<Item = &'a Field>, name: &[u8]) -> Option<Option<&'a [u8]>> {
    let mut named = fields.filter(|field| field.0 == name);
    let first = named.next().map(|(_, value)| value.as_slice());
    named.next().is_none().then_some(first)
}

/// Written as HTTP/1 and read again; `None`: it is not the same any more, or has a fault.
fn read_back(line: &[u8], fields: &[Field]) -> Option<Understood> {
    let mut text = [line, b"\r\n"].concat();
    for (name, value) in fields {
        text.extend([name, &b": "[..], value, b"\r\n"].concat());
    }
    text.extend(b"\r\n");
    let Read::Whole(message, length) = read_request(&text) else {
        return None;
    };
    let again = message
        .fields
        .iter()
        .map(|field| (&field.name, &field.value));
    let is_same = length == text.len()
        && message.start == line
        && message.faults.is_empty()
        && again.eq(fields.iter().map(|(name, value)| (name, value)));
    is_same.then(|| meaning::of(&text).requests.pop()).flatten()
}

fn asked(rng: &mut Rng, number: u32) -> Asked {
    let method = pick(rng, &["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"]);
    let method = mostly(rng, method, METHODS);
    let path = format!("/sentinel/{number}");
    let end = mostly(rng, "", PATH_ENDS);
    let path = format!("{path}{end}");
    let path = mostly(rng, &path, PATHS);
    let host = mostly(rng, "a.example", HOSTS);
    let scheme = mostly(
        rng,
        "http",
        &["https", "ftp", "", "http\r\n", "HTTP", "h ttp"],
    );
    let mut fields = vec![
        field(":method", method),
        field(":scheme", scheme),
        field(":path", path),
        field(":authority", host),
    ];
    let body = match rng.u8(..3) {
        0 => b"0\r\n\r\nGET /sentinel/hidden HTTP/1.1\r\nHost: a.example\r\n\r\n".to_vec(),
        1 => b"abcdefgh"[..rng.usize(1..=8)].to_vec(),
        _ => Vec::new(),
    };
    if !body.is_empty() && rng.bool() {
        let length = body.len().to_string();
        let zeros = format!("+{length}");
        let length = mostly(
            rng,
            &length,
            &["0", "1", "99", "", "x", &zeros, "1, 1", "1\r\n"],
        );
        fields.push(field("content-length", length));
    }
    for _ in 0..rng.usize(..=3) {
        fields.push(other(rng));
    }
    rearrange(rng, &mut fields);
    Asked { fields, body }
}

/// A field that is none of the four.
fn other(rng: &mut Rng) -> Field {
    let value = pick(
        rng,
        &["1", "", "a, b", "a\tb", "é", "a: b", "GET / HTTP/1.1"],
    );
    let plain = pick(rng, &["x-z-a", "x-z-b", "x-z!#$%&'*+.^`|~"]);
    let tricks = [
        "X-Z-a",
        "connection",
        "transfer-encoding",
        "te",
        "upgrade",
        "keep-alive",
        "host",
        "x-z a",
        "x-z:",
        "",
        ":x",
        ":path",
        ":authority",
        "content-length",
        "x-z\r\nhost",
        "proxy-connection",
        "expect",
        "x-z_a",
    ];
    let name = mostly(rng, plain, &tricks);
    let value = mostly(
        rng,
        value,
        &[
            "chunked",
            "trailers",
            "close",
            "a.example",
            "a\r\nx-z-a: 1",
            "\n",
            "a\0",
            " a",
            "a\t",
            "\r",
        ],
    );
    field(name, value)
}

fn field(name: &str, value: &str) -> Field {
    (name.as_bytes().to_vec(), value.as_bytes().to_vec())
}

/// Now and then a field is doubled, left out or moved, or a byte put into it.
fn rearrange(rng: &mut Rng, fields: &mut Vec<Field>) {
    if rng.f64() > TRICK * 5.0 {
        return;
    }
    let at = rng.usize(..fields.len());
    match rng.u8(..6) {
        0 => fields.push(fields[at].clone()),
        1 => drop(fields.remove(at)),
        2 => rng.shuffle(fields),
        kind => {
            let (name, value) = &mut fields[at];
            let text = if kind == 3 { name } else { value };
            let place = rng.usize(..=text.len());
            let odd = ODD[rng.usize(..ODD.len())];
            drop(text.splice(place..place, odd.iter().copied()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&str, &str)]) -> Option<Understood> {
        let owned =
            |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        let fields = fields.iter().map(owned).collect();
        meaning(&Asked {
            fields,
            body: Vec::new(),
        })
    }

    #[test]
    fn fields_mean_what_they_mean_as_http1_and_nothing_where_that_differs() {
        let plain = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/a/../b"),
            (":authority", "a"),
        ];
        assert_eq!(of(&plain).and_then(|it| it.target), Some(b"/b".to_vec()));
        for field in [
            ("x", "1\r\ny: 2"),
            ("x ", "1"),
            ("X", "1"),
            ("x", " 1"),
            ("te", "gzip"),
            (":path", "/"),
            ("host", "b"),
            ("content-length", "+0"),
        ] {
            assert_eq!(of(&[&plain[..], &[field]].concat()), None, "{field:?}");
        }
        for at in 0..plain.len() {
            let mut fields = plain.to_vec();
            fields.remove(at);
            assert_eq!(of(&fields), None, "without {:?}", plain[at]);
        }
    }
}
