//! The health check of gRPC: one call of `grpc.health.v1.Health/Check` on a connection of its own. The two messages are a
//! text and a number, so they are written and read here by hand. It must never hold more than one small message.
//!
//! What passes is the status SERVING, from a call that succeeded. The formats: protocol buffers' wire format, and "gRPC over
//! HTTP/2" (a byte that says whether a message is compressed, its length in four, the message; the result in trailers).

use std::time::Duration;

use bascule_health::CheckFailure;
use bytes::Bytes;
use h2::RecvStream;
use h2::client::Builder;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE, USER_AGENT};
use http::uri::{Authority, Scheme, Uri};
use http::{Method, Request, StatusCode};

use super::{AGENT, HEAD_BYTES_MAX, Stream, beside, broken};

/// The longest answer that is read: the message is two bytes, and unknown fields may be added to it.
const MESSAGE_BYTES_MAX: usize = 1024;

/// In front of a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// The status of a call that names a service which the server does not have.
const NOT_FOUND: u16 = 5;

const METHOD_PATH: &str = "/grpc.health.v1.Health/Check";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// A call to make.
#[derive(Debug)]
pub(super) struct Call {
    request: Request<()>,
    message: Bytes,
}

impl Call {
    pub(super) fn new(
        tls: bool,
        authority: Authority,
        service: &str,
        timeout: Duration,
    ) -> Result<Self, CheckFailure> {
        let scheme = if tls { Scheme::HTTPS } else { Scheme::HTTP };
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(METHOD_PATH)
            .build()
            .map_err(|_| CheckFailure::Protocol)?;
        // Eight digits at most; whoever waits longer than a day does not wait for the server's sake.
        let millis = timeout.as_millis().min(99_999_999);
        let timeout = HeaderValue::from_str(&format!("{millis}m"));
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(GRPC_TIMEOUT, timeout.map_err(|_| CheckFailure::Protocol)?);
        Ok(Self {
            request,
            message: framed(&encode(service)),
        })
    }
}

pub(super) async fn ask<S: Stream>(stream: S, call: Call) -> Result<(), CheckFailure> {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .max_header_list_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder
        .handshake::<S, Bytes>(stream)
        .await
        .map_err(|error| why(&error))?;
    let exchange = async {
        std::future::poll_fn(|cx| sender.poll_ready(cx))
            .await
            .map_err(|error| why(&error))?;
        let (answer, mut body) = sender
            .send_request(call.request, false)
            .map_err(|error| why(&error))?;
        body.send_data(call.message, true)
            .map_err(|error| why(&error))?;
        let answer = answer.await.map_err(|error| why(&error))?;
        let (head, body) = answer.into_parts();
        if head.status != StatusCode::OK {
            let status = head.status.as_u16();
            return Err(CheckFailure::Status { status });
        }
        if !is_grpc(&head.headers) {
            return Err(CheckFailure::Protocol);
        }
        let (bytes, trailers) = read(body).await?;
        // A call that failed at once has its status in the head and no trailers.
        succeeded(trailers.as_ref().unwrap_or(&head.headers))?;
        judge(&bytes)
    };
    beside(connection, exchange).await
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

/// All that is sent, and the trailers.
async fn read(mut body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), CheckFailure> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(|error| why(&error))?;
        if bytes.len() + piece.len() > PREFIX_BYTES + MESSAGE_BYTES_MAX {
            return Err(CheckFailure::TooLong);
        }
        bytes.extend_from_slice(&piece);
    }
    let trailers = body.trailers().await.map_err(|error| why(&error))?;
    Ok((bytes, trailers))
}

/// Whether the call itself succeeded.
fn succeeded(headers: &HeaderMap) -> Result<(), CheckFailure> {
    let status = headers.get(GRPC_STATUS).ok_or(CheckFailure::Protocol)?;
    let status = status.to_str().ok().and_then(|text| text.parse().ok());
    match status.ok_or(CheckFailure::Protocol)? {
        0 => Ok(()),
        NOT_FOUND => Err(CheckFailure::ServiceUnknown),
        status => Err(CheckFailure::Grpc { status }),
    }
}

/// What the answer of a call that succeeded says.
fn judge(bytes: &[u8]) -> Result<(), CheckFailure> {
    let message = unframed(bytes).ok_or(CheckFailure::Protocol)?;
    match serving_status(message).ok_or(CheckFailure::Protocol)? {
        1 => Ok(()),
        2 => Err(CheckFailure::NotServing),
        3 => Err(CheckFailure::ServiceUnknown),
        _ => Err(CheckFailure::ServingUnknown),
    }
}

/// A `HealthCheckRequest`: the service is field 1, a text; without one the message is empty.
fn encode(service: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(service.len() + 3);
    if !service.is_empty() {
        message.push(0x0a);
        let mut length = service.len();
        while length > 0x7f {
            message.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
            length >>= 7;
        }
        message.push(u8::try_from(length).unwrap_or(0));
        message.extend_from_slice(service.as_bytes());
    }
    message
}

fn framed(message: &[u8]) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&u32::try_from(message.len()).unwrap_or(0).to_be_bytes());
    bytes.extend_from_slice(message);
    Bytes::from(bytes)
}

/// The one message, uncompressed, and nothing after it.
fn unframed(bytes: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = bytes.split_first_chunk::<PREFIX_BYTES>()?;
    let [compressed, length @ ..] = *prefix;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    (compressed == 0 && message.len() == length).then_some(message)
}

/// The status in a `HealthCheckResponse`: field 1, a number; 0 where it is left out. Fields that are not known are skipped,
/// and the last of several counts, as the format wants.
fn serving_status(mut message: &[u8]) -> Option<u64> {
    let mut status = 0;
    while !message.is_empty() {
        let key = varint(&mut message)?;
        match (key >> 3, key & 7) {
            (0, _) => return None,
            (1, 0) => status = varint(&mut message)?,
            (_, 0) => drop(varint(&mut message)?),
            (_, 1) => message = message.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

/// A number in groups of seven bits, the lowest first; ten bytes at most.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn why(error: &h2::Error) -> CheckFailure {
    broken(error.get_io())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_service_is_written_as_field_one() {
        assert_eq!(encode(""), b"");
        assert_eq!(encode("meet"), b"\x0a\x04meet");
        let long = "a".repeat(200);
        assert_eq!(&encode(&long)[..3], b"\x0a\xc8\x01");
        assert_eq!(&framed(b"\x0a\x04meet")[..5], b"\0\0\0\0\x06");
    }

    #[test]
    fn statuses_are_told_apart() {
        for (message, expected) in [
            (&b"\x08\x01"[..], Ok(())),
            (b"\x08\x02", Err(CheckFailure::NotServing)),
            (b"\x08\x00", Err(CheckFailure::ServingUnknown)),
            (b"", Err(CheckFailure::ServingUnknown)),
            (b"\x08\x03", Err(CheckFailure::ServiceUnknown)),
            (b"\x08\x63", Err(CheckFailure::ServingUnknown)),
            // Unknown fields of every kind, and the last status counts.
            (
                b"\x08\x02\x12\x01x\x18\x80\x01\x25abcd\x29abcdefgh\x08\x01",
                Ok(()),
            ),
            (b"\x08", Err(CheckFailure::Protocol)),
            (b"\x12\x05x", Err(CheckFailure::Protocol)),
            (b"\x0b", Err(CheckFailure::Protocol)),
            (b"\x00\x00", Err(CheckFailure::Protocol)),
        ] {
            assert_eq!(judge(&framed(message)), expected, "{message:?}");
        }
    }

    #[test]
    fn only_one_whole_plain_message_is_an_answer() {
        for bytes in [
            &b""[..],
            b"\0\0\0\0",
            b"\x01\0\0\0\x02\x08\x01",
            b"\0\0\0\0\x03\x08\x01",
            b"\0\0\0\0\x02\x08\x01\0\0\0\0\x02\x08\x01",
            b"\0\xff\xff\xff\xff\x08\x01",
        ] {
            assert_eq!(judge(bytes), Err(CheckFailure::Protocol), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let judged = judge(&framed(&bytes));
            prop_assert_eq!(judged == Err(CheckFailure::Protocol), serving_status(&bytes).is_none());
            prop_assert!(judge(&bytes) != Ok(()) || unframed(&bytes).is_some());
        }
    }
}
