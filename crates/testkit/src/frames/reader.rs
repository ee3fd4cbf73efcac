//! Cuts a stream of bytes into frames. It never interprets them: a frame of an unknown type is a frame too.

use std::collections::VecDeque;

use super::Frame;

/// Bytes of a frame's header.
const HEAD_BYTES: usize = 9;

/// What was read and is not a whole frame yet.
#[derive(Debug, Default)]
pub struct Reader(VecDeque<u8>);

impl Reader {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// The next whole frame.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let head: Vec<u8> = self.0.iter().take(HEAD_BYTES).copied().collect();
        let &[high, middle, low, kind, flags, a, b, c, d] = head.as_slice() else {
            return None;
        };
        let length = usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()?;
        if self.0.len() < HEAD_BYTES + length {
            return None;
        }
        let payload = self.0.drain(..HEAD_BYTES + length).skip(HEAD_BYTES);
        Some(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes([a, b, c, d]),
            payload: payload.collect(),
        })
    }

    /// Takes these bytes from the front if they stand there; `None` until that can be told.
    pub fn take_prefix(&mut self, prefix: &[u8]) -> Option<bool> {
        let differs = self.0.iter().zip(prefix).any(|(seen, want)| seen != want);
        if differs {
            return Some(false);
        }
        if self.0.len() < prefix.len() {
            return None;
        }
        self.0.drain(..prefix.len());
        Some(true)
    }

    /// Whether something is left that is no whole frame.
    #[must_use]
    pub fn has_rest(&self) -> bool {
        !self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_however_the_bytes_were_cut() {
        let frames = [
            Frame::settings(&[(4, 7)]),
            Frame::new(0xfa, 0xff, 0x8000_0003, *b"abc"),
            Frame::settings_ack(),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        let mut reader = Reader::default();
        let mut read = Vec::new();
        for byte in bytes {
            reader.push(&[byte]);
            read.extend(reader.next_frame());
        }
        assert_eq!(read, frames);
        assert!(!reader.has_rest());
    }
}
