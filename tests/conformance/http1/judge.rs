//! Compares what happened with what the case requires: exactly, for the edge itself; for peers, in what matters to the
//! client and the origin, with the choices that the RFC leaves.

use bascule_testkit::strict::{Field, Message};

use super::case::{Answered, Case, Forwarded, May, Shape, Then};
use super::drive::{End, Seen};
use super::text::shown;
use crate::http2::fair::FORWARDED_AS_IT_IS;

/// Fields of a request that each gateway writes as it likes; cases about them say `with` and `without`.
const OWN_OF_REQUESTS: [&str; 11] = [
    "via",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-request-id",
    "traceparent",
    "tracestate",
    "connection",
    "content-length",
    "transfer-encoding",
];

/// Fields of a response, likewise.
const OWN_OF_RESPONSES: [&str; 7] = [
    "date",
    "server",
    "via",
    "connection",
    "keep-alive",
    "content-length",
    "transfer-encoding",
];

/// Everything that is not as the case requires; empty: it is.
pub(crate) fn strictly(case: &Case, seen: &Seen) -> Vec<String> {
    let mut wrong = beside(seen);
    wrong.extend(seen.waits.iter().cloned());
    forwarded(&case.forwarded, seen, &mut wrong);
    let required = case.answers();
    // A 100 may come or not where the body has come already.
    let asks = required.iter().any(|answer| answer.status == 100);
    let counts = |response: &&Message| asks || response.status() != 100;
    let responses: Vec<&Message> = seen.responses.iter().filter(counts).collect();
    // A cut before the head is a cut too.
    let is_cut = required.last().is_some_and(|answer| answer.is_cut) && seen.end != End::Silent;
    let missing = required.len().saturating_sub(responses.len());
    if responses.len() > required.len() || missing > usize::from(is_cut) {
        let (got, wanted) = (responses.len(), required.len());
        wrong.push(format!("{got} responses, not {wanted}"));
    }
    for (answer, response) in required.iter().zip(responses) {
        answered(answer, response, &mut wrong);
        let is_usual = case.script.is_empty() && !answer.is_refusal && answer.reason.is_none();
        if is_usual && answer.status == 200 {
            usual_body(response, &mut wrong);
        }
    }
    if !seen.rest.is_empty() {
        wrong.push(format!("bytes that are no response: {}", shown(&seen.rest)));
    }
    let end_is_well = match case.then() {
        Then::Open => seen.end == End::Open,
        Then::Closed => matches!(seen.end, End::Closed | End::Reset),
        Then::Either => true,
    };
    if !end_is_well {
        wrong.push(format!(
            "the connection: {:?}, not {:?}",
            seen.end,
            case.then()
        ));
    }
    wrong
}

/// What must never be, whatever the case.
fn beside(seen: &Seen) -> Vec<String> {
    let mut wrong = seen.trouble.clone();
    let to_origin = seen
        .origin
        .iter()
        .flat_map(|connection| &connection.messages);
    for message in to_origin {
        let faults = message.faults.iter();
        wrong.extend(faults.map(|fault| format!("sent to the origin: {fault}")));
    }
    for message in &seen.responses {
        let faults = message.faults.iter();
        wrong.extend(faults.map(|fault| format!("sent to the client: {fault}")));
    }
    wrong
}

/// The requests that the origin got, the runner's own left out.
pub(crate) fn requests(seen: &Seen) -> Vec<&Message> {
    let all = seen
        .origin
        .iter()
        .flat_map(|connection| &connection.messages);
    let is_own = |message: &&Message| message.target().starts_with(b"/sentinel/");
    all.filter(|message| !is_own(message)).collect()
}

fn forwarded(required: &[Forwarded], seen: &Seen, wrong: &mut Vec<String>) {
    let mut got = requests(seen).into_iter();
    for required in required {
        match (got.next(), required.is_cut) {
            (Some(message), true) if message.is_whole => {
                wrong.push("the origin got all of what it must not".to_owned());
            }
            // That it got nothing at all is well too.
            (_, true) => {}
            (Some(message), false) if !message.is_whole => {
                wrong.push("the origin got a part only".to_owned());
            }
            (Some(message), false) => request(&required.shape, message, wrong),
            (None, false) => wrong.push("nothing was forwarded".to_owned()),
        }
    }
    for more in got {
        wrong.push(format!("forwarded too: {}", shown(&more.raw)));
    }
}

fn request(shape: &Shape, message: &Message, wrong: &mut Vec<String>) {
    if shape.is_exact && shape.start != message.start {
        let (got, wanted) = (shown(&message.start), shown(&shape.start));
        wrong.push(format!("forwarded as {got}, not {wanted}"));
    }
    described(shape, message, &OWN_OF_REQUESTS, wrong);
}

fn answered(required: &Answered, response: &Message, wrong: &mut Vec<String>) {
    if response.status() != required.status {
        let (got, wanted) = (response.status(), required.status);
        wrong.push(format!("answered {got}, not {wanted}"));
    }
    if response.is_whole == required.is_cut {
        let what = if required.is_cut { "clean end" } else { "cut" };
        wrong.push(format!("the answer to the client: a {what}"));
    }
    if let Some(reason) = &required.reason {
        let details = format!("details=\"{reason}\"");
        let says = |value: &[u8]| String::from_utf8_lossy(value).ends_with(&details);
        if !response.values("proxy-status").any(says) {
            wrong.push(format!("no Proxy-Status with {details}"));
        }
    }
    described(&required.shape, response, &OWN_OF_RESPONSES, wrong);
}

fn usual_body(response: &Message, wrong: &mut Vec<String>) {
    if response.is_whole && !matches!(response.body.as_slice(), b"ok\n" | b"") {
        wrong.push(format!("another's body: {}", shown(&response.body)));
    }
}

fn described(shape: &Shape, message: &Message, own: &[&str], wrong: &mut Vec<String>) {
    if shape.is_exact {
        let is_own = |field: &&Field| own.iter().any(|name| field.is(name));
        let got = sorted(message.fields.iter().filter(|field| !is_own(field)));
        let wanted = sorted(shape.fields.iter());
        if got != wanted {
            wrong.push(format!("fields {got:?}, not {wanted:?}"));
        }
        if message.body != shape.body {
            let (got, wanted) = (shown(&message.body), shown(&shape.body));
            wrong.push(format!("body {got}, not {wanted}"));
        }
        let (got, wanted) = (sorted(&message.trailers), sorted(&shape.trailers));
        if got != wanted {
            wrong.push(format!("trailers {got:?}, not {wanted:?}"));
        }
    }
    for field in &shape.with {
        let name = String::from_utf8_lossy(&field.name);
        let values: Vec<&[u8]> = message.values(&name).collect();
        if values != [field.value.as_slice()] {
            let got: Vec<String> = values.into_iter().map(shown).collect();
            let wanted = shown(&field.value);
            wrong.push(format!("{name} is {got:?}, not {wanted:?}"));
        }
    }
    for name in &shape.without {
        if let Some(value) = message.values(name).next() {
            wrong.push(format!("{name}: {} should be gone", shown(value)));
        }
    }
}

/// Fields by name in small letters, those of one name in their order.
fn sorted<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Vec<(String, String)> {
    let pair = |field: &Field| {
        let name = shown(&field.name.to_ascii_lowercase());
        (name, shown(&field.value))
    };
    let mut pairs: Vec<_> = fields.into_iter().map(pair).collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}

/// How a peer did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As required.
    As,
    /// Another choice that the RFC leaves, with the reason.
    Permitted(String),
    /// Otherwise; in words.
    Otherwise(String),
}

/// Judges a peer by what matters to others: what the origin sees, that a refusal is one, that a cut is seen. Which status
/// refuses, whether a connection stays, and whose fields are added is its own affair.
pub(crate) fn fairly(case: &Case, seen: &Seen) -> Verdict {
    let mut wrong = beside(seen);
    let expects_refusal = case.answered.iter().any(|answer| answer.is_refusal);
    forwarded(&case.forwarded, seen, &mut wrong);
    wrong.retain(|problem| !problem.starts_with("trailers"));
    let finals: Vec<&Message> = seen
        .responses
        .iter()
        .filter(|it| !it.is_interim())
        .collect();
    let answers = case.answers();
    let required: Vec<&Answered> = answers
        .iter()
        .filter(|it| !(100..200).contains(&it.status) || it.status == 101)
        .collect();
    for (number, required) in required.iter().enumerate() {
        match finals.get(number) {
            Some(response) => fair_answer(required, response, &mut wrong),
            // A connection that is closed without a word refuses too; and so does one that gives a cut no head.
            None if required.is_refusal || required.is_cut || required.status >= 500 => {
                if seen.end == End::Silent {
                    wrong.push("no answer, and the connection stays".to_owned());
                }
            }
            None => wrong.push("no answer".to_owned()),
        }
    }
    if finals.len() > required.len() {
        wrong.push(format!("{} answers", finals.len()));
    }
    if wrong.is_empty() {
        return Verdict::As;
    }
    let clean = beside(seen).is_empty();
    // What a case lets others forward may arrive as it is.
    let is_of_case = beside(seen)
        .iter()
        .all(|fault| FORWARDED_AS_IT_IS.iter().any(|it| fault.contains(it)));
    let refuses = finals.last().is_some_and(|it| it.status() >= 400) || finals.is_empty();
    let reached = requests(seen).iter().filter(|it| it.is_whole).count();
    let chosen = case.may.iter().find(|(may, _)| match may {
        May::Refuse => clean && refuses && reached < case.forwarded.len().max(1),
        May::Forward => is_of_case && reached > 0 && (expects_refusal || !refuses),
        May::Close => clean && finals.len() < required.len() && seen.end != End::Silent,
    });
    match chosen {
        Some((_, reason)) => Verdict::Permitted(reason.clone()),
        None => Verdict::Otherwise(wrong.join("; ")),
    }
}

fn fair_answer(required: &Answered, response: &Message, wrong: &mut Vec<String>) {
    let status = response.status();
    let is_own = required.is_refusal || required.reason.is_some();
    let status_is_well = status == required.status || (is_own && status >= 400);
    if !status_is_well {
        wrong.push(format!("answered {status}, not {}", required.status));
    }
    if required.is_cut && response.is_whole {
        wrong.push("a clean end to the client".to_owned());
    }
    if !required.is_cut && !response.is_whole {
        wrong.push("a cut to the client".to_owned());
    }
    if status == required.status && !is_own {
        let mut more = Vec::new();
        described(&required.shape, response, &OWN_OF_RESPONSES, &mut more);
        more.retain(|problem| !problem.starts_with("trailers"));
        wrong.extend(more);
    }
}
