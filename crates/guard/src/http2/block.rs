//! What a header block may hold, as far as the engine does not see to it: it drops pseudo-fields of trailers, cuts a path
//! at `#`, and takes values with space around them. What can still be seen in the request is left to those who see it; here
//! is what cannot.

use crate::grammar;
use crate::http2::Abuse;
use crate::http2::hpack::Decoder;

/// What a field costs beyond its bytes.
const FIELD_BYTES: usize = 32;
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
    /// What trailers may hold, each field with 32 bytes more than it has (RFC 9113 §6.5.2), as the engine counts heads.
    bytes_max: usize,
    /// The fragments that have come. No more than the CONTINUATION frames of a head may hold.
    held: Vec<u8>,
}

/// What a block was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// An answer that is not the final one.
    pub(super) is_interim: bool,
    /// A request that says that it has no body.
    pub(super) is_bodiless: bool,
}

impl Blocks {
    /// No block yet.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            ..Self::default()
        }
    }

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
        let seen = self.judge();
        self.held.clear();
        self.held.shrink_to(HELD_KEPT);
        seen
    }

    fn judge(&mut self) -> Result<Seen, Abuse> {
        let section = self.section;
        let mut bytes = 0_usize;
        let (mut is_well, mut is_interim, mut is_bodiless) = (true, false, false);
        let decoded = self.decoder.decode(&self.held, |name, value| {
            bytes = bytes.saturating_add(name.len() + value.len() + FIELD_BYTES);
            is_well &= may_hold(section, name, value);
            is_bodiless |= name == b"content-length" && value == b"0";
            is_interim |= name == b":status" && value.starts_with(b"1");
        });
        match decoded {
            Err(_) => Err(Abuse::Compression),
            Ok(()) if section == Section::Trailers && bytes > self.bytes_max => {
                Err(Abuse::TrailersTooLong)
            }
            Ok(()) if !is_well => Err(Abuse::Malformed),
            Ok(()) => Ok(Seen {
                is_interim,
                is_bodiless,
            }),
        }
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
