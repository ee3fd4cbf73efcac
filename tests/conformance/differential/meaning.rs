//! What a client's bytes mean to a strict reading, `testkit::strict`'s, which shares nothing with the product: the requests
//! in them, and how the last of them ends. It knows what a gateway may take although a sender to an origin must not write
//! it: absolute targets, empty lines before a request, chunk extensions, `TE` and `Upgrade`, which are for one hop.

use bascule_testkit::strict::{Field, Message, Read, read_request};

/// Beginnings of faults that a client's request may have, and be forwarded without them.
const TAKEN: [&str; 5] = [
    "an empty line before",
    "a chunk extension",
    "a trailer that must not",
    "upgrade without",
    "te without",
];
/// Those of them that a gateway may refuse as well.
const MAY_BE_REFUSED: [&str; 3] = [
    "an empty line before",
    "a chunk extension",
    "a trailer that must not",
];
/// The fault of an absolute target, which a client may send, and of wrong ones.
const NO_ORIGIN_FORM: &str = "a target that is no origin form";
/// Fields that decide where a message ends or goes, or say what is for one hop: never forwarded as trailers.
const NO_TRAILERS: [&str; 7] = [
    "content-length",
    "transfer-encoding",
    "host",
    "trailer",
    "connection",
    "te",
    "authorization",
];

/// One request that the bytes hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Understood {
    pub(super) method: Vec<u8>,
    /// Without dot segments; `None`: it has no meaning, and must not be forwarded.
    pub(super) target: Option<Vec<u8>>,
    pub(super) host: Option<Vec<u8>>,
    pub(super) body: Vec<u8>,
    /// Those that may be forwarded.
    pub(super) trailers: Vec<Field>,
    /// The fields of the fuzzer's own, by their names.
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// It must be forwarded and answered; otherwise it may be refused.
    pub(super) is_certain: bool,
}

/// How the bytes end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Behind a request.
    Clean,
    /// In the middle of one.
    Part,
    /// With what must be refused.
    Refused,
    /// With a request behind which there is no other; what follows means nothing.
    Last,
}

/// All that they mean.
#[derive(Debug)]
pub(super) struct Meaning {
    pub(super) requests: Vec<Understood>,
    /// One that is not whole or whose body is wrong: a beginning of it may be forwarded.
    pub(super) cut: Option<Understood>,
    pub(super) end: End,
}

/// Reads them.
pub(super) fn of(mut bytes: &[u8]) -> Meaning {
    let (mut requests, mut is_certain) = (Vec::new(), true);
    let done = |requests, cut, end| Meaning { requests, cut, end };
    loop {
        let head = head(bytes);
        let read = read_request(bytes);
        let (message, length) = match read {
            Read::Nothing => return done(requests, None, End::Clean),
            Read::Whole(message, length) => (message, Some(length)),
            Read::Part(message) | Read::Broken(message) if !message.has_head => {
                return done(requests, None, End::Part);
            }
            Read::Part(message) => (message, None),
            Read::Broken(message) => {
                let cut = head.and_then(|head| understood(&head, &message));
                return done(requests, cut, End::Refused);
            }
        };
        let Some(mut request) = head.and_then(|head| understood(&head, &message)) else {
            return done(requests, None, End::Refused);
        };
        let Some(length) = length else {
            return done(requests, Some(request), End::Part);
        };
        if message
            .faults
            .iter()
            .any(|fault| !is_taken(&message, fault))
        {
            return done(requests, Some(request), End::Refused);
        }
        request.is_certain &= is_certain;
        requests.push(request);
        let is_old = message.version() == b"HTTP/1.0";
        // HTTP/1.0 may be kept open, and need not be.
        is_certain &= !is_old;
        if says(&message, "close") || (is_old && !says(&message, "keep-alive")) {
            return done(requests, None, End::Last);
        }
        bytes = bytes.get(length..).unwrap_or_default();
    }
}

/// The head alone, with its own faults.
fn head(bytes: &[u8]) -> Option<Message> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| read_request(&bytes[..=at]))
        .find_map(|read| match read {
            Read::Whole(message, _) | Read::Part(message) | Read::Broken(message)
                if message.has_head =>
            {
                Some(message)
            }
            _ => None,
        })
}

/// What a request means whose head may be forwarded; `None`: it may not.
fn understood(head: &Message, message: &Message) -> Option<Understood> {
    if head.faults.iter().any(|fault| !is_taken(head, fault)) {
        return None;
    }
    let (target, host) = target(head)?;
    let asks_more = |name: &str| head.values(name).next().is_some();
    let expects = head.values("expect");
    let is_plain = matches!(
        head.method(),
        b"GET" | b"HEAD" | b"POST" | b"PUT" | b"DELETE" | b"PATCH" | b"OPTIONS"
    );
    let may_refuse = |fault: &String| MAY_BE_REFUSED.iter().any(|it| fault.starts_with(it));
    let nominated: Vec<Vec<u8>> = options(head).collect();
    let own = |field: &&Field| {
        let name = field.name.to_ascii_lowercase();
        name.starts_with(b"x-z") && !nominated.contains(&name)
    };
    Some(Understood {
        method: head.method().to_vec(),
        is_certain: is_plain
            && target.as_deref().is_some_and(is_target_unquestioned)
            && host.as_deref().is_none_or(is_host_unquestioned)
            && !asks_more("max-forwards")
            && expects.count() == 0
            && !message.faults.iter().any(may_refuse),
        target,
        host,
        body: message.body.clone(),
        trailers: forwardable(&message.trailers),
        fields: own_fields(head.fields.iter().filter(own)),
    })
}

/// Percent signs that begin no octet, and NUL, may be refused.
fn is_target_unquestioned(target: &[u8]) -> bool {
    let mut parts = target.split(|byte| *byte == b'%');
    parts.next();
    parts.all(|part| match part {
        [b'0', b'0', ..] => false,
        [high, low, ..] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    })
}

/// Names that are none of DNS, though RFC 3986 allows them, may be refused.
fn is_host_unquestioned(host: &[u8]) -> bool {
    let is_usual = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(byte);
    host.iter().all(is_usual)
}

fn forwardable(trailers: &[Field]) -> Vec<Field> {
    let may = |field: &&Field| !NO_TRAILERS.iter().any(|name| field.is(name));
    trailers.iter().filter(may).cloned().collect()
}

/// Sorted by name, those of one name in their order.
pub(super) fn own_fields<'a>(fields: impl Iterator<Item = &'a Field>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let own = fields.filter(|field| field.name.to_ascii_lowercase().starts_with(b"x-z"));
    let mut own: Vec<_> = own
        .map(|field| (field.name.to_ascii_lowercase(), field.value.clone()))
        .collect();
    own.sort_by(|one, other| one.0.cmp(&other.0));
    own
}

fn is_taken(message: &Message, fault: &str) -> bool {
    let is_form = fault.starts_with(NO_ORIGIN_FORM);
    TAKEN.iter().any(|taken| fault.starts_with(taken)) || (is_form && target(message).is_some())
}

/// The target that is forwarded, and the host; `None`: the request names no one place.
#[expect(clippy::type_complexity, reason = "two answers of one question")]
fn target(message: &Message) -> Option<(Option<Vec<u8>>, Option<Vec<u8>>)> {
    let said = message.target();
    let host = message.values("host").next().map(<[u8]>::to_vec);
    let lower = said.to_ascii_lowercase();
    let scheme = [&b"http://"[..], b"https://"];
    let Some(scheme) = scheme.iter().find(|scheme| lower.starts_with(scheme)) else {
        let is_wrong = message
            .faults
            .iter()
            .any(|it| it.starts_with(NO_ORIGIN_FORM));
        return (!is_wrong).then(|| (without_dots(said), host));
    };
    let rest = &said[scheme.len()..];
    let ends = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
    let (authority, path) = rest.split_at(ends.unwrap_or(rest.len()));
    let path = match path {
        [] if message.method() == b"OPTIONS" => b"*".to_vec(),
        [b'/', ..] => path.to_vec(),
        _ => [b"/", path].concat(),
    };
    // The same in origin form must have no fault.
    let parts: [&[u8]; 6] = [
        message.method(),
        b" ",
        &path,
        b" HTTP/1.1\r\nHost: ",
        authority,
        b"\r\n\r\n",
    ];
    let same =
        matches!(read_request(&parts.concat()), Read::Whole(plain, _) if plain.faults.is_empty());
    let agrees = host
        .as_ref()
        .is_none_or(|host| host.eq_ignore_ascii_case(authority));
    (same && agrees).then(|| {
        (
            without_dots(&path),
            host.or_else(|| Some(authority.to_vec())),
        )
    })
}

/// RFC 3986 §5.2.4; `None`: it climbs above the root.
fn without_dots(target: &[u8]) -> Option<Vec<u8>> {
    let end = target.iter().position(|byte| *byte == b'?');
    let (path, query) = target.split_at(end.unwrap_or(target.len()));
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut is_folder = false;
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        let plain = String::from_utf8_lossy(segment).to_ascii_lowercase();
        let plain = plain.replace("%2e", ".");
        is_folder = matches!(plain.as_str(), "." | "..");
        match plain.as_str() {
            "." => {}
            ".." => drop(kept.pop()?),
            _ => kept.push(segment),
        }
    }
    if path == b"*" {
        return Some(target.to_vec());
    }
    if is_folder {
        kept.push(b"");
    }
    let mut out: Vec<u8> = kept
        .iter()
        .flat_map(|part| [&b"/"[..], part].concat())
        .collect();
    out.extend(query);
    Some(out)
}

/// What `Connection` says.
fn options(message: &Message) -> impl Iterator<Item = Vec<u8>> {
    let items = message.values("connection");
    let items = items.flat_map(|value| value.split(|byte| *byte == b','));
    items.map(|item| item.trim_ascii().to_ascii_lowercase())
}

fn says(message: &Message, option: &str) -> bool {
    options(message).any(|item| item == option.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_request_is_the_next_and_ends_with_the_first_fault() {
        let meaning = of(
            b"GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\nGET http://A/c HTTP/1.1\r\nHost: a\r\n\r\n\
            GET / HTTP/1.1\nHost: a\r\n\r\nGET /d HTTP/1.1\r\nHost: a\r\n\r\n",
        );
        let targets: Vec<_> = meaning
            .requests
            .iter()
            .map(|it| it.target.clone())
            .collect();
        assert_eq!(targets, [Some(b"/b".to_vec()), Some(b"/c".to_vec())]);
        assert_eq!(meaning.end, End::Refused);
        assert_eq!(meaning.cut, None);
    }

    #[test]
    fn a_body_that_goes_wrong_may_be_forwarded_up_to_there() {
        let meaning =
            of(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nx\r\n");
        assert!(meaning.requests.is_empty());
        assert_eq!(meaning.cut.map(|cut| cut.body), Some(b"ab".to_vec()));
        assert_eq!(meaning.end, End::Refused);
    }
}
