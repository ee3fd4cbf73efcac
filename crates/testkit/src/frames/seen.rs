//! What one side of a connection has received, by stream. It is read strictly: what a peer must not send is kept as a
//! [`fault`](Seen::fault), and after one nothing more is believed.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use super::hpack::{Decoder, Field};
use super::{ACK, END_HEADERS, END_STREAM, Frame, PADDED, PRIORITY, kind};

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// END_STREAM: the message is whole.
    Whole,
    /// RST_STREAM with this code.
    Reset(u32),
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The peer closed its side.
    Clean,
    /// The connection was reset.
    Reset,
}

/// The word that no more streams are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goaway {
    /// The last stream that was or may be acted on.
    pub last: u32,
    /// Why.
    pub code: u32,
}

/// One direction of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// Header blocks with pseudo-fields: interim answers, then the head.
    pub heads: Vec<Vec<Field>>,
    /// All DATA.
    pub body: Vec<u8>,
    /// The header block after the body.
    pub trailers: Option<Vec<Field>>,
    /// The end, once there is one. A whole stream that is then reset counts as whole: the message was.
    pub end: Option<End>,
    /// The code of a reset, also of one after the whole message.
    pub reset: Option<u32>,
}

impl Stream {
    /// The value of the first field with this name in the last head.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let mut fields = self.heads.last()?.iter();
        let found = fields.find(|(n, _)| n == name.as_bytes());
        found.map(|(_, value)| value.as_slice())
    }
}

/// Everything received on a connection.
#[derive(Debug, Default)]
pub struct Seen {
    /// By stream id.
    pub streams: BTreeMap<u32, Stream>,
    /// The peer's settings, the last value of each.
    pub settings: BTreeMap<u16, u32>,
    /// SETTINGS that the peer has acknowledged.
    pub settings_acks: u32,
    /// PINGs that the peer has answered.
    pub pongs: u32,
    /// Bytes the peer allowed by WINDOW_UPDATE, by stream; 0 is the connection.
    pub allowed: BTreeMap<u32, u64>,
    /// The last GOAWAY.
    pub goaway: Option<Goaway>,
    /// The connection's end.
    pub closed: Option<Closed>,
    /// What the peer did that HTTP/2 does not allow.
    pub fault: Option<String>,
    decoder: Decoder,
    /// A header block whose end is not there yet: its stream, the flags of its HEADERS, its bytes so far.
    open: Option<(u32, u8, Vec<u8>)>,
}

impl Seen {
    /// Adds a frame.
    pub fn note(&mut self, frame: &Frame) {
        if self.fault.is_none()
            && let Err(error) = self.read(frame)
        {
            self.fault = Some(format!("{error:#}"));
        }
    }

    /// Whether a stream has ended, one way or the other.
    #[must_use]
    pub fn has_ended(&self, stream: u32) -> bool {
        let stream = self.streams.get(&stream);
        self.closed.is_some() || stream.is_some_and(|stream| stream.end.is_some())
    }

    /// How a stream ended.
    #[must_use]
    pub fn end(&self, stream: u32) -> Option<End> {
        self.streams.get(&stream)?.end
    }

    /// The status of a stream's last head.
    #[must_use]
    pub fn status(&self, stream: u32) -> Option<u16> {
        let status = self.streams.get(&stream)?.field(":status")?;
        std::str::from_utf8(status).ok()?.parse().ok()
    }

    fn read(&mut self, frame: &Frame) -> Result<()> {
        let id = frame.stream & 0x7fff_ffff;
        if let Some((open, ..)) = &self.open {
            ensure!(
                frame.kind == kind::CONTINUATION && id == *open,
                "a frame of type {} inside a header block",
                frame.kind
            );
        }
        match frame.kind {
            kind::DATA => {
                let data = unpadded(frame)?;
                let stream = self.stream(id)?;
                ensure!(!stream.heads.is_empty(), "DATA before HEADERS");
                stream.body.extend_from_slice(data);
                if frame.has(END_STREAM) {
                    stream.end = Some(End::Whole);
                }
            }
            kind::HEADERS => {
                let mut block = unpadded(frame)?;
                if frame.has(PRIORITY) {
                    block = block.get(5..).context("HEADERS without its priority")?;
                }
                self.open = Some((id, frame.flags, block.to_vec()));
                self.close_block(frame)?;
            }
            kind::CONTINUATION => {
                let (_, _, block) = self.open.as_mut().context("CONTINUATION of nothing")?;
                block.extend_from_slice(&frame.payload);
                self.close_block(frame)?;
            }
            kind::RST_STREAM => {
                let code = word(&frame.payload, 0)?;
                let stream = self.streams.entry(id).or_default();
                stream.end.get_or_insert(End::Reset(code));
                stream.reset = Some(code);
            }
            kind::SETTINGS if frame.has(ACK) => self.settings_acks += 1,
            kind::SETTINGS => self.note_settings(&frame.payload)?,
            kind::PING if frame.has(ACK) => self.pongs += 1,
            kind::GOAWAY => {
                let last = word(&frame.payload, 0)?;
                let code = word(&frame.payload, 4)?;
                self.goaway = Some(Goaway { last, code });
            }
            kind::WINDOW_UPDATE => {
                *self.allowed.entry(id).or_default() += u64::from(word(&frame.payload, 0)?);
            }
            kind::PUSH_PROMISE => bail!("PUSH_PROMISE"),
            _ => {}
        }
        Ok(())
    }

    fn note_settings(&mut self, payload: &[u8]) -> Result<()> {
        for pair in payload.chunks(6) {
            let [a, b, rest @ ..] = pair else {
                bail!("half a setting");
            };
            let id = u16::from_be_bytes([*a, *b]);
            self.settings.insert(id, word(rest, 0)?);
        }
        Ok(())
    }

    /// A stream that has not ended.
    fn stream(&mut self, id: u32) -> Result<&mut Stream> {
        ensure!(id != 0, "a message on stream 0");
        let stream = self.streams.entry(id).or_default();
        ensure!(
            stream.end.is_none(),
            "a message on stream {id} after its end"
        );
        Ok(stream)
    }

    fn close_block(&mut self, frame: &Frame) -> Result<()> {
        if !frame.has(END_HEADERS) {
            return Ok(());
        }
        let (id, flags, block) = self.open.take().context("no block is open")?;
        let fields = self.decoder.decode(&block)?;
        let stream = self.stream(id)?;
        let is_head = fields
            .first()
            .is_some_and(|(name, _)| name.starts_with(b":"));
        let ends = flags & END_STREAM != 0;
        if is_head {
            ensure!(
                stream.body.is_empty() && stream.trailers.is_none(),
                "a head after the body"
            );
            stream.heads.push(fields);
        } else {
            ensure!(ends && !stream.heads.is_empty(), "trailers out of place");
            stream.trailers = Some(fields);
        }
        if ends {
            stream.end = Some(End::Whole);
        }
        Ok(())
    }
}

/// A payload without its padding.
fn unpadded(frame: &Frame) -> Result<&[u8]> {
    if !frame.has(PADDED) {
        return Ok(&frame.payload);
    }
    let (length, rest) = frame.payload.split_first().context("no pad length")?;
    let end = rest.len().checked_sub(usize::from(*length));
    rest.get(..end.context("more padding than payload")?)
        .context("padding")
}

/// Four bytes as a number.
fn word(payload: &[u8], from: usize) -> Result<u32> {
    let bytes = payload.get(from..from + 4).context("a payload too short")?;
    Ok(u32::from_be_bytes(bytes.try_into()?))
}

#[cfg(test)]
mod tests {
    use super::super::hpack::Block;
    use super::*;

    fn after(frames: &[Frame]) -> Seen {
        let mut seen = Seen::default();
        frames.iter().for_each(|frame| seen.note(frame));
        seen
    }

    #[test]
    fn a_message_is_its_interim_heads_its_head_body_and_trailers() {
        let head = Block::new().field(":status", "200").field("a", "b");
        let seen = after(&[
            Frame::headers(1, END_HEADERS, Block::new().field(":status", "103")),
            Frame::headers(1, 0, head),
            Frame::continuation(1, END_HEADERS, Block::new().field("c", "d")),
            Frame::data(1, PADDED, [2, b'x', 0, 0]),
            Frame::headers(1, END_HEADERS | END_STREAM, Block::new().field("t", "1")),
        ]);
        assert_eq!(seen.fault, None);
        let stream = &seen.streams[&1];
        assert_eq!(stream.heads.len(), 2);
        assert_eq!(seen.status(1), Some(200));
        assert_eq!(stream.field("c"), Some(&b"d"[..]));
        assert_eq!(stream.body, b"x");
        assert_eq!(stream.trailers.as_ref().map(Vec::len), Some(1));
        assert_eq!(seen.end(1), Some(End::Whole));
    }

    #[test]
    fn what_a_peer_must_not_send_is_a_fault() {
        let head = || Block::new().field(":status", "200");
        let faulty: [&[Frame]; 6] = [
            &[Frame::data(1, 0, *b"x")],
            &[Frame::continuation(1, END_HEADERS, head())],
            &[Frame::headers(1, 0, head()), Frame::settings_ack()],
            &[
                Frame::headers(1, END_HEADERS | END_STREAM, head()),
                Frame::data(1, 0, *b"x"),
            ],
            &[Frame::headers(1, END_HEADERS, Block::new().indexed(99))],
            &[Frame::reset(1, 8), Frame::headers(1, END_HEADERS, head())],
        ];
        for frames in faulty {
            assert!(after(frames).fault.is_some(), "{frames:?}");
        }
    }
}
