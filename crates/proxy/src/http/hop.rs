//! What belongs to one hop only and must not reach the next: connection fields (RFC 9110 §7.6.1), the fields that
//! `Connection` nominates, and every offer to upgrade. Framing is never copied from one side to the other: each side's
//! engine writes its own.

use bascule_guard::Violation;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

/// What we say of a request's decision, where that is switched on. Whoever else says it does not say it for us.
pub(crate) const DECISION: HeaderName = HeaderName::from_static("x-bascule-decision");

/// Fields of one hop, whatever `Connection` says.
const HOP_BY_HOP: [HeaderName; 11] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TRANSFER_ENCODING,
    header::TE,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-authentication-info"),
    DECISION,
];

const MAX_FORWARDS: HeaderName = HeaderName::from_static("max-forwards");

/// Whether the client said that it takes trailers (`TE: trailers`).
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    let names = |value: &HeaderValue| {
        let items = value.as_bytes().split(|byte| *byte == b',');
        items
            .map(|item| item.split(|byte| *byte == b';').next().unwrap_or(item))
            .any(|item| item.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    };
    headers.get_all(header::TE).iter().any(names)
}

/// Removes what belongs to the hop the message came over.
pub(crate) fn strip(headers: &mut HeaderMap) {
    for name in nominated(headers) {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Fields that mean something before the body only: they frame, route, ask, authenticate, say what the content is, or
/// steer what is done with the message (RFC 9110 §6.5.1). A reader that takes them from trailers as well can be misled.
const NO_TRAILERS: [HeaderName; 35] = [
    header::CONTENT_LENGTH,
    header::HOST,
    header::TRAILER,
    MAX_FORWARDS,
    header::EXPECT,
    header::CACHE_CONTROL,
    header::PRAGMA,
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::AUTHORIZATION,
    header::WWW_AUTHENTICATE,
    header::COOKIE,
    header::SET_COOKIE,
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    header::CONTENT_RANGE,
    header::CONTENT_LOCATION,
    header::CONTENT_LANGUAGE,
    header::AGE,
    header::DATE,
    header::EXPIRES,
    header::LOCATION,
    header::RETRY_AFTER,
    header::VARY,
    header::WARNING,
    header::VIA,
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-host"),
    header::ORIGIN,
];

/// Removes from trailers what must not be there.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    strip(trailers);
    for name in &NO_TRAILERS {
        trailers.remove(name);
    }
}

/// How often a request may be forwarded, if it says so (RFC 9110 §7.6.2).
pub(crate) fn forwards(headers: &HeaderMap) -> Result<Option<u32>, Violation> {
    let mut values = headers.get_all(MAX_FORWARDS).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let digits = value.as_bytes();
    let are_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if !are_digits || values.next().is_some() {
        return Err(Violation::FieldValue);
    }
    // More than we can count is as many as we can count.
    let count = value.to_str().ok().and_then(|text| text.parse().ok());
    Ok(Some(count.unwrap_or(u32::MAX)))
}

/// One forwarding less is left.
pub(crate) fn count_down(headers: &mut HeaderMap) {
    if let Ok(Some(left)) = forwards(headers) {
        headers.insert(MAX_FORWARDS, HeaderValue::from(left.saturating_sub(1)));
    }
}

/// The fields that `Connection` names, but for those that say where the message goes, how far, and how long it is. Any
/// other may be named away, a cookie too: it is the sender's to say what is for us alone.
fn nominated(headers: &HeaderMap) -> SmallVec<[HeaderName; 2]> {
    let values = headers.get_all(header::CONNECTION).iter();
    let items = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    items
        .map(<[u8]>::trim_ascii)
        .filter(|item| {
            !item.eq_ignore_ascii_case(b"keep-alive") && !item.eq_ignore_ascii_case(b"close")
        })
        .filter_map(|item| HeaderName::from_bytes(item).ok())
        .filter(|name| ![header::HOST, header::CONTENT_LENGTH, MAX_FORWARDS].contains(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let parse = |(name, value): &(&str, &str)| (name.parse().unwrap(), value.parse().unwrap());
        let parsed: Vec<(HeaderName, HeaderValue)> = lines.iter().map(parse).collect();
        parsed
            .into_iter()
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
    }

    #[test]
    fn fields_of_one_hop_and_those_it_nominates_are_removed() {
        let mut map = headers(&[
            ("connection", "keep-alive, X-Secret-Hop"),
            ("connection", "other"),
            ("x-secret-hop", "1"),
            ("other", "1"),
            ("keep-alive", "timeout=5"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("proxy-authorization", "x"),
            ("x-stays", "1"),
        ]);
        strip(&mut map);
        assert_eq!(map, headers(&[("x-stays", "1")]));
    }

    #[test]
    fn neither_host_nor_length_nor_the_hops_left_can_be_nominated_away() {
        let kept = [
            ("host", "a"),
            ("content-length", "3"),
            ("max-forwards", "1"),
        ];
        let named = ("connection", "host, content-length, max-forwards, cookie");
        let mut map = headers(&[&[named, ("cookie", "a=b")][..], &kept].concat());
        strip(&mut map);
        assert_eq!(map, headers(&kept));
    }

    #[test]
    fn trailers_keep_what_is_known_after_the_body_only() {
        let kept = [("x-sum", "42"), ("etag", "\"x\""), ("grpc-status", "0")];
        let gone = [
            ("authorization", "x"),
            ("content-type", "a/b"),
            ("host", "a"),
            ("set-cookie", "a=b"),
        ];
        let mut map = headers(&[&kept[..], &gone].concat());
        strip_trailers(&mut map);
        assert_eq!(map, headers(&kept));
    }

    #[test]
    fn the_forwardings_left_are_digits_said_once() {
        let left = |values: &[&str]| {
            let lines: Vec<_> = values
                .iter()
                .map(|value| ("max-forwards", *value))
                .collect();
            forwards(&headers(&lines))
        };
        assert_eq!(left(&[]), Ok(None));
        assert_eq!(left(&["10"]), Ok(Some(10)));
        assert_eq!(left(&["99999999999999999999"]), Ok(Some(u32::MAX)));
        for values in [&["1", "1"][..], &[""], &["-1"], &["+1"], &["1 "], &["one"]] {
            assert_eq!(left(values), Err(Violation::FieldValue), "{values:?}");
        }
        let mut map = headers(&[("max-forwards", "3")]);
        count_down(&mut map);
        assert_eq!(map, headers(&[("max-forwards", "2")]));
    }

    #[test]
    fn only_a_whole_word_takes_trailers() {
        let takes = |value| takes_trailers(&headers(&[("te", value)]));
        assert!(takes("trailers") && takes("deflate;q=0.5, Trailers") && takes("trailers;q=1"));
        assert!(!takes("trailersx") && !takes("deflate"));
    }
}
