//! The decision as a field of the response: a dictionary of structured fields (RFC 9651), of at most [`BYTES_MAX`] bytes.
//! Whole members are left out where it would be longer, the least important last, and `cut` says so.

use std::fmt::Write;

use bascule_traffic::snapshot::Service;
use http::HeaderValue;

use super::Decision;

/// The longest value: no client or proxy in between has to carry more for it than for a cookie.
const BYTES_MAX: usize = 1_024;
/// What is said where something is left out.
const CUT: &str = ", cut";

/// The value. `known` is nothing for what belongs to no service.
pub(super) fn value(
    known: Option<(&Service, &Decision)>,
    refused: Option<&str>,
) -> Option<HeaderValue> {
    let mut members = Members::default();
    if let Some(reason) = refused {
        members.add("refused", reason);
    }
    if let Some((service, decision)) = known {
        members.add("service", &quoted(service.name().as_str()));
        members.add("tries", &tries(service, decision));
        members.add("candidates", &candidates(service, decision));
        members.add("matched", &quoted(&decision.matched));
    }
    HeaderValue::try_from(members.end()).ok()
}

/// A dictionary that does not grow too long.
#[derive(Default)]
struct Members {
    text: String,
    is_cut: bool,
}

impl Members {
    fn add(&mut self, name: &str, value: &str) {
        let comma = if self.text.is_empty() { "" } else { ", " };
        let bytes = comma.len() + name.len() + 1 + value.len();
        if self.text.len() + bytes + CUT.len() > BYTES_MAX {
            self.is_cut = true;
            return;
        }
        for piece in [comma, name, "=", value] {
            self.text.push_str(piece);
        }
    }

    fn end(mut self) -> String {
        if self.is_cut {
            self.text.push_str(CUT);
        }
        self.text
    }
}

/// `("127.0.0.1:8080";backend="aws";why=weight;by=least_request;ended=200)`: where it was sent, in order.
fn tries(service: &Service, decision: &Decision) -> String {
    let each = decision.told_tries(service).map(|told| {
        let mut text = quoted(&told.endpoint);
        put(&mut text, "backend", &quoted(told.backend));
        put(&mut text, "why", told.why);
        if let (Some(from), Some(cause)) = (told.from, told.cause) {
            put(&mut text, "from", &quoted(from));
            put(&mut text, "cause", cause);
        }
        put(&mut text, "by", told.by);
        put(&mut text, "ended", &told.ended);
        text
    });
    format!("({})", each.collect::<Vec<_>>().join(" "))
}

/// `("aws";share=70.00 "oci";share=30.00;against=full)`: shares in percent.
fn candidates(service: &Service, decision: &Decision) -> String {
    let all = service.backends.iter().zip(&decision.candidates);
    let each = all.map(|(backend, candidate)| {
        let mut text = quoted(backend.name.as_str());
        put(
            &mut text,
            "share",
            &format!("{:.2}", backend.effective.percent()),
        );
        if let Some(against) = candidate.against(backend) {
            put(&mut text, "against", against);
        }
        text
    });
    format!("({})", each.collect::<Vec<_>>().join(" "))
}

fn put(text: &mut String, name: &str, value: &str) {
    // A text takes whatever is written to it.
    if write!(text, ";{name}={value}").is_err() {
        text.clear();
    }
}

/// A text in quotes. What may not stand in one is a question mark.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_left_out_whole_and_said() {
        let mut members = Members::default();
        members.add("a", "1");
        members.add("b", &"x".repeat(BYTES_MAX));
        members.add("c", "2");
        assert_eq!(members.end(), "a=1, c=2, cut");
        let mut members = Members::default();
        members.add("a", &"x".repeat(BYTES_MAX - CUT.len() - 2));
        members.add("b", "1");
        let text = members.end();
        assert!(
            text.ends_with(CUT) && text.len() == BYTES_MAX,
            "{}",
            text.len()
        );
    }

    #[test]
    fn a_text_is_quoted_whatever_it_holds() {
        assert_eq!(quoted("a\"b\\c\u{e9}\n"), "\"a\\\"b\\\\c??\"");
        assert_eq!(
            value(None, Some("no_service")).unwrap(),
            "refused=no_service"
        );
    }
}
