//! Text to a tree: the only module that knows the YAML parser, so that it can be swapped. It refuses what a strict
//! configuration has no use for (tags, merge keys, several documents, keys that are not text), finds duplicate keys, and
//! keeps aliases within a budget. `yaml/tree` puts the parser's events together, `yaml/syntax`
//! says what a text that is no YAML can be meant as. It must never fail on any input other than by a diagnostic.

use serde_saphyr::granit_parser::{self, Marker, ScanError, Span as RawSpan};

use crate::diagnostic::Diagnostic;
use crate::node::Node;
use crate::origin::Span;
use tree::Tree;

mod syntax;
mod tree;

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
    match syntax::advice(text, line, column, &error.info()) {
        Some(help) => problem.help(help),
        None => problem,
    }
}
