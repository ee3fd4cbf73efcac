//! The budgets of one connection, fed with the bytes of both directions, and the few rules of frames and heads that the
//! engine does not hold, or not with the right word.

use std::collections::BTreeSet;

use bascule_model::Instant;

use crate::http2::block::{Blocks, Section};
use crate::http2::bucket::Bucket;
use crate::http2::frames::{Frame, Frames, Piece, kind};
use crate::http2::heads::Heads;
use crate::http2::{Abuse, Budgets, Peer, Unheard};

/// The largest frame that a peer may send, and that most fill with a long head (RFC 9113 §4.2).
const FRAME_BYTES: usize = 16 * 1024;
/// CONTINUATION frames that a head may take beyond those that it needs.
const CONTINUATIONS_SPARE: usize = 3;

/// WINDOW_UPDATE frames that need no reason: a client opens its windows when it begins.
const WINDOW_UPDATES_FREE: u32 = 32;
/// Those that a request explains, and a frame of DATA, and so many of its bytes: some peers give room back for every read
/// of theirs, to the stream and to the connection.
const WINDOW_UPDATES_BY_REQUEST: u32 = 4;
const WINDOW_UPDATES_BY_DATA: u32 = 2;
const WINDOW_UPDATE_BYTES: u32 = 1024;
/// What may be saved up of anything that is owed.
const OWED_MAX: u32 = 10_000;

/// Streams that are kept in mind: more than may be open at once.
const STREAMS_MAX: usize = 4096;
/// SETTINGS_INITIAL_WINDOW_SIZE, and the largest there is (RFC 9113 §6.5.2).
const INITIAL_WINDOW: u16 = 4;
const WINDOW_MAX: u32 = (1 << 31) - 1;

/// Error codes with which we end a stream for what its peer did (RFC 9113 §7): PROTOCOL_ERROR, FLOW_CONTROL_ERROR,
/// STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, COMPRESSION_ERROR, ENHANCE_YOUR_CALM.
const PEERS_FAULTS: [u32; 7] = [1, 3, 5, 6, 7, 9, ENHANCE_YOUR_CALM];
const ENHANCE_YOUR_CALM: u32 = 11;
const NO_ERROR: u32 = 0;

/// Watches the frames of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    peer: Peer,
    received: Frames,
    sent: Frames,
    heads: Heads,
    blocks: Blocks,
    /// Of a client: streams that it has ended and we have not. Of an origin: those with a final head that it has not ended.
    marked: BTreeSet<u32>,
    has_begun: bool,
    /// Requests that said that they have no body, and have not ended: one may have been answered before the body comes.
    bodiless: BTreeSet<u32>,
    /// Whether a header block has begun and not ended.
    in_block: bool,
    /// Whether the head that is being received ends its stream.
    block_ends_stream: bool,
    resets: Bucket,
    resets_caused: Bucket,
    control: Bucket,
    continuations_max: usize,
    /// CONTINUATION frames of the head that is being received.
    continuations: usize,
    /// Frames that what we sent explains: they cost nothing.
    window_updates_owed: u32,
    acks_owed: u32,
    pongs_owed: u32,
    heads_owed: u32,
    resets_owed: u32,
    abuse: Option<Abuse>,
}

impl Watch {
    /// Of a new connection.
    #[must_use]
    pub fn new(peer: Peer, budgets: Budgets, now: Instant) -> Self {
        let (received, sent) = match peer {
            Peer::Client => (Frames::of_client(), Frames::of_server()),
            Peer::Origin => (Frames::of_server(), Frames::of_client()),
        };
        Self {
            peer,
            received,
            sent,
            heads: Heads::default(),
            blocks: Blocks::new(budgets.head_bytes),
            marked: BTreeSet::new(),
            has_begun: false,
            bodiless: BTreeSet::new(),
            in_block: false,
            block_ends_stream: false,
            resets: Bucket::full(budgets.resets, now),
            resets_caused: Bucket::full(budgets.resets, now),
            control: Bucket::full(budgets.control_frames, now),
            continuations_max: budgets.head_bytes.div_ceil(FRAME_BYTES) + CONTINUATIONS_SPARE,
            continuations: 0,
            window_updates_owed: WINDOW_UPDATES_FREE,
            acks_owed: 0,
            pongs_owed: 0,
            heads_owed: 0,
            resets_owed: 0,
            abuse: None,
        }
    }

    /// Bytes came from the peer.
    ///
    /// # Errors
    /// What the connection is to be ended for. It is said again with everything that comes later.
    pub fn received(&mut self, now: Instant, mut bytes: &[u8]) -> Result<(), Abuse> {
        while let Some(piece) = self.received.next(&mut bytes) {
            let judged = match piece {
                Piece::Frame(frame) => self.judge(&frame, now),
                Piece::Fragment(fragment) => {
                    self.blocks.hold(fragment);
                    Ok(())
                }
                Piece::Ended(frame) if frame.ends_head() => self.end_block(&frame),
                Piece::Ended(_) => Ok(()),
            };
            self.latch(judged)?;
        }
        self.abuse.map_or(Ok(()), Err)
    }

    /// Bytes went to the peer.
    ///
    /// # Errors
    /// As [`received`](Self::received).
    pub fn sent(&mut self, now: Instant, mut bytes: &[u8]) -> Result<(), Abuse> {
        while let Some(piece) = self.sent.next(&mut bytes) {
            if let Piece::Frame(frame) = piece {
                let noted = self.note(&frame, now);
                self.latch(noted)?;
            }
        }
        self.abuse.map_or(Ok(()), Err)
    }

    /// A request of the client was heard by the service.
    pub fn heard(&mut self) {
        self.heads.heard();
    }

    /// The next request of the client that the engine refused by itself.
    pub fn take_unheard(&mut self) -> Option<Unheard> {
        self.heads.take()
    }

    /// Whether what was sent ends with a whole frame, so that another may follow.
    #[must_use]
    pub const fn is_between_frames(&self) -> bool {
        self.sent.is_between()
    }

    /// The last stream that the client opened.
    #[must_use]
    pub const fn last_stream(&self) -> u32 {
        self.heads.last()
    }

    fn latch(&mut self, judged: Result<(), Abuse>) -> Result<(), Abuse> {
        // What was found first stays the reason, however the bytes behind it come.
        judged.map_err(|abuse| *self.abuse.get_or_insert(abuse))
    }

    fn judge(&mut self, frame: &Frame, now: Instant) -> Result<(), Abuse> {
        self.form(frame)?;
        self.sequence(frame)?;
        match frame.kind {
            kind::DATA if frame.content() == 0 && !frame.ends_stream() => {
                self.pay(Abuse::EmptyFrames, now)
            }
            kind::DATA => Ok(()),
            kind::HEADERS => self.head(frame, now),
            kind::CONTINUATION => self.continuation(frame, now),
            kind::RST_STREAM => {
                self.heads.left(frame.stream);
                self.forget(frame.stream);
                let is_owed = owed(&mut self.resets_owed);
                if is_owed || self.resets.spend(now) {
                    Ok(())
                } else {
                    Err(Abuse::Resets)
                }
            }
            kind::SETTINGS if frame.is_ack() && owed(&mut self.acks_owed) => Ok(()),
            kind::PING if frame.is_ack() && owed(&mut self.pongs_owed) => Ok(()),
            kind::WINDOW_UPDATE if owed(&mut self.window_updates_owed) => Ok(()),
            kind::WINDOW_UPDATE => self.pay(Abuse::WindowUpdates, now),
            // Also what only the other side may send: the engine ends the connection for it.
            _ => self.pay(Abuse::ControlFrames, now),
        }
    }

    /// Lengths that are not a matter of opinion (RFC 9113 §6).
    fn form(&mut self, frame: &Frame) -> Result<(), Abuse> {
        let is_right = match frame.kind {
            kind::PRIORITY => frame.length == 5,
            kind::RST_STREAM | kind::WINDOW_UPDATE => frame.length == 4,
            kind::PING => frame.length == 8,
            kind::GOAWAY => frame.length >= 8,
            kind::SETTINGS if frame.is_ack() => frame.length == 0,
            kind::SETTINGS => frame.length.is_multiple_of(6),
            _ => true,
        };
        if !is_right {
            return Err(Abuse::FrameSize);
        }
        let (setting, value) = frame.setting();
        if frame.kind == kind::SETTINGS && setting == INITIAL_WINDOW && value > WINDOW_MAX {
            return Err(Abuse::WindowSize);
        }
        Ok(())
    }

    /// SETTINGS come first (RFC 9113 §3.4), and nothing of a message after its end (§5.1).
    fn sequence(&mut self, frame: &Frame) -> Result<(), Abuse> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if is_first && (frame.kind != kind::SETTINGS || frame.is_ack()) {
            return Err(Abuse::Sequence);
        }
        // Nothing comes between the frames of a header block (RFC 9113 §4.3).
        if self.in_block != (frame.kind == kind::CONTINUATION) {
            return Err(Abuse::Sequence);
        }
        if frame.kind == kind::DATA && frame.content() > 0 && self.bodiless.contains(&frame.stream)
        {
            return Err(Abuse::Malformed);
        }
        if !matches!(frame.kind, kind::DATA | kind::HEADERS) {
            return Ok(());
        }
        match self.peer {
            Peer::Client if self.marked.contains(&frame.stream) => return Err(Abuse::StreamClosed),
            Peer::Client if frame.ends_stream() => self.mark(frame.stream),
            Peer::Origin if frame.kind == kind::DATA && frame.ends_stream() => {
                self.marked.remove(&frame.stream);
            }
            Peer::Client | Peer::Origin => {}
        }
        Ok(())
    }

    fn mark(&mut self, stream: u32) {
        keep(&mut self.marked, stream);
    }

    /// A stream is over, whoever ended it.
    fn forget(&mut self, stream: u32) {
        self.marked.remove(&stream);
        self.bodiless.remove(&stream);
    }

    fn end_block(&mut self, frame: &Frame) -> Result<(), Abuse> {
        self.in_block = false;
        let seen = self.blocks.end()?;
        if self.peer == Peer::Client && seen.is_bodiless && !self.block_ends_stream {
            keep(&mut self.bodiless, frame.stream);
        }
        if self.peer == Peer::Origin && !seen.is_interim {
            if self.block_ends_stream {
                self.marked.remove(&frame.stream);
            } else {
                self.mark(frame.stream);
            }
        }
        Ok(())
    }

    fn head(&mut self, frame: &Frame, now: Instant) -> Result<(), Abuse> {
        self.continuations = 0;
        self.block_ends_stream = frame.ends_stream();
        self.in_block = !frame.ends_head();
        let opens = self.peer == Peer::Client && self.heads.came(frame.stream);
        if opens {
            owe(&mut self.window_updates_owed, WINDOW_UPDATES_BY_REQUEST);
        }
        self.blocks.begin(match self.peer {
            Peer::Client if opens => Section::Request,
            Peer::Client => Section::Trailers,
            Peer::Origin if self.marked.contains(&frame.stream) => Section::AnswerTrailers,
            Peer::Origin => Section::Answer,
        });
        // An origin owes one head to each request; what comes besides is interim or not asked for.
        let is_extra = self.peer == Peer::Origin && !frame.ends_stream();
        if is_extra && !owed(&mut self.heads_owed) {
            return self.pay(Abuse::ControlFrames, now);
        }
        if frame.content() == 0 {
            return self.pay(Abuse::EmptyFrames, now);
        }
        Ok(())
    }

    fn continuation(&mut self, frame: &Frame, now: Instant) -> Result<(), Abuse> {
        self.continuations += 1;
        if self.continuations > self.continuations_max {
            return Err(Abuse::Continuation);
        }
        if frame.ends_head() {
            self.continuations = 0;
        }
        if frame.content() == 0 {
            return self.pay(Abuse::EmptyFrames, now);
        }
        Ok(())
    }

    fn note(&mut self, frame: &Frame, now: Instant) -> Result<(), Abuse> {
        let ends = match frame.kind {
            kind::DATA | kind::HEADERS => self.peer == Peer::Client && frame.ends_stream(),
            kind::RST_STREAM => true,
            _ => false,
        };
        if ends {
            self.forget(frame.stream);
        }
        match frame.kind {
            kind::DATA => {
                let by_bytes = frame.length / WINDOW_UPDATE_BYTES;
                owe(
                    &mut self.window_updates_owed,
                    WINDOW_UPDATES_BY_DATA + by_bytes,
                );
            }
            kind::HEADERS if self.peer == Peer::Origin => {
                owe(&mut self.heads_owed, 1);
                owe(&mut self.resets_owed, 1);
                owe(&mut self.window_updates_owed, WINDOW_UPDATES_BY_REQUEST);
            }
            kind::HEADERS => self.heads.answered(frame.stream),
            kind::RST_STREAM => {
                self.heads.reset(frame.stream, frame.code());
                if PEERS_FAULTS.contains(&frame.code()) && !self.resets_caused.spend(now) {
                    return Err(Abuse::ResetsCaused);
                }
            }
            kind::SETTINGS if !frame.is_ack() => owe(&mut self.acks_owed, 1),
            kind::PING if !frame.is_ack() => owe(&mut self.pongs_owed, 1),
            kind::GOAWAY => match frame.code() {
                NO_ERROR => {}
                ENHANCE_YOUR_CALM => return Err(Abuse::Flood),
                _ => return Err(Abuse::Protocol),
            },
            _ => {}
        }
        Ok(())
    }

    fn pay(&mut self, abuse: Abuse, now: Instant) -> Result<(), Abuse> {
        if self.control.spend(now) {
            Ok(())
        } else {
            Err(abuse)
        }
    }
}

fn keep(streams: &mut BTreeSet<u32>, stream: u32) {
    streams.insert(stream);
    if streams.len() > STREAMS_MAX {
        streams.pop_first();
    }
}

fn owe(owed: &mut u32, count: u32) {
    *owed = owed.saturating_add(count).min(OWED_MAX);
}

fn owed(owed: &mut u32) -> bool {
    let is_owed = *owed > 0;
    *owed = owed.saturating_sub(1);
    is_owed
}
