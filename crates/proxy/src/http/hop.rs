//! What belongs to one hop only and must not reach the next: connection fields (RFC 9110 §7.6.1), the fields that
//! `Connection` nominates, and every offer to upgrade. Framing is never copied from one side to the other: each side's
//! engine writes its own.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

/// Fields of one hop, whatever `Connection` says.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TRANSFER_ENCODING,
    header::TE,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
];

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

/// Removes from trailers what must not be there: framing, routing and fields of one hop (RFC 9110 §6.5.1).
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    strip(trailers);
    for name in [header::CONTENT_LENGTH, header::HOST, header::TRAILER] {
        trailers.remove(name);
    }
}

/// The fields that `Connection` names, but for those that say where the message goes and how long it is.
fn nominated(headers: &HeaderMap) -> SmallVec<[HeaderName; 2]> {
    let values = headers.get_all(header::CONNECTION).iter();
    let items = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    items
        .map(<[u8]>::trim_ascii)
        .filter(|item| {
            !item.eq_ignore_ascii_case(b"keep-alive") && !item.eq_ignore_ascii_case(b"close")
        })
        .filter_map(|item| HeaderName::from_bytes(item).ok())
        .filter(|name| name != header::HOST && name != header::CONTENT_LENGTH)
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
    fn neither_host_nor_length_can_be_nominated_away() {
        let mut map = headers(&[
            ("connection", "host, content-length"),
            ("host", "a"),
            ("content-length", "3"),
        ]);
        strip(&mut map);
        assert_eq!(map, headers(&[("host", "a"), ("content-length", "3")]));
    }

    #[test]
    fn only_a_whole_word_takes_trailers() {
        let takes = |value| takes_trailers(&headers(&[("te", value)]));
        assert!(takes("trailers") && takes("deflate;q=0.5, Trailers") && takes("trailers;q=1"));
        assert!(!takes("trailersx") && !takes("deflate"));
    }
}
