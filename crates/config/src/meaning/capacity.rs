//! Declared capacities of the backends of one service: what they say, and whether all have one where some do.

use crate::diagnostic::Diagnostic;
use crate::lower::{Field, Item};
use crate::read::Layers;

pub(super) fn check(backends: &Field, problems: &mut Vec<Diagnostic>) {
    let fields = backends.item.fields();
    for backend in fields {
        says_something(backend, problems);
    }
    let capacity = |field: &Field| field.item.get("capacity").filter(|c| !c.is_bad()).cloned();
    let declared = fields.iter().find_map(|f| Some((f, capacity(f)?)));
    let Some((first, units)) = declared.filter(|(_, item)| !item.fields().is_empty()) else {
        return;
    };
    for backend in fields.iter().filter(|f| !f.item.has("capacity")) {
        missing(backend, (first, &units), problems);
    }
}

fn says_something(backend: &Field, problems: &mut Vec<Diagnostic>) {
    let Some(field) = backend.item.field("capacity") else {
        return;
    };
    if !field.item.is_bad() && field.item.fields().is_empty() {
        let (span, pointer) = (field.key_span, &field.item.pointer);
        let problem = Diagnostic::error("E0361", span, pointer, "`capacity` says nothing")
            .label("no unit is given")
            .help("`capacity: { requests: 12000/s }`, or `sessions`, or `egress`");
        problems.push(problem);
    }
}

/// A backend without a capacity, where another has one.
fn missing(backend: &Field, (other, units): (&Field, &Item), problems: &mut Vec<Diagnostic>) {
    let map = Layers::only(Some(&backend.item));
    let (span, pointer, name) = (backend.key_span, &backend.item.pointer, &backend.name);
    let related = other.item.field("capacity").map(|field| field.key_span);
    let like = |field: &Field| match field.name.as_str() {
        "requests" => "requests: 1000/s",
        "sessions" => "sessions: 1000",
        _ => "egress: 1Gbit/s",
    };
    let like: Vec<&str> = units.fields().iter().map(like).collect();
    let help = format!(
        "say what it can take, such as `capacity: {{ {} }}`",
        like.join(", ")
    );
    let problem = if map.word("role").is_some() {
        let message = format!("standby backend `{name}` has no capacity");
        Diagnostic::error("E0362", span, pointer, message)
            .label("it would get all that the others cannot take, however much that is")
    } else if map
        .integer::<u64>("weight")
        .is_some_and(|weight| weight > 0)
    {
        let message = format!("backend `{name}` has no capacity");
        Diagnostic::warning("W0362", span, pointer, message)
            .label("when a provider is lost it takes all that the others cannot")
    } else {
        return;
    };
    let problem = problem.help(help);
    problems.push(match related {
        Some(span) => problem.related(span, format!("`{}` has one", other.name)),
        None => problem,
    });
}
