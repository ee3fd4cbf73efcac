//! What clients claim of themselves and of their requests: `X-Forwarded-*`, `Forwarded`, `Via`, `x-request-id`,
//! `traceparent`. Whatever they say, the fields that go on are one line each, and an untrusted client's word is gone.

#![no_main]

#[allow(dead_code, reason = "the whole file is here, the target needs a part")]
#[path = "../../../crates/proxy/src/http/ids.rs"]
mod ids;
#[allow(dead_code, reason = "the whole file is here, the target needs a part")]
#[path = "../../../crates/proxy/src/http/origin.rs"]
mod origin;

use http::header::{HeaderMap, HeaderName, HeaderValue};

const NAMES: [&str; 8] = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "forwarded",
    "via",
    "x-request-id",
    "traceparent",
    "tracestate",
];
const MARK: &[u8] = b"claim-";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some((which, value)) = line.split_first() else {
            continue;
        };
        let name = NAMES[usize::from(*which) % NAMES.len()];
        let marked = [MARK, value].concat();
        let value = if which & 0x80 == 0 { value } else { &marked };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    let trusts = data.first().is_some_and(|byte| byte & 1 == 1);
    let trusted: &[ipnet::IpNet] = &["127.0.0.0/8".parse().unwrap()];
    let peer = "127.0.0.1:4711".parse().unwrap();
    let origin = origin::Origin::new(peer, false, if trusts { trusted } else { &[] });
    origin.tell(&mut headers, Some(&HeaderValue::from_static("a.example")));
    origin::via(&mut headers, http::Version::HTTP_11);
    let ids = ids::Ids::give(&mut headers);
    assert_eq!(ids.trace_id().len(), 32);
    for name in [
        "x-forwarded-for",
        "forwarded",
        "via",
        "x-request-id",
        "traceparent",
    ] {
        assert_eq!(headers.get_all(name).iter().count(), 1, "{name}");
    }
    let own = headers.get("x-forwarded-for").unwrap().as_bytes();
    assert!(own.ends_with(b"127.0.0.1"));
    if !trusts {
        assert_eq!(own, b"127.0.0.1");
        assert!(
            !headers
                .get("forwarded")
                .unwrap()
                .as_bytes()
                .starts_with(MARK)
        );
    }
});
