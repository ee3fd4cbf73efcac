//! Every value that holds in a configuration, defaults included: how it is written, where, and whether anybody wrote it.
//! What `config show --defaults` prints and `config diff` compares. It reads the text of [`render`](crate::render) by the
//! table of keys, so that a new key shows here by itself. `text` is as the file has it: a reference to the environment
//! stays a reference.

use crate::config::Config;
use crate::node::{Entry, Kind, Node};
use crate::origin::{Place, Span, escape};
use crate::render::render;
use crate::table::{Key, ROOT, Reload, Shape, Type};
use crate::yaml;

/// Who says a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The file, there.
    Written(Place),
    /// The file, under `defaults`.
    Inherited(Place),
    /// Nobody: it is built in.
    BuiltIn,
}

/// A value that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its JSON pointer: `/services/meet/check/interval`.
    pub pointer: String,
    /// The same for people: `services.meet.check.interval`.
    pub path: String,
    /// As written, or as the default is written; words (`no limit`) where the key has no value.
    pub text: String,
    /// The entries of a list, in canonical form.
    pub items: Vec<String>,
    /// Who says it.
    pub said: Said,
    /// Whether the key has a value at all; if not, `text` is in words.
    pub is_value: bool,
    /// Whether a change takes effect only with the next start.
    pub needs_start: bool,
    /// Whether it stands in the rendered text; a key under `defaults` that services carry does not.
    pub(crate) is_rendered: bool,
    /// In canonical form: two values mean the same when these are equal.
    pub(crate) canonical: String,
    /// Where it stands in canonical order.
    pub(crate) steps: Vec<Step>,
}

/// One step on the way to a value, ordered as a canonical file is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A key of the table.
    Key(usize, &'static str),
    /// A name that a person chose.
    Name(String),
}

impl Step {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Key(_, name) => name,
            Self::Name(name) => name,
        }
    }
}

/// All values of a configuration in canonical order. `text` is the text it was read from.
#[must_use]
pub fn held(config: &Config, text: &str) -> Vec<Held> {
    let rendered = render(config);
    let (root, problems) = yaml::parse(&rendered);
    debug_assert!(problems.is_empty(), "what we write we can read");
    let mut walk = Walk {
        config,
        text,
        rendered: &rendered,
        out: Vec::new(),
    };
    walk.map(&ROOT, root.as_ref(), &At::default());
    walk.out
}

/// Where we are.
#[derive(Debug, Clone, Default)]
struct At {
    pointer: String,
    steps: Vec<Step>,
}

impl At {
    fn step(&self, step: Step) -> Self {
        let pointer = format!("{}/{}", self.pointer, escape(step.as_str()));
        let mut steps = self.steps.clone();
        steps.push(step);
        Self { pointer, steps }
    }
}

struct Walk<'a> {
    config: &'a Config,
    text: &'a str,
    rendered: &'a str,
    out: Vec<Held>,
}

impl Walk<'_> {
    fn map(&mut self, shape: &'static Shape, node: Option<&Node>, at: &At) {
        let entries: &[Entry] = match node.map(|node| &node.kind) {
            Some(Kind::Map(entries)) => entries,
            _ => &[],
        };
        for (index, key) in shape.keys.iter().enumerate() {
            let entry = entries.iter().find(|entry| entry.key == key.name);
            let at = at.step(Step::Key(index, key.name));
            self.value(&key.holds, entry.map(|entry| &entry.value), key, &at);
        }
    }

    fn value(&mut self, holds: &'static Type, node: Option<&Node>, key: &'static Key, at: &At) {
        match (holds, node) {
            (Type::Map(shape), Some(node)) => self.map(shape, Some(node), at),
            (Type::Map(shape), None) if key.default.is_empty() => self.map(shape, None, at),
            (Type::Names(_, holds, _), Some(node)) => {
                let entries: &[Entry] = match &node.kind {
                    Kind::Map(entries) => entries,
                    _ => &[],
                };
                for entry in entries {
                    let at = at.step(Step::Name(entry.key.clone()));
                    self.value(holds, Some(&entry.value), key, &at);
                }
            }
            (Type::Names(..), None) => {}
            (_, Some(node)) => self.leaf(node, key, at),
            (_, None) => self.absent(key, at),
        }
    }

    fn leaf(&mut self, node: &Node, key: &'static Key, at: &At) {
        let slice = |span: Span| one_line(self.rendered.get(span.start..span.end));
        let canonical = slice(node.span);
        let items = match &node.kind {
            Kind::List(nodes) => nodes.iter().map(|node| slice(node.span)).collect(),
            _ => Vec::new(),
        };
        let (said, written) = self.said(&at.pointer);
        let text = written
            .or_else(|| self.written_items(&at.pointer, items.len()))
            .unwrap_or_else(|| canonical.clone());
        self.push(
            key,
            at,
            Value {
                text,
                items,
                canonical,
                said,
                is_value: true,
                is_rendered: true,
            },
        );
    }

    /// A list that spans lines, as one line of its entries as they are written.
    fn written_items(&self, pointer: &str, count: usize) -> Option<String> {
        let inherited = inherited_from(pointer);
        let all = |pointer: &str| -> Option<Vec<String>> {
            (0..count)
                .map(|n| self.written(&format!("{pointer}/{n}")))
                .collect()
        };
        let items = all(pointer).or_else(|| all(inherited.as_deref()?))?;
        (count > 0).then(|| format!("[{}]", items.join(", ")))
    }

    /// A key that the rendered text does not have: one under `defaults` that services carry, or one without a value.
    fn absent(&mut self, key: &'static Key, at: &At) {
        // Whatever is inherited stands in the rendered text; what does not stand there has a meaning of its own.
        let own = self.config.origins.place(&at.pointer);
        let written = own.as_ref().and_then(|_| self.written(&at.pointer));
        let said = own.map_or(Said::BuiltIn, Said::Written);
        let (text, is_value) = match (written, key.default) {
            (Some(written), _) => (written, true),
            (None, "") => return,
            (None, words) => (words.to_owned(), false),
        };
        // A map that is not rendered says what holds without it, in whatever words.
        let canonical = match key.holds {
            Type::Map(_) => key.default.to_owned(),
            _ => text.clone(),
        };
        self.push(
            key,
            at,
            Value {
                text,
                items: Vec::new(),
                canonical,
                said,
                is_value,
                is_rendered: false,
            },
        );
    }

    fn push(&mut self, key: &'static Key, at: &At, value: Value) {
        let steps: Vec<&str> = at.steps.iter().map(Step::as_str).collect();
        self.out.push(Held {
            pointer: at.pointer.clone(),
            path: steps.join("."),
            text: value.text,
            items: value.items,
            said: value.said,
            is_value: value.is_value,
            needs_start: key.reload == Reload::Start,
            is_rendered: value.is_rendered,
            canonical: value.canonical,
            steps: at.steps.clone(),
        });
    }

    /// Who says the value, and how it is written where that fits on one line.
    fn said(&self, pointer: &str) -> (Said, Option<String>) {
        if let Some(place) = self.config.origins.place(pointer) {
            return (Said::Written(place), self.written(pointer));
        }
        let inherited = inherited_from(pointer);
        match inherited
            .as_deref()
            .and_then(|p| Some((p, self.config.origins.place(p)?)))
        {
            Some((pointer, place)) => (Said::Inherited(place), self.written(pointer)),
            None => (Said::BuiltIn, None),
        }
    }

    fn written(&self, pointer: &str) -> Option<String> {
        let span = self.config.origins.spans.get(pointer)?;
        let text = self.text.get(span.start..span.end)?;
        (!text.is_empty() && !text.contains('\n')).then(|| text.trim_end().to_owned())
    }
}

/// What is known of a value besides its key.
struct Value {
    text: String,
    items: Vec<String>,
    canonical: String,
    said: Said,
    is_value: bool,
    is_rendered: bool,
}

/// The pointer under `defaults` that a key of a service or a listener takes its value from when it has none.
pub(crate) fn inherited_from(pointer: &str) -> Option<String> {
    let rest = pointer
        .strip_prefix("/services/")
        .or_else(|| pointer.strip_prefix("/listen/"))?;
    let (_name, key) = rest.split_once('/')?;
    Some(format!("/defaults/{key}"))
}

/// A piece of text with every run of white space as one space.
fn one_line(text: Option<&str>) -> String {
    let words: Vec<&str> = text.unwrap_or_default().split_whitespace().collect();
    words.join(" ")
}

/// The configuration as YAML in canonical order, with who says each value as a comment. A key without a value is a comment
/// as well, so that the text can be read again.
#[must_use]
pub fn show_defaults(config: &Config, text: &str) -> String {
    let held = held(config, text);
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut before: &[Step] = &[];
    for (index, value) in held.iter().enumerate() {
        let shared = value
            .steps
            .iter()
            .zip(before)
            .take_while(|(a, b)| a == b)
            .count();
        let depth_of_maps = value.steps.len().saturating_sub(1);
        for depth in shared..depth_of_maps {
            let prefix = value.steps.get(..=depth).unwrap_or_default();
            let holds = |other: &Held| other.steps.starts_with(prefix);
            let rest = held.get(index..).unwrap_or_default();
            let is_written = rest.iter().filter(|o| holds(o)).any(|o| o.is_value);
            let name = prefix.last().map(Step::as_str).unwrap_or_default();
            lines.push((line(depth, is_written, name, ""), String::new()));
        }
        let name = value.steps.last().map(Step::as_str).unwrap_or_default();
        let shown = line(depth_of_maps, value.is_value, name, &value.text);
        lines.push((shown, remark(&value.said)));
        before = &value.steps;
    }
    columns(&lines)
}

fn line(depth: usize, is_value: bool, name: &str, text: &str) -> String {
    let mark = if is_value { "" } else { "# " };
    let space = if text.is_empty() { "" } else { " " };
    format!(
        "{}{mark}{}:{space}{text}",
        "  ".repeat(depth),
        crate::write::literal(name)
    )
}

fn remark(said: &Said) -> String {
    match said {
        Said::Written(place) => place.to_string(),
        Said::Inherited(place) => format!("{place} (defaults)"),
        Said::BuiltIn => "default".to_owned(),
    }
}

/// Remarks start in one column, except beside lines that are wider.
const REMARK_COLUMN: usize = 44;

fn columns(lines: &[(String, String)]) -> String {
    let show = |(line, remark): &(String, String)| match remark.as_str() {
        "" => format!("{line}\n"),
        remark => format!("{line:<REMARK_COLUMN$}  # {remark}\n"),
    };
    lines.iter().map(show).collect()
}

#[cfg(test)]
mod tests;
