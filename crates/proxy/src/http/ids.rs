//! What ties the logs of all who touch a request together: `x-request-id`, and `traceparent` of W3C Trace Context. Kept
//! where the client sent a valid one, made otherwise. Not secret: the numbers come from a fast generator.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The longest id that is kept: it goes into every log line.
const ID_BYTES_MAX: usize = 128;

/// The ids of one request.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    /// `x-request-id`.
    pub(crate) request: HeaderValue,
    /// `traceparent`, whole.
    trace: HeaderValue,
}

impl Ids {
    /// Keeps the request's ids, or gives it some.
    pub(crate) fn give(headers: &mut HeaderMap) -> Self {
        let kept = |name: HeaderName, valid: fn(&[u8]) -> bool| {
            let value = headers.get(name);
            value.filter(|value| valid(value.as_bytes())).cloned()
        };
        let request = kept(REQUEST_ID, is_request_id);
        let trace = kept(TRACEPARENT, is_traceparent);
        if trace.is_none() {
            // A state belongs to the parent it came with.
            headers.remove(TRACESTATE);
        }
        let ids = Self {
            request: request.unwrap_or_else(new_request_id),
            trace: trace.unwrap_or_else(new_traceparent),
        };
        headers.insert(REQUEST_ID, ids.request.clone());
        headers.insert(TRACEPARENT, ids.trace.clone());
        ids
    }

    /// The trace's id: 32 hexadecimal digits.
    pub(crate) fn trace_id(&self) -> &str {
        let text = self.trace.to_str().unwrap_or("");
        text.get(3..35).unwrap_or("")
    }
}

/// Visible ASCII, not too long.
fn is_request_id(value: &[u8]) -> bool {
    !value.is_empty() && value.len() <= ID_BYTES_MAX && value.iter().all(u8::is_ascii_graphic)
}

/// `version-traceid-parentid-flags`; a version above 00 may say more after another dash, as text that can be logged.
fn is_traceparent(value: &[u8]) -> bool {
    if !is_request_id(value) {
        return false;
    }
    let lower_hex = |part: &[u8]| {
        part.iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut parts = value.split(|byte| *byte == b'-');
    let mut part = |length| {
        let part = parts
            .next()
            .filter(|part| part.len() == length && lower_hex(part));
        part.unwrap_or(b"")
    };
    let (version, trace, parent, flags) = (part(2), part(32), part(16), part(2));
    let is_zero = |part: &[u8]| part.iter().all(|byte| *byte == b'0');
    let known = version == b"00" && value.len() == 55;
    (known || (!version.is_empty() && version != b"00" && version != b"ff"))
        && !is_zero(trace)
        && !is_zero(parent)
        && !flags.is_empty()
}

fn new_request_id() -> HeaderValue {
    made(hex(BytesMut::with_capacity(32), fastrand::u128(..), 32))
}

/// A trace of its own, not sampled: nothing here records spans.
fn new_traceparent() -> HeaderValue {
    let mut value = BytesMut::with_capacity(55);
    value.extend_from_slice(b"00-");
    value = hex(value, fastrand::u128(1..), 32);
    value.put_u8(b'-');
    value = hex(value, u128::from(fastrand::u64(1..)), 16);
    value.extend_from_slice(b"-00");
    made(value)
}

/// Appends the lowest `digits` hexadecimal digits of a number.
fn hex(mut text: BytesMut, number: u128, digits: u32) -> BytesMut {
    for digit in (0..digits).rev() {
        let nibble = u32::try_from((number >> (4 * digit)) & 0xf).unwrap_or(0);
        let digit = char::from_digit(nibble, 16).unwrap_or('0');
        text.put_u8(u8::try_from(digit).unwrap_or(b'0'));
    }
    text
}

fn made(text: BytesMut) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn valid_ids_are_kept() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("abc-1"));
        headers.insert(TRACEPARENT, HeaderValue::from_static(PARENT));
        headers.insert(TRACESTATE, HeaderValue::from_static("a=b"));
        let before = headers.clone();
        let ids = Ids::give(&mut headers);
        assert_eq!(headers, before);
        assert_eq!(ids.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    }

    #[test]
    fn missing_or_broken_ids_are_made() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_bytes(b"has space").unwrap());
        headers.insert(TRACEPARENT, HeaderValue::from_static("00-xyz"));
        headers.insert(TRACESTATE, HeaderValue::from_static("a=b"));
        let ids = Ids::give(&mut headers);
        assert!(is_request_id(headers[&REQUEST_ID].as_bytes()));
        assert_eq!(headers[&REQUEST_ID], ids.request);
        assert!(is_traceparent(headers[&TRACEPARENT].as_bytes()));
        assert!(!headers.contains_key(TRACESTATE));
        assert_ne!(Ids::give(&mut HeaderMap::new()).trace_id(), ids.trace_id());
    }

    #[test]
    fn only_well_formed_trace_parents_are_valid() {
        let zero_trace = PARENT.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32));
        let upper = PARENT.replace("0af7", "0AF7");
        let longer = format!("{PARENT}-more");
        assert!(is_traceparent(PARENT.as_bytes()));
        assert!(is_traceparent(longer.replacen("00", "01", 1).as_bytes()));
        let endless = longer.replacen("00", "01", 1) + &"m".repeat(ID_BYTES_MAX);
        assert!(
            !is_traceparent(endless.as_bytes()),
            "it goes into every log line"
        );
        let unlogged = [longer.replacen("00", "01", 1).as_bytes(), b"\x9a"].concat();
        assert!(!is_traceparent(&unlogged), "it could not be logged");
        for bad in [&*zero_trace, &upper, &longer, "", "00", "ff-", &PARENT[1..]] {
            assert!(!is_traceparent(bad.as_bytes()), "{bad}");
        }
    }
}
