//! What has been read of one body, kept in one piece: many small ones would cost a hundred times what they hold, and each
//! holds the buffer that it came in. It is charged for what it takes, of this body and of all in the worker, and beyond
//! either limit it keeps nothing more. Once there will be no other try it goes, as soon as whoever reads it is through with
//! it: a try may be answered before it has sent all, and has the rest to send all the same. It knows nothing of where the
//! bytes come from.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use crate::http::limits;

/// At most so much is given to an engine at once: what it is given it takes, whatever waits there already.
const PIECE_BYTES: usize = 16 * 1024;
/// What a trailer takes beside its name and value: its place in the map.
const TRAILER_BYTES: usize = 128;

/// What a worker keeps of all bodies.
#[derive(Debug, Default)]
pub(crate) struct Kept(Cell<usize>);

/// What has been read of one body.
#[derive(Debug)]
pub(super) struct Tape {
    state: State,
    data: Vec<u8>,
    trailers: Option<HeaderMap>,
    /// Bytes that came, also those that are not kept; and whether trailers did.
    came: u64,
    trailers_came: bool,
    bytes_max: usize,
    /// What it takes, for its data and in all.
    data_bytes: usize,
    bytes: usize,
    kept: Rc<Kept>,
    /// Readers that have not read all that is kept.
    behind: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Keeping,
    /// Nothing more is kept, and what is goes with the last that reads it.
    Last,
}

/// Where one reader stands.
#[derive(Debug)]
pub(super) struct Place {
    at: u64,
    has_trailers: bool,
    is_behind: bool,
}

impl Place {
    /// Bytes it has had.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }
}

impl Tape {
    /// Keeps up to `bytes_max` of what comes.
    pub(super) const fn new(bytes_max: usize, kept: Rc<Kept>) -> Self {
        Self {
            state: State::Keeping,
            data: Vec::new(),
            trailers: None,
            came: 0,
            trailers_came: false,
            bytes_max,
            data_bytes: 0,
            bytes: 0,
            kept,
            behind: 0,
        }
    }

    /// Whether all that came is kept.
    pub(super) fn is_whole(&self) -> bool {
        self.state == State::Keeping
    }

    /// One reads from the beginning.
    pub(super) fn begin(&mut self) -> Place {
        let is_behind = self.is_whole() && (self.came > 0 || self.trailers_came);
        self.behind += u32::from(is_behind);
        Place {
            at: 0,
            has_trailers: false,
            is_behind,
        }
    }

    /// The next that is kept, for one that has not had it.
    pub(super) fn read(&mut self, place: &mut Place) -> Option<Frame<Bytes>> {
        if !place.is_behind {
            return None;
        }
        let at = usize::try_from(place.at).unwrap_or(usize::MAX);
        let rest = self.data.get(at..).unwrap_or_default();
        let piece = rest.get(..PIECE_BYTES).unwrap_or(rest);
        let frame = if piece.is_empty() {
            self.trailers.clone().map(Frame::trailers)
        } else {
            Some(Frame::data(Bytes::copy_from_slice(piece)))
        };
        if let Some(frame) = &frame {
            place.pass(frame);
        }
        let has_data = place.at >= length(self.data.len());
        if has_data && (place.has_trailers || self.trailers.is_none()) {
            self.leave(place);
        }
        frame
    }

    /// What comes next from the client, by the one that stands at the end.
    pub(super) fn add(&mut self, frame: &Frame<Bytes>, place: &mut Place) {
        place.pass(frame);
        let data = frame.data_ref().map_or(&[][..], |data| data);
        self.came = self.came.saturating_add(length(data.len()));
        self.trailers_came |= frame.is_trailers();
        if !self.is_whole() {
            return;
        }
        let is_kept = match frame.trailers_ref() {
            Some(trailers) => self.keep_trailers(trailers),
            None => self.keep_data(data),
        };
        if !is_kept {
            self.release();
        }
    }

    /// Whether one has had all that came.
    pub(super) const fn is_at_end(&self, place: &Place) -> bool {
        place.at == self.came && place.has_trailers == self.trailers_came
    }

    /// There will be no other try.
    pub(super) fn release(&mut self) {
        self.state = State::Last;
        self.forget_unread();
    }

    /// One reads no more of what is kept.
    pub(super) fn leave(&mut self, place: &mut Place) {
        if std::mem::take(&mut place.is_behind) {
            self.behind = self.behind.saturating_sub(1);
            self.forget_unread();
        }
    }

    fn keep_data(&mut self, data: &[u8]) -> bool {
        let needed = self.data.len().saturating_add(data.len());
        if needed > self.data_bytes {
            // By doubling, so that a body in many pieces is not copied for each.
            let wanted = needed.max(self.data_bytes.saturating_mul(2));
            let bytes = wanted.min(self.bytes_max);
            if needed > bytes || !self.charge(bytes.saturating_sub(self.data_bytes)) {
                return false;
            }
            self.data_bytes = bytes;
            self.data
                .reserve_exact(bytes.saturating_sub(self.data.len()));
        }
        self.data.extend_from_slice(data);
        true
    }

    fn keep_trailers(&mut self, trailers: &HeaderMap) -> bool {
        let of_one = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            TRAILER_BYTES + name.as_str().len() + value.len()
        };
        let bytes = trailers.iter().map(of_one).sum();
        let fits = self.data.len().saturating_add(bytes) <= self.bytes_max;
        let is_kept = fits && self.charge(bytes);
        if is_kept {
            self.trailers = Some(trailers.clone());
        }
        is_kept
    }

    /// Whether all in the worker may take so much more; it is charged then.
    fn charge(&mut self, bytes: usize) -> bool {
        let of_all = self.kept.0.get().saturating_add(bytes);
        let fits = of_all <= limits::KEPT_BYTES;
        if fits {
            self.kept.0.set(of_all);
            self.bytes = self.bytes.saturating_add(bytes);
        }
        fits
    }

    fn forget_unread(&mut self) {
        if self.state == State::Last && self.behind == 0 {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.data = Vec::new();
        self.trailers = None;
        self.data_bytes = 0;
        let bytes = std::mem::take(&mut self.bytes);
        self.kept.0.set(self.kept.0.get().saturating_sub(bytes));
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Place {
    fn pass(&mut self, frame: &Frame<Bytes>) {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        self.at = self.at.saturating_add(length(bytes));
        self.has_trailers |= frame.is_trailers();
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tape(bytes_max: usize) -> (Tape, Rc<Kept>) {
        let kept = Rc::new(Kept::default());
        (Tape::new(bytes_max, Rc::clone(&kept)), kept)
    }

    fn data(text: &'static str) -> Frame<Bytes> {
        Frame::data(Bytes::from_static(text.as_bytes()))
    }

    fn trailers() -> Frame<Bytes> {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-end", "1".parse().unwrap());
        Frame::trailers(trailers)
    }

    /// All that is kept, as one reads it; trailers as `!`.
    fn read_all(tape: &mut Tape, place: &mut Place) -> String {
        let mut text = String::new();
        while let Some(frame) = tape.read(place) {
            match frame.into_data() {
                Ok(data) => text.push_str(std::str::from_utf8(&data).unwrap()),
                Err(_) => text.push('!'),
            }
        }
        text
    }

    #[test]
    fn another_try_reads_from_the_beginning_and_then_what_comes() {
        let (mut tape, _) = tape(1_000);
        let mut first = tape.begin();
        tape.add(&data("ab"), &mut first);
        tape.add(&data("c"), &mut first);
        let mut second = tape.begin();
        assert!(!tape.is_at_end(&second));
        assert_eq!(read_all(&mut tape, &mut second), "abc");
        assert!(tape.is_at_end(&second));
        tape.add(&data("d"), &mut second);
        tape.add(&trailers(), &mut second);
        assert!(tape.is_at_end(&second) && !tape.is_at_end(&first));
        let mut third = tape.begin();
        assert_eq!(read_all(&mut tape, &mut third), "abcd!");
        assert!(tape.is_at_end(&third) && tape.is_whole());
    }

    #[test]
    fn a_body_in_small_pieces_takes_no_more_than_one_in_a_large_one() {
        const LENGTH: usize = 64 * 1024;
        let (mut tape, kept) = tape(LENGTH);
        let mut place = tape.begin();
        for _ in 0..LENGTH {
            tape.add(&data("x"), &mut place);
            assert!(tape.data.capacity() <= kept.0.get() && kept.0.get() <= LENGTH);
        }
        assert!(tape.is_whole());
        tape.add(&data("x"), &mut place);
        assert!(!tape.is_whole());
        assert_eq!((tape.data.capacity(), kept.0.get()), (0, 0));
        assert!(tape.is_at_end(&place), "it is read on all the same");
    }

    #[test]
    fn beyond_what_a_worker_keeps_nothing_is_kept_and_what_goes_makes_room() {
        let (mut large, kept) = tape(limits::KEPT_BYTES);
        let mut place = large.begin();
        let most = Bytes::from(vec![b'x'; limits::KEPT_BYTES]);
        large.add(&Frame::data(most), &mut place);
        let add = || {
            let mut small = Tape::new(10, Rc::clone(&kept));
            let mut place = small.begin();
            small.add(&data("x"), &mut place);
            small.is_whole()
        };
        assert!(large.is_whole() && !add());
        drop(large);
        assert!(add());
        assert_eq!(kept.0.get(), 0);
    }

    #[test]
    fn trailers_are_charged_too() {
        let (mut tape, kept) = tape(100);
        let mut place = tape.begin();
        tape.add(&data("abc"), &mut place);
        tape.add(&trailers(), &mut place);
        assert!(!tape.is_whole());
        assert_eq!(kept.0.get(), 0);
    }

    #[test]
    fn what_is_released_goes_with_the_last_that_reads_it() {
        let (mut tape, kept) = tape(100);
        let mut first = tape.begin();
        tape.add(&data("abc"), &mut first);
        let (mut second, mut third) = (tape.begin(), tape.begin());
        tape.release();
        assert!(!tape.is_whole() && kept.0.get() > 0);
        assert_eq!(read_all(&mut tape, &mut second), "abc");
        assert!(kept.0.get() > 0, "the third has not read it");
        tape.add(&data("d"), &mut second);
        tape.leave(&mut third);
        assert_eq!(kept.0.get(), 0);
        assert!(tape.is_at_end(&second));
        let mut late = tape.begin();
        assert!(tape.read(&mut late).is_none() && !tape.is_at_end(&late));
    }

    #[test]
    fn what_nobody_reads_goes_when_it_is_released() {
        let (mut tape, kept) = tape(100);
        let mut place = tape.begin();
        tape.add(&data("abc"), &mut place);
        tape.release();
        assert_eq!(kept.0.get(), 0);
        tape.add(&data("d"), &mut place);
        assert!(tape.is_at_end(&place) && kept.0.get() == 0);
    }

    #[test]
    fn an_engine_is_given_a_long_body_in_pieces() {
        let (mut tape, _) = tape(3 * PIECE_BYTES);
        let mut first = tape.begin();
        let most = Bytes::from(vec![b'x'; 2 * PIECE_BYTES + 1]);
        tape.add(&Frame::data(most), &mut first);
        let mut second = tape.begin();
        let mut lengths = Vec::new();
        while let Some(frame) = tape.read(&mut second) {
            lengths.push(frame.data_ref().unwrap().len());
        }
        assert_eq!(lengths, [PIECE_BYTES, PIECE_BYTES, 1]);
    }
}
