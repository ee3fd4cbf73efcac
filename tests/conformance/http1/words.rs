//! What was required and what happened, in words: all of it for whoever mends a case, in short for the page.

use std::fmt::Write as _;

use super::case::{Action, Answered, Case, Forwarded};
use super::drive::{End, Seen};
use super::text::shown;

/// A case with what was required and what happened, for a reader.
pub(crate) fn report(case: &Case, seen: &Seen, wrong: &[String]) -> String {
    let mut out = format!("\n{}: {}\n  {}\n", case.topic, case.name, case.rfc);
    let mut line = |label: &str, text: &str| writeln!(out, "  {label:<9} {text}").unwrap();
    for problem in wrong {
        line("WRONG", problem);
    }
    for action in &case.client {
        match action {
            Action::Send(bytes) => line("sent", &shown(bytes)),
            other => line("client", &format!("{other:?}")),
        }
    }
    for message in &case.forwarded {
        line("required", &required_request(message));
    }
    for answer in case.answers() {
        line("required", &required_answer(&answer));
    }
    line("required", &format!("connection: {:?}", case.then()));
    for connection in &seen.origin {
        for message in &connection.messages {
            let whole = if message.is_whole { "" } else { " (a part)" };
            line("forwarded", &format!("{}{whole}", shown(&message.raw)));
        }
    }
    for response in &seen.responses {
        let whole = if response.is_whole { "" } else { " (cut)" };
        line("answered", &format!("{}{whole}", shown(&response.raw)));
    }
    if !seen.rest.is_empty() {
        line("and then", &shown(&seen.rest));
    }
    line("connection", &format!("{:?}", seen.end));
    out
}

fn required_request(message: &Forwarded) -> String {
    let start = shown(&message.shape.start);
    let cut = if message.is_cut { " never whole" } else { "" };
    format!("forwarded{cut} {start}")
}

fn required_answer(answer: &Answered) -> String {
    let cut = if answer.is_cut { " cut" } else { "" };
    let reason = answer.reason.as_deref().unwrap_or_default();
    format!("answered {}{cut} {reason}", answer.status)
}

/// What a case requires, in a few words.
pub(crate) fn required(case: &Case) -> String {
    let forwarded = case.forwarded.iter().map(|message| {
        let never = "never forwarded whole";
        if message.is_cut { never } else { "forwarded" }.to_owned()
    });
    let answered = case.answers().into_iter().map(|answer| {
        let cut = if answer.is_cut { ", cut" } else { "" };
        let word = if answer.is_refusal {
            "refused"
        } else {
            "answered"
        };
        format!("{word} {}{cut}", answer.status)
    });
    let mut said: Vec<String> = forwarded.chain(answered).collect();
    said.dedup();
    if said.is_empty() {
        said.push("closed".to_owned());
    }
    said.join(", ")
}

/// What came of it, in a few words.
pub(crate) fn happened(seen: &Seen) -> String {
    let requests = super::judge::requests(seen);
    let whole = requests.iter().filter(|message| message.is_whole).count();
    let mut said = Vec::new();
    match (whole, requests.len() - whole) {
        (0, 0) => {}
        (0, _) => said.push("a part forwarded".to_owned()),
        (1, _) => said.push("forwarded".to_owned()),
        (count, _) => said.push(format!("{count} forwarded")),
    }
    said.extend(seen.responses.iter().map(|response| {
        let cut = if response.is_whole { "" } else { ", cut" };
        format!("answered {}{cut}", response.status())
    }));
    if seen.responses.is_empty() {
        let how = match seen.end {
            End::Silent | End::Open => "no answer, waits",
            End::Closed | End::Reset => "closed without an answer",
        };
        said.push(how.to_owned());
    }
    said.dedup();
    said.join(", ")
}
