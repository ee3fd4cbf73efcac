//! The character classes and small words that HTTP/1 and HTTP/2 share (RFC 9110 §5, RFC 3986): field names and values,
//! targets, hosts. Each function says yes or no about bytes and nothing else.

/// Classes of a byte, one bit each.
const TOKEN: u8 = 1;
const TARGET: u8 = 2;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte: u8 = 0;
    while byte < 0x7f {
        let is_sign = matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        );
        let mut class = 0;
        if byte.is_ascii_alphanumeric() || is_sign {
            class |= TOKEN;
        }
        let is_unsafe = matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`');
        if byte > b' ' && !is_unsafe {
            class |= TARGET;
        }
        #[expect(clippy::indexing_slicing, reason = "a table of 256 indexed by a byte")]
        {
            table[byte as usize] = class;
        }
        byte += 1;
    }
    table
}

#[inline]
fn is(byte: u8, class: u8) -> bool {
    CLASSES
        .get(usize::from(byte))
        .is_some_and(|found| found & class != 0)
}

/// Whether a byte may stand in a token (RFC 9110 §5.6.2).
#[inline]
#[must_use]
pub fn is_token_byte(byte: u8) -> bool {
    is(byte, TOKEN)
}

/// Whether this is a token: a method, a field's name, the name of a chunk extension.
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token_byte(*byte))
}

/// Whether this is the name of a field (RFC 9110 §5.1).
#[must_use]
pub fn is_field_name(text: &[u8]) -> bool {
    is_token(text)
}

/// Whether a byte may stand in a field's value (RFC 9110 §5.5): no control character but HTAB. Bytes above ASCII may.
#[inline]
#[must_use]
pub const fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether this is the value of a field.
#[must_use]
pub fn is_field_value(text: &[u8]) -> bool {
    value_length(text) == text.len()
}

/// How many bytes from the front may stand in a field's value; eight are looked at together.
#[inline]
#[must_use]
pub fn value_length(text: &[u8]) -> usize {
    let mut length = 0;
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let Some(well) = before_control(u64::from_le_bytes(*word)) else {
            length += word.len();
            rest = behind;
            continue;
        };
        length += well;
        match rest.get(well..).and_then(<[u8]>::split_first) {
            Some((b'\t', behind)) => {
                length += 1;
                rest = behind;
            }
            _ => return length,
        }
    }
    length + rest.iter().take_while(|byte| is_value_byte(**byte)).count()
}

/// How many of eight bytes come before the first control character, HTAB among them; `None`: there is none. The first byte
/// is the lowest: subtracting borrows upwards only, so the lowest mark is never a false one.
#[inline]
fn before_control(word: u64) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let del = word ^ (ONES * 0x7f);
    let is_del = del.wrapping_sub(ONES) & !del;
    let marks = (below_space | is_del) & TOPS;
    let at = usize::try_from(marks.trailing_zeros() / 8).ok()?;
    (marks != 0).then_some(at)
}

/// Whether a byte may stand in a request's target: visible ASCII, without what RFC 3986 keeps out of URIs and two parsers
/// could read in two ways (`#`, `"`, `<`, `>`, `\`, `^`, and the backtick). Braces and the bar are let through: they are
/// in use, and nobody reads them as anything else.
#[inline]
#[must_use]
pub fn is_target_byte(byte: u8) -> bool {
    is(byte, TARGET)
}

/// Whether this is a path with perhaps a query, as a target says it: `/`, and bytes that may stand in one.
#[must_use]
pub fn is_path(text: &[u8]) -> bool {
    text.first() == Some(&b'/')
        && text.iter().all(|byte| is_target_byte(*byte))
        && percents_are_well(text)
}

/// Whether every percent sign begins an octet (RFC 3986 §2.1), and none is the NUL at which some programs stop reading
/// (§7.3).
#[must_use]
pub fn percents_are_well(target: &[u8]) -> bool {
    let mut rest = target;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let digits = rest.get(at + 1..at + 3).unwrap_or_default();
        if digits.len() < 2 || digits == b"00" || !digits.iter().all(u8::is_ascii_hexdigit) {
            return false;
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    true
}

/// Whether this names a host: a name, an IPv4 address or an IPv6 address in brackets, and perhaps a port of at most 65535;
/// nothing that could end a quoted string, a field or a path. Percent signs and the other marks that RFC 3986 allows in
/// names are in no name of DNS; two parsers may read them in two ways, so they are no host here.
#[must_use]
pub fn is_host(text: &[u8]) -> bool {
    let (host, port) = match text.strip_prefix(b"[") {
        Some(inner) => {
            let end = inner.iter().position(|byte| *byte == b']');
            let Some((address, rest)) = end.and_then(|end| inner.split_at_checked(end)) else {
                return false;
            };
            let is_address = str::from_utf8(address)
                .is_ok_and(|text| text.parse::<core::net::Ipv6Addr>().is_ok());
            (is_address, rest.strip_prefix(b"]").unwrap_or(rest))
        }
        None => {
            let end = text.iter().position(|byte| *byte == b':');
            let (name, port) = text.split_at(end.unwrap_or(text.len()));
            let is_part = |byte: &u8| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
            };
            (!name.is_empty() && name.iter().all(is_part), port)
        }
    };
    host && (port.is_empty() || port.strip_prefix(b":").is_some_and(is_port))
}

/// Whether these are the digits of a port. An empty one is the scheme's own (RFC 3986 §3.2.3).
fn is_port(digits: &[u8]) -> bool {
    let add = |port: u32, digit: &u8| match digit {
        b'0'..=b'9' => Some(port * 10 + u32::from(digit - b'0')).filter(|port| *port <= 65_535),
        _ => None,
    };
    digits.len() <= 5 && digits.iter().try_fold(0, add).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for text in [
            "a",
            "a.example",
            "a.example.",
            "x_1-y~z",
            "10.0.0.1:80",
            "[::1]",
            "[2001:db8::1]:8443",
            "a:65535",
            "a:",
        ] {
            assert!(is_host(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            ":80",
            "a b",
            "a/b",
            "user@a",
            "a:b",
            "a:65536",
            "a:000080",
            "[::1",
            "[]",
            "[::1]x",
            "[::1]x:80",
            "[v1.a]",
            "a,b",
            "a%2e",
            "a\"",
            "ä",
            "[::ffff:1.2.3.4.5]",
            "a:1:2",
            "a:-1",
            "a:+1",
        ] {
            assert!(!is_host(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_path_has_no_byte_that_two_parsers_read_in_two_ways() {
        assert!(is_path(b"/a/b?x=1&y={z}|%20"));
        for text in [
            "", "a", "*", "/a b", "/a#b", "/\"", "/<", "/>", "/\\", "/^", "/`", "/\u{7f}", "/ä",
            "/\0",
        ] {
            assert!(!is_path(text.as_bytes()), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn runs_of_value_bytes_are_found_as_one_by_one(
            text in prop::collection::vec(prop_oneof![8 => 0x20_u8..0x7f, 1 => any::<u8>()], 0..40)
        ) {
            let naive = text.iter().take_while(|byte| is_value_byte(**byte)).count();
            prop_assert_eq!(value_length(&text), naive);
        }

        #[test]
        fn classes_are_those_of_the_grammar(byte in any::<u8>()) {
            let marks = b"!#$%&'*+-.^_`|~";
            prop_assert_eq!(is_token_byte(byte), byte.is_ascii_alphanumeric() || marks.contains(&byte));
            let unsafe_marks = b"#\"<>\\^`";
            prop_assert_eq!(is_target_byte(byte), byte.is_ascii_graphic() && !unsafe_marks.contains(&byte));
        }
    }
}
