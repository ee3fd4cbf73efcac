//! What an ill origin says over HTTP/2.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use futures_util::future::LocalBoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Ill;
use super::http1::deaf;
use crate::frames::reader::Reader;
use crate::frames::{END_HEADERS, Frame, PREFACE, hpack::Block, kind, setting};

/// An illness over HTTP/2: what comes once a stream has been opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ailment {
    /// SETTINGS without end.
    Settings,
    /// PING without end.
    Pings,
    /// WINDOW_UPDATE without end.
    WindowUpdates,
    /// PRIORITY without end.
    Priorities,
    /// A head that goes on in CONTINUATION without end.
    Continuation,
    /// A head that unfolds to megabytes.
    Bomb,
    /// 103 (Early Hints) without end.
    Hints,
    /// A body of empty DATA without end.
    EmptyData,
    /// Every stream is reset.
    Resets,
    /// GOAWAY as soon as it is asked something.
    Goaway,
    /// Promises of what nobody asked for.
    Promises,
    /// A window of nothing: no body is ever taken.
    NoWindow,
    /// Not a word after the settings.
    Silence,
}

impl Ailment {
    /// What is said to a request on this stream: once, and then without end.
    fn say(self, stream: u32) -> (Vec<Frame>, Option<Frame>) {
        let ok = || Block::new().field(":status", "200");
        let hints = || {
            Block::new()
                .field(":status", "103")
                .field("link", "</a.css>")
        };
        match self {
            Self::Settings => (vec![], Some(Frame::settings(&[]))),
            Self::Pings => (vec![], Some(Frame::ping(0, *b"bascule!"))),
            Self::WindowUpdates => (vec![], Some(Frame::window_update(0, 1))),
            Self::Priorities => (vec![], Some(Frame::priority(stream + 2, 0))),
            Self::Continuation => {
                let more = Block::new().field("x-more", "value");
                (
                    vec![Frame::headers(stream, 0, ok())],
                    Some(Frame::continuation(stream, 0, more)),
                )
            }
            Self::Bomb => {
                let bomb = ok().field_to_index("x-bomb", "b".repeat(3_900));
                let one: Vec<u8> = Block::new().indexed(62).into();
                let head = bomb.raw(&one.repeat(8_000));
                (vec![Frame::headers(stream, END_HEADERS, head)], None)
            }
            Self::Hints => (vec![], Some(Frame::headers(stream, END_HEADERS, hints()))),
            Self::EmptyData => (
                vec![Frame::headers(stream, END_HEADERS, ok())],
                Some(Frame::data(stream, 0, [])),
            ),
            Self::Resets => (vec![Frame::reset(stream, 2)], None),
            Self::Goaway => (vec![Frame::goaway(0, 0)], None),
            Self::Promises => {
                let request = Block::get("pushed.example.org", "/");
                let payload = [&2_u32.to_be_bytes()[..], &Vec::from(request)].concat();
                let promise = Frame::new(kind::PUSH_PROMISE, END_HEADERS, stream, payload);
                (vec![], Some(promise))
            }
            Self::NoWindow | Self::Silence => (vec![], None),
        }
    }
}

impl Ill for Ailment {
    fn name(&self) -> &'static str {
        match self {
            Self::Settings => "h2 origin: SETTINGS flood",
            Self::Pings => "h2 origin: PING flood",
            Self::WindowUpdates => "h2 origin: WINDOW_UPDATE",
            Self::Priorities => "h2 origin: PRIORITY flood",
            Self::Continuation => "h2 origin: CONTINUATION",
            Self::Bomb => "h2 origin: HPACK bomb",
            Self::Hints => "h2 origin: endless hints",
            Self::EmptyData => "h2 origin: empty DATA",
            Self::Resets => "h2 origin: resets",
            Self::Goaway => "h2 origin: GOAWAY",
            Self::Promises => "h2 origin: promises",
            Self::NoWindow => "h2 origin: no window",
            Self::Silence => "h2 origin: silence",
        }
    }

    fn scheme(&self) -> &'static str {
        "h2c"
    }

    fn run<'a>(
        &'a self,
        stream: TcpStream,
        said: &'a AtomicU64,
    ) -> LocalBoxFuture<'a, io::Result<()>> {
        Box::pin(self.serve(stream, said))
    }
}

impl Ailment {
    async fn serve(self, mut stream: TcpStream, said: &AtomicU64) -> io::Result<()> {
        let window = if self == Self::NoWindow { 0 } else { 1 << 20 };
        let settings = Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, window)]);
        stream.write_all(&settings.bytes()).await?;
        stream.write_all(&Frame::settings_ack().bytes()).await?;
        let mut reader = Reader::default();
        let mut preface = false;
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            reader.push(buffer.get(..read).unwrap_or_default());
            preface = preface || reader.take_prefix(PREFACE) == Some(true);
            let frames = std::iter::from_fn(|| preface.then(|| reader.next_frame()).flatten());
            let asked = frames.filter(|frame| frame.kind == kind::HEADERS);
            let asked: Vec<u32> = asked.map(|frame| frame.stream).collect();
            for id in asked {
                said.fetch_add(1, Relaxed);
                speak(&mut stream, self.say(id)).await?;
            }
        }
    }
}

/// Says it; what is to be said without end ends with the connection. Whatever comes meanwhile is read and not heard.
async fn speak(
    stream: &mut TcpStream,
    (once, again): (Vec<Frame>, Option<Frame>),
) -> io::Result<()> {
    for frame in once {
        // A block longer than a frame may be goes on in CONTINUATION.
        stream.write_all(&in_frames(&frame)).await?;
    }
    let Some(again) = again else { return Ok(()) };
    let bytes = again.bytes();
    let piece = bytes.repeat(4096_usize.div_ceil(bytes.len()));
    let (reader, mut writer) = stream.split();
    let flood = async {
        loop {
            writer.write_all(&piece).await?;
        }
    };
    // Whichever ends first ends the connection.
    tokio::select! {
        ended = flood => ended,
        ended = deaf(reader) => ended,
    }
}

/// A HEADERS frame in parts of the length that every peer takes.
fn in_frames(frame: &Frame) -> Vec<u8> {
    const LONGEST: usize = 16 * 1024;
    if frame.kind != kind::HEADERS || frame.payload.len() <= LONGEST {
        return frame.bytes();
    }
    let (first, rest) = frame.payload.split_at(LONGEST);
    let parts = rest.chunks(LONGEST);
    let last = parts.len();
    let more = parts.enumerate().flat_map(|(n, part)| {
        let flags = if n + 1 == last { END_HEADERS } else { 0 };
        Frame::continuation(frame.stream, flags, part).bytes()
    });
    let first = Frame::headers(frame.stream, frame.flags & !END_HEADERS, first);
    first.bytes().into_iter().chain(more).collect()
}
