//! Makes frames of the lines of a case: the line of the frame, and the lines of its payload below it.

use anyhow::{Context, Result, bail};
use bascule_testkit::frames::hpack::Block;
use bascule_testkit::frames::{
    ACK, END_HEADERS, END_STREAM, ERRORS, Frame, PADDED, PRIORITY, kind,
};

use super::text;

const KINDS: [&str; 10] = [
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
];

/// What a line below a frame needs to know of its case.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    /// The authority of plain requests.
    pub(super) authority: &'static str,
}

/// Whether a line is one of a frame.
pub(super) fn is_frame(line: &str) -> bool {
    let word = line.split(' ').next().unwrap_or_default();
    word.starts_with("0x") || KINDS.contains(&word)
}

/// The frames of a line, one after the other, as bytes that may lie about their length.
pub(super) fn bytes(line: &str, below: &[String], defaults: Defaults) -> Result<Vec<u8>> {
    let said = Said::read(line, below, defaults)?;
    let frames = said.frames();
    Ok(match said.length {
        Some(length) => frames
            .iter()
            .flat_map(|f| f.bytes_that_say(length))
            .collect(),
        None => frames.iter().flat_map(Frame::bytes).collect(),
    })
}

/// The one frame of a line.
pub(super) fn frame(line: &str, below: &[String], defaults: Defaults) -> Result<Frame> {
    let frames = Said::read(line, below, defaults)?.frames();
    frames.into_iter().next().context("no frame")
}

/// The number of an error code.
pub(super) fn error(name: &str) -> Result<u32> {
    let at = ERRORS.iter().position(|known| *known == name);
    let number = at.with_context(|| format!("no error code: {name}"))?;
    Ok(u32::try_from(number)?)
}

/// What a frame's line says.
struct Said {
    kind: u8,
    flags: u8,
    streams: Vec<u32>,
    payload: Vec<u8>,
    length: Option<u32>,
    split: Option<usize>,
}

impl Said {
    fn read(line: &str, below: &[String], defaults: Defaults) -> Result<Self> {
        let (head, texts) = text::quoted(line)?;
        let mut words = head.split_whitespace();
        let mut said = Self {
            kind: kind_of(words.next().context("no type")?)?,
            flags: 0,
            streams: streams(words.next().context("no stream")?)?,
            payload: Vec::new(),
            length: None,
            split: None,
        };
        for word in words {
            match word.split_once('=') {
                Some(("length", n)) => said.length = Some(u32::try_from(text::number(n)?)?),
                Some(("split", n)) => said.split = Some(n.parse()?),
                _ => said.flags |= flag(word)?,
            }
        }
        let mut block = Block::new();
        for line in below {
            block = add(block, line, defaults).with_context(|| line.clone())?;
        }
        said.payload = block.into();
        for quoted in texts {
            said.payload.extend(text::unescape(quoted)?);
        }
        Ok(said)
    }

    fn frames(&self) -> Vec<Frame> {
        let on = |stream: &u32| self.on(*stream);
        self.streams.iter().flat_map(on).collect()
    }

    fn on(&self, stream: u32) -> Vec<Frame> {
        let Some(size) = self.split else {
            return vec![Frame::new(
                self.kind,
                self.flags,
                stream,
                self.payload.clone(),
            )];
        };
        let count = self.payload.chunks(size).count();
        let part = |(n, part): (usize, &[u8])| {
            let end = if n + 1 == count { END_HEADERS } else { 0 };
            let (kind, flags) = match n {
                0 => (self.kind, self.flags & !END_HEADERS),
                _ => (kind::CONTINUATION, 0),
            };
            Frame::new(kind, flags | end, stream, part)
        };
        self.payload.chunks(size).enumerate().map(part).collect()
    }
}

fn kind_of(word: &str) -> Result<u8> {
    let at = KINDS.iter().position(|known| *known == word);
    let number = match at {
        Some(at) => at as u64,
        None => text::number(word)?,
    };
    Ok(u8::try_from(number)?)
}

fn streams(word: &str) -> Result<Vec<u32>> {
    let stream = |text| Ok::<_, anyhow::Error>(u32::try_from(text::number(text)?)?);
    match word.split_once('-') {
        Some((from, to)) => Ok((stream(from)?..=stream(to)?).step_by(2).collect()),
        None => Ok(vec![stream(word)?]),
    }
}

fn flag(word: &str) -> Result<u8> {
    Ok(match word {
        "END_STREAM" => END_STREAM,
        "ACK" => ACK,
        "END_HEADERS" => END_HEADERS,
        "PADDED" => PADDED,
        "PRIORITY" => PRIORITY,
        _ => u8::try_from(text::number(word)?)?,
    })
}

/// Adds what a line of a payload says.
fn add(block: Block, line: &str, defaults: Defaults) -> Result<Block> {
    let Some(special) = line.strip_prefix('!').filter(|rest| is_special(rest)) else {
        let (name, value) = text::field(line)?;
        return Ok(block.field(name, value));
    };
    let (word, rest) = special.split_once(' ').unwrap_or((special, ""));
    let path = if rest.is_empty() { "/" } else { rest };
    let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
    let count = || usize::try_from(text::number(first)?).context("a count");
    Ok(match word {
        "get" => request(block, "GET", defaults, path),
        "post" => request(block, "POST", defaults, path),
        "request" => request(block, first, defaults, second),
        "all-but" => all_but(block, text::field(rest)?.0.as_slice(), defaults),
        "index" => block.indexed(text::number(rest)?),
        "size" => block.table_size(text::number(rest)?),
        "add" => {
            let (name, value) = text::field(rest)?;
            block.field_to_index(name, value)
        }
        "never" => {
            let (name, value) = text::field(rest)?;
            block.field_never_indexed(name, value)
        }
        "repeat" => {
            let (name, value) = text::field(second)?;
            (0..count()?).fold(block, |block, _| block.field(&name, &value))
        }
        "repeat-index" => {
            let index = text::number(second)?;
            (0..count()?).fold(block, |block, _| block.indexed(index))
        }
        "long" => block.field(second, letters(count()?)),
        "add-long" => block.field_to_index(second, letters(count()?)),
        "long-path" => block.field(":path", format!("/{}", "x".repeat(count()?))),
        "hex" => {
            let digits = |pair| u8::from_str_radix(pair, 16).context("hexadecimal digits");
            let bytes: Result<Vec<u8>> = rest.split(' ').map(digits).collect();
            block.raw(&bytes?)
        }
        "u32" => block.raw(&u32::try_from(text::number(rest)?)?.to_be_bytes()),
        "set" => {
            let id = u16::try_from(text::number(first)?)?;
            let value = u32::try_from(text::number(second)?)?;
            block.raw(&id.to_be_bytes()).raw(&value.to_be_bytes())
        }
        "text" => block.raw(&text::one_text(rest)?),
        "fill" => block.raw(&letters(count()?)),
        _ => bail!("no such line"),
    })
}

/// A field's name may begin with `!` too.
fn is_special(rest: &str) -> bool {
    let word = rest.split(' ').next().unwrap_or_default();
    !word.ends_with(':')
}

/// So many letters.
pub(super) fn letters(count: usize) -> Vec<u8> {
    vec![b'x'; count]
}

fn plain<'a>(method: &'a str, defaults: Defaults, path: &'a str) -> [(&'a str, &'a str); 4] {
    [
        (":method", method),
        (":scheme", "http"),
        (":authority", defaults.authority),
        (":path", path),
    ]
}

fn request(block: Block, method: &str, defaults: Defaults, path: &str) -> Block {
    let fields = plain(method, defaults, path);
    let add = |block: Block, (name, value)| block.field(name, value);
    fields.into_iter().fold(block, add)
}

fn all_but(block: Block, left_out: &[u8], defaults: Defaults) -> Block {
    let fields = plain("GET", defaults, "/");
    let kept = fields
        .into_iter()
        .filter(|(name, _)| name.as_bytes() != left_out);
    kept.fold(block, |block, (name, value)| block.field(name, value))
}
