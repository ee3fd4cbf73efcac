//! What a request over HTTP/2 must be (RFC 9113 §8), as an origin that believes nothing reads it: every rule that an edge
//! in front of it could break. It knows nothing of the edge.

use anyhow::{Context, Result, bail, ensure};

use super::hpack::Field;
use super::seen::{End, Stream};

/// Fields of one connection (RFC 9113 §8.2.2).
const OF_ONE_CONNECTION: [&[u8]; 5] = [
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"transfer-encoding",
    b"upgrade",
];

/// Checks what has come of a request so far.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(stream: &Stream) -> Result<()> {
    let [head] = stream.heads.as_slice() else {
        bail!("{} heads", stream.heads.len());
    };
    pseudo_fields(head)?;
    let regular = head.iter().filter(|(name, _)| !name.starts_with(b":"));
    for field in regular.chain(stream.trailers.iter().flatten()) {
        check_field(field).with_context(|| shown(field))?;
    }
    length(head, stream)
}

/// Each of the four once, before all others, and nothing else; `CONNECT` is not expected here.
fn pseudo_fields(head: &[Field]) -> Result<()> {
    let is_pseudo = |field: &&Field| field.0.starts_with(b":");
    let first: Vec<&Field> = head.iter().take_while(is_pseudo).collect();
    ensure!(
        first.len() == head.iter().filter(is_pseudo).count(),
        "a pseudo-field after a field"
    );
    let value = |wanted: &[u8]| -> Result<&[u8]> {
        let mut found = first.iter().filter(|(name, _)| name == wanted);
        let shown = || String::from_utf8_lossy(wanted).into_owned();
        let (_, value) = found.next().with_context(|| format!("no {}", shown()))?;
        ensure!(found.next().is_none(), "{} twice", shown());
        Ok(value)
    };
    ensure!(first.len() == 4, "{} pseudo-fields", first.len());
    let (method, path) = (value(b":method")?, value(b":path")?);
    ensure!(
        !method.is_empty() && method.iter().all(|byte| is_token(*byte)),
        "a method that is no token"
    );
    ensure!(matches!(value(b":scheme")?, b"http" | b"https"), "a scheme");
    let is_path = path.starts_with(b"/") || (path == b"*" && method == b"OPTIONS");
    ensure!(
        is_path
            && path
                .iter()
                .all(|byte| byte.is_ascii_graphic() && *byte != b'#'),
        "a path that is none"
    );
    let authority = value(b":authority")?;
    ensure!(
        !authority.is_empty() && !authority.contains(&b'@'),
        "an authority that is none"
    );
    Ok(())
}

fn check_field((name, value): &Field) -> Result<()> {
    ensure!(
        !name.is_empty()
            && name
                .iter()
                .all(|byte| is_token(*byte) && !byte.is_ascii_uppercase()),
        "a name that is none"
    );
    let is_text = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    ensure!(value.iter().all(is_text), "a value that is none");
    ensure!(
        value.trim_ascii() == value.as_slice(),
        "a value with space around it"
    );
    ensure!(
        !OF_ONE_CONNECTION.contains(&name.as_slice()),
        "a field of one connection"
    );
    ensure!(name != b"te" || value == b"trailers", "TE beyond trailers");
    Ok(())
}

/// A length that is said is the body's.
fn length(head: &[Field], stream: &Stream) -> Result<()> {
    let mut said = head.iter().filter(|(name, _)| name == b"content-length");
    let Some((_, length)) = said.next() else {
        return Ok(());
    };
    ensure!(said.next().is_none(), "two lengths");
    ensure!(
        !length.is_empty() && length.iter().all(u8::is_ascii_digit),
        "a length that is none"
    );
    let length: usize = std::str::from_utf8(length)?.parse()?;
    ensure!(stream.body.len() <= length, "a body longer than it says");
    ensure!(
        stream.end != Some(End::Whole) || stream.body.len() == length,
        "a body shorter than it says"
    );
    Ok(())
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn shown((name, value): &Field) -> String {
    format!("{}: {}", name.escape_ascii(), value.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(more: &[(&str, &str)], body: &str) -> Stream {
        let plain = [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", "/"),
        ];
        let own = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), (*value).into());
        Stream {
            heads: vec![plain.iter().chain(more).map(own).collect()],
            body: body.into(),
            end: Some(End::Whole),
            ..Stream::default()
        }
    }

    #[test]
    fn a_plain_request_is_one() {
        check(&request(
            &[("te", "trailers"), ("content-length", "2")],
            "ab",
        ))
        .unwrap();
    }

    #[test]
    fn whatever_an_edge_must_not_send_is_found() {
        for field in [
            (":path", "/"),
            ("X-Upper", "1"),
            ("a b", "1"),
            ("a", "1\r\n2"),
            ("a", " 1"),
            ("connection", "close"),
            ("te", "gzip"),
            ("content-length", "1"),
            ("content-length", "+2"),
        ] {
            assert!(check(&request(&[field], "ab")).is_err(), "{field:?}");
        }
    }
}
