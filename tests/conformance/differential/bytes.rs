//! Makes up what a client sends: requests by the grammar, each with a few of the tricks that readers of HTTP/1 have
//! disagreed about, then changes at places that matter to a reader, then pieces. The same seed makes the same bytes.

use fastrand::Rng;

/// A request that must stay hidden in the body it stands in.
const HIDDEN: &str = "GET /sentinel/hidden HTTP/1.1\r\nHost: a.example\r\n\r\n";
/// Bytes that readers take for something else.
pub(super) const ODD: [&[u8]; 22] = [
    b"\0",
    b"\t",
    b"\n",
    b"\x0b",
    b"\r",
    b" ",
    b",",
    b":",
    b";",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"0",
    b"-",
    b"+",
    b"_",
    b"\r\n",
    b"\r\n ",
    b"\r\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b"x",
];
/// How often a place of the grammar has a trick in it.
pub(super) const TRICK: f64 = 0.06;

/// Names that are, or are taken for, `Transfer-Encoding`.
const CODING_NAMES: &[&str] = &[
    "transfer-encoding",
    "Transfer-Encoding ",
    " Transfer-Encoding",
    "Transfer_Encoding",
    "Transfer-Encoding\t",
    "\r\nTransfer-Encoding",
    "X:\nTransfer-Encoding",
    "Transfer-Encodin\u{11f}",
];

/// Codings that one reader takes for `chunked` and another does not.
const CODINGS: &[&str] = &[
    "Chunked",
    "chunked ",
    "\tchunked",
    "chunked, chunked",
    "gzip, chunked",
    "chunked;q=1",
    "xchunked",
    "\x0bchunked",
    "identity",
    "chunked, identity",
    "\"chunked\"",
    "",
    "chunked,",
    ",chunked",
    "chunked\r\nTransfer-Encoding: chunked",
    "chunked\r\nContent-Length: 3",
    "\r\n chunked",
    "chunked\0",
];

/// Lengths; N is the right one.
const LENGTHS: &[&str] = &[
    "+N",
    "N ",
    " N",
    "N,N",
    "N, N",
    "N\r\nContent-Length: N",
    "N\r\nContent-Length: 0",
    "0xN",
    "-N",
    "N\t",
    "0N",
    "N;",
    "N\r\n Content-Length: 0",
    "99999999999999999999",
    "18446744073709551615",
    "N.0",
    "N\x0b",
    "",
    "1N",
    "\u{661}",
];

/// The pieces that are sent.
pub(super) fn pieces(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    for number in 0..rng.usize(1..=4) {
        bytes.extend(request(rng, number));
    }
    if rng.bool() {
        for _ in 0..rng.usize(1..=3) {
            mutate(rng, &mut bytes);
        }
    }
    split(rng, bytes)
}

pub(super) fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}

/// The plain form, or now and then a trick.
pub(super) fn mostly<'a>(rng: &mut Rng, plain: &'a str, tricks: &[&'a str]) -> &'a str {
    if rng.f64() < TRICK {
        pick(rng, tricks)
    } else {
        plain
    }
}

fn request(rng: &mut Rng, number: usize) -> Vec<u8> {
    let methods = ["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH"];
    let method = pick(rng, &methods);
    let method = mostly(
        rng,
        method,
        &["TRACE", "CONNECT", "get", "M-SEARCH", "G\tET", "GE(T", ""],
    );
    let version = mostly(
        rng,
        "HTTP/1.1",
        &[
            "HTTP/1.0",
            "HTTP/1.0",
            "HTTP/1.2",
            "HTTP/2.0",
            "http/1.1",
            "HTTP/1.1 ",
            "HTTP/01.1",
            "HTTP/1.10",
            "",
        ],
    );
    let target = target(rng, number);
    let mut head = format!("{method} {target} {version}\r\n").into_bytes();
    let host = mostly(
        rng,
        "Host: a.example\r\n",
        &[
            "Host: A.EXAMPLE:8080\r\n",
            "Host: [::1]\r\n",
            "Host:\r\n",
            "",
            "Host: a b\r\n",
            "Host: u@a\r\n",
            "Host: a.example\r\nHost: a.example\r\n",
            "Host: a.example\r\nHost: b\r\n",
            "hOST:\t a.example \t\r\n",
            "Host : a.example\r\n",
            " Host: a.example\r\n",
            "Host: a.example, b\r\n",
            "Host: a.example:99999\r\n",
        ],
    );
    let (framing, body) = framed(rng);
    let mut fields: Vec<Vec<u8>> = vec![host.into(), framing];
    for _ in 0..rng.usize(0..=3) {
        fields.push(field(rng));
    }
    rng.shuffle(&mut fields);
    head.extend(fields.concat());
    head.extend(
        mostly(
            rng,
            "\r\n",
            &["\n", "\r", "\r\r\n", " \r\n", "\r\n\r\n", "\t\r\n"],
        )
        .bytes(),
    );
    head.extend(body);
    head
}

fn target(rng: &mut Rng, number: usize) -> String {
    let path = format!("/sentinel/{number}");
    let ends = [
        "?a=b",
        "/../x",
        "/./y",
        "/%2e%2E/z",
        "/a%2Fb",
        "/[x]{y}|",
        "?q=%zz",
        "//b",
        "/..",
        "/.",
        "/..;/b",
        "?/../c",
        "/%",
        "%00",
    ];
    let end = if rng.f64() < 0.3 {
        pick(rng, &ends)
    } else {
        ""
    };
    let starts = [
        "http://a.example",
        "HTTP://A.example",
        "https://a.example",
        "http://b.example",
        "http://u@a.example",
        "ftp://a.example",
        "//a.example",
        "/../..",
        "/sentinel/../..",
        "http://",
        "a.example:80",
        "#",
        "\\",
        "/é",
    ];
    let start = mostly(rng, "", &starts);
    let whole = format!("{start}{path}{end}");
    mostly(
        rng,
        &whole,
        &[
            "*",
            "http://a.example",
            "http://a.example?x",
            "/",
            "",
            "/ /",
            "a.example:80",
        ],
    )
    .to_owned()
}

fn field(rng: &mut Rng) -> Vec<u8> {
    let own = ["X-Z-a", "X-Z-b", "x-z-A", "X-Z!#$%&'*+.^`|~"];
    let values = [
        "1",
        "",
        "a, b",
        "\"q\\\"\"",
        "a\tb",
        "é",
        "a:b;c",
        HIDDEN.lines().next().unwrap_or(""),
    ];
    let (name, value) = (pick(rng, &own), pick(rng, &values));
    let plain = format!("{name}: {value}\r\n");
    if rng.f64() > TRICK * 4.0 {
        return plain.into();
    }
    let tricks = [
        "Connection: close\r\n",
        "Connection: keep-alive\r\n",
        "Connection: X-Z-a\r\n",
        "Connection: content-length\r\n",
        "Connection: transfer-encoding, host\r\n",
        "Connection: te\r\n",
        "TE: trailers\r\n",
        "TE: chunked\r\n",
        "Expect: 100-continue\r\n",
        "Expect: 200-ok\r\n",
        "Upgrade: h2c\r\n",
        "Max-Forwards: 0\r\n",
        "Trailer: X-T\r\n",
        "Cookie: a=b\r\n",
        "Keep-Alive: 5\r\n",
        "X-Z-a : 1\r\n",
        "X-Z-a\r\n",
        ": 1\r\n",
        "X-Z-a: 1\r\n 2\r\n",
        "X-Z-a: 1\n",
        "X-Z-a: 1\rX-Z-b: 2\r\n",
        "X-Z-a: \0\r\n",
        "X-Z\x0b: 1\r\n",
        "X-Z_a: 1\r\n",
        "X-Z-\u{e9}: 1\r\n",
        "HTTP2-Settings: AAMAAABk\r\n",
        "Proxy-Connection: close\r\n",
        "Forwarded: host=b\r\n",
        "Via: 1.1 x\r\n",
    ];
    pick(rng, &tricks).into()
}

/// The fields that frame, and the body as they would have it, or nearly.
fn framed(rng: &mut Rng) -> (Vec<u8>, Vec<u8>) {
    let body = match rng.u8(..4) {
        0 => HIDDEN.to_owned(),
        1 => format!("0\r\n\r\n{HIDDEN}"),
        _ => "abcdefghijklmnopqrstuvwxyz"[..rng.usize(..=26)].to_owned(),
    };
    let length = body.len();
    match rng.u8(..8) {
        0..=2 => (Vec::new(), Vec::new()),
        3 | 4 => (format!("Content-Length: {length}\r\n").into(), body.into()),
        5 | 6 => {
            let name = mostly(rng, "Transfer-Encoding", CODING_NAMES);
            let value = mostly(rng, "chunked", CODINGS);
            (
                format!("{name}: {value}\r\n").into(),
                chunks(rng, body.as_bytes()),
            )
        }
        _ => {
            let value = pick(rng, LENGTHS).replace('N', &length.to_string());
            let name = pick(
                rng,
                &[
                    "Content-Length",
                    "content-length",
                    "Content-Length ",
                    "Content_Length",
                    "Content-Length:",
                ],
            );
            (format!("{name}: {value}\r\n").into(), body.into())
        }
    }
}

fn chunks(rng: &mut Rng, mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while !body.is_empty() {
        let size = rng.usize(1..=body.len());
        let (data, rest) = body.split_at(size);
        body = rest;
        let forms = [
            "0xN",
            "+N",
            "-N",
            "N ",
            " N",
            "00N",
            "N;a",
            "N;a=\"b;\\\"\"",
            "N;",
            "N;a=b;c",
            "N;\n",
            "N\t",
            "1N",
            "N_",
            "N;a\rb",
            "fffffffffffffffffN",
            "10000000000000000N",
            "N;GET / HTTP/1.1",
            "",
        ];
        let size = mostly(rng, "N", &forms).replace('N', &format!("{size:x}"));
        out.extend(size.bytes());
        out.extend(mostly(rng, "\r\n", &["\n", "\r", "\r\r\n", "\r\n\r\n"]).bytes());
        out.extend(data);
        out.extend(mostly(rng, "\r\n", &["\n", "\r", "", "x\r\n", "\r\r\n", "\rx"]).bytes());
    }
    let ends = [
        "0\n", "00\r\n", "0;x\r\n", "0 \r\n", "-0\r\n", "", "\r\n", "0x0\r\n",
    ];
    out.extend(mostly(rng, "0\r\n", &ends).bytes());
    let trailers = [
        "X-T: 1\r\n",
        "X-T: 1\r\nX-T: 2\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Host: b\r\n",
        "Authorization: x\r\n",
        "X-T: 1\r\n 2\r\n",
        "X-T: 1\n",
        "X-T : 1\r\n",
        ": x\r\n",
        "X-T\r\n",
        "X-Z-a: 9\r\n",
        "Connection: close\r\n",
    ];
    if rng.f64() < TRICK * 3.0 {
        out.extend(pick(rng, &trailers).bytes());
    }
    out.extend(mostly(rng, "\r\n", &["\n", "\r", "", "\r\r\n"]).bytes());
    out
}

/// One change, mostly beside a byte that means something.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = place(rng, bytes);
    let odd = ODD[rng.usize(..ODD.len())];
    let upto = (at + rng.usize(1..=12)).min(bytes.len());
    match rng.u8(..7) {
        0 => bytes[at] ^= 1 << rng.u8(..8),
        1 => drop(bytes.splice(at..=at, odd.iter().copied())),
        2 | 3 => drop(bytes.splice(at..at, odd.iter().copied())),
        4 => drop(bytes.drain(at..upto)),
        5 => {
            let again = bytes[at..upto].to_vec();
            drop(bytes.splice(at..at, again));
        }
        _ if rng.u8(..4) == 0 => bytes.truncate(at),
        _ => drop(bytes.remove(at)),
    }
    if bytes.is_empty() {
        bytes.push(b'G');
    }
}

fn place(rng: &mut Rng, bytes: &[u8]) -> usize {
    let marks = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| b"\r\n:;, /0123456789".contains(byte));
    let marks: Vec<usize> = marks.map(|(at, _)| at).collect();
    let last = bytes.len() - 1;
    match marks.get(rng.usize(..=marks.len())) {
        Some(at) => (at + rng.usize(..2)).min(last),
        None => rng.usize(..=last),
    }
}

fn split(rng: &mut Rng, mut bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    if rng.bool() {
        for _ in 0..rng.usize(1..=4) {
            let at = place(rng, &bytes);
            if at == 0 {
                continue;
            }
            let rest = bytes.split_off(at);
            pieces.push(std::mem::replace(&mut bytes, rest));
        }
    }
    pieces.push(bytes);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_pieces_again() {
        let of = |seed| pieces(&mut Rng::with_seed(seed));
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }
}
