//! Finds the frames in a stream of bytes, wherever it is cut: nine bytes of header (RFC 9113 §4.1), then a payload that is
//! skipped but for its first bytes where they count. It holds no more than those.

/// What an HTTP/2 client sends first (RFC 9113 §3.4).
const PREFACE_BYTES: u32 = 24;
const HEADER_BYTES: usize = 9;
/// Stream dependency and weight, in front of a head (RFC 9113 §6.2).
const PRIORITY_BYTES: u32 = 5;
/// The most of a payload that is looked at: of a GOAWAY, up to its code.
const LOOKED_AT: usize = 8;

pub(super) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// END_STREAM, and of SETTINGS and PING: ACK.
const FIRST_FLAG: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// One frame, as much of it as matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Frame {
    pub(super) kind: u8,
    flags: u8,
    pub(super) stream: u32,
    pub(super) length: u32,
    first: [u8; LOOKED_AT],
}

impl Frame {
    fn parse(header: [u8; HEADER_BYTES]) -> Self {
        let [a, b, c, kind, flags, d, e, f, g] = header;
        Self {
            kind,
            flags,
            // The first bit is reserved.
            stream: u32::from_be_bytes([d & 0x7f, e, f, g]),
            length: u32::from_be_bytes([0, a, b, c]),
            first: [0; LOOKED_AT],
        }
    }

    pub(super) const fn is_ack(&self) -> bool {
        self.flags & FIRST_FLAG != 0
    }

    pub(super) const fn ends_stream(&self) -> bool {
        self.flags & FIRST_FLAG != 0
    }

    pub(super) const fn ends_head(&self) -> bool {
        self.flags & END_HEADERS != 0
    }

    /// Of DATA, HEADERS and CONTINUATION: bytes that are neither padding nor priority.
    pub(super) fn content(&self) -> u32 {
        if self.kind == kind::CONTINUATION {
            return self.length;
        }
        let [pad, ..] = self.first;
        let padding = if self.flags & PADDED == 0 {
            0
        } else {
            1 + u32::from(pad)
        };
        let has_priority = self.kind == kind::HEADERS && self.flags & PRIORITY != 0;
        let priority = if has_priority { PRIORITY_BYTES } else { 0 };
        self.length.saturating_sub(padding + priority)
    }

    /// The error code of RST_STREAM or GOAWAY.
    pub(super) const fn code(&self) -> u32 {
        let [a, b, c, d, e, f, g, h] = self.first;
        match self.kind {
            kind::GOAWAY => u32::from_be_bytes([e, f, g, h]),
            _ => u32::from_be_bytes([a, b, c, d]),
        }
    }

    /// The first setting of SETTINGS, where there is one.
    pub(super) const fn setting(&self) -> (u16, u32) {
        let [a, b, c, d, e, f, ..] = self.first;
        (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]))
    }

    /// Whether it holds a piece of a header block that is looked at.
    const fn has_block(&self) -> bool {
        matches!(self.kind, kind::HEADERS | kind::CONTINUATION)
    }

    /// How much of the payload must be seen before the frame can be judged.
    fn looked_at(&self) -> u32 {
        let wanted = match self.kind {
            kind::RST_STREAM => 4,
            kind::GOAWAY => 8,
            kind::SETTINGS => 6,
            kind::DATA | kind::HEADERS if self.flags & PADDED != 0 => 1,
            _ => 0,
        };
        self.length.min(wanted)
    }
}

/// What is found in the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A frame can be judged.
    Frame(Frame),
    /// More of its header block.
    Fragment(&'a [u8]),
    /// A frame with a header block is whole.
    Ended(Frame),
}

/// Reads frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frames {
    preface_left: u32,
    header: [u8; HEADER_BYTES],
    header_filled: usize,
    frame: Frame,
    /// Bytes of the payload still to come, and how many of its first bytes are still to be looked at.
    payload_left: u32,
    look_left: u32,
    /// Of a header block: bytes before it, and of it, still to come; whether its end is still to be told.
    lead_left: u32,
    block_left: u32,
    is_block: bool,
}

impl Frames {
    /// Of the side that sends the preface.
    pub(super) fn of_client() -> Self {
        Self {
            preface_left: PREFACE_BYTES,
            ..Self::of_server()
        }
    }

    /// Of the other side.
    pub(super) fn of_server() -> Self {
        Self {
            preface_left: 0,
            header: [0; HEADER_BYTES],
            header_filled: 0,
            frame: Frame::default(),
            payload_left: 0,
            look_left: 0,
            lead_left: 0,
            block_left: 0,
            is_block: false,
        }
    }

    /// Whether a new frame may begin here.
    pub(super) const fn is_between(&self) -> bool {
        self.preface_left == 0 && self.header_filled == 0 && self.payload_left == 0
    }

    /// Takes bytes up to the next piece, and gives that. `bytes` is left at what follows; without a piece, all of it was
    /// taken.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Piece<'a>> {
        let mut none = 0;
        skip(bytes, &mut self.preface_left, &mut none);
        loop {
            if self.look_left > 0 {
                self.look(bytes)?;
                return Some(Piece::Frame(self.begin_block()));
            }
            skip(bytes, &mut self.lead_left, &mut self.payload_left);
            if self.lead_left == 0 && self.block_left > 0 && !bytes.is_empty() {
                let fragment = skip(bytes, &mut self.block_left, &mut self.payload_left);
                return Some(Piece::Fragment(fragment));
            }
            let mut payload_left = self.payload_left;
            skip(bytes, &mut payload_left, &mut none);
            self.payload_left = payload_left;
            if self.payload_left == 0 && std::mem::take(&mut self.is_block) {
                return Some(Piece::Ended(self.frame));
            }
            self.take_header(bytes)?;
            if self.look_left == 0 {
                return Some(Piece::Frame(self.begin_block()));
            }
        }
    }

    fn begin_block(&mut self) -> Frame {
        if self.frame.has_block() {
            self.is_block = true;
            self.block_left = self.frame.content().min(self.payload_left);
            let has_lead = self.frame.kind == kind::HEADERS && self.frame.flags & PRIORITY != 0;
            let lead = if has_lead { PRIORITY_BYTES } else { 0 };
            self.lead_left = lead.min(self.payload_left);
        }
        self.frame
    }

    /// Takes what is missing of the next header.
    fn take_header(&mut self, bytes: &mut &[u8]) -> Option<()> {
        if self.payload_left > 0 {
            return None;
        }
        while self.header_filled < HEADER_BYTES {
            let (byte, rest) = bytes.split_first()?;
            *bytes = rest;
            if let Some(slot) = self.header.get_mut(self.header_filled) {
                *slot = *byte;
            }
            self.header_filled += 1;
        }
        self.header_filled = 0;
        self.frame = Frame::parse(self.header);
        self.payload_left = self.frame.length;
        self.look_left = self.frame.looked_at();
        Some(())
    }

    /// Takes the first bytes of the payload, and then the frame can be judged.
    fn look(&mut self, bytes: &mut &[u8]) -> Option<()> {
        while self.look_left > 0 {
            let (byte, rest) = bytes.split_first()?;
            *bytes = rest;
            let at = self.frame.looked_at() - self.look_left;
            let slot = usize::try_from(at)
                .ok()
                .and_then(|at| self.frame.first.get_mut(at));
            if let Some(slot) = slot {
                *slot = *byte;
            }
            self.look_left -= 1;
            self.payload_left -= 1;
        }
        Some(())
    }
}

/// Takes up to `left` bytes, less those from `left` and from what that is a part of.
fn skip<'a>(bytes: &mut &'a [u8], left: &mut u32, whole: &mut u32) -> &'a [u8] {
    let count = u32::try_from(bytes.len()).map_or(*left, |there| (*left).min(there));
    *left -= count;
    *whole = whole.saturating_sub(count);
    let at = usize::try_from(count).unwrap_or(usize::MAX);
    let (taken, rest) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
    *bytes = rest;
    taken
}
