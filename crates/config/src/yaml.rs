//! Text to a tree: the only module that knows the YAML parser, so that it can be swapped. It refuses what a strict
//! configuration has no use for (tags, merge keys, several documents, keys that are not text), finds duplicate keys, and
//! keeps aliases within a budget. It must never fail on any input other than by a diagnostic.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_saphyr::granit_parser::{
    self, Event, Marker, ScalarStyle, ScanError, Span as RawSpan, StructureStyle,
};

use crate::diagnostic::Diagnostic;
use crate::node::{Core, Entry, Kind, Node, Scalar};
use crate::origin::{Span, escape};

/// How deep maps and lists may nest, aliases included. The shape of a configuration needs nine.
pub(crate) const DEPTH_MAX: usize = 48;
/// How many values a text may have, aliases counted as often as they are used: against alias bombs. A service with a
/// thousand endpoints has about 1 100.
pub(crate) const NODES_MAX: usize = 200_000;

/// The tree of a text, and what is wrong with it. `None` when the text has no tree; then something is wrong.
pub(crate) fn parse(text: &str) -> (Option<Node>, Vec<Diagnostic>) {
    let options = granit_parser::options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    let mut parser = granit_parser::Parser::new_from_str_with_options(text, options);
    let mut tree = Tree::default();
    while let Some(event) = parser.next_event() {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                tree.problems.push(syntax(text, &error));
                return (None, tree.problems);
            }
        };
        if tree.take(event, span).is_break() {
            break;
        }
    }
    if tree.root.is_none() && tree.problems.is_empty() {
        let start = Span {
            line: 1,
            column: 1,
            end_line: 1,
            end_column: 1,
            ..Span::default()
        };
        let empty = Diagnostic::error("E0109", start, "", "the file is empty")
            .note("a configuration needs `listen` and `services`");
        tree.problems.push(empty);
    }
    (tree.root, tree.problems)
}

fn place(marker: Marker) -> (usize, u32, u32) {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let byte = marker.byte_offset().unwrap_or_default();
    (
        byte,
        number(marker.line()).max(1),
        number(marker.col()).saturating_add(1),
    )
}

fn convert(raw: RawSpan) -> Span {
    let (start, line, column) = place(raw.start);
    let (end, end_line, end_column) = place(raw.end);
    Span {
        start,
        end,
        line,
        column,
        end_line,
        end_column,
    }
}

fn syntax(text: &str, error: &ScanError) -> Diagnostic {
    let (start, line, column) = place(*error.marker());
    let width = text.get(start..).and_then(|t| t.chars().next());
    let (len, columns) = match width {
        None | Some('\n' | '\r') => (0, 0),
        Some(c) => (c.len_utf8(), 1),
    };
    let end_column = column.saturating_add(columns);
    let span = Span {
        start,
        end: start + len,
        line,
        column,
        end_line: line,
        end_column,
    };
    let problem = Diagnostic::error(
        "E0101",
        span,
        "",
        format!("not valid YAML: {error}", error = error.info()),
    )
    .label("the text cannot be read from here on");
    if text
        .lines()
        .nth(line.saturating_sub(1) as usize)
        .is_some_and(|l| l.trim_start().starts_with('\t'))
    {
        return problem.help("indent with spaces; YAML does not allow tabs");
    }
    problem
}

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
    Map {
        entries: Vec<Entry>,
        key: Option<(String, Span)>,
        plain: bool,
    },
    List(Vec<Node>),
}

/// What an alias repeats.
struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

#[derive(Default)]
struct Tree {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
    problems: Vec<Diagnostic>,
}

impl Tree {
    fn take(&mut self, event: Event<'_>, raw: RawSpan) -> ControlFlow<()> {
        let span = convert(raw);
        if let Some(tag) = raw.tag_span().or(raw.tag_start().map(RawSpan::empty)) {
            let problem = Diagnostic::error(
                "E0107",
                convert(tag),
                &self.pointer(),
                "tags are not accepted",
            )
            .help("remove the tag; what a value is follows from its key");
            self.problems.push(problem);
        }
        self.nodes += 1;
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let problem =
                        Diagnostic::error("E0107", span, "", "a second document begins here")
                            .help("keep one configuration in a file");
                    self.problems.push(problem);
                    return ControlFlow::Break(());
                }
            }
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                self.scalar(text.into_owned(), plain, anchor, span);
            }
            Event::MappingStart(style, anchor, _) => {
                let body = Body::Map {
                    entries: Vec::new(),
                    key: None,
                    plain: false,
                };
                self.open(body, style, anchor, span);
            }
            Event::SequenceStart(style, anchor, _) => {
                self.open(Body::List(Vec::new()), style, anchor, span);
            }
            Event::MappingEnd | Event::SequenceEnd => self.close(span),
            Event::Alias(id) => return self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                let message = format!("there is no anchor `&{name}` above");
                self.problem("E0108", span, message);
                self.put(Node::new(span, Kind::Bad), 0);
            }
            _ => {}
        }
        if self.nodes > NODES_MAX {
            let message = format!("the file has more than {NODES_MAX} values");
            self.problem("E0114", span, message);
            self.root = None;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn problem(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.problems
            .push(Diagnostic::error(code, span, &self.pointer(), message));
    }

    /// The pointer of the value that is read now.
    fn pointer(&self) -> String {
        let step = |open: &Open| match &open.body {
            Body::Map { key, .. } => key.as_ref().map(|(key, _)| format!("/{}", escape(key))),
            Body::List(items) => Some(format!("/{}", items.len())),
        };
        self.open.iter().filter_map(step).collect()
    }

    fn scalar(&mut self, text: String, plain: bool, anchor: usize, span: Span) {
        if let Some(Open {
            body:
                Body::Map {
                    key: key @ None,
                    plain: is_plain,
                    ..
                },
            ..
        }) = self.open.last_mut()
        {
            *key = Some((text, span));
            *is_plain = plain;
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
        if matches!(
            self.open.last(),
            Some(Open {
                body: Body::Map { key: None, .. },
                ..
            })
        ) {
            self.problem("E0107", span, "a key must be text");
        }
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
            Body::Map { entries, .. } => entries.last().map(|e| e.value.span),
            Body::List(items) => items.last().map(|n| n.span),
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
            Body::Map { entries, .. } => Kind::Map(entries),
            Body::List(items) => Kind::List(items),
        };
        let node = Node::new(span, kind);
        let nodes = self.nodes.saturating_sub(open.nodes_before) + 1;
        self.remember(open.anchor, &node, nodes, open.depth + 1);
        self.put(node, open.depth + 1);
    }

    fn alias(&mut self, id: usize, span: Span) -> ControlFlow<()> {
        let Some(anchored) = self.anchors.get(&id) else {
            self.problem("E0108", span, "an anchor must not contain itself");
            self.put(Node::new(span, Kind::Bad), 0);
            return ControlFlow::Continue(());
        };
        let (nodes, depth) = (anchored.nodes, anchored.depth);
        if self.nodes.saturating_add(nodes) > NODES_MAX || self.open.len() + depth > DEPTH_MAX {
            self.problem("E0108", span, "aliases make this file too large");
            self.root = None;
            return ControlFlow::Break(());
        }
        let node = Node {
            alias: Some(span),
            ..anchored.node.clone()
        };
        self.nodes += nodes;
        if let Some(Open {
            body: Body::Map {
                key: key @ None, ..
            },
            ..
        }) = self.open.last_mut()
        {
            *key = Some((String::new(), span));
            self.problem("E0107", span, "a key must be text");
            return ControlFlow::Continue(());
        }
        self.put(node, depth);
        ControlFlow::Continue(())
    }

    /// Puts a finished value where it belongs: a list, the value of a key, or the root. A map or list in the place of
    /// a key was refused when it opened.
    fn put(&mut self, node: Node, depth: usize) {
        let pointer = self.pointer();
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        open.depth = open.depth.max(depth);
        match &mut open.body {
            Body::List(items) => items.push(node),
            Body::Map {
                entries,
                key,
                plain,
            } => match key.take() {
                None => *key = Some((String::new(), node.span)),
                Some((key, key_span)) if *plain && key == "<<" => {
                    let problem = Diagnostic::error(
                        "E0107",
                        key_span,
                        &pointer,
                        "merge keys are not accepted",
                    )
                    .help("give the whole map by an alias, or put what is common into `defaults`");
                    self.problems.push(problem);
                }
                Some((key, key_span)) => match entries.iter_mut().find(|e| e.key == key) {
                    Some(first) => {
                        let problem = Diagnostic::error(
                            "E0102",
                            key_span,
                            &pointer,
                            format!("`{key}` is given twice"),
                        )
                        .label("the second")
                        .related(first.key_span, "the first");
                        self.problems.push(problem);
                        // Which of the two was meant is open, so nothing more is said of a single value.
                        if matches!(first.value.kind, Kind::Scalar(_)) {
                            first.value.kind = Kind::Bad;
                        }
                    }
                    None => entries.push(Entry {
                        key,
                        key_span,
                        value: node,
                    }),
                },
            },
        }
    }
}
