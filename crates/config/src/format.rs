//! The canonical layout of a file: keys in the order of the table, two spaces a level, one-line maps and lists evenly
//! spaced, no blank lines in a row. Text is only moved, never written anew, so comments stay with what they stand above
//! or behind. The result is read again: were a value or a single character of a comment lost, the file would be
//! refused (E0120) instead of changed. `format/flow` has the maps and lists on one line,
//! `format/kept` what must stay.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::node::{Entry, Kind, Node};
use crate::origin::Span;
use crate::table::{ROOT, Type};
use crate::yaml;

mod flow;
mod kept;

use kept::{has_lone_return, ink, same};

static ROOT_TYPE: Type = Type::Map(&ROOT);

/// The text in canonical layout, comments kept. Doing it twice changes nothing more.
///
/// # Errors
/// What keeps it from being read, or the construct that cannot be moved without losing something (E0120).
pub fn fmt(file: &str, text: &str) -> Result<String, Diagnostics> {
    let refuse = |items| Diagnostics::new(file.into(), text.into(), items);
    let (root, problems) = yaml::parse(text);
    let root = match root {
        Some(root) if problems.is_empty() => root,
        _ => return Err(refuse(problems)),
    };
    let formatted = match lay_out(&root, text) {
        Ok(formatted) => formatted,
        Err(unsafe_at) => return Err(refuse(vec![unsafe_at.diagnostic()])),
    };
    let (again, problems) = yaml::parse(&formatted);
    let says_same = |again: Node| {
        let twice = lay_out(&again, &formatted);
        same(&again, &root) && twice.is_ok_and(|twice| twice == formatted)
    };
    let kept = problems.is_empty() && again.is_some_and(says_same);
    if kept && ink(&formatted) == ink(text) && !has_lone_return(text) {
        return Ok(formatted);
    }
    Err(refuse(vec![
        Unsafe(root.span, "something in it").diagnostic(),
    ]))
}

fn lay_out(root: &Node, text: &str) -> Result<String, Unsafe> {
    let mut layout = Layout::new(text);
    layout.root(root)?;
    Ok(layout.finish())
}

/// A construct that cannot be moved safely: where, and what.
struct Unsafe(Span, &'static str);

impl Unsafe {
    fn diagnostic(&self) -> Diagnostic {
        let message = format!("{} cannot be laid out without risk", self.1);
        let span = Span {
            end: self.0.start,
            end_line: self.0.line,
            end_column: self.0.column,
            ..self.0
        };
        Diagnostic::error("E0120", span, "", message)
            .label("nothing was changed")
            .help("write it as an ordinary block, or lay it out by hand")
    }
}

struct Layout<'a> {
    text: &'a str,
    lines: Vec<&'a str>,
    out: Vec<String>,
}

/// Lines of the text: from the first to before the last, counted from 0.
type Lines = std::ops::Range<usize>;

impl<'a> Layout<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            lines: text.lines().collect(),
            out: Vec::new(),
        }
    }

    fn finish(self) -> String {
        let mut text = self.out.join("\n");
        text.push('\n');
        text
    }

    fn line(&self, at: usize) -> &'a str {
        self.lines.get(at).copied().unwrap_or_default()
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Writes blank and comment lines with a new indent; of several blank lines one stays, none at the start.
    fn remarks(&mut self, lines: Lines, indent: usize) {
        for at in lines {
            let line = self.line(at).trim();
            let blank_before = self.out.last().is_none_or(String::is_empty);
            if line.is_empty() && !blank_before {
                self.out.push(String::new());
            } else if !line.is_empty() {
                self.out.push(format!("{}{line}", " ".repeat(indent)));
            }
        }
    }

    fn root(&mut self, root: &Node) -> Result<(), Unsafe> {
        let Kind::Map(entries) = &root.kind else {
            return Err(Unsafe(root.span, "a file that is not a map"));
        };
        let first = entries
            .first()
            .map_or(0, |entry| entry.key_span.line as usize - 1);
        if self.slice(root.span.start, root.span.start + 1) == "{" {
            return Err(Unsafe(root.span, "a file in the style of JSON"));
        }
        // What stands above the first key and a blank line speaks of the whole file, and stays on top.
        let mark = (0..first).find(|at| self.line(*at).starts_with("---"));
        let head = (0..first)
            .rev()
            .find(|at| self.line(*at).trim().is_empty())
            .or(mark)
            .map_or(0, |at| at + 1);
        self.remarks(0..head, 0);
        let end = self.lines.len();
        self.map(entries, Some(&ROOT_TYPE), head..end, 0)?;
        while self.out.last().is_some_and(String::is_empty) {
            self.out.pop();
        }
        Ok(())
    }

    /// Writes a block map. `lines` are all that belong to it, remarks included; `indent` is the new one of its keys.
    fn map(
        &mut self,
        entries: &[Entry],
        holds: Option<&'static Type>,
        lines: Lines,
        indent: usize,
    ) -> Result<(), Unsafe> {
        let column = entries
            .first()
            .map_or(0, |entry| entry.key_span.column as usize - 1);
        let mut parts = Vec::new();
        // A blank line belongs to the place between two entries, not to either of them.
        let mut apart = Vec::new();
        let mut at = lines.start;
        for (index, entry) in entries.iter().enumerate() {
            let key_line = entry.key_span.line as usize - 1;
            self.check_entry(entry, at..key_line)?;
            let content_end = last_line(entry) + 1;
            let gap_end = entries
                .get(index + 1)
                .map_or(lines.end, |next| next.key_span.line as usize - 1);
            if content_end > gap_end {
                return Err(Unsafe(entry.key_span, "two entries on one line"));
            }
            let end = (content_end..gap_end)
                .rev()
                .find(|at| is_deeper(self.line(*at), column))
                .map_or(content_end, |at| at + 1);
            let is_blank = |at: &usize| self.line(*at).trim().is_empty();
            let lead = (at..key_line).find(|at| !is_blank(at)).unwrap_or(key_line);
            apart.push(lead > at);
            parts.push((entry, lead..key_line, key_line..end));
            at = end;
        }
        let rest = at..lines.end;
        parts.sort_by_key(|(entry, ..)| rank(&entry.key, holds));
        for ((entry, lead, body), apart) in parts.into_iter().zip(apart) {
            if apart && self.out.last().is_some_and(|line| !line.is_empty()) {
                self.out.push(String::new());
            }
            self.remarks(lead, indent);
            self.entry(entry, holds_of(&entry.key, holds), body, indent)?;
        }
        self.remarks(rest, indent);
        Ok(())
    }

    /// Whether an entry begins its line, and only remarks stand above it.
    fn check_entry(&self, entry: &Entry, lead: Lines) -> Result<(), Unsafe> {
        let line = self.line(entry.key_span.line as usize - 1);
        let before: String = line
            .chars()
            .take(entry.key_span.column as usize - 1)
            .collect();
        if !before.trim_matches([' ', '\u{feff}']).is_empty()
            || entry.key_span.line != entry.key_span.end_line
        {
            return Err(Unsafe(entry.key_span, "a key that does not begin its line"));
        }
        let remark = |at: usize| {
            let line = self.line(at).trim();
            line.is_empty() || line.starts_with('#')
        };
        if lead.into_iter().all(remark) {
            return Ok(());
        }
        Err(Unsafe(entry.key_span, "what stands above this key"))
    }

    fn entry(
        &mut self,
        entry: &Entry,
        holds: Option<&'static Type>,
        body: Lines,
        indent: usize,
    ) -> Result<(), Unsafe> {
        let value = entry.value.site();
        let key = self.slice(entry.key_span.start, entry.key_span.end);
        let space = " ".repeat(indent);
        let on_key_line = value.line == entry.key_span.line;
        if on_key_line && value.end_line == value.line && value.end > value.start {
            let between = self.slice(entry.key_span.end, value.start);
            let text = flow::show(self.text, &entry.value, holds);
            let behind = self
                .line(body.start)
                .get(self.column_byte(value)..)
                .unwrap_or_default()
                .trim_end();
            let anchor = between.trim().trim_start_matches(':').trim();
            let anchor = if anchor.is_empty() {
                String::new()
            } else {
                format!("{anchor} ")
            };
            self.out
                .push(format!("{space}{key}: {anchor}{text}{behind}"));
            self.remarks(body.start + 1..body.end, indent + 2);
            return Ok(());
        }
        let block = !on_key_line && entry.value.alias.is_none();
        match &entry.value.kind {
            Kind::Map(entries) if block && !self.is_flow(&entry.value) => {
                let first = self.slice(entry.key_span.start, self.line_end(entry.key_span.start));
                self.out.push(format!("{space}{}", first.trim_end()));
                self.map(entries, holds, body.start + 1..body.end, indent + 2)
            }
            _ => {
                self.verbatim(entry, body, indent);
                Ok(())
            }
        }
    }

    /// Writes an entry as it is, all its lines moved alike: what is inside may depend on spaces.
    fn verbatim(&mut self, entry: &Entry, body: Lines, indent: usize) {
        let old = entry.key_span.column as usize - 1;
        let last = last_line(entry);
        let list = matches!(entry.value.kind, Kind::List(_))
            && !self.is_flow(&entry.value)
            && entry.value.alias.is_none();
        let first = entry.value.span.line as usize - 1;
        // A block list may stand at the column of its key; its dashes go two deeper.
        let dash = self.line(first).chars().take_while(|c| *c == ' ').count();
        let deeper = if list && first > body.start {
            (indent + 2, dash)
        } else {
            (indent, old)
        };
        for at in body {
            let line = self.line(at);
            let (new, old) = if at == entry.key_span.line as usize - 1 {
                (indent, old)
            } else {
                deeper
            };
            let text = line.trim_start_matches(' ');
            let depth = (line.len() - text.len() + new).saturating_sub(old);
            let plain = matches!(entry.value.kind, Kind::Map(_) | Kind::List(_)) || at > last;
            let text = if plain && !self.has_scalar_across(&entry.value, at) {
                text.trim_end()
            } else {
                text
            };
            if text.is_empty() && at > last && self.out.last().is_none_or(String::is_empty) {
                continue;
            }
            self.out.push(if text.is_empty() {
                String::new()
            } else {
                format!("{}{text}", " ".repeat(depth))
            });
        }
    }

    /// Whether a scalar of several lines covers this line, so that its spaces count.
    fn has_scalar_across(&self, node: &Node, at: usize) -> bool {
        let covers = |span: Span| {
            (span.line as usize) <= at + 1
                && at < span.end_line as usize
                && span.line != span.end_line
        };
        match &node.kind {
            Kind::Map(entries) => entries.iter().any(|e| self.has_scalar_across(&e.value, at)),
            Kind::List(nodes) => nodes.iter().any(|node| self.has_scalar_across(node, at)),
            Kind::Scalar(_) => covers(node.span),
            Kind::Bad => false,
        }
    }

    fn is_flow(&self, node: &Node) -> bool {
        matches!(self.slice(node.span.start, node.span.start + 1), "{" | "[")
    }

    fn line_end(&self, from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        rest.find(['\n', '\r'])
            .map_or(self.text.len(), |at| from + at)
    }

    /// The byte in its line at which a span ends.
    fn column_byte(&self, span: Span) -> usize {
        let before = self.text.get(..span.end).unwrap_or_default();
        span.end - before.rfind('\n').map_or(0, |at| at + 1)
    }
}

fn is_deeper(line: &str, column: usize) -> bool {
    let text = line.trim_start_matches(' ');
    !text.trim().is_empty() && line.len() - text.len() > column
}

/// The last line of an entry's value, counted from 0.
fn last_line(entry: &Entry) -> usize {
    let value = entry.value.site();
    let ends_before =
        value.end_column == 1 && value.end > value.start && value.end_line > value.line;
    let end = if ends_before {
        value.end_line - 1
    } else {
        value.end_line
    };
    (end.max(entry.key_span.line) as usize).saturating_sub(1)
}

/// The place of a key in its map: `x-*` first, as they hold anchors, then the table's order, then what is not known.
/// Names that people chose keep their order.
fn rank(key: &str, holds: Option<&'static Type>) -> usize {
    match holds {
        _ if key.starts_with("x-") => 0,
        Some(Type::Map(shape) | Type::Either(_, shape)) => {
            let known = shape.keys.iter().position(|known| known.name == key);
            known.map_or(usize::MAX, |at| at + 1)
        }
        _ => 1,
    }
}

/// What a key of such a map holds.
fn holds_of(key: &str, holds: Option<&'static Type>) -> Option<&'static Type> {
    match holds? {
        Type::Map(shape) | Type::Either(_, shape) => shape
            .keys
            .iter()
            .find(|known| known.name == key)
            .map(|key| &key.holds),
        Type::Names(_, holds, _) if !key.starts_with("x-") => Some(holds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(text: &str) -> String {
        let once = fmt("t.yaml", text).unwrap_or_else(|d| panic!("{d}"));
        let twice = fmt("t.yaml", &once).unwrap_or_else(|d| panic!("{d}"));
        assert_eq!(once, twice, "doing it twice changes nothing more");
        once
    }

    #[test]
    fn keys_come_into_order_and_comments_go_with_them() {
        let text = "\
# the whole file

services:
    # about meet
    meet:   # behind meet
        backends:
            oci: {endpoints: [ \"http://a:1\",\"http://b:1\" ],weight:  30}   # thirty
            # aws: {}  for later
        listen:   [ web ]


listen:
   # about web
   web: { tls: {certificates: []}, address: \":80\" }
# the end
";
        let wanted = "\
# the whole file

listen:
  # about web
  web: { address: \":80\", tls: { certificates: [] } }

services:
  # about meet
  meet:   # behind meet
    listen: [web]
    backends:
      oci: { weight: 30, endpoints: [\"http://a:1\", \"http://b:1\"] }   # thirty
      # aws: {}  for later
# the end
";
        assert_eq!(formatted(text), wanted);
    }

    #[test]
    fn what_depends_on_spaces_is_moved_whole() {
        let text = "\
version: 1
x-note: |
    two  
      lines

    more
services:
   a:
     match:
     - hosts: [a.org]   # first
       path: { prefix: / }
     - hosts:
         - b.org
     check: { path: /a,
        interval: 3s }
     x-b: 'one
       two'
";
        let out = formatted(text);
        assert!(
            out.starts_with("x-note: |\n    two  \n      lines\n\n    more\nversion: 1\n"),
            "{out}"
        );
        assert!(out.contains("    match:\n      - hosts: [a.org]   # first\n        path: { prefix: / }\n      - hosts:\n          - b.org\n"), "{out}");
    }

    #[test]
    fn anchors_that_would_come_behind_their_alias_are_left_alone() {
        let text = "services:\n  a: &x { listen: [web] }\nlisten: *x\n";
        assert_eq!(fmt("t", text).unwrap_err().items[0].code, "E0120");
        let text = "defaults:\n  check: &c { fall: 3 }\nservices:\n  a: { check: *c }\n";
        assert_eq!(formatted(text), text);
    }

    #[test]
    fn what_would_be_laid_out_otherwise_the_next_time_is_left_alone() {
        let text = "l: 1000 }\nservices:\n   |\n  \n";
        assert_eq!(fmt("t", text).unwrap_err().items[0].code, "E0120");
    }

    #[test]
    fn what_cannot_be_laid_out_says_so() {
        for text in [
            "{\"version\": 1}",
            "? version\n: 1\n",
            "[a]\n",
            "a\n",
            "x: { y: \r{} }\nl:\n ",
        ] {
            assert_eq!(fmt("t", text).unwrap_err().items[0].code, "E0120", "{text}");
        }
        assert_eq!(fmt("t", "a: [").unwrap_err().items[0].code, "E0101");
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_changed_in_meaning(text in "([a-c]: ?|x-a: |\\{|\\}|\\[|\\]|, |#|- |\n|\n  |\n    |[a-c]|'|\"|&a |\\*a|\\| ?|> ?|é|---)*") {
            if let Ok(once) = fmt("t", &text) {
                let before = yaml::parse(&text).0;
                let after = yaml::parse(&once).0;
                proptest::prop_assert!(before.zip(after).is_some_and(|(a, b)| same(&a, &b)));
                proptest::prop_assert_eq!(fmt("t", &once).ok(), Some(once));
            }
        }
    }
}
