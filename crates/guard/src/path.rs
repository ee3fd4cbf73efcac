//! Dot segments: `/a/../b` and `/b` are one place to some programs and two to others, so a request that says the first is
//! routed and forwarded as the second (RFC 3986 §5.2.4, §6.2.2.3). `%2e` is a dot (§2.3). A path that climbs above its
//! root has no meaning and is refused. Nothing else of a path is touched: what else is encoded stays as it was said.

use std::borrow::Cow;

/// The path (without its query) as it is routed and forwarded; `None` when it climbs above the root.
#[must_use]
pub fn without_dots(path: &str) -> Option<Cow<'_, str>> {
    if !path.split('/').any(|segment| dots(segment) > 0) {
        return Some(Cow::Borrowed(path));
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match dots(segment) {
            0 => kept.push(segment),
            1 => {}
            _ => {
                kept.pop()?;
            }
        }
        // What ends in a dot segment is a directory: the slash before it stays.
        if is_last && dots(segment) > 0 {
            kept.push("");
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in kept {
        out.push('/');
        out.push_str(segment);
    }
    Some(Cow::Owned(out))
}

/// How many dots the segment is made of: 1 or 2; 0 when it is no dot segment.
fn dots(segment: &str) -> u8 {
    let after_dot = |text: &str| -> Option<usize> {
        let mut bytes = text.bytes();
        match bytes.next()? {
            b'.' => Some(1),
            b'%' if bytes.next()? == b'2' && matches!(bytes.next()?, b'e' | b'E') => Some(3),
            _ => None,
        }
    };
    let Some(rest) = after_dot(segment).and_then(|end| segment.get(end..)) else {
        return 0;
    };
    if rest.is_empty() {
        return 1;
    }
    if after_dot(rest).is_some_and(|end| end == rest.len()) {
        2
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dot_segments_are_removed_and_nothing_else() {
        for (said, meant) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/.", "/"),
            ("/a/..", "/"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/a/%2e/b", "/a/b"),
            ("/a//../b", "/a/b"),
            ("/...", "/..."),
            ("/.a/..b/c.", "/.a/..b/c."),
            ("/%2f..%2f", "/%2f..%2f"),
            ("/%252e%252e/", "/%252e%252e/"),
        ] {
            assert_eq!(without_dots(said).as_deref(), Some(meant), "{said}");
        }
    }

    #[test]
    fn climbing_above_the_root_has_no_meaning() {
        for said in ["/..", "/../a", "/a/../../b", "/%2e%2e/a", "/./.."] {
            assert_eq!(without_dots(said), None, "{said}");
        }
    }

    proptest! {
        #[test]
        fn what_comes_out_has_no_dot_segment_and_stays_as_it_is(path in "(/(\\.|%2e|%2E|a){0,3}){1,6}") {
            if let Some(out) = without_dots(&path) {
                prop_assert!(out.starts_with('/'));
                prop_assert!(out.split('/').all(|segment| dots(segment) == 0));
                let again = without_dots(&out);
                prop_assert_eq!(again.as_deref(), Some(&*out));
            }
        }
    }
}
