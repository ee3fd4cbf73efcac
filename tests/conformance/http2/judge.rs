//! Compares what came of a case with what is required.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};
use bascule_testkit::frames::error_name;
use bascule_testkit::frames::hpack::Field;
use bascule_testkit::frames::seen::{End, Seen, Stream};

use super::case::{Case, Detail, Outcome, Sees, Want};
use super::play::{Arrived, Played};

/// Fields of a request that an edge adds or writes anew; what is wrong with them the strict origins find.
const OF_THE_EDGE: [&[u8]; 15] = [
    b"via",
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-proto",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-real-ip",
    b"x-request-id",
    b"traceparent",
    b"te",
    b"connection",
    b"content-length",
    b"transfer-encoding",
    b"trailer",
    b"expect",
];

/// Fields that an answer over HTTP/2 must not have (RFC 9113 §8.2.2).
const OF_ONE_CONNECTION: [&[u8]; 5] = [
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"transfer-encoding",
    b"upgrade",
];

/// Whether all is there that is wanted, or what is missing cannot come any more.
pub(crate) fn is_settled(case: &Case, seen: &Seen) -> bool {
    let is_lost = |want: &Want| {
        let of_stream = |outcome: &Outcome| {
            matches!(
                outcome,
                Outcome::Answer(_) | Outcome::Status(_) | Outcome::Cut | Outcome::Reset(_)
            )
        };
        let waits_for_reset = want
            .outcomes
            .iter()
            .any(|outcome| matches!(outcome, Outcome::Reset(_)));
        seen.has_ended(want.stream)
            && want.outcomes.iter().all(of_stream)
            && (!waits_for_reset
                || seen
                    .streams
                    .get(&want.stream)
                    .is_some_and(|s| s.reset.is_some()))
    };
    let is_done = |want: &Want| meets(want, seen) || is_lost(want);
    seen.closed.is_some() || case.wants.iter().all(is_done)
}

/// Says what is not as required.
pub(crate) fn judge(case: &Case, played: &Played) -> Result<()> {
    let seen = &played.seen;
    if let Some(fault) = &seen.fault {
        bail!("  the answer broke HTTP/2: {fault}");
    }
    for (id, stream) in &seen.streams {
        if let Err(error) = check_answer(stream) {
            bail!("  the answer on stream {id} broke HTTP/2: {error:#}");
        }
    }
    ensure!(
        played.faults.is_empty(),
        "  the origin got what must not be sent: {:?}",
        played.faults
    );
    for want in &case.wants {
        ensure!(
            meets(want, seen),
            "  wanted: {}{}\n  seen:   {}",
            want.text,
            shown_details(&want.details),
            shown(seen)
        );
    }
    ensure!(
        sees_well(case, &played.arrived),
        "  the origin must see: {}\n  it saw: {}\n  the client: {}",
        shown_sees(case),
        shown_arrived(&played.arrived),
        shown(seen)
    );
    Ok(())
}

pub(super) fn check_answer(stream: &Stream) -> Result<()> {
    let fields = stream.heads.iter().chain(&stream.trailers).flatten();
    for (name, _) in fields {
        let name_shown = name.escape_ascii();
        ensure!(
            !name.iter().any(u8::is_ascii_uppercase),
            "a name in capitals: {name_shown}"
        );
        ensure!(
            !OF_ONE_CONNECTION.contains(&name.as_slice()),
            "a field of one connection: {name_shown}"
        );
    }
    for head in &stream.heads {
        let count = head
            .iter()
            .filter(|(name, _)| name.starts_with(b":"))
            .count();
        ensure!(count == 1, "{count} pseudo-fields");
    }
    Ok(())
}

fn meets(want: &Want, seen: &Seen) -> bool {
    want.outcomes
        .iter()
        .any(|outcome| comes(outcome, want, seen))
}

pub(super) fn comes(outcome: &Outcome, want: &Want, seen: &Seen) -> bool {
    let stream = seen.streams.get(&want.stream);
    let has_status = |wanted: &str| {
        let status = seen.status(want.stream).unwrap_or_default().to_string();
        wanted.len() == status.len()
            && wanted
                .chars()
                .zip(status.chars())
                .all(|(w, s)| w == 'x' || w == s)
    };
    match outcome {
        Outcome::Answer(status) => {
            let is_cut = want.details.iter().any(|d| matches!(d, Detail::Cut));
            let ends = match seen.end(want.stream) {
                Some(End::Whole) => !is_cut,
                Some(End::Reset(_)) => is_cut,
                None => is_cut && seen.closed.is_some(),
            };
            let is_well = |stream: &Stream| answers_well(stream, &want.details);
            has_status(status) && ends && stream.is_some_and(is_well)
        }
        Outcome::Status(status) => has_status(status) && seen.has_ended(want.stream),
        Outcome::Cut => match seen.end(want.stream) {
            Some(end) => end != End::Whole,
            None => seen.closed.is_some(),
        },
        Outcome::Reset(code) => stream.is_some_and(|stream| stream.reset == Some(*code)),
        Outcome::Goaway(code) => {
            seen.closed.is_some() && seen.goaway.is_some_and(|goaway| goaway.code == *code)
        }
        Outcome::Closed => seen.closed.is_some(),
        Outcome::Ack => seen.settings_acks > 0,
        Outcome::Pong => seen.pongs > 0,
    }
}

pub(super) fn answers_well(stream: &Stream, details: &[Detail]) -> bool {
    let head = stream.heads.last().map_or(&[][..], Vec::as_slice);
    let trailers = stream.trailers.as_deref().unwrap_or_default();
    is_like(head, &stream.body, trailers, details)
}

/// Whether a message has what the details say.
fn is_like(fields: &[Field], body: &[u8], trailers: &[Field], details: &[Detail]) -> bool {
    let lines = |details: &[Detail]| {
        details
            .iter()
            .filter_map(|detail| match detail {
                Detail::Field(name, value) => Some((name.clone(), value.clone())),
                _ => None,
            })
            .collect::<Vec<Field>>()
    };
    let wanted = lines(details);
    let wanted = by_name(&wanted);
    let have = by_name(fields);
    let values = wanted
        .iter()
        .all(|(name, values)| have.get(name) == Some(values));
    values
        && details.iter().all(|detail| match detail {
            Detail::Part(name, part) => fields
                .iter()
                .any(|(n, value)| n == name && value.windows(part.len()).any(|w| w == part)),
            Detail::Absent(name) => fields.iter().all(|(n, _)| n != name),
            Detail::Body(wanted) => body == wanted,
            Detail::Trailer(name, value) => trailers.iter().any(|(n, v)| n == name && v == value),
            Detail::Field(..) | Detail::Cut => true,
        })
}

/// Values in order, by name.
fn by_name(fields: &[Field]) -> BTreeMap<&[u8], Vec<&[u8]>> {
    let mut map: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
    for (name, value) in fields {
        map.entry(name).or_default().push(value);
    }
    map
}

fn sees_well(case: &Case, arrived: &[Arrived]) -> bool {
    let is_exact = case.sees.len() == arrived.len()
        && (!case.sees.is_empty() || !case.may_see_parts)
        && case
            .sees
            .iter()
            .zip(arrived)
            .all(|(sees, arrived)| is_seen(sees, arrived, case.host()));
    is_exact
        || (case.may_see_nothing && arrived.is_empty())
        || (case.may_see_parts && arrived.iter().all(|arrived| !arrived.is_whole))
}

pub(super) fn is_seen(sees: &Sees, arrived: &Arrived, host: &str) -> bool {
    let mut fields = arrived.fields.clone();
    let named = |name: &[u8]| {
        sees.details.iter().any(|detail| match detail {
            Detail::Field(n, _) | Detail::Part(n, _) => n == name,
            _ => false,
        })
    };
    let host_is_well = if named(b"host") {
        let value = arrived.host.clone().unwrap_or_default();
        fields.push((b"host".to_vec(), value));
        true
    } else {
        arrived.host.as_deref() == Some(host.as_bytes())
    };
    let names: BTreeSet<&[u8]> = fields.iter().map(|(name, _)| name.as_slice()).collect();
    let is_expected = |name: &&[u8]| OF_THE_EDGE.contains(name) || named(name);
    let is_cut = sees.details.iter().any(|d| matches!(d, Detail::Cut));
    let trailers = sees
        .details
        .iter()
        .filter(|d| matches!(d, Detail::Trailer(..)));
    arrived.method == sees.method
        && arrived.target == sees.target
        && arrived.is_whole != is_cut
        && host_is_well
        && names.iter().all(is_expected)
        && trailers.count() == arrived.trailers.len()
        && is_like(&fields, &arrived.body, &arrived.trailers, &sees.details)
}

fn shown(seen: &Seen) -> String {
    let mut text = String::new();
    for (id, stream) in &seen.streams {
        let status = seen.status(*id);
        let body = shortened(&stream.body);
        let end = match stream.end {
            Some(End::Whole) => "whole".to_owned(),
            Some(End::Reset(code)) => format!("reset {}", error_name(code)),
            None => "open".to_owned(),
        };
        text += &format!("stream {id}: {status:?} {body} {end}");
        if let (Some(End::Whole), Some(code)) = (stream.end, stream.reset) {
            text += &format!(", then reset {}", error_name(code));
        }
        for head in &stream.heads {
            text += &format!(" {}", shown_fields(head));
        }
        if let Some(trailers) = &stream.trailers {
            text += &format!(" trailers {}", shown_fields(trailers));
        }
        text += "; ";
    }
    if let Some(goaway) = seen.goaway {
        text += &format!("goaway {} ", error_name(goaway.code));
    }
    text + &match seen.closed {
        Some(closed) => format!("closed {closed:?}"),
        None => "not closed".to_owned(),
    }
}

fn shortened(bytes: &[u8]) -> String {
    let text = bytes.get(..80).unwrap_or(bytes).escape_ascii();
    let more = if bytes.len() > 80 { "…" } else { "" };
    format!("\"{text}\"{more}")
}

fn shown_fields(fields: &[Field]) -> String {
    let field = |(name, value): &Field| {
        format!(
            "{}: {}",
            name.escape_ascii(),
            shortened(value).trim_matches('"')
        )
    };
    let shown: Vec<String> = fields.iter().take(20).map(field).collect();
    format!("[{}]", shown.join(" | "))
}

fn shown_details(details: &[Detail]) -> String {
    if details.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = details
        .iter()
        .take(20)
        .map(|detail| match detail {
            Detail::Field(name, value) => shown_fields(&[(name.clone(), value.clone())]),
            Detail::Part(name, value) => {
                format!("{}: …{}…", name.escape_ascii(), value.escape_ascii())
            }
            Detail::Absent(name) => format!("no {}", name.escape_ascii()),
            Detail::Body(body) => format!("body {}", shortened(body)),
            Detail::Trailer(name, value) => {
                format!("trailer {}: {}", name.escape_ascii(), value.escape_ascii())
            }
            Detail::Cut => "cut".to_owned(),
        })
        .collect();
    format!(" ({})", shown.join(", "))
}

fn shown_sees(case: &Case) -> String {
    let mut shown: Vec<String> = Vec::new();
    for sees in &case.sees {
        let (method, target) = (sees.method.escape_ascii(), sees.target.escape_ascii());
        shown.push(format!("{method} {target}{}", shown_details(&sees.details)));
    }
    if shown.is_empty() || case.may_see_nothing {
        shown.push("nothing".to_owned());
    }
    if case.may_see_parts {
        shown.push("nothing whole".to_owned());
    }
    shown.join(", ")
}

fn shown_arrived(arrived: &[Arrived]) -> String {
    if arrived.is_empty() {
        return "nothing".to_owned();
    }
    let one = |arrived: &Arrived| {
        format!(
            "{} {} host {:?} {} body {} trailers {}{}",
            arrived.method.escape_ascii(),
            arrived.target.escape_ascii(),
            arrived
                .host
                .as_deref()
                .map(|host| host.escape_ascii().to_string()),
            shown_fields(&arrived.fields),
            shortened(&arrived.body),
            shown_fields(&arrived.trailers),
            if arrived.is_whole { "" } else { " (cut)" }
        )
    };
    arrived
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join("\n          ")
}
