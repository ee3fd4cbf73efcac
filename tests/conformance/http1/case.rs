//! What a case is, and how the files of `tests/corpus/http1` are read; their README describes the format. A file that is
//! not understood fails with its line: a case that is skipped in silence proves nothing.

use bascule_testkit::strict::{Answer, Field, Step};

use super::text;

/// One case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    pub(crate) topic: String,
    /// A sentence.
    pub(crate) name: String,
    /// Where the rule stands.
    pub(crate) rfc: String,
    pub(crate) note: String,
    /// About what only this product does: peers are not asked.
    pub(crate) is_own: bool,
    pub(crate) client: Vec<Action>,
    pub(crate) script: Vec<Answer>,
    pub(crate) forwarded: Vec<Forwarded>,
    pub(crate) answered: Vec<Answered>,
    pub(crate) then: Option<Then>,
    /// Other choices that the RFC leaves, with the reason.
    pub(crate) may: Vec<(May, String)>,
}

/// What the client does.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Send(Vec<u8>),
    UntilRead,
    UntilAnswered(usize),
    UntilForwarded(usize),
    UntilScript(usize),
    Close,
    /// Breaks the connection.
    Reset,
}

/// What a message must be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    pub(crate) start: Vec<u8>,
    pub(crate) fields: Vec<Field>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<Field>,
    pub(crate) with: Vec<Field>,
    pub(crate) without: Vec<String>,
    /// There are `|` lines: then the fields and the body are exactly these.
    pub(crate) is_exact: bool,
    has_body: bool,
}

/// What the origin must see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forwarded {
    /// A beginning at most, never all of it.
    pub(crate) is_cut: bool,
    pub(crate) shape: Shape,
}

/// What the client must see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// The edge's own answer to what it does not accept.
    pub(crate) is_refusal: bool,
    /// The `details` of `Proxy-Status`.
    pub(crate) reason: Option<String>,
    /// Not all of it: and it must be seen that it is not.
    pub(crate) is_cut: bool,
    pub(crate) shape: Shape,
}

/// What becomes of the client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Open,
    Closed,
    /// The case does not say.
    Either,
}

/// Another choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    Refuse,
    Forward,
    Close,
}

impl Case {
    /// What must become of the connection: closed after a refusal or a cut, open otherwise.
    pub(crate) fn then(&self) -> Then {
        let ends = |answer: &Answered| answer.is_refusal || answer.is_cut;
        let is_dropped = self.answered.is_empty() && self.forwarded.is_empty();
        let ends = is_dropped || self.answered.iter().any(ends);
        self.then
            .unwrap_or(if ends { Then::Closed } else { Then::Open })
    }

    /// The responses that are required, the usual one where the case names none.
    pub(crate) fn answers(&self) -> Vec<Answered> {
        if !self.answered.is_empty() || self.then == Some(Then::Closed) {
            return self.answered.clone();
        }
        let usual = |_: &Forwarded| Answered {
            status: 200,
            ..Answered::default()
        };
        let whole = self.forwarded.iter().filter(|message| !message.is_cut);
        whole.map(usual).collect()
    }

    /// The method of the nth final response's request: what decides whether it has a body.
    pub(crate) fn method(&self, number: usize) -> Vec<u8> {
        let first_word = |line: &[u8]| {
            let word = line.split(|byte| *byte == b' ').next();
            word.unwrap_or_default().to_vec()
        };
        let described = |message: &&Forwarded| !message.shape.start.is_empty();
        if let Some(message) = self.forwarded.get(number).filter(described) {
            return first_word(&message.shape.start);
        }
        let sent = self.client.iter().find_map(|action| match action {
            Action::Send(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        first_word(sent.unwrap_or_default())
    }

    fn last_shape(&mut self, part: Part) -> Option<&mut Shape> {
        match part {
            Part::Forwarded => self.forwarded.last_mut().map(|it| &mut it.shape),
            Part::Answered => self.answered.last_mut().map(|it| &mut it.shape),
            Part::None => None,
        }
    }

    fn last_answer(&mut self) -> &mut Answer {
        if self.script.is_empty() {
            self.script.push(Answer::default());
        }
        let last = self.script.len() - 1;
        &mut self.script[last]
    }
}

/// Which message the lines describe.
#[derive(Debug, Clone, Copy)]
enum Part {
    None,
    Forwarded,
    Answered,
}

/// Reads a file. Errors name the line.
pub(crate) fn read(topic: &str, file: &str) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Case> = Vec::new();
    let mut part = Part::None;
    for (number, line) in file.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("case: ") {
            let case = Case {
                topic: topic.to_owned(),
                name: name.to_owned(),
                ..Case::default()
            };
            cases.push(case);
            part = Part::None;
            continue;
        }
        let case = cases.last_mut().ok_or("no `case:` yet".to_owned());
        case.and_then(|case| take(case, &mut part, line))
            .map_err(|error| format!("{topic}.txt:{}: {error}: {line}", number + 1))?;
    }
    if let Some(bad) = cases.iter().find(|case| case.rfc.is_empty()) {
        return Err(format!("{topic}.txt: no `rfc:`: {}", bad.name));
    }
    Ok(cases)
}

fn take(case: &mut Case, part: &mut Part, line: &str) -> Result<(), String> {
    let (key, value) = line.split_once(' ').unwrap_or((line, ""));
    match key {
        "rfc:" => value.clone_into(&mut case.rfc),
        "note:" => case.note = format!("{} {value}", case.note).trim().to_owned(),
        "only:" if value == "bascule" => case.is_own = true,
        "then:" => case.then = Some(then(value)?),
        "may:" => case.may.push(may(value)?),
        ">" => send(&mut case.client, value)?,
        "client:" => case.client.push(action(value)?),
        "<" => say(&mut case.last_answer().steps, value)?,
        "origin:" => origin(case, value)?,
        "forwarded:" => {
            *part = Part::Forwarded;
            case.forwarded.push(Forwarded {
                is_cut: value == "cut",
                shape: Shape::default(),
            });
        }
        "answered:" | "refused:" => {
            *part = Part::Answered;
            case.answered.push(answered(value, key == "refused:")?);
        }
        "|" | "+" | "with:" | "without:" => {
            let shape = case.last_shape(*part).ok_or("no message yet")?;
            describe(shape, matches!(part, Part::Answered), key, value)?;
        }
        _ => return Err("not understood".to_owned()),
    }
    Ok(())
}

fn then(value: &str) -> Result<Then, String> {
    match value {
        "open" => Ok(Then::Open),
        "closed" => Ok(Then::Closed),
        "either" => Ok(Then::Either),
        _ => Err("open, closed or either".to_owned()),
    }
}

fn may(value: &str) -> Result<(May, String), String> {
    let (choice, reason) = value.split_once("; ").ok_or("a reason after `; `")?;
    let choice = match choice {
        "refuse" => May::Refuse,
        "forward" => May::Forward,
        "close" => May::Close,
        _ => return Err("refuse, forward or close".to_owned()),
    };
    Ok((choice, reason.to_owned()))
}

/// Adds a line to what is sent in one piece.
fn send(actions: &mut Vec<Action>, value: &str) -> Result<(), String> {
    let bytes = text::line(value)?;
    match actions.last_mut() {
        Some(Action::Send(before)) => before.extend(bytes),
        _ => actions.push(Action::Send(bytes)),
    }
    Ok(())
}

fn say(steps: &mut Vec<Step>, value: &str) -> Result<(), String> {
    let bytes = text::line(value)?;
    match steps.last_mut() {
        Some(Step::Send(before)) => before.extend(bytes),
        _ => steps.push(Step::Send(bytes)),
    }
    Ok(())
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "a number".to_owned())
}

fn action(value: &str) -> Result<Action, String> {
    let words: Vec<&str> = value.split(' ').collect();
    Ok(match words.as_slice() {
        ["wait", "read"] => Action::UntilRead,
        ["wait", "answers", count] => Action::UntilAnswered(number(count)?),
        ["wait", "requests", count] => Action::UntilForwarded(number(count)?),
        ["wait", "script", count] => Action::UntilScript(number(count)?),
        ["close"] => Action::Close,
        ["reset"] => Action::Reset,
        _ => return Err("not a client's action".to_owned()),
    })
}

fn origin(case: &mut Case, value: &str) -> Result<(), String> {
    let words: Vec<&str> = value.split(' ').collect();
    let step = match words.as_slice() {
        ["answer", when @ ..] => {
            case.script.push(Answer {
                is_early: when == ["early"],
                is_rest: when == ["after", "body"],
                steps: Vec::new(),
            });
            return Ok(());
        }
        ["wait", "read"] => Step::UntilRead,
        ["wait", "answers", count] => Step::UntilAnswered(number(count)?),
        ["close"] => Step::Close,
        ["reset"] => Step::Reset,
        ["hold"] => Step::Hold,
        _ => return Err("not an origin's step".to_owned()),
    };
    case.last_answer().steps.push(step);
    Ok(())
}

fn answered(value: &str, is_refusal: bool) -> Result<Answered, String> {
    let (status, word) = value.split_once(' ').unwrap_or((value, ""));
    Ok(Answered {
        status: status.parse().map_err(|_| "a status".to_owned())?,
        is_refusal,
        is_cut: word == "cut",
        reason: (!word.is_empty() && word != "cut").then(|| word.to_owned()),
        shape: Shape::default(),
    })
}

fn describe(shape: &mut Shape, has_start: bool, key: &str, value: &str) -> Result<(), String> {
    match key {
        "+" => shape.trailers.push(field(value)?),
        "with:" => shape.with.push(field(value)?),
        "without:" => shape.without.push(value.to_owned()),
        _ if shape.has_body => shape.body.extend(text::bytes(value)?),
        _ if value.is_empty() => shape.has_body = true,
        // The status line of a response is its status, which is said already.
        _ if shape.start.is_empty() && !has_start => shape.start = text::bytes(value)?,
        _ => shape.fields.push(field(value)?),
    }
    shape.is_exact |= key == "|";
    Ok(())
}

fn field(value: &str) -> Result<Field, String> {
    let (name, value) = value.split_once(':').ok_or("a field")?;
    Ok(Field {
        name: name.as_bytes().to_vec(),
        value: text::bytes(value.strip_prefix(' ').unwrap_or(value))?,
    })
}
