//! Takes out of a text what nobody else may see: known secrets by their value, and everything that looks like one by its
//! form. When in doubt it takes out: a dump that lost a word is better than one that tells a key.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Known values shorter than this are not looked for: they would be found in every number.
const KNOWN_LEAST: usize = 4;
/// A text of letters and digits of this length is a key or a hash of one, unless it is shorter.
const OPAQUE_LEAST: usize = 40;
/// Names whose values are secrets, wherever they stand before `=`, `:` or a quote.
const SECRET_NAMES: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "authorization",
    "cookie",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "private_key",
    "credential",
];

/// What is taken out, and what was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redaction {
    /// Values, longest first, and what stands for each.
    known: Vec<(String, String)>,
    hides_hosts: bool,
    addresses: BTreeMap<IpAddr, usize>,
    counts: BTreeMap<&'static str, usize>,
}

impl Redaction {
    /// Takes this value out wherever it stands; `instead` says what it was.
    pub(crate) fn know(&mut self, value: &str, instead: &str) {
        let value = value.trim();
        if value.len() >= KNOWN_LEAST && !self.known.iter().any(|(known, _)| known == value) {
            self.known.push((value.to_owned(), instead.to_owned()));
            self.known
                .sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        }
    }

    /// Replaces these hosts, and every address but loopback, by numbers.
    pub(crate) fn hide_hosts(&mut self, hosts: &[String]) {
        self.hides_hosts = true;
        for (number, host) in hosts.iter().enumerate() {
            self.know(host, &format!("host-{}.invalid", number + 1));
        }
    }

    /// How many of each were taken out.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.counts.iter().map(|(what, count)| (*what, *count))
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// The text without them.
    pub(crate) fn clean(&mut self, text: &str) -> String {
        let mut text = self.keys(text);
        for (value, instead) in self.known.clone() {
            let found = text.matches(value.as_str()).count();
            if found > 0 {
                text = text.replace(&value, &instead);
                *self
                    .counts
                    .entry("known values (environment, files, hosts)")
                    .or_default() += found;
            }
        }
        let lines: Vec<String> = text.split('\n').map(|line| self.line(line)).collect();
        lines.join("\n")
    }

    /// Private keys in PEM, from the first line to the last, or to the end of the text.
    fn keys(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, inside)) = rest.split_once("-----BEGIN ") {
            let is_key = inside
                .lines()
                .next()
                .is_some_and(|first| first.contains("PRIVATE KEY"));
            out.push_str(before);
            if !is_key {
                out.push_str("-----BEGIN ");
                rest = inside;
                continue;
            }
            self.count("private keys");
            out.push_str("<private key>");
            let end = inside
                .split_once("-----END ")
                .and_then(|(_, tail)| tail.split_once("-----"));
            rest = end.map_or("", |(_, tail)| tail);
        }
        out.push_str(rest);
        out
    }

    fn line(&mut self, line: &str) -> String {
        let line = self.user_info(line);
        let line = self.named(&line);
        let line = self.opaque(&line);
        if self.hides_hosts {
            self.numbered(&line)
        } else {
            line
        }
    }

    /// `scheme://user:password@host`.
    fn user_info(&mut self, line: &str) -> String {
        let mut out = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("://") {
            out.push_str(before);
            out.push_str("://");
            let end = after.find(|c: char| {
                c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | ',' | ']' | '`')
            });
            let authority = end.and_then(|end| after.get(..end)).unwrap_or(after);
            rest = match authority.rfind('@') {
                Some(at) => {
                    self.count("user names and passwords in URLs");
                    out.push_str("<user>");
                    after.get(at..).unwrap_or_default()
                }
                None => after,
            };
        }
        out.push_str(rest);
        out
    }

    /// The value behind a name that says it is a secret: `token=…`, `"password": "…"`, `Authorization: Bearer …`.
    fn named(&mut self, line: &str) -> String {
        let lower = line.to_ascii_lowercase();
        let mut out = String::new();
        let mut at = 0;
        while let Some((name_end, value)) = next_secret(&lower, at) {
            // A path of a file is no secret, nor is a reference to the environment, nor a rule to keep one out.
            let written = line.get(value.0..value.1).unwrap_or_default();
            let is_harmless = written.is_empty()
                || written.starts_with('/')
                || written.starts_with("${")
                || written.starts_with('<')
                || lower
                    .get(..name_end)
                    .is_some_and(|head| head.ends_with("_file"));
            out.push_str(line.get(at..value.0).unwrap_or_default());
            if is_harmless {
                out.push_str(written);
            } else {
                self.count("values with a secret's name");
                out.push_str("<redacted>");
            }
            at = value.1;
        }
        out.push_str(line.get(at..).unwrap_or_default());
        out
    }

    /// Long runs of letters and digits: keys, tokens and their hashes.
    fn opaque(&mut self, line: &str) -> String {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '=' | '_' | '-');
        let mut out = String::new();
        let mut rest = line;
        while let Some(start) = rest.find(is_part) {
            let (before, run) = rest.split_at(start);
            let end = run.find(|c| !is_part(c)).unwrap_or(run.len());
            let (run, tail) = run.split_at(end);
            out.push_str(before);
            let has = |f: fn(&char) -> bool| run.chars().any(|c| f(&c));
            // Words joined by `_` (names of metrics) have no digit.
            if run.len() >= OPAQUE_LEAST
                && has(char::is_ascii_digit)
                && has(char::is_ascii_alphabetic)
            {
                self.count("long opaque texts (hashes, tokens)");
                out.push_str("<opaque>");
            } else {
                out.push_str(run);
            }
            rest = tail;
        }
        out.push_str(rest);
        out
    }

    /// Addresses as numbers, the same address as the same number.
    fn numbered(&mut self, line: &str) -> String {
        let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':');
        let mut out = String::new();
        let mut rest = line;
        while let Some(start) = rest.find(is_part) {
            let (before, run) = rest.split_at(start);
            let end = run.find(|c| !is_part(c)).unwrap_or(run.len());
            let (run, tail) = run.split_at(end);
            out.push_str(before);
            out.push_str(&self.address(run));
            rest = tail;
        }
        out.push_str(rest);
        out
    }

    fn address(&mut self, run: &str) -> String {
        let bare = run.trim_end_matches([':', '.']);
        let (host, port) = match bare.parse::<IpAddr>() {
            Ok(_) => (bare, ""),
            Err(_) => bare.rfind(':').map_or((bare, ""), |at| bare.split_at(at)),
        };
        let Ok(ip) = host.parse::<IpAddr>() else {
            return run.to_owned();
        };
        // `::` alone and versions such as 1.2.3 are no addresses of anybody.
        if ip.is_loopback() || ip.is_unspecified() {
            return run.to_owned();
        }
        self.count("addresses");
        let next = self.addresses.len() + 1;
        let number = *self.addresses.entry(ip).or_insert(next);
        let tail = run.get(bare.len()..).unwrap_or_default();
        format!("address-{number}{port}{tail}")
    }
}

/// The next name of a secret from `at` on: where the name ends, and where its value stands.
fn next_secret(lower: &str, at: usize) -> Option<(usize, (usize, usize))> {
    let rest = lower.get(at..)?;
    let found = SECRET_NAMES
        .iter()
        .filter_map(|name| Some((rest.find(name)?, name.len())));
    let (start, length) =
        found.min_by_key(|(start, length)| (*start, std::cmp::Reverse(*length)))?;
    let mut end = at + start + length;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    end += lower
        .get(end..)?
        .find(|c| !is_name(c))
        .unwrap_or(lower.get(end..)?.len());
    let after = lower.get(end..)?;
    let is_gap = |c: char| matches!(c, '"' | '\'' | ' ' | '\\');
    let trimmed = after.trim_start_matches(is_gap);
    let Some(value) = trimmed.strip_prefix(['=', ':']) else {
        return Some((end, (end, end)));
    };
    let value = value.trim_start_matches(is_gap);
    let value = value.strip_prefix("bearer ").unwrap_or(value);
    let value = value.strip_prefix("basic ").unwrap_or(value);
    let from = lower.len() - value.len();
    let stops =
        |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '&' | ',' | '}' | ']' | ';' | '\\');
    let length = value.find(stops).unwrap_or(value.len());
    Some((end, (from, from + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_taken_out_whatever_stands_around_it() {
        for (text, hidden) in [
            ("https://ops:hunter2@10.0.0.1/x", "hunter2"),
            ("GET /health?token=hunter2&x=1", "hunter2"),
            (r#"{"password": "hunter2", "x": 1}"#, "hunter2"),
            (
                r#"{"reason":"curl -H \"Authorization: Bearer hunter2\""}"#,
                "hunter2",
            ),
            ("Cookie: hunter2; b=2", "hunter2"),
            (
                "a -----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY----- b",
                "hunter2",
            ),
            ("-----BEGIN PRIVATE KEY-----\nhunter2 and no end", "hunter2"),
            (
                "ops:admin:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
                "2bb80d",
            ),
            ("aws_secret_access_key = hunter2", "hunter2"),
        ] {
            let clean = Redaction::default().clean(text);
            assert!(!clean.contains(hidden), "{text} → {clean}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "tokens_file: /etc/bascule/tokens",
            "key_file: tls.key",
            "endpoints: [\"http://10.0.1.10:8080\"]",
            "path: ${PATH_OF_TOKEN}",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "bascule_tls_certificate_expiry_timestamp_seconds{name=\"a\"} 1",
            "bascule 0.1.0",
        ] {
            assert_eq!(Redaction::default().clean(text), text);
        }
    }

    #[test]
    fn known_values_are_replaced_by_what_they_were() {
        let mut redaction = Redaction::default();
        redaction.know("s3cr3t", "<env KEY>");
        redaction.know("ab", "<env SHORT>");
        assert_eq!(
            redaction.clean("x s3cr3t ab s3cr3t"),
            "x <env KEY> ab <env KEY>"
        );
        let counts: Vec<_> = redaction.counts().collect();
        assert_eq!(counts, [("known values (environment, files, hosts)", 2)]);
    }

    #[test]
    fn hosts_and_addresses_become_numbers_that_stay_the_same() {
        let mut redaction = Redaction::default();
        redaction.hide_hosts(&["media.example.org".to_owned()]);
        let clean = redaction.clean("media.example.org@10.0.1.10:8080 [fd00::1]:80 10.0.1.10 127.0.0.1:80 [::]:80 at 12:30:00");
        assert_eq!(
            clean,
            "host-1.invalid@address-1:8080 [address-2]:80 address-1 127.0.0.1:80 [::]:80 at 12:30:00"
        );
    }
}
