//! What holds, who says it, and that what is shown can be read again.

use super::*;
use crate::{MemorySource, load};

const MEET: &str = r#"listen: { web: { address: ":8080" } }
log: { format: text }
defaults:
  check: { interval: 5000ms }
services:
  meet:
    retry: { attempts: 3 }
    backends:
      aws: { weight: 70, endpoints: ["http://${HOST}:8080"] }
      oci: { weight: 30, endpoints: ["http://10.1.1.10:8080"] }
"#;

fn source() -> MemorySource {
    let env = [("HOST", "10.9.9.9")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    MemorySource {
        env: env.into(),
        ..MemorySource::default()
    }
}

fn meet() -> Vec<Held> {
    held(&load("meet.yaml", MEET, &source()).unwrap().config, MEET)
}

fn find(path: &str) -> Held {
    meet()
        .into_iter()
        .find(|held| held.path == path)
        .unwrap_or_else(|| panic!("{path}"))
}

#[test]
fn every_value_says_who_wrote_it() {
    let at = |line, column| Place {
        file: "meet.yaml".into(),
        line,
        column,
    };
    for (path, text, said) in [
        ("log.format", "text", Said::Written(at(2, 16))),
        (
            "services.meet.check.interval",
            "5000ms",
            Said::Inherited(at(4, 22)),
        ),
        ("services.meet.check.timeout", "1s", Said::BuiltIn),
        (
            "services.meet.retry.attempts",
            "3",
            Said::Written(at(7, 24)),
        ),
        ("admin.listen", "off", Said::BuiltIn),
        ("listen.web.tls", "clear text", Said::BuiltIn),
    ] {
        let held = find(path);
        assert_eq!((held.text.as_str(), held.said), (text, said), "{path}");
    }
}

#[test]
fn what_a_variable_held_is_not_shown() {
    let endpoints = find("services.meet.backends.aws.endpoints");
    assert_eq!(endpoints.text, r#"["http://${HOST}:8080"]"#);
    let shown = show_defaults(&load("meet.yaml", MEET, &source()).unwrap().config, MEET);
    assert!(!shown.contains("10.9.9.9"), "{shown}");
}

#[test]
fn what_is_shown_is_a_configuration_that_means_the_same() {
    let first = load("meet.yaml", MEET, &source()).unwrap().config;
    let shown = show_defaults(&first, MEET);
    let again = load("shown.yaml", &shown, &source()).unwrap_or_else(|d| panic!("{shown}\\n{d}"));
    assert_eq!(again.config, first);
}

#[test]
fn keys_that_wait_for_a_start_are_those_of_needs_start() {
    let old = load("a.yaml", MEET, &source()).unwrap().config;
    let text = MEET.replace("format: text", "format: json") + "runtime: { workers: 3 }\n";
    let new = load("b.yaml", &text, &source()).unwrap().config;
    let needs: Vec<String> = held(&new, &text)
        .into_iter()
        .zip(held(&old, MEET))
        .filter(|(new, old)| new.canonical != old.canonical && new.needs_start)
        .map(|(new, _)| new.pointer)
        .collect();
    assert_eq!(needs, crate::needs_start(&old, &new));
}
