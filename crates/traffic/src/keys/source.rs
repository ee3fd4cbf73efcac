//! Finding the key of a request, where the service says that one is. None is no fault: such a request goes by the shares.
//! What could be read in two ways, or is too long to be a key, is ignored and said.

use super::Ignored;
use crate::hash::Key;

/// The longest key in bytes: a key is looked at with every request, and nobody's room has a longer name.
pub const KEY_BYTES_MAX: usize = 512;

/// A key, if there is one.
pub type Found = Result<Option<Key>, Ignored>;

/// The key in the values of a field: there must be one of it.
pub fn field<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Found {
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Ignored::Ambiguous);
    }
    key(value, value.iter().copied()).map(Some)
}

/// The key in a parameter of a query. Name and value are compared as what they encode: `a%62` is `ab`, `+` a space.
pub fn query(query: &str, name: &str) -> Found {
    let pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut named = pairs.filter(|(key, _)| decoded(key, Plus::Space).eq(name.bytes()));
    let Some((_, value)) = named.next() else {
        return Ok(None);
    };
    if named.next().is_some() {
        return Err(Ignored::Ambiguous);
    }
    key(value.as_bytes(), decoded(value, Plus::Space)).map(Some)
}

/// The key in a segment of the path, counted from 1.
pub fn path_segment(path: &str, number: usize) -> Found {
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
    match segments.nth(number.saturating_sub(1)) {
        None | Some("") => Ok(None),
        Some(segment) => key(segment.as_bytes(), decoded(segment, Plus::Plus)).map(Some),
    }
}

/// The key of the name that a client asked for with SNI.
#[must_use]
pub fn server_name(name: &str) -> Key {
    Key::of_each(name.bytes().map(|byte| byte.to_ascii_lowercase()))
}

fn key(written: &[u8], bytes: impl Iterator<Item = u8>) -> Result<Key, Ignored> {
    match written.len() {
        0 => Err(Ignored::Empty),
        1..=KEY_BYTES_MAX => Ok(Key::of_each(bytes)),
        _ => Err(Ignored::TooLong),
    }
}

/// What a plus sign means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plus {
    Plus,
    Space,
}

/// The bytes that a percent-encoded text stands for; what encodes nothing stands for itself.
fn decoded(text: &str, plus: Plus) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let hex = |byte: &u8| char::from(*byte).to_digit(16);
        let (byte, after) = match rest {
            [b'%', high, low, after @ ..] => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => (u8::try_from(high * 16 + low).unwrap_or(b'%'), after),
                _ => (b'%', rest.get(1..)?),
            },
            [b'+', after @ ..] if plus == Plus::Space => (b' ', after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        rest = after;
        Some(byte)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Found {
        Ok(Some(Key::of(text.as_bytes())))
    }

    #[test]
    fn a_field_is_a_key_when_it_is_there_once() {
        let find = |values: &[&str]| field(values.iter().map(|v| v.as_bytes()));
        assert_eq!(find(&[]), Ok(None));
        assert_eq!(find(&["room-42"]), of("room-42"));
        assert_eq!(find(&["a", "a"]), Err(Ignored::Ambiguous));
        assert_eq!(find(&[""]), Err(Ignored::Empty));
        assert_eq!(find(&[&"x".repeat(512)]), of(&"x".repeat(512)));
        assert_eq!(find(&[&"x".repeat(513)]), Err(Ignored::TooLong));
    }

    #[test]
    fn a_parameter_is_the_same_key_however_it_is_encoded() {
        for text in [
            "room=a+b",
            "x=1&room=a%20b",
            "room=%61%20%62&y",
            "r%6Fom=a b",
        ] {
            assert_eq!(query(text, "room"), of("a b"), "{text}");
        }
        assert_eq!(query("rooms=1&oom=2", "room"), Ok(None));
        assert_eq!(query("room=1&room=2", "room"), Err(Ignored::Ambiguous));
        assert_eq!(query("room", "room"), Err(Ignored::Empty));
        assert_eq!(query("room=%zz%4", "room"), of("%zz%4"));
    }

    #[test]
    fn segments_of_a_path_are_counted_from_one() {
        assert_eq!(path_segment("/room/42/x", 2), of("42"));
        assert_eq!(path_segment("/room/%34%32", 2), of("42"));
        assert_eq!(path_segment("/a+b", 1), of("a+b"));
        for (path, number) in [("/room", 2), ("/room/", 2), ("/", 1), ("*", 2)] {
            assert_eq!(path_segment(path, number), Ok(None), "{path}");
        }
    }

    #[test]
    fn a_server_name_is_one_key_however_it_is_written() {
        assert_eq!(
            server_name("Meet.example.ORG"),
            server_name("meet.example.org")
        );
        assert_ne!(
            server_name("meet.example.org"),
            server_name("chat.example.org")
        );
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in ".*", name in ".*", number in 0_usize..5) {
            for found in [query(&text, &name), path_segment(&text, number)] {
                prop_assert!(!matches!(found, Err(Ignored::Forged)));
            }
            let back: Vec<u8> = decoded(&text.replace('%', "%25"), Plus::Plus).collect();
            prop_assert_eq!(back, text.into_bytes());
        }
    }
}
