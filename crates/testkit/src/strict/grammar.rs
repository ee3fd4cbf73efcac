//! The alphabet of RFC 9110 §5 and RFC 3986, one predicate a rule. It decides about single values and never reads on.

/// A character of a method or a field name (RFC 9110 §5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A word of at least one such character.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token_byte(*byte))
}

/// A field value without the white space around it: visible characters, bytes above 127, spaces and tabs inside.
pub(super) fn is_value(text: &[u8]) -> bool {
    let is_part = |byte: &u8| matches!(byte, b' ' | b'\t' | 0x21..=0x7e | 0x80..=0xff);
    text.iter().all(is_part)
}

/// Digits only, and a number that fits.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Hexadecimal digits only, and a number that fits.
pub(super) fn hexadecimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

/// Whether every `%` begins an octet in hexadecimal and every other byte is one of `others` or a letter, a digit or a mark
/// that needs no escape (RFC 3986 §2).
fn is_escaped(text: &[u8], others: &[u8]) -> bool {
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = match (*first, after) {
            (b'%', [high, low, more @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                more
            }
            (byte, _)
                if byte.is_ascii_alphanumeric()
                    || b"-._~!$&'()*+,;=".contains(&byte)
                    || others.contains(&byte) =>
            {
                after
            }
            _ => return false,
        };
    }
    true
}

/// An origin form: a path that begins with a slash, and perhaps a query (RFC 9112 §3.2.1). Brackets, braces and the bar
/// pass though RFC 3986 has them escaped, and in a query a percent sign too: browsers send them as they are.
pub(super) fn is_path(text: &[u8]) -> bool {
    let mut parts = text.splitn(2, |byte| *byte == b'?');
    let path = parts.next().unwrap_or_default();
    let query = parts.next().unwrap_or_default();
    path.starts_with(b"/") && is_escaped(path, b"/:@[]{}|") && is_escaped(query, b"/:@?[]{}|%")
}

/// A host and perhaps a port, as `Host` and an authority form have it (RFC 9110 §7.2).
pub(super) fn is_host(text: &[u8]) -> bool {
    let (host, port) = if text.starts_with(b"[") {
        let end = text.iter().position(|byte| *byte == b']');
        text.split_at(end.map_or(0, |end| end + 1))
    } else {
        let end = text.iter().position(|byte| *byte == b':');
        text.split_at(end.unwrap_or(text.len()))
    };
    let host_is_well = match host.strip_prefix(b"[") {
        Some(literal) => literal
            .strip_suffix(b"]")
            .and_then(|ip| std::str::from_utf8(ip).ok())
            .is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()),
        None => !host.is_empty() && is_escaped(host, b""),
    };
    let is_number =
        |number: &[u8]| number.is_empty() || decimal(number).is_some_and(|number| number <= 65_535);
    let port_is_well = port.is_empty() || port.strip_prefix(b":").is_some_and(is_number);
    host_is_well && port_is_well
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_may_write_and_what_it_may_not() {
        assert!(is_token(b"X-a!#$") && !is_token(b"") && !is_token(b"a b") && !is_token(b"a:"));
        assert!(is_value(b"a\tb \xff") && !is_value(b"a\0") && !is_value(b"a\x7f"));
        assert_eq!(decimal(b"007"), Some(7));
        assert_eq!(decimal(b"+7"), None);
        assert_eq!(decimal(b"18446744073709551616"), None);
        assert_eq!(hexadecimal(b"fF"), Some(255));
        assert_eq!(hexadecimal(b"0x1"), None);
        assert!(is_path(b"/a%20b/..?x=/?") && is_path(b"/"));
        assert!(!is_path(b"/a b") && !is_path(b"/%4") && !is_path(b"/#") && !is_path(b"a"));
        assert!(is_host(b"a.example:80") && is_host(b"[::1]:80") && is_host(b"a:"));
        assert!(
            !is_host(b"")
                && !is_host(b"u@a")
                && !is_host(b"[::1")
                && !is_host(b"[::1]0")
                && !is_host(b"a:x")
        );
    }
}
