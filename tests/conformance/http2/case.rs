//! Reads case files. It checks their form: a line that nobody understands, a case without a section of an RFC or without
//! anything wanted is an error, so no case passes because it says nothing.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use bascule_testkit::frames::{Frame, PREFACE};
use bascule_testkit::strict;

use super::payload::{self, Defaults};
use super::text;

/// One connection, and what must come of it.
#[derive(Debug, Default)]
pub(crate) struct Case {
    /// The file's name, the case's, and the text that stands in it.
    pub(crate) name: String,
    /// Whether the request goes to the HTTP/2 origin.
    pub(crate) is_http2: bool,
    /// What the client does.
    pub(crate) steps: Vec<Step>,
    /// What the origin does.
    pub(crate) answer: Answer,
    /// What the client must see.
    pub(crate) wants: Vec<Want>,
    /// What the origin must see.
    pub(crate) sees: Vec<Sees>,
    /// The origin may also see nothing.
    pub(crate) may_see_nothing: bool,
    /// The origin may also see requests that are cut, and nothing whole.
    pub(crate) may_see_parts: bool,
    /// Choices that the RFC leaves to others, each with the reason.
    pub(crate) may: Vec<(May, String)>,
    /// It asks for what only this project promises.
    pub(crate) is_own: bool,
    /// The sections that ask for it.
    pub(crate) rfc: Vec<String>,
}

/// A choice that the RFC leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    /// To refuse.
    Refuse,
    /// To forward, as it is or mended.
    Forward,
}

/// A thing that the client does.
#[derive(Debug)]
pub(crate) enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Waits until a stream has a final head.
    Head(u32),
    /// Waits until a stream has ended.
    End(u32),
    /// Waits until SETTINGS are agreed.
    Settings,
    /// Waits until the origin has so many heads.
    Origin(usize),
    /// Waits until the origin has so many requests whole.
    Whole(usize),
    /// Ends its side of the connection.
    Finish,
}

/// What the origin does; nothing: its usual answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Before the request is whole.
    pub(crate) is_early: bool,
    /// Over HTTP/1.
    pub(crate) http1: Vec<strict::Step>,
    /// Over HTTP/2.
    pub(crate) http2: Vec<Frame>,
    /// Over HTTP/2: the connection ends with it.
    pub(crate) closes: bool,
}

/// A thing that must come of it, in one of several ways.
#[derive(Debug)]
pub(crate) struct Want {
    /// As it was written.
    pub(crate) text: String,
    /// The stream it is about.
    pub(crate) stream: u32,
    /// Any of these.
    pub(crate) outcomes: Vec<Outcome>,
    /// What an answer must be like.
    pub(crate) details: Vec<Detail>,
}

/// A way to end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The origin's answer, with this status; `x` is any digit.
    Answer(String),
    /// An answer of the edge's own.
    Status(String),
    /// No whole answer: a reset or the end of the connection instead, with or without a head.
    Cut,
    /// RST_STREAM with this code.
    Reset(u32),
    /// GOAWAY with this code and the end of the connection.
    Goaway(u32),
    /// The end of the connection.
    Closed,
    /// SETTINGS acknowledged.
    Ack,
    /// PING answered.
    Pong,
}

/// A request that the origin must see.
#[derive(Debug)]
pub(crate) struct Sees {
    /// Its method.
    pub(crate) method: Vec<u8>,
    /// Its target.
    pub(crate) target: Vec<u8>,
    /// What else it must be like.
    pub(crate) details: Vec<Detail>,
}

/// What a message must be like.
#[derive(Debug, Clone)]
pub(crate) enum Detail {
    /// A field line, in the order of those with its name.
    Field(Vec<u8>, Vec<u8>),
    /// A part of a field's value.
    Part(Vec<u8>, Vec<u8>),
    /// No such field.
    Absent(Vec<u8>),
    /// The body.
    Body(Vec<u8>),
    /// A field of the trailers.
    Trailer(Vec<u8>, Vec<u8>),
    /// The message does not come to its end.
    Cut,
}

/// Reads all cases of all files.
pub(crate) fn load() -> Result<Vec<Case>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/http2");
    let entries = std::fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "cases"));
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(&file)?;
        cases.extend(read(&stem, &text).with_context(|| file.display().to_string())?);
    }
    Ok(cases)
}

/// A line of a case with the lines below it.
struct Line {
    number: usize,
    text: String,
    below: Vec<String>,
}

fn read(stem: &str, text: &str) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (name, lines) in chapters(text)? {
        let each = lines
            .iter()
            .find_map(|line| line.text.strip_prefix("each "));
        let texts = match each {
            Some(each) => text::quoted(each)?.1,
            None => vec![""],
        };
        for text in texts {
            let shown = each.map_or(String::new(), |_| format!(" [{text}]"));
            let mut case = Case {
                name: format!("{stem}/{name}{shown}"),
                ..Case::default()
            };
            let filled = case.fill(&lines, text);
            filled.with_context(|| case.name.clone())?;
            cases.push(case);
        }
    }
    Ok(cases)
}

/// The cases of a file, by name, as lines.
fn chapters(text: &str) -> Result<Vec<(String, Vec<Line>)>> {
    let mut chapters: Vec<(String, Vec<Line>)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with("# ") {
            continue;
        }
        let lines = chapters.last_mut().map(|(_, lines)| lines);
        match (line.len() - content.len(), lines) {
            (0, _) => {
                let name = content.strip_prefix("case ").context("not a case")?;
                chapters.push((name.to_owned(), Vec::new()));
            }
            (2, Some(lines)) => lines.push(Line {
                number,
                text: content.to_owned(),
                below: Vec::new(),
            }),
            (4, Some(lines)) => {
                let above = lines.last_mut().context("nothing above")?;
                above.below.push(content.to_owned());
            }
            (indent, _) => bail!("line {number}: an indent of {indent}"),
        }
    }
    Ok(chapters)
}

impl Case {
    fn fill(&mut self, lines: &[Line], text: &str) -> Result<()> {
        self.is_http2 = lines.iter().any(|line| line.text == "to h2");
        let begins = lines.iter().find(|line| line.text.starts_with("> "));
        let first = begins.map_or("", |line| line.text.as_str());
        if !["> hello", "> preface", "> bytes", "> hex"]
            .iter()
            .any(|word| first.starts_with(word))
        {
            self.steps.push(Step::Send(hello()));
        }
        for line in lines {
            let filled = Line {
                number: line.number,
                text: line.text.replace("{}", text),
                below: line.below.iter().map(|l| l.replace("{}", text)).collect(),
            };
            if !line.text.starts_with("each ") {
                self.line(&filled)
                    .with_context(|| format!("line {}: {}", line.number, line.text))?;
            }
        }
        ensure!(!self.rfc.is_empty(), "no section of an RFC");
        ensure!(!self.wants.is_empty(), "nothing is wanted");
        let answers = |want: &Want| matches!(want.outcomes.first(), Some(Outcome::Answer(_)));
        let is_open = self.sees.is_empty() && !self.may_see_nothing && !self.may_see_parts;
        let may_be_own = |want: &Want| want.outcomes.len() > 1;
        ensure!(
            !is_open || !self.wants.iter().any(|w| answers(w) && !may_be_own(w)),
            "an answer to a request that the origin must not see"
        );
        Ok(())
    }

    /// The host of requests that do not say another.
    pub(crate) const fn host(&self) -> &'static str {
        if self.is_http2 {
            "b.example"
        } else {
            "a.example"
        }
    }

    fn line(&mut self, line: &Line) -> Result<()> {
        let (word, rest) = line.text.split_once(' ').context("one word")?;
        match word {
            "rfc" => self.rfc.push(rest.to_owned()),
            "own" => self.is_own = true,
            "may" => self.may.push(match rest.split_once(' ') {
                Some(("refuse", why)) => (May::Refuse, why.to_owned()),
                Some(("forward", why)) => (May::Forward, why.to_owned()),
                _ => bail!("may refuse WHY, may forward WHY"),
            }),
            "to" => ensure!(rest == "h2", "to h2"),
            ">" => self.steps.push(self.step(rest, &line.below)?),
            "<" => self.answer_line(rest, &line.below)?,
            "want" => self.wants.push(want(rest, &line.below)?),
            "sees" => self.sees_line(rest, &line.below)?,
            _ => bail!("no such line"),
        }
        Ok(())
    }

    const fn defaults(&self) -> Defaults {
        Defaults {
            authority: self.host(),
        }
    }

    fn step(&self, line: &str, below: &[String]) -> Result<Step> {
        if payload::is_frame(line) {
            return Ok(Step::Send(payload::bytes(line, below, self.defaults())?));
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Ok(match word {
            "hello" => Step::Send(hello()),
            "preface" => Step::Send(PREFACE.to_vec()),
            "bytes" => Step::Send(text::one_text(rest)?),
            "finish" => Step::Finish,
            "wait" => match rest.split_once(' ') {
                None if rest == "settings" => Step::Settings,
                Some(("head", stream)) => Step::Head(stream.parse()?),
                Some(("end", stream)) => Step::End(stream.parse()?),
                Some(("origin", count)) => Step::Origin(count.parse()?),
                Some(("whole", count)) => Step::Whole(count.parse()?),
                _ => bail!("nothing to wait for"),
            },
            _ => bail!("no such step"),
        })
    }

    fn answer_line(&mut self, line: &str, below: &[String]) -> Result<()> {
        if payload::is_frame(line) {
            let frame = payload::frame(line, below, self.defaults())?;
            self.answer.http2.push(frame);
            return Ok(());
        }
        let step = match line.split_once(' ').unwrap_or((line, "")) {
            ("early", _) => {
                self.answer.is_early = true;
                return Ok(());
            }
            ("close", _) => {
                self.answer.closes = true;
                strict::Step::Close
            }
            ("reset", _) => strict::Step::Reset,
            ("hold", _) => strict::Step::Hold,
            ("until-read", _) => strict::Step::UntilRead,
            ("fill", count) => strict::Step::Send(payload::letters(count.parse()?)),
            _ => strict::Step::Send(text::one_text(line)?),
        };
        self.answer.http1.push(step);
        Ok(())
    }

    fn sees_line(&mut self, line: &str, below: &[String]) -> Result<()> {
        for said in line.split(" or ") {
            match said {
                "nothing" => self.may_see_nothing = true,
                "nothing whole" => self.may_see_parts = true,
                _ => {
                    let (method, target) = said.split_once(' ').context("METHOD TARGET")?;
                    self.sees.push(Sees {
                        method: text::unescape(method)?,
                        target: text::unescape(target)?,
                        details: details(below)?,
                    });
                }
            }
        }
        Ok(())
    }
}

fn hello() -> Vec<u8> {
    [&PREFACE[..], &Frame::settings(&[]).bytes()].concat()
}

fn want(line: &str, below: &[String]) -> Result<Want> {
    let mut stream = 1;
    let mut outcomes = Vec::new();
    for said in line.split(" or ") {
        let (said, on) = said.split_once(" on ").unwrap_or((said, ""));
        if !on.is_empty() {
            stream = on.parse().context("on STREAM")?;
        }
        outcomes.extend(match said.split_once(' ').unwrap_or((said, "")) {
            ("answer", status) => vec![Outcome::Answer(status.to_owned())],
            ("status", status) => vec![Outcome::Status(status.to_owned())],
            ("cut", _) => vec![Outcome::Cut],
            ("reset", code) => vec![Outcome::Reset(payload::error(code)?)],
            ("goaway", code) => vec![Outcome::Goaway(payload::error(code)?)],
            ("closed", _) => vec![Outcome::Closed],
            ("ack", _) => vec![Outcome::Ack],
            ("pong", _) => vec![Outcome::Pong],
            ("malformed", _) => {
                let code = payload::error("PROTOCOL_ERROR")?;
                let status = Outcome::Status("400".to_owned());
                vec![status, Outcome::Reset(code), Outcome::Goaway(code)]
            }
            _ => bail!("nothing that can be wanted: {said}"),
        });
    }
    Ok(Want {
        text: line.to_owned(),
        stream,
        outcomes,
        details: details(below)?,
    })
}

fn details(lines: &[String]) -> Result<Vec<Detail>> {
    let mut details = Vec::new();
    for line in lines {
        details.extend(detail(line).with_context(|| line.clone())?);
    }
    Ok(details)
}

fn detail(line: &str) -> Result<Vec<Detail>> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(match word {
        "cut" => vec![Detail::Cut],
        "body" => vec![Detail::Body(match rest.strip_prefix("fill ") {
            Some(count) => payload::letters(count.parse()?),
            None => text::one_text(rest)?,
        })],
        "trailer" => {
            let (name, value) = text::field(rest)?;
            vec![Detail::Trailer(name, value)]
        }
        "!repeat" => {
            let (count, field) = rest.split_once(' ').context("a count")?;
            let (name, value) = text::field(field)?;
            let one = |_| Detail::Field(name.clone(), value.clone());
            (0..count.parse::<usize>()?).map(one).collect()
        }
        "!long" => {
            let (count, name) = rest.split_once(' ').context("a count")?;
            let value = payload::letters(count.parse()?);
            vec![Detail::Field(name.into(), value)]
        }
        _ => vec![match line.strip_prefix('-') {
            Some(name) => Detail::Absent(name.into()),
            None => {
                let (name, value) = text::field(line)?;
                match value.strip_prefix(b"~") {
                    Some(part) => Detail::Part(name, part.to_vec()),
                    None => Detail::Field(name, value),
                }
            }
        }],
    })
}
