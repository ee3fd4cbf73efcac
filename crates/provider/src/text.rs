//! Texts on their way to a cloud and from it: what goes into an address is encoded, what a cloud says is made fit to be shown, and
//! what stands there is given a version. Pure.

use bascule_model::hash::Fnv;

/// Of one message of a cloud's, this many characters are shown.
pub const SHOWN_MAX: usize = 500;

/// One part of a path, or a name or value of a query, percent-encoded as RFC 3986 (2.3) and the clouds' signatures have it: all
/// but letters, digits and `-._~`.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// What a cloud says, on one line and cut at [`SHOWN_MAX`] characters.
#[must_use]
pub fn shown(text: &str) -> String {
    line(text, SHOWN_MAX)
}

/// On one line, without what could steer a terminal or turn the order of letters round, and cut with a sign that it was.
pub(crate) fn line(text: &str, max: usize) -> String {
    let is_unfit =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let clean = |c: char| if is_unfit(c) { ' ' } else { c };
    let mut chars = text.trim().chars().map(clean);
    let mut out: String = chars.by_ref().take(max).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

/// What changes with every change of these parts, which are in an order that the cloud's answer does not change.
#[must_use]
pub fn version<T: AsRef<str>>(parts: impl IntoIterator<Item = T>) -> String {
    let hash = parts.into_iter().fold(Fnv::new(), |hash, part| {
        let part = part.as_ref().as_bytes();
        hash.write(&part.len().to_le_bytes()).write(part)
    });
    format!("{:016x}", hash.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_letters_digits_and_four_signs_are_encoded() {
        assert_eq!(encoded("10.0.0.3:8080"), "10.0.0.3%3A8080");
        assert_eq!(encoded("a b/ü~_-"), "a%20b%2F%C3%BC~_-");
    }

    #[test]
    fn what_a_cloud_says_is_shown_on_one_line_and_cut() {
        assert_eq!(shown(" one\r\ntwo\u{1b}[31m\u{202e} "), "one  two [31m ");
        let long = shown(&"é".repeat(SHOWN_MAX + 1));
        assert_eq!(long.chars().count(), SHOWN_MAX + 1);
        assert!(long.ends_with("é…"), "{long}");
        assert_eq!(shown(&"é".repeat(SHOWN_MAX)).chars().count(), SHOWN_MAX);
    }

    #[test]
    fn a_version_is_of_each_part_and_not_of_the_whole_alone() {
        let of = |parts: &[&str]| version(parts);
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
    }
}
