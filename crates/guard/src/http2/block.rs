//! What a header block may hold, as far as the engine does not see to it: it drops pseudo-fields of trailers, cuts a path
//! at `#`, and takes values with space around them. What can still be seen in the request is left to those who see it; here
//! is what cannot.

use crate::grammar;
use crate::http2::Abuse;
use crate::http2::hpack::Decoder;

/// Room that is kept for the next block.
const HELD_KEPT: usize = 1024;

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Section {
    /// The head of a client's request.
    #[default]
    Request,
    /// The trailers of a client's request.
    Trailers,
    /// The head of an origin's answer, interim or final.
    Answer,
    /// What an origin sends behind a final head.
    AnswerTrailers,
}

/// The blocks of one direction, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Blocks {
    decoder: Decoder,
    section: Section,
    /// The fragments that have come. No more than the CONTINUATION frames of a head may hold.
    held: Vec<u8>,
}

/// What a block was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// An answer that is not the final one.
    pub(super) is_interim: bool,
}

impl Blocks {
    /// A block begins.
    pub(super) fn begin(&mut self, section: Section) {
        self.section = section;
        self.held.clear();
    }

    /// A fragment of it.
    pub(super) fn hold(&mut self, fragment: &[u8]) {
        self.held.extend_from_slice(fragment);
    }

    /// It is whole.
    pub(super) fn end(&mut self) -> Result<Seen, Abuse> {
        let seen = judge(&mut self.decoder, self.section, &self.held);
        self.held.clear();
        self.held.shrink_to(HELD_KEPT);
        seen
    }
}

fn judge(decoder: &mut Decoder, section: Section, block: &[u8]) -> Result<Seen, Abuse> {
    let (mut is_well, mut is_interim) = (true, false);
    let decoded = decoder.decode(block, |name, value| {
        is_well &= may_hold(section, name, value);
        is_interim |= name == b":status" && value.starts_with(b"1");
    });
    match decoded {
        Err(_) => Err(Abuse::Compression),
        Ok(()) if !is_well => Err(Abuse::Malformed),
        Ok(()) => Ok(Seen { is_interim }),
    }
}

fn may_hold(section: Section, name: &[u8], value: &[u8]) -> bool {
    let is_pseudo = name.starts_with(b":");
    match section {
        Section::Request => name != b":path" || !value.contains(&b'#'),
        Section::Trailers => {
            let is_lower = !name.iter().any(u8::is_ascii_uppercase);
            let is_tight = value.trim_ascii().len() == value.len();
            is_lower && is_tight && grammar::is_field_name(name) && grammar::is_field_value(value)
        }
        Section::Answer => !is_pseudo || name == b":status",
        Section::AnswerTrailers => !is_pseudo,
    }
}
