//! The explanation of a request in lines for people. It says what the data says and nothing else.

use crate::api::{RequestCandidate, RequestExplanation, RequestPick};

/// Where the words of a line begin.
const WORD: usize = 11;
/// Endpoints that are named because they are not open; the data names all.
const SHUT_TOLD: usize = 4;

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
    lines.extend(affinity(e));
    lines.extend(key(e));
    lines.extend(e.candidates.iter().map(candidate));
    match (&e.pick, &e.refused) {
        (Some(pick), _) => {
            let why = match pick.why.as_str() {
                "weight" => "by its share",
                "affinity" => "where it belongs",
                "spill" => "a spill: the backend whose turn it is cannot take it",
                "fail_open" => "fail open: no backend is up",
                "trial" => "a trial: it finds out whether that works again",
                other => other,
            };
            let now = format!(
                "a worker that begins now sends it to {}: {why}{}",
                place(pick),
                by(&pick.by)
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

/// What chose the endpoint, where that says more than the backend's reason.
fn by(by: &str) -> String {
    match by {
        "trial" => String::new(),
        "only" => ", the only endpoint that may".to_owned(),
        "bound" => ", the endpoint it is bound to".to_owned(),
        "key" => ", the endpoint of its key".to_owned(),
        algorithm => format!(", by {algorithm}"),
    }
}

fn affinity(e: &RequestExplanation) -> Option<String> {
    let affinity = e.affinity.as_ref()?;
    let backend = affinity.backend.as_deref().unwrap_or_default();
    let endpoint = affinity.endpoint.as_deref().unwrap_or_default();
    let bucket = affinity.bucket.unwrap_or_default();
    let mapped = affinity.mapped.as_deref().unwrap_or_default();
    let belongs = match affinity.why.as_deref() {
        Some("map") => format!("bucket {bucket} → {backend}"),
        Some("in_use") => format!("bucket {bucket} → {backend}, in use at {endpoint}"),
        Some("drained") if affinity.bucket.is_some() => format!(
            "bucket {bucket} → {mapped}, but in use at {backend} {endpoint}, which is drained and keeps it"
        ),
        Some("drained") => format!("names {backend} {endpoint}, which is drained and keeps it"),
        Some("cookie") => format!("names {backend} {endpoint}"),
        Some("cookie_backend") => {
            format!("names an endpoint of {backend} that takes nothing: another one of it")
        }
        Some(other) => other.to_owned(),
        None => match &affinity.ignored {
            Some(ignored) => format!("ignored, {ignored}: it goes by the shares"),
            None => "none: it goes by the shares".to_owned(),
        },
    };
    Some(line("affinity", &format!("{}: {belongs}", affinity.by)))
}

fn key(e: &RequestExplanation) -> Option<String> {
    let key = e.key.as_ref()?;
    let found = match (&key.ignored, key.found) {
        (Some(ignored), _) => format!("ignored, {ignored}: it goes to the least loaded"),
        (None, true) => "decides between the endpoints of a backend".to_owned(),
        (None, false) => "none: it goes to the least loaded".to_owned(),
    };
    Some(line("key", &format!("{}: {found}", key.by)))
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
        (Some("no_endpoint_usable"), _) => format!("no endpoint is usable{}", shut(c)),
        (Some("full"), _) => "full: a limit is reached, its turns spill".to_owned(),
        (against, Some(endpoint)) => format!(
            "its turn → {endpoint}, {} in flight, {open} of {} open{}{}",
            in_flight(endpoint),
            c.endpoints.len(),
            against.map(|word| format!(", {word}")).unwrap_or_default(),
            shut(c)
        ),
        (against, None) => against.unwrap_or_default().to_owned(),
    };
    line(&c.backend, &format!("{:>6.2} %  {standing}", c.share))
}

/// The endpoints that are not open, each with its gate, or what is seen or wanted of it: `: 10.0.1.11:8080 ejected`.
fn shut(c: &RequestCandidate) -> String {
    let shut = c.endpoints.iter().filter(|e| e.gate != "open");
    let words = shut.map(|e| {
        let word = if e.gate == "unusable" {
            &e.state
        } else {
            &e.gate
        };
        format!("{} {word}", e.name)
    });
    let told: Vec<String> = words.take(SHUT_TOLD).collect();
    match told.is_empty() {
        true => String::new(),
        false => format!(": {}", told.join(", ")),
    }
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
