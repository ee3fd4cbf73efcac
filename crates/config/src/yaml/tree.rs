//! The parser's events put together to a tree. Refuses what a strict configuration has no use for, and goes on.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_saphyr::granit_parser::{Event, ScalarStyle, Span as RawSpan, StructureStyle};

use super::{DEPTH_MAX, NODES_MAX, convert};
use crate::diagnostic::Diagnostic;
use crate::node::{Core, Entry, Kind, Node, Scalar};
use crate::origin::{Span, escape};

/// A map or list that is not closed yet.
struct Open {
    span: Span,
    flow: bool,
    anchor: usize,
    nodes_before: usize,
    depth: usize,
    body: Body,
}

enum Body {
    Map(Entries, Key),
    List(Vec<Node>),
}

/// The entries of a map, and where each key stands among them.
#[derive(Default)]
struct Entries {
    list: Vec<Entry>,
    places: BTreeMap<String, usize>,
}

/// What is known of the key of the value that comes next.
enum Key {
    /// The next value is the key.
    Awaited,
    /// It was read; a plain one can be a merge key.
    Read {
        text: String,
        span: Span,
        plain: bool,
    },
    /// It was refused, and so is what belongs to it.
    Refused,
}

/// What an alias repeats.
struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

/// A tree that grows.
#[derive(Default)]
pub(super) struct Tree {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    /// The whole, once it is closed.
    pub(super) root: Option<Node>,
    documents: usize,
    nodes: usize,
    /// What was refused.
    pub(super) problems: Vec<Diagnostic>,
}

impl Tree {
    /// Takes an event; breaks when what follows must not be looked at.
    pub(super) fn take(&mut self, event: Event<'_>, raw: RawSpan) -> ControlFlow<()> {
        let span = convert(raw);
        if let Some(tag) = raw.tag_span().or(raw.tag_start().map(RawSpan::empty)) {
            let problem = self.refused(convert(tag), "tags are not accepted");
            self.problems
                .push(problem.help("remove the tag; what a value is follows from its key"));
        }
        self.nodes += 1;
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let problem = self.refused(span, "a second document begins here");
                    self.problems
                        .push(problem.help("keep one configuration in a file"));
                    return ControlFlow::Break(());
                }
            }
            Event::Scalar(text, style, anchor, _) => {
                self.scalar(text.into_owned(), style == ScalarStyle::Plain, anchor, span);
            }
            Event::MappingStart(style, anchor, _) => {
                self.open(
                    Body::Map(Entries::default(), Key::Awaited),
                    style,
                    anchor,
                    span,
                );
            }
            Event::SequenceStart(style, anchor, _) => {
                self.open(Body::List(Vec::new()), style, anchor, span);
            }
            Event::MappingEnd | Event::SequenceEnd => self.close(span),
            Event::Alias(id) => return self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                let message = format!("there is no anchor `&{name}` above");
                self.bad(span, message);
                let host = name.starts_with('.');
                if let Some(problem) = self.problems.last_mut().filter(|_| host) {
                    let help = format!("a text that begins with `*` needs quotes: \"*{name}\"");
                    problem.help = Some(help);
                }
            }
            _ => {}
        }
        if self.nodes > NODES_MAX {
            let message = format!("the file has more than {NODES_MAX} values");
            return self.give_up("E0114", span, message);
        }
        ControlFlow::Continue(())
    }

    fn refused(&self, span: Span, message: &str) -> Diagnostic {
        Diagnostic::error("E0107", span, &self.pointer(), message)
    }

    fn give_up(&mut self, code: &'static str, span: Span, message: String) -> ControlFlow<()> {
        self.problems
            .push(Diagnostic::error(code, span, &self.pointer(), message));
        self.root = None;
        ControlFlow::Break(())
    }

    /// An alias that leads nowhere.
    fn bad(&mut self, span: Span, message: String) {
        self.problems
            .push(Diagnostic::error("E0108", span, &self.pointer(), message));
        self.put(Node::new(span, Kind::Bad), 0);
    }

    /// The pointer of the value that is read now.
    fn pointer(&self) -> String {
        let step = |open: &Open| match &open.body {
            Body::Map(_, Key::Read { text, .. }) => Some(format!("/{}", escape(text))),
            Body::Map(..) => None,
            Body::List(items) => Some(format!("/{}", items.len())),
        };
        self.open.iter().filter_map(step).collect()
    }

    /// The key that the next value would be, where one is awaited.
    fn awaited(&mut self) -> Option<&mut Key> {
        match self.open.last_mut() {
            Some(Open {
                body: Body::Map(_, key @ Key::Awaited),
                ..
            }) => Some(key),
            _ => None,
        }
    }

    fn scalar(&mut self, text: String, plain: bool, anchor: usize, span: Span) {
        if let Some(key) = self.awaited() {
            *key = Key::Read { text, span, plain };
            return;
        }
        let core = if plain {
            Core::of_plain(&text)
        } else {
            Core::Text
        };
        let node = Node::new(span, Kind::Scalar(Scalar { text, core }));
        self.remember(anchor, &node, 1, 0);
        self.put(node, 0);
    }

    fn remember(&mut self, anchor: usize, node: &Node, nodes: usize, depth: usize) {
        if anchor != 0 {
            let node = node.clone();
            self.anchors.insert(anchor, Anchored { node, nodes, depth });
        }
    }

    fn open(&mut self, body: Body, style: StructureStyle, anchor: usize, span: Span) {
        let flow = style == StructureStyle::Flow;
        let nodes_before = self.nodes;
        self.open.push(Open {
            span,
            flow,
            anchor,
            nodes_before,
            depth: 0,
            body,
        });
    }

    fn close(&mut self, end: Span) {
        let Some(open) = self.open.pop() else { return };
        let last = match &open.body {
            Body::Map(entries, _) => entries.list.last().map(|e| e.value.site()),
            Body::List(items) => items.last().map(Node::site),
        };
        let last = if open.flow { Some(end) } else { last };
        let span = last
            .filter(|l| l.end >= open.span.start)
            .map_or(open.span, |last| Span {
                end: last.end,
                end_line: last.end_line,
                end_column: last.end_column,
                ..open.span
            });
        let kind = match open.body {
            Body::Map(entries, _) => Kind::Map(entries.list),
            Body::List(items) => Kind::List(items),
        };
        let node = Node::new(span, kind);
        let nodes = self.nodes.saturating_sub(open.nodes_before) + 1;
        self.remember(open.anchor, &node, nodes, open.depth + 1);
        self.put(node, open.depth + 1);
    }

    fn alias(&mut self, id: usize, span: Span) -> ControlFlow<()> {
        let Some(anchored) = self.anchors.get(&id) else {
            self.bad(span, "an anchor must not contain itself".to_owned());
            return ControlFlow::Continue(());
        };
        let (nodes, depth) = (anchored.nodes, anchored.depth);
        if self.nodes.saturating_add(nodes) > NODES_MAX || self.open.len() + depth > DEPTH_MAX {
            return self.give_up("E0108", span, "aliases make this file too large".to_owned());
        }
        let node = Node {
            alias: Some(span),
            ..anchored.node.clone()
        };
        self.nodes += nodes;
        self.put(node, depth);
        ControlFlow::Continue(())
    }

    /// Puts a finished value where it belongs: a list, the value of a key, or the root. In the place of a key it is
    /// refused, as scalars have been taken before.
    fn put(&mut self, node: Node, depth: usize) {
        let pointer = self.pointer();
        if let Some(key) = self.awaited() {
            *key = Key::Refused;
            let place = node.site();
            self.problems
                .push(self.refused(place, "a key must be text"));
            return;
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        open.depth = open.depth.max(depth);
        match &mut open.body {
            Body::List(items) => items.push(node),
            Body::Map(entries, key) => {
                if let Key::Read { text, span, plain } = std::mem::replace(key, Key::Awaited) {
                    let problem = entry(entries, (text, span, plain), node, &pointer);
                    self.problems.extend(problem);
                }
            }
        }
    }
}

/// Adds an entry to a map, unless it is a merge key or the key is there already.
fn entry(
    entries: &mut Entries,
    key: (String, Span, bool),
    value: Node,
    pointer: &str,
) -> Option<Diagnostic> {
    let (key, key_span, plain) = key;
    if plain && key == "<<" {
        let problem = Diagnostic::error("E0107", key_span, pointer, "merge keys are not accepted")
            .help("give the whole map by an alias, or put what is common into `defaults`");
        return Some(problem);
    }
    let place = entries.places.get(&key).copied();
    let Some(first) = place.and_then(|place| entries.list.get_mut(place)) else {
        entries.places.insert(key.clone(), entries.list.len());
        entries.list.push(Entry {
            key,
            key_span,
            value,
        });
        return None;
    };
    // Which of the two was meant is open, so nothing more is said of a single value.
    if matches!(first.value.kind, Kind::Scalar(_)) {
        first.value.kind = Kind::Bad;
    }
    let problem = Diagnostic::error(
        "E0102",
        key_span,
        pointer,
        format!("`{key}` is given twice"),
    )
    .label("the second")
    .related(first.key_span, "the first");
    Some(problem)
}
