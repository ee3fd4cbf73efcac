//! Judges other programs by what matters to the client and the origin: which requests arrive and how, that a refusal is one
//! (any 4xx or 5xx, a reset, a GOAWAY, the end of the connection), that a cut is seen to be one. Which code refuses is their
//! own affair, and a choice that the RFC leaves counts for nothing against them.

use anyhow::Result;
use bascule_testkit::frames::error_name;
use bascule_testkit::frames::seen::{End, Seen};

use super::case::{Case, Detail, May, Outcome, Sees, Want};
use super::judge;
use super::play::{Arrived, Played};
use crate::http1::judge::Verdict;

/// What such a request is kept for until all of it is there.
const GATHERS: &str = "a gateway may wait for all of a request before it forwards any of it";
const TRAILERS: &str = "RFC 9110 §6.5.1 lets an intermediary drop trailers";

/// Faults that the origin finds in what a case may let through.
pub(crate) const FORWARDED_AS_IT_IS: [&str; 2] = [
    "a field value with a control character",
    "a target that is no origin form",
];

/// Whether nothing more is to come that would matter.
pub(crate) fn is_settled(case: &Case, seen: &Seen) -> bool {
    let is_done = |want: &Want| {
        let is_of_stream = |outcome: &Outcome| {
            matches!(
                outcome,
                Outcome::Answer(_) | Outcome::Status(_) | Outcome::Cut | Outcome::Reset(_)
            )
        };
        let is_lost = seen.has_ended(want.stream) && want.outcomes.iter().any(is_of_stream);
        fault(want, seen).is_none() || is_lost
    };
    seen.closed.is_some() || case.wants.iter().all(is_done)
}

/// How it did.
pub(crate) fn verdict(case: &Case, played: &Result<Played>) -> Verdict {
    let played = match played {
        Ok(played) => played,
        Err(error) => return Verdict::Otherwise(format!("{error:#}")),
    };
    let broken = broken(played);
    let wants = case.wants.iter();
    let mut wrong: Vec<String> = wants.filter_map(|want| fault(want, &played.seen)).collect();
    wrong.extend(arrived_otherwise(case, &played.arrived));
    if wrong.is_empty() && broken.is_empty() {
        return if drops_trailers(case, played) {
            Verdict::Permitted(TRAILERS.to_owned())
        } else {
            Verdict::As
        };
    }
    // What a case lets others forward may arrive as it is.
    let is_of_case = |fault: &String| FORWARDED_AS_IT_IS.iter().any(|it| fault.contains(it));
    if broken.iter().all(is_of_case) {
        let refuses = case.wants.iter().any(|want| is_refused(want, &played.seen));
        let arrived = played.arrived.iter().any(|request| request.is_whole);
        let chosen = case.may.iter().find(|(may, _)| match may {
            May::Refuse => refuses && broken.is_empty(),
            May::Forward => arrived && !refuses,
        });
        if let Some((_, why)) = chosen {
            return Verdict::Permitted(why.clone());
        }
        let never_whole = case.sees.iter().any(is_cut);
        if never_whole
            && broken.is_empty()
            && played.arrived.is_empty()
            && played.seen.streams.is_empty()
        {
            return Verdict::Permitted(GATHERS.to_owned());
        }
    }
    wrong.extend(broken);
    Verdict::Otherwise(wrong.join("; "))
}

/// What must never be, whatever the case.
fn broken(played: &Played) -> Vec<String> {
    let mut broken: Vec<String> = played.seen.fault.iter().cloned().collect();
    for stream in played.seen.streams.values() {
        let checked = judge::check_answer(stream).err();
        broken.extend(checked.map(|error| format!("{error:#}")));
    }
    let faults = played.faults.iter();
    broken.extend(faults.map(|fault| format!("sent to the origin: {fault}")));
    let trouble = played.trouble.as_ref().err();
    broken.extend(trouble.map(|_| "others were not answered afterwards".to_owned()));
    broken
}

/// What is not as wanted.
fn fault(want: &Want, seen: &Seen) -> Option<String> {
    let asks_to_stop = |outcome: &Outcome| {
        // NO_ERROR and CANCEL: that the rest of a request is of no use may be said, and need not (RFC 9113 §8.1).
        matches!(outcome, Outcome::Reset(0 | 8))
    };
    if want.outcomes.iter().all(asks_to_stop) {
        return None;
    }
    let may_refuse = !want.outcomes.iter().all(is_plain);
    let is_met = want.outcomes.iter().any(|it| comes(it, want, seen));
    let is_well = is_met || (may_refuse && is_refused(want, seen));
    (!is_well).then(|| match want.outcomes.first() {
        Some(first) if is_plain(first) => "not answered so".to_owned(),
        _ => "no refusal".to_owned(),
    })
}

const fn is_plain(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Answer(_) | Outcome::Ack | Outcome::Pong)
}

/// As the strict judge, but trailers may be gone, and a cut may be an error instead.
fn comes(outcome: &Outcome, want: &Want, seen: &Seen) -> bool {
    if !matches!(outcome, Outcome::Answer(_)) {
        return judge::comes(outcome, want, seen);
    }
    let has_trailers = seen
        .streams
        .get(&want.stream)
        .is_some_and(|stream| stream.trailers.is_some());
    let is_trailer = |detail: &&Detail| matches!(detail, Detail::Trailer(..));
    let details = want.details.iter();
    let without = Want {
        text: want.text.clone(),
        stream: want.stream,
        outcomes: Vec::new(),
        details: details
            .filter(|it| has_trailers || !is_trailer(it))
            .cloned()
            .collect(),
    };
    let may_be_cut = want.details.iter().any(|it| matches!(it, Detail::Cut));
    judge::comes(outcome, &without, seen) || (may_be_cut && is_refused(want, seen))
}

fn is_refused(want: &Want, seen: &Seen) -> bool {
    let is_error = seen.status(want.stream).is_some_and(|status| status >= 400);
    let is_reset = seen.streams.get(&want.stream).is_some_and(|stream| {
        matches!(stream.end, Some(End::Reset(_))) || stream.reset.is_some_and(|code| code != 0)
    });
    let is_gone = seen.goaway.is_some_and(|goaway| goaway.code != 0);
    let is_whole = seen.end(want.stream) == Some(End::Whole);
    is_error || is_reset || is_gone || (seen.closed.is_some() && !is_whole)
}

fn is_cut(sees: &Sees) -> bool {
    sees.details.iter().any(|it| matches!(it, Detail::Cut))
}

/// What is wrong with what arrived. Of a request that never gets whole nothing needs to arrive.
fn arrived_otherwise(case: &Case, arrived: &[Arrived]) -> Option<String> {
    let is_nothing = arrived.iter().all(|request| !request.is_whole);
    if is_nothing && (case.may_see_nothing || case.may_see_parts || case.sees.iter().all(is_cut)) {
        return None;
    }
    let mut whole = arrived.iter().filter(|request| request.is_whole);
    for sees in case.sees.iter().filter(|sees| !is_cut(sees)) {
        match whole.next() {
            None => return Some("not forwarded".to_owned()),
            Some(request) if !is_well(sees, request, case.host()) => {
                return Some("forwarded otherwise".to_owned());
            }
            Some(_) => {}
        }
    }
    whole
        .next()
        .map(|request| format!("forwarded {}", request.target.escape_ascii()))
}

fn is_well(sees: &Sees, request: &Arrived, host: &str) -> bool {
    let is_kept = |detail: &&Detail| {
        let is_trailer = matches!(detail, Detail::Trailer(..));
        !(is_trailer && request.trailers.is_empty())
    };
    let kept = Sees {
        method: sees.method.clone(),
        target: sees.target.clone(),
        details: sees.details.iter().filter(is_kept).cloned().collect(),
    };
    judge::is_seen(&kept, request, host)
}

fn drops_trailers(case: &Case, played: &Played) -> bool {
    let has = |details: &[Detail]| details.iter().any(|it| matches!(it, Detail::Trailer(..)));
    let forwarded = case.sees.iter().any(|sees| has(&sees.details));
    let answered = case.wants.iter().any(|want| has(&want.details));
    let requests = played.arrived.iter().filter(|it| it.is_whole);
    let mut answers = played.seen.streams.values();
    (forwarded && requests.clone().count() > 0 && requests.clone().all(|it| it.trailers.is_empty()))
        || (answered && answers.all(|stream| stream.trailers.is_none()))
}

/// What a case requires, in a few words.
pub(crate) fn required(case: &Case) -> String {
    let wants: Vec<&str> = case.wants.iter().map(|want| want.text.as_str()).collect();
    let sees = if case.sees.is_empty() || case.may_see_nothing {
        ""
    } else if case.sees.iter().all(is_cut) {
        "; never forwarded whole"
    } else {
        "; forwarded"
    };
    format!("{}{sees}", wants.join(", "))
}

/// What came of it, in a few words.
pub(crate) fn happened(played: &Result<Played>) -> String {
    let Ok(played) = played else {
        return "nothing that can be told".to_owned();
    };
    let seen = &played.seen;
    let whole = played.arrived.iter().filter(|it| it.is_whole).count();
    let mut said = match (whole, played.arrived.len() - whole) {
        (0, 0) => Vec::new(),
        (0, _) => vec!["a part forwarded".to_owned()],
        (1, _) => vec!["forwarded".to_owned()],
        (count, _) => vec![format!("{count} forwarded")],
    };
    for id in seen.streams.keys() {
        let status = seen.status(*id);
        said.extend(status.map(|status| format!("answered {status}")));
        match seen.end(*id) {
            Some(End::Reset(code)) => said.push(format!("reset {}", error_name(code))),
            Some(End::Whole) => {}
            None => said.push("no end".to_owned()),
        }
    }
    let goaway = seen.goaway.map(|goaway| goaway.code);
    said.extend(goaway.map(|code| format!("GOAWAY {}", error_name(code))));
    if said.is_empty() || (seen.closed.is_some() && goaway.is_none()) {
        let closed = if seen.closed.is_some() {
            "closed"
        } else {
            "no answer, waits"
        };
        said.push(closed.to_owned());
    }
    said.dedup();
    said.join(", ")
}
