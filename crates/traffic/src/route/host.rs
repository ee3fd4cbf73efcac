//! Host names as they come in a request, compared without copying: case is folded byte by byte, the port is cut off.

use std::cmp::Ordering;

/// The host without port, and without the dot that may end a full name. An IPv6 address keeps its brackets.
pub(super) fn without_port(host: &str) -> &str {
    let name = match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => host.get(..colon).unwrap_or(host),
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

/// The entry of a host in a list that is sorted and in lower case.
pub(super) fn find<'a, T>(list: &'a [(Box<str>, T)], host: &str) -> Option<&'a T> {
    let at = list
        .binary_search_by(|(entry, _)| compare_lower(entry, host))
        .ok()?;
    list.get(at).map(|(_, value)| value)
}

/// Compares a text in lower case with one in any case.
fn compare_lower(lower: &str, any: &str) -> Ordering {
    lower
        .bytes()
        .cmp(any.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// What remains of a host when labels are taken off its front: of `a.b.c`, `b.c` then `c`. A label is never empty, so an
/// address in brackets has no parents that a wildcard could fit.
pub(super) fn parents(host: &str) -> impl Iterator<Item = &str> {
    let labels_begin = host.match_indices('.').filter(|(at, _)| *at > 0);
    labels_begin.filter_map(move |(at, _)| host.get(at + 1..))
}
