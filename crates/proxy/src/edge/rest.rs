//! Taking an edge out of what is in front of it, and back: clients are asked to go while whoever comes is still served, so
//! that nothing fails meanwhile. Its end is another thing: `Edge::drain`.

use super::Edge;

/// Whether clients are asked to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Going {
    /// No.
    Stay,
    /// Yes, and new ones are still served, one request each.
    Rest,
    /// Yes, and the workers end with the last of them.
    End,
}

impl Edge {
    /// Asks clients to go as [`drain`](Self::drain) does, or stops asking; the listeners stay open, and whoever comes is
    /// served once and asked to go. For taking an edge out of what is in front of it, and back. Nothing once it drains to
    /// end.
    pub fn rest(&self, rest: bool) {
        let wanted = if rest { Going::Rest } else { Going::Stay };
        self.0.going.send_if_modified(|going| {
            let changes = *going != Going::End && *going != wanted;
            if changes {
                *going = wanted;
            }
            changes
        });
    }

    /// Whether clients are asked to go, for a while or for good.
    #[must_use]
    pub fn is_asked_to_go(&self) -> bool {
        *self.0.going.borrow() != Going::Stay
    }
}
