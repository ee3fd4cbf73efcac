//! Shows bytes to a reader of the guard in pieces, as the streams in `proxy` do: what it holds back comes again in front
//! of the next piece.

use bascule_guard::http1::{Passed, Then};

/// What came of it in the end.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Passed on.
    pub bytes: usize,
    /// Heads among them.
    pub heads: u32,
    /// What became of the rest.
    pub then: Then,
}

impl Told {
    /// Whether something was refused.
    #[allow(dead_code, reason = "not every target asks")]
    pub const fn is_bad(&self) -> bool {
        matches!(self.then, Then::BadHead(_) | Then::BadBody(_))
    }
}

/// Shows all of them, `piece` more at a time.
pub fn show(bytes: &[u8], piece: usize, mut pass: impl FnMut(&[u8]) -> Passed) -> Told {
    let mut told = Told {
        bytes: 0,
        heads: 0,
        then: Then::More,
    };
    let mut shown = 0;
    while shown < bytes.len() {
        shown = bytes.len().min(shown + piece.max(1));
        let piece = bytes.get(told.bytes..shown).unwrap_or_default();
        let passed = pass(piece);
        assert!(passed.bytes <= piece.len(), "more than was shown");
        told.bytes += passed.bytes;
        told.heads += passed.heads;
        told.then = passed.then;
        match passed.then {
            Then::More => assert_eq!(
                passed.bytes,
                piece.len(),
                "nothing is held, yet not all passed"
            ),
            Then::Hold => {}
            Then::Drop | Then::BadHead(_) | Then::BadBody(_) => break,
        }
    }
    told
}
