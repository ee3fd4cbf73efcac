//! Reading an answer without holding it: looks for the text that is expected while the bytes pass, and gives up on what is
//! too long. It must never hold more than one piece and the length of the text.

use bascule_health::CheckFailure;

/// The longest body that is read over HTTP. A page that somebody points a check at is far below; what is longer
/// is a stream, and to read more of it would be load.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// An answer as it comes.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    /// What is looked for; `None` once it was found, or when nothing is.
    wanted: Option<&'a [u8]>,
    /// The end of what has passed: shorter than the text, and may be its beginning.
    tail: Vec<u8>,
    seen: usize,
    bytes_max: usize,
}

impl<'a> Answer<'a> {
    pub(super) fn new(text: Option<&'a str>, bytes_max: usize) -> Self {
        Self {
            wanted: text.map(str::as_bytes).filter(|text| !text.is_empty()),
            tail: Vec::new(),
            seen: 0,
            bytes_max,
        }
    }

    /// Takes the next bytes.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<(), CheckFailure> {
        self.seen = self.seen.saturating_add(piece.len());
        if self.seen > self.bytes_max {
            return Err(CheckFailure::TooLong);
        }
        let Some(wanted) = self.wanted else {
            return Ok(());
        };
        self.tail.extend_from_slice(piece);
        if self.tail.windows(wanted.len()).any(|part| part == wanted) {
            self.wanted = None;
            self.tail = Vec::new();
        } else {
            let spare = self.tail.len().saturating_sub(wanted.len() - 1);
            self.tail.drain(..spare);
        }
        Ok(())
    }

    /// Whether nothing more is looked for.
    pub(super) const fn is_complete(&self) -> bool {
        self.wanted.is_none()
    }

    /// The answer has ended.
    pub(super) const fn end(&self) -> Result<(), CheckFailure> {
        if self.is_complete() {
            Ok(())
        } else {
            Err(CheckFailure::Text)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However the bytes are cut, it says what a look at the whole says, and holds less than the text.
        #[test]
        fn a_text_is_found_wherever_the_pieces_are_cut(
            pieces in prop::collection::vec("[ab]{0,6}", 0..12),
            text in "[ab]{1,5}",
        ) {
            let mut answer = Answer::new(Some(&text), 1000);
            for piece in &pieces {
                answer.take(piece.as_bytes()).unwrap();
                prop_assert!(answer.tail.len() < text.len());
            }
            prop_assert_eq!(answer.end().is_ok(), pieces.concat().contains(&text));
        }
    }

    #[test]
    fn what_is_too_long_is_told_whether_the_text_was_found_or_not() {
        for text in [None, Some("a"), Some("b")] {
            let mut answer = Answer::new(text, 10);
            assert_eq!(answer.take(b"aaaaaaaaaa"), Ok(()));
            assert_eq!(answer.take(b"a"), Err(CheckFailure::TooLong));
        }
    }
}
