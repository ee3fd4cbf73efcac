//! Chunks by example, and cut anywhere.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    head_bytes: 1000,
    fields: 10,
    target_bytes: 100,
    extension_bytes: 30,
    trailer_bytes: 60,
    trailer_fields: 2,
};

fn read(text: &str) -> (usize, Result<bool, Violation>) {
    Reader::new().read(text.as_bytes(), &LIMITS)
}

#[test]
fn a_body_ends_with_its_last_chunk_and_its_trailers() {
    for text in [
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "00a\r\n0123456789\r\n000\r\n\r\n",
        "A\r\n0123456789\r\n0\r\n\r\n",
        "2;a\r\n\r\n\r\n0;b=c;d=\"e\\\"f;\"\r\n\r\n",
        "1 ; a = b \t; c\r\nx\r\n0\r\n\r\n",
        "0\r\nx-sum: 1\r\nempty:\r\n\r\n",
    ] {
        assert_eq!(read(text), (text.len(), Ok(true)), "{text:?}");
        let more = format!("{text}GET /");
        assert_eq!(read(&more), (text.len(), Ok(true)), "{text:?}");
        let cut = &text[..text.len() - 1];
        assert_eq!(read(cut), (cut.len(), Ok(false)), "{text:?}");
    }
}

#[test]
fn the_first_byte_that_does_not_belong_ends_it() {
    use Violation::{Chunk, ExtensionsTooLong, LineEnd, Trailer, TrailersTooLong};
    for (good, bad, violation) in [
        ("", "\r\n", Chunk),
        ("", " 5\r\n", Chunk),
        ("", "+5\r\n", Chunk),
        ("", "-1\r\n", Chunk),
        ("", ";a\r\n", Chunk),
        ("", "g\r\n", Chunk),
        ("0", "x5\r\n", Chunk),
        ("5", "_0\r\n", Chunk),
        ("5 ", "\r\nhello", Chunk),
        ("5 ", "6\r\n", Chunk),
        ("5", "\nhello", LineEnd),
        ("5\r", "hello", LineEnd),
        ("5\r\nhello", "\n0\r\n", LineEnd),
        ("5\r\nhello", "world\r\n", Chunk),
        ("5\r\nhello\r", "\r\n", LineEnd),
        ("", "8000000000000000\r\n", Chunk),
        ("", "fffffffffffffffff\r\n", Chunk),
        ("0000000000000000", "0\r\n", Chunk),
        ("5;", "\r\n", Chunk),
        ("5;a", "\nhello", LineEnd),
        ("5;a=", "\r\n", Chunk),
        ("5;a ", "\r\n", Chunk),
        ("5;a=b", "\u{1}\r\n", Chunk),
        ("5;a=\"b", "\r\n", Chunk),
        ("5;a=\"b", "\nhello", LineEnd),
        ("5;a=\"b\"", "c\r\n", Chunk),
        ("5;a\r", "b\n", LineEnd),
        ("5;a=\r", "b\n", LineEnd),
        (
            "5;0123456789012345678901234567",
            "89\r\n",
            ExtensionsTooLong,
        ),
        ("0\r\n", "\n", LineEnd),
        ("0\r\n\r", "x", LineEnd),
        ("0\r\n", " folded\r\n", Trailer),
        ("0\r\na: 1\r\n", " folded\r\n", Trailer),
        ("0\r\n", ": 1\r\n", Trailer),
        ("0\r\na", " : 1\r\n", Trailer),
        ("0\r\na", "\r\n", Trailer),
        ("0\r\na", "\n", LineEnd),
        ("0\r\na: 1", "\n\r\n", LineEnd),
        ("0\r\na: 1\r", "b", LineEnd),
        ("0\r\na: ", "\0\r\n", Trailer),
        ("0\r\nContent-Length", ": 5\r\n", Trailer),
        ("0\r\ntransfer-ENCODING", ": chunked\r\n", Trailer),
        ("0\r\nhost", ":a\r\n", Trailer),
        ("0\r\na: 1\r\nb: 2\r\n", "c: 3\r\n", TrailersTooLong),
    ] {
        let text = format!("{good}{bad}");
        let found = read(&text);
        assert_eq!(found.1, Err(violation), "{text:?}");
        assert!(
            found.0 >= good.len() && found.0 < text.len(),
            "{text:?}: {found:?}"
        );
    }
    let long = format!("0\r\na: {}\r\n\r\n", "x".repeat(60));
    assert_eq!(read(&long).1, Err(TrailersTooLong));
}

#[test]
fn extensions_are_counted_over_the_whole_body() {
    let chunk = "1;abcdefgh\r\nx\r\n";
    let (passed, read) = read(&chunk.repeat(10));
    assert_eq!(read, Err(Violation::ExtensionsTooLong));
    assert!(passed < 5 * chunk.len());
}

proptest! {
    #[test]
    fn bytes_cut_anywhere_give_the_same(
        parts in prop::collection::vec(prop::sample::select(vec![
            "0", "1", "a", "5", "\r\n", "\r", "\n", ";", "a=b", "=", "\"", "\\", " ", "hello", "x", ": ", "host", "0\r\n", "1\r\nx\r\n",
        ]), 0..24),
        cuts in prop::collection::vec(0_usize..60, 0..6),
    ) {
        let text = parts.concat();
        let whole = read(&text);
        let mut reader = Reader::new();
        let mut passed = 0;
        let mut result = Ok(false);
        let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([text.len()]).collect();
        ends.sort_unstable();
        for end in ends {
            if result == Ok(false) {
                let (more, read) = reader.read(&text.as_bytes()[passed..end], &LIMITS);
                passed += more;
                result = read;
            }
        }
        prop_assert_eq!((passed, result), whole);
    }

    /// A body written by the rules is read to its end, and its data is all that was written.
    #[test]
    fn what_is_written_by_the_rules_is_read(chunks in prop::collection::vec((1_usize..40, "(;[a-z]{1,3}(=[a-z]{1,3})?){0,1}"), 0..5)) {
        let mut text = String::new();
        for (size, extension) in &chunks {
            let limit = extension.len().min(5);
            text += &format!("{size:x}{}\r\n{}\r\n", &extension[..limit].trim_end_matches([';', '=']), "x".repeat(*size));
        }
        text += "0\r\n\r\n";
        prop_assert_eq!(read(&text), (text.len(), Ok(true)));
    }
}
