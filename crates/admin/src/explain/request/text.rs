//! The explanation of a request in lines for people. It says what the data says and nothing else.

use crate::api::{RequestCandidate, RequestExplanation, RequestPick};

/// Where the words of a line begin.
const WORD: usize = 11;

pub(super) fn lines(e: &RequestExplanation) -> Vec<String> {
    let host = e.host.as_deref().unwrap_or_default();
    let mut lines = vec![format!(
        "{} {host}{}  on listener {}",
        e.method, e.path, e.listener
    )];
    let Some(service) = &e.service else {
        lines.push(line("route", "no service takes it: 404, no_service"));
        return lines;
    };
    lines.push(line("service", &format!("{service}  ({})", e.matched)));
    lines.extend(e.candidates.iter().map(candidate));
    match (&e.pick, &e.refused) {
        (Some(pick), _) => {
            let why = match pick.why.as_str() {
                "weight" => "by its share",
                "spill" => "a spill: the backend whose turn it is cannot take it",
                "fail_open" => "fail open: no backend is up",
                other => other,
            };
            let now = format!(
                "a worker that begins now sends it to {}: {why}",
                place(pick)
            );
            lines.push(line("now", &now));
        }
        (None, Some(reason)) => {
            let back = e.retry_after_seconds.map(|s| format!(", Retry-After: {s}"));
            let now = format!("refused: 503, {reason}{}", back.unwrap_or_default());
            lines.push(line("now", &now));
        }
        (None, None) => {}
    }
    lines.extend(again(e));
    lines
}

fn line(word: &str, what: &str) -> String {
    format!(" {word:<WORD$}{what}").trim_end().to_owned()
}

fn place(pick: &RequestPick) -> String {
    format!("{} {}", pick.backend, pick.endpoint)
}

fn candidate(c: &RequestCandidate) -> String {
    let in_flight = |name: &String| {
        let endpoint = c.endpoints.iter().find(|e| e.name == *name);
        endpoint.map_or(0, |e| e.in_flight)
    };
    let open = c.endpoints.iter().filter(|e| e.gate == "open").count();
    let standing = match (c.against.as_deref(), &c.endpoint) {
        (Some("off"), _) => "off: gets nothing, whatever else fails".to_owned(),
        (Some("no_endpoint_usable"), _) => "no endpoint is usable".to_owned(),
        (Some("full"), _) => "full: a limit is reached, its turns spill".to_owned(),
        (against, Some(endpoint)) => format!(
            "its turn → {endpoint}, {} in flight, {open} of {} open{}",
            in_flight(endpoint),
            c.endpoints.len(),
            against.map(|word| format!(", {word}")).unwrap_or_default()
        ),
        (against, None) => against.unwrap_or_default().to_owned(),
    };
    line(&c.backend, &format!("{:>6.2} %  {standing}", c.share))
}

fn again(e: &RequestExplanation) -> Option<String> {
    let attempts = e.attempts.as_ref()?;
    if attempts.most <= 1 {
        return Some(line("again", "never: retry.attempts is 1"));
    }
    let whether = if attempts.idempotent {
        ""
    } else {
        ", and only what certainly did not arrive"
    };
    let then: Vec<String> = attempts.then.iter().map(place).collect();
    let then = match then.is_empty() {
        true => "nowhere else to go".to_owned(),
        false => format!("then {}", then.join(", then ")),
    };
    let tries = format!(
        "{} tries, after {}",
        attempts.most,
        attempts.after.join(", ")
    );
    Some(line("again", &format!("{tries}{whether}; {then}")))
}
