//! The tree against the table: every key known or refused by name, every value read by its form, every required key
//! there. All problems in one pass; a value that was refused becomes [`Lowered::Bad`], so that nothing is said of it
//! twice. What values mean together is not looked at here.

use std::collections::BTreeMap;

use bascule_model::ServiceName;

use crate::diagnostic::Diagnostic;
use crate::env;
use crate::form::{Form, Problem, Value};
use crate::node::{Core, Entry, Kind, Node, Scalar};
use crate::origin::{Span, escape};
use crate::source::Source;
use crate::table::{Key, Need, Shape, Type};
use unknown::{accepted, later, unknown};

mod foreign;
mod shorthand;
mod unknown;
use crate::write;

/// A value that was read, with its place.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) span: Span,
    pub(crate) pointer: String,
    pub(crate) lowered: Lowered,
}

/// What was read.
#[derive(Debug, Clone)]
pub(crate) enum Lowered {
    /// A map of either kind, in the order of the file.
    Map(Vec<Field>),
    /// A list.
    List(Vec<Item>),
    /// A single value.
    Value(Value),
    /// Something that was refused already.
    Bad,
}

/// One entry of a map.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) key_span: Span,
    pub(crate) item: Item,
}

/// What lowering gives.
pub(crate) struct Outcome {
    pub(crate) root: Item,
    pub(crate) problems: Vec<Diagnostic>,
    pub(crate) origins: BTreeMap<String, Span>,
}

/// Reads a tree by a shape.
pub(crate) fn lower(root: &Node, shape: &'static Shape, source: &dyn Source) -> Outcome {
    let mut lowering = Lowering {
        source,
        problems: Vec::new(),
        origins: BTreeMap::new(),
    };
    let at = At {
        pointer: String::new(),
        key: None,
        name: "",
    };
    let root = lowering.map(root, shape, &at);
    Outcome {
        root,
        problems: lowering.problems,
        origins: lowering.origins,
    }
}

/// Where we are: the pointer, the key's place and its name.
struct At<'a> {
    pointer: String,
    key: Option<Span>,
    name: &'a str,
}

impl At<'_> {
    /// The best place to complain about a value as a whole: the value if it is on one line, else its key.
    fn place(&self, node: &Node) -> Span {
        let small = node.span.line == node.span.end_line && node.span.end > node.span.start;
        match (small, self.key) {
            (true, _) => node.span,
            (false, Some(key)) => key,
            (false, None) => first_line(node.span),
        }
    }
}

fn first_line(span: Span) -> Span {
    Span {
        end: span.start,
        end_line: span.line,
        end_column: span.column,
        ..span
    }
}

struct Lowering<'a> {
    source: &'a dyn Source,
    problems: Vec<Diagnostic>,
    origins: BTreeMap<String, Span>,
}

impl Lowering<'_> {
    fn value(&mut self, node: &Node, holds: &'static Type, at: &At<'_>) -> Item {
        let place = if node.span.end > node.span.start {
            node.span
        } else {
            at.key.unwrap_or(node.span)
        };
        self.origins.insert(at.pointer.clone(), place);
        match holds {
            Type::Map(shape) => self.map(node, shape, at),
            Type::Names(noun, holds, min) => self.names(node, (noun, holds, *min), at),
            Type::List(holds, min) => self.list(node, holds, *min, at),
            Type::Either(_, map) if matches!(node.kind, Kind::Map(_)) => self.map(node, map, at),
            Type::Value(form) | Type::Either(form, _) => self.scalar(node, *form, at),
        }
    }

    fn item(node: &Node, at: &At<'_>, lowered: Lowered) -> Item {
        Item {
            span: at.place(node),
            pointer: at.pointer.clone(),
            lowered,
        }
    }

    fn wrong_shape(
        &mut self,
        node: &Node,
        at: &At<'_>,
        wanted: &str,
        note: Option<String>,
    ) -> Item {
        let item = Self::item(node, at, Lowered::Bad);
        let found = match &node.kind {
            Kind::Bad => return item,
            kind => kind.name(),
        };
        let what = if at.name.is_empty() {
            "the file".to_owned()
        } else {
            format!("`{}`", at.name)
        };
        let mut problem = match &node.kind {
            Kind::Scalar(Scalar {
                core: Core::Null, ..
            }) => Diagnostic::error("E0103", item.span, &at.pointer, format!("{what} is empty"))
                .label(format!("{wanted} is expected"))
                .help("leave the key out, or say what it holds"),
            _ => Diagnostic::error(
                "E0103",
                item.span,
                &at.pointer,
                format!("{what} must be {wanted}"),
            )
            .label(format!("this is {found}")),
        };
        if problem.help.is_none() {
            problem.help = shorthand::advice(at.name, node, wanted);
        }
        problem.notes.extend(note);
        self.problems.push(problem);
        item
    }

    fn map(&mut self, node: &Node, shape: &'static Shape, at: &At<'_>) -> Item {
        let Kind::Map(entries) = &node.kind else {
            return self.wrong_shape(node, at, "a map", Some(accepted(shape)));
        };
        let mut fields: Vec<Field> = Vec::new();
        for entry in entries.iter().filter(|e| !e.key.starts_with("x-")) {
            let pointer = format!("{}/{}", at.pointer, escape(&entry.key));
            let known = shape.keys.iter().find(|key| key.name == entry.key);
            // A slip of the fingers is refused and then read as what it was meant for, so that its value is looked at
            // too and nothing is said to be missing that is there.
            let meant = known.or_else(|| self.unknown(entry, entries, shape, &pointer));
            if let Some(key) = meant.filter(|key| !fields.iter().any(|f| f.name == key.name)) {
                let at = At {
                    pointer,
                    key: Some(entry.key_span),
                    name: key.name,
                };
                let item = self.value(&entry.value, &key.holds, &at);
                let name = key.name.to_owned();
                fields.push(Field {
                    name,
                    key_span: entry.key_span,
                    item,
                });
            }
        }
        self.required(&fields, shape, node, at);
        Self::item(node, at, Lowered::Map(fields))
    }

    fn required(&mut self, fields: &[Field], shape: &'static Shape, node: &Node, at: &At<'_>) {
        let missing = shape.keys.iter().filter(|key| key.need == Need::Required);
        for key in missing.filter(|key| !fields.iter().any(|field| field.name == key.name)) {
            let place = at.key.unwrap_or(first_line(node.span));
            let place = if node.span.line == node.span.end_line {
                node.span
            } else {
                place
            };
            let problem = Diagnostic::error(
                "E0105",
                place,
                &at.pointer,
                format!("`{}` is missing", key.name),
            )
            .label(format!("{} needs it", shape.what))
            .note(key.doc);
            self.problems.push(problem);
        }
    }

    /// Reports a key that the shape does not have; the key that was meant, where that is clear.
    fn unknown(
        &mut self,
        entry: &Entry,
        entries: &[Entry],
        shape: &'static Shape,
        pointer: &str,
    ) -> Option<&'static Key> {
        let (problem, meant) = unknown(entry, entries, shape, pointer);
        self.problems.push(problem);
        meant
    }

    fn names(
        &mut self,
        node: &Node,
        holds: (&'static str, &'static Type, usize),
        at: &At<'_>,
    ) -> Item {
        let (noun, holds, min) = holds;
        let Kind::Map(entries) = &node.kind else {
            let wanted = format!("a map from {noun} names");
            return self.wrong_shape(node, at, &wanted, None);
        };
        let mut fields = Vec::new();
        for entry in entries.iter().filter(|e| !e.key.starts_with("x-")) {
            let pointer = format!("{}/{}", at.pointer, escape(&entry.key));
            if let Err(error) = ServiceName::parse(&entry.key) {
                let message = format!("`{}` cannot be the name of a {noun}", entry.key);
                let problem = Diagnostic::error("E0106", entry.key_span, &pointer, message)
                    .label(error.to_string());
                self.problems.push(problem);
            }
            let at = At {
                pointer,
                key: Some(entry.key_span),
                name: &entry.key,
            };
            let item = self.value(&entry.value, holds, &at);
            fields.push(Field {
                name: entry.key.clone(),
                key_span: entry.key_span,
                item,
            });
        }
        if fields.len() < min {
            return self.too_few(node, at, &format!("at least one {noun}"));
        }
        Self::item(node, at, Lowered::Map(fields))
    }

    fn too_few(&mut self, node: &Node, at: &At<'_>, wanted: &str) -> Item {
        let item = Self::item(node, at, Lowered::Bad);
        let problem = Diagnostic::error(
            "E0214",
            item.span,
            &at.pointer,
            format!("`{}` is empty", at.name),
        )
        .label(format!("{wanted} is needed"));
        self.problems.push(problem);
        item
    }

    fn list(&mut self, node: &Node, holds: &'static Type, min: usize, at: &At<'_>) -> Item {
        match &node.kind {
            Kind::List(nodes) => {
                let mut items = Vec::new();
                for (index, node) in nodes.iter().enumerate() {
                    let pointer = format!("{}/{index}", at.pointer);
                    items.push(self.value(
                        node,
                        holds,
                        &At {
                            pointer,
                            key: None,
                            name: at.name,
                        },
                    ));
                }
                if items.len() < min {
                    return self.too_few(node, at, "at least one entry");
                }
                Self::item(node, at, Lowered::List(items))
            }
            Kind::Map(entries) => match entries
                .iter()
                .find(|e| at.name == "endpoints" && e.key == "discover")
            {
                Some(entry) => {
                    let pointer = format!("{}/discover", at.pointer);
                    self.problems.push(later(
                        entry.key_span,
                        &pointer,
                        "discover",
                        "discovery of endpoints",
                    ));
                    Self::item(node, at, Lowered::Bad)
                }
                None => self.wrong_shape(node, at, "a list", None),
            },
            Kind::Scalar(scalar) if scalar.core != Core::Null => {
                let item = self.wrong_shape(node, at, "a list", None);
                let fix = match scalar.core {
                    Core::Text => format!("[{}]", write::text(&scalar.text)),
                    _ => format!("[{}]", scalar.text),
                };
                if let Some(problem) = self.problems.last_mut() {
                    problem.help = Some(format!("write `{fix}`"));
                    let edit = crate::Edit {
                        span: node.span,
                        text: fix,
                    };
                    problem.fix = Some(crate::Fix { edit });
                }
                item
            }
            _ => self.wrong_shape(node, at, "a list", None),
        }
    }

    fn scalar(&mut self, node: &Node, form: Form, at: &At<'_>) -> Item {
        let Kind::Scalar(scalar) = &node.kind else {
            let note =
                matches!(form, Form::Listen | Form::Socket | Form::Host | Form::Url).then(|| {
                    "in YAML `[` and `{` begin a list and a map; put such a text in quotes"
                        .to_owned()
                });
            return self.wrong_shape(node, at, "a single value", note);
        };
        if scalar.core == Core::Null {
            return self.wrong_shape(node, at, "a single value", None);
        }
        match self.read(scalar, form) {
            Ok(value) => Self::item(node, at, Lowered::Value(value)),
            Err(problem) => {
                let item = Self::item(node, at, Lowered::Bad);
                self.problems.push(refused(problem, node.span, &at.pointer));
                item
            }
        }
    }

    fn read(&self, scalar: &Scalar, form: Form) -> Result<Value, Problem> {
        if scalar.core != Core::Text {
            return form.read(scalar);
        }
        let Some(text) = env::expand(&scalar.text, self.source)? else {
            return form.read(scalar);
        };
        // What stands in the file is a reference, so no replacement of it is safe.
        let expanded = Scalar {
            text,
            core: Core::Text,
        };
        form.read(&expanded).map_err(|problem| {
            let note = format!("`{}` gives the text `{}`", scalar.text, expanded.text);
            problem.note(note).without_fix()
        })
    }
}

fn refused(problem: Problem, span: Span, pointer: &str) -> Diagnostic {
    let mut diagnostic =
        Diagnostic::error(problem.code, span, pointer, problem.message).label(problem.label);
    diagnostic.help = problem.advice.help;
    diagnostic.notes.extend(problem.advice.note);
    match &problem.advice.fix {
        Some(fix) => diagnostic.fix(span, write::replacement(fix)),
        None => diagnostic,
    }
}
