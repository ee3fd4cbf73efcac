//! What differs between two configurations: by meaning, not by text, with each value as it is written. Spacing, order,
//! comments and another spelling of the same value are no difference. The content of files that a configuration names is
//! not compared, only their paths.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::held::{Held, Said, Step, held, inherited_from};

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Add,
    /// It has another value.
    Update,
    /// It is gone.
    Remove,
}

impl ChangeKind {
    /// The sign in front of a line.
    #[must_use]
    pub const fn sign(self) -> char {
        match self {
            Self::Add => '+',
            Self::Update => '~',
            Self::Remove => '-',
        }
    }

    /// The word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::Remove => "remove",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// What it was.
    pub old: Option<Held>,
    /// What it is.
    pub new: Option<Held>,
}

impl Change {
    /// The value that says where: the new one, or the one that is gone.
    fn held(&self) -> Option<&Held> {
        self.new.as_ref().or(self.old.as_ref())
    }

    /// The JSON pointer.
    #[must_use]
    pub fn pointer(&self) -> &str {
        self.held().map_or("", |held| &held.pointer)
    }

    /// The key, for people.
    #[must_use]
    pub fn path(&self) -> &str {
        self.held().map_or("", |held| &held.path)
    }

    /// Whether it takes effect only with the next start.
    #[must_use]
    pub fn needs_start(&self) -> bool {
        self.held().is_some_and(|held| held.needs_start)
    }

    /// The entries of a list that are gone, and those that are new; empty for what is no list.
    #[must_use]
    pub fn items(&self) -> (Vec<&str>, Vec<&str>) {
        fn items(held: Option<&Held>) -> &[String] {
            held.map(|held| held.items.as_slice()).unwrap_or_default()
        }
        fn only<'a>(items: &'a [String], others: &[String]) -> Vec<&'a str> {
            let own = items.iter().filter(|item| !others.contains(item));
            own.map(String::as_str).collect()
        }
        let (old, new) = (items(self.old.as_ref()), items(self.new.as_ref()));
        (only(old, new), only(new, old))
    }
}

/// Everything that differs, in canonical order. Each side is a configuration and the text it was read from.
#[must_use]
pub fn diff(old: (&Config, &str), new: (&Config, &str)) -> Vec<Change> {
    let mut pairs: BTreeMap<Vec<Step>, (Option<Held>, Option<Held>)> = BTreeMap::new();
    for value in held(old.0, old.1) {
        let steps = value.steps.clone();
        pairs.entry(steps).or_default().0 = Some(value);
    }
    for value in held(new.0, new.1) {
        let steps = value.steps.clone();
        pairs.entry(steps).or_default().1 = Some(value);
    }
    let all: Vec<Change> = pairs.into_values().filter_map(change).collect();
    let changed: BTreeSet<String> = all.iter().map(|c| c.pointer().to_owned()).collect();
    all.into_iter()
        .filter(|change| is_worth_a_line(change, &changed))
        .collect()
}

fn change(pair: (Option<Held>, Option<Held>)) -> Option<Change> {
    let kind = match &pair {
        (Some(old), Some(new)) if old.canonical == new.canonical => return None,
        (Some(_), Some(_)) => ChangeKind::Update,
        (None, Some(_)) => ChangeKind::Add,
        (Some(_), None) => ChangeKind::Remove,
        (None, None) => return None,
    };
    let (old, new) = pair;
    let mut change = Change { kind, old, new };
    change.spell_apart();
    Some(change)
}

impl Change {
    /// Two values that differ and are written alike (by a variable, by an alias) are shown as what they mean.
    fn spell_apart(&mut self) {
        if let (Some(old), Some(new)) = (&mut self.old, &mut self.new)
            && old.text == new.text
        {
            old.text.clone_from(&old.canonical);
            new.text.clone_from(&new.canonical);
        }
    }
}

/// Whether the change is one that somebody made: not a default that came or went with the map it is in, and not one that
/// only follows a key under `defaults` that has a line of its own.
fn is_worth_a_line(change: &Change, changed: &BTreeSet<String>) -> bool {
    let pointer = change.pointer();
    let is_carried = change.held().is_some_and(|held| !held.is_rendered);
    if pointer.starts_with("/defaults/") && is_carried {
        // Services carry it: it changes something only where one of them follows it.
        return changed
            .iter()
            .any(|other| inherited_from(other).as_deref() == Some(pointer));
    }
    let is_written = |held: &Option<Held>| {
        held.as_ref()
            .is_some_and(|held| matches!(held.said, Said::Written(_)))
    };
    if is_written(&change.old) || is_written(&change.new) {
        return true;
    }
    let follows = inherited_from(pointer).is_some_and(|p| changed.contains(&p));
    !follows && change.kind == ChangeKind::Update
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemorySource, load};

    const OLD: &str = r#"
listen: { web: { address: ":8080" } }
services:
  meet:
    backends:
      aws: { weight: 70, endpoints: ["http://10.0.1.10:8080", "http://10.0.1.11:8080"] }
      oci: { weight: 30, endpoints: ["http://10.1.1.10:8080"] }
"#;

    fn lines(old: &str, new: &str) -> Vec<String> {
        let source = MemorySource::default();
        let old_config = load("old.yaml", old, &source).unwrap().config;
        let new_config = load("new.yaml", new, &source).unwrap().config;
        let text = |held: &Option<Held>| held.as_ref().map_or("-".to_owned(), |h| h.text.clone());
        diff((&old_config, old), (&new_config, new))
            .iter()
            .map(|c| {
                let (gone, come) = c.items();
                let items = match (gone.as_slice(), come.as_slice()) {
                    ([], []) => format!("{} → {}", text(&c.old), text(&c.new)),
                    (gone, come) => format!("-{gone:?} +{come:?}"),
                };
                format!("{} {} {items}", c.kind.sign(), c.path())
            })
            .collect()
    }

    #[test]
    fn another_order_spacing_or_spelling_is_no_difference() {
        let new = "# a comment\nservices:\n  meet:\n    backends:\n      oci: { endpoints: ['http://10.1.1.10:8080'], weight: 30 }\n      \
            aws:\n        weight: 70\n        endpoints: [\"http://10.0.1.10:8080\", \"http://10.0.1.11:8080\"]\n    \
            check: { interval: 3000ms }\nlisten: { web: { address: ':8080' } }\n";
        assert_eq!(lines(OLD, new), [""; 0]);
    }

    #[test]
    fn values_lists_and_backends_that_come_and_go_have_a_line_each() {
        let new = OLD
            .replace("weight: 70", "weight: 50")
            .replace("10.0.1.11", "10.0.1.12")
            .replace("oci:", "gcp:");
        assert_eq!(
            lines(OLD, &new),
            [
                "~ services.meet.backends.aws.weight 70 → 50",
                "~ services.meet.backends.aws.endpoints -[\"\\\"http://10.0.1.11:8080\\\"\"] +[\"\\\"http://10.0.1.12:8080\\\"\"]",
                "+ services.meet.backends.gcp.weight - → 30",
                "+ services.meet.backends.gcp.endpoints -[] +[\"\\\"http://10.1.1.10:8080\\\"\"]",
                "- services.meet.backends.oci.weight 30 → -",
                "- services.meet.backends.oci.endpoints -[\"\\\"http://10.1.1.10:8080\\\"\"] +[]",
            ]
        );
    }

    #[test]
    fn a_default_that_nobody_follows_any_more_is_no_difference() {
        let by_default = format!("{OLD}defaults: {{ check: {{ interval: 5s }} }}\n");
        let by_itself = OLD.replace(
            "    backends:",
            "    check: { interval: 5s }\n    backends:",
        );
        assert_eq!(lines(&by_default, &by_itself), [""; 0]);
    }

    #[test]
    fn a_default_that_changes_is_one_line_however_many_services_follow_it() {
        let new = format!(
            "{OLD}defaults: {{ check: {{ interval: 5s }}, limits: {{ request_body: 1MiB }} }}\n"
        );
        assert_eq!(
            lines(OLD, &new),
            [
                "~ defaults.check.interval 3s → 5s",
                "~ defaults.limits.request_body no limit → 1MiB",
            ]
        );
    }
}
