//! The reader of server-sent events: bytes in, events out. Pure; it keeps the last id so that a broken stream can be
//! resumed. It reads what the WHATWG standard says of `text/event-stream`, without `retry`.

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Message {
    /// Its id, to resume after it.
    pub(crate) id: Option<String>,
    /// Its name; empty means `message`.
    pub(crate) name: String,
    /// Its data.
    pub(crate) data: String,
}

/// The longest line kept, in bytes; longer ones are no events of ours.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Takes pieces as they come and gives events when they are whole.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    line: Vec<u8>,
    after_return: bool,
    next: Message,
    has_data: bool,
    last_id: Option<String>,
}

impl Reader {
    /// The id of the last event given, to resume after it.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Takes a piece; the events that it completes.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Vec<Message> {
        let mut events = Vec::new();
        for &byte in piece {
            let pair = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if pair => {}
                b'\r' | b'\n' => events.extend(self.end_of_line()),
                byte if self.line.len() < LINE_BYTES_MAX => self.line.push(byte),
                _ => {}
            }
        }
        events
    }

    /// Forgets what is half read: the stream broke.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            last_id: self.last_id.take(),
            ..Self::default()
        };
    }

    fn end_of_line(&mut self) -> Option<Message> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            let event = std::mem::take(&mut self.next);
            if !std::mem::take(&mut self.has_data) {
                return None;
            }
            if event.id.is_some() {
                self.last_id.clone_from(&event.id);
            }
            return Some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.next.data.push('\n');
                }
                self.has_data = true;
                self.next.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.next.name),
            "id" if !value.contains('\0') => self.next.id = Some(value.to_owned()),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b": hello\n\nid: 7\nevent: shift\ndata: {\"a\":1}\n\nid:8\r\ndata:x\r\ndata: y\r\n\r\nretry: 5\n\ndata: half";

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        for size in 1..STREAM.len() {
            let mut reader = Reader::default();
            let events: Vec<Message> = STREAM
                .chunks(size)
                .flat_map(|piece| reader.take(piece))
                .collect();
            let read: Vec<_> = events
                .iter()
                .map(|e| (e.id.as_deref(), e.name.as_str(), e.data.as_str()))
                .collect();
            assert_eq!(
                read,
                [(Some("7"), "shift", "{\"a\":1}"), (Some("8"), "", "x\ny")],
                "{size}"
            );
            assert_eq!(reader.last_id(), Some("8"));
        }
    }

    #[test]
    fn a_broken_stream_leaves_nothing_half_read_but_the_place_to_resume() {
        let mut reader = Reader::default();
        reader.take(STREAM);
        reader.reset();
        let events = reader.take(b"data: z\n\n");
        assert_eq!(events.first().map(|e| e.data.as_str()), Some("z"));
        assert_eq!(reader.last_id(), Some("8"));
    }
}
