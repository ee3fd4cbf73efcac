//! What of a request ties it to others, where its service chooses by key (`balance.hash`). Read from the head before it is
//! forwarded; an absent or empty one is no key, and the request goes to the least loaded. Nothing is decoded: two
//! spellings of one value are two keys.

use bascule_traffic::hash::Key;
use bascule_traffic::spec::HashKey;
use http::header::HeaderMap;

use crate::http::check::Asked;
use crate::http::client::Client;

/// The key of a request.
pub(crate) fn of(
    hash: &HashKey,
    asked: &Asked,
    headers: &HeaderMap,
    client: &Client,
) -> Option<Key> {
    let bytes = match hash {
        HashKey::SourceIp => {
            let trusted = &client.listener.trusted;
            return Some(Key::of_ip(client.origin.client_ip(headers, trusted)));
        }
        HashKey::Header(name) => headers.get(name.as_str())?.as_bytes(),
        HashKey::Query(name) => parameter(asked.path.query()?, name)?.as_bytes(),
        HashKey::PathSegment(number) => segment(asked.path.path(), *number)?.as_bytes(),
    };
    (!bytes.is_empty()).then(|| Key::of(bytes))
}

/// The value of the first parameter of this name.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name);
    values.next().map(|(_, value)| value)
}

/// A segment of a path, counted from 1.
fn segment(path: &str, number: u8) -> Option<&str> {
    path.strip_prefix('/')?
        .split('/')
        .nth(usize::from(number).checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_parameter_of_the_name_counts_as_it_is_written() {
        for (query, value) in [
            ("room=42", Some("42")),
            ("a=1&room=4%32&room=7", Some("4%32")),
            ("rooms=1&xroom=2", None),
            ("room", None),
            ("room=", Some("")),
            ("room=a=b", Some("a=b")),
        ] {
            assert_eq!(parameter(query, "room"), value, "{query}");
        }
    }

    #[test]
    fn segments_are_counted_from_one() {
        for (path, number, value) in [
            ("/rooms/42", 1, Some("rooms")),
            ("/rooms/42", 2, Some("42")),
            ("/rooms/42", 3, None),
            ("/rooms/", 2, Some("")),
            ("/", 1, Some("")),
            ("*", 1, None),
        ] {
            assert_eq!(segment(path, number), value, "{path}");
        }
    }
}
