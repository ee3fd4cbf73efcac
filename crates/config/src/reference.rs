//! The references, made from the same tables that the program reads by: every key with type, default, unit and reload
//! behaviour, and every code. Text only; who writes it to `docs/reference/` is `xtask`.

use crate::codes::CODES;
use crate::form::{Form, Later};
use crate::pages::Example;
use crate::schema::words;
use crate::table::{Key, Need, ROOT, Reload, Shape, Type};

const CONFIG_HEAD: &str = "\
<!-- Made from the table of keys; do not edit. `cargo xtask gen` writes it. -->

# Configuration

A configuration is one file of strict YAML 1.2 (JSON is its subset). A key that is not listed here is an error, and so is
a key that is given twice; keys that begin with `x-` are accepted in every map and have no meaning. Durations, sizes,
percentages and rates carry their unit. `${NAME}` and `${NAME:-default}` inside a text are replaced from the environment;
a literal `${` is written `$${`. `bascule config validate` finds all errors at once, `bascule config fmt` brings the keys
into the order of this page, `bascule config schema` prints a JSON Schema for editors.

*Reload*: **live** takes effect with a reload and touches nothing that runs; **start** takes effect with the next start,
and a reload that changes it says so.
";

const ERRORS_HEAD: &str = "\
<!-- Made from the table of codes; do not edit. `cargo xtask gen` writes it. -->

# Errors of a configuration

Every error has a stable code; `bascule help CODE` prints the same text. E01 is shape, E02 single values, E03 what values
mean together, E04 what the machine refuses, E07 what `bascule check` and `bascule config validate --online` find at work.
W03 and W07 are warnings: accepted, and worth a look.
";

/// The text of `docs/reference/config.md`: every key.
#[must_use]
pub fn config_reference() -> String {
    let mut out = CONFIG_HEAD.to_owned();
    let mut written = Vec::new();
    section(&ROOT, &mut out, &mut written);
    out
}

/// The text of `docs/reference/errors.md`: every code.
#[must_use]
pub fn errors_reference() -> String {
    let sections: String = CODES.iter().map(code_section).collect();
    format!("{ERRORS_HEAD}{sections}")
}

fn code_section(code: &crate::Code) -> String {
    let mut text = format!(
        "\n## {}\n\n**{}.** {}\n",
        code.code, code.title, code.explanation
    );
    let Some(page) = crate::page(code.code) else {
        return text;
    };
    match page.example {
        Example::File(example) => {
            text.push_str(&format!("\n```yaml\n{example}```\n"));
        }
        Example::Situation(words) => text.push_str(&format!("\nFor example: {words}\n")),
    }
    text.push_str(&format!("\n*To mend it*: {}\n", page.mend));
    let link = |code: &&str| format!("[{code}](#{})", code.to_lowercase());
    let related: Vec<String> = page.related.iter().map(link).collect();
    if !related.is_empty() {
        text.push_str(&format!("\nSee also {}.\n", related.join(", ")));
    }
    text
}

fn section(shape: &'static Shape, out: &mut String, written: &mut Vec<&'static str>) {
    if written.contains(&shape.id) {
        return;
    }
    written.push(shape.id);
    out.push_str(&format!("\n## {}\n\n", shape.id));
    out.push_str("| key | type | default | reload | meaning |\n|---|---|---|---|---|\n");
    for key in shape.keys {
        out.push_str(&row(key));
    }
    let not_yet = not_yet(shape);
    if !not_yet.is_empty() {
        out.push_str(&format!(
            "\nNot available yet, and refused by name: {}.\n",
            not_yet.join(", ")
        ));
    }
    for (name, place) in shape.elsewhere {
        out.push_str(&format!("\n`{name}` is not here: {place}.\n"));
    }
    for key in shape.keys {
        if let Some(shape) = inner(&key.holds) {
            section(shape, out, written);
        }
    }
}

fn row(key: &Key) -> String {
    let default = match (key.need, key.default) {
        (Need::Required, _) => "**required**".to_owned(),
        (Need::Optional, "") => "–".to_owned(),
        (Need::Optional, default) => default.to_owned(),
    };
    let reload = match key.reload {
        Reload::Live => "live",
        Reload::Start => "start",
    };
    format!(
        "| `{}` | {} | {default} | {reload} | {} |\n",
        key.name,
        kind(&key.holds),
        key.doc
    )
}

fn kind(holds: &Type) -> String {
    match holds {
        Type::Map(shape) => format!("map: [{}](#{})", shape.id, anchor(shape.id)),
        Type::Names(noun, holds, _) => format!("map from {noun} name to {}", kind(holds)),
        Type::List(holds, _) => format!("list of {}", kind(holds)),
        Type::Value(form) => words(*form),
        Type::Either(form, shape) => {
            format!(
                "{}, or map: [{}](#{})",
                words(*form),
                shape.id,
                anchor(shape.id)
            )
        }
    }
}

/// The anchor that a heading gets where Markdown is shown.
fn anchor(id: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    id.to_lowercase()
        .replace(' ', "-")
        .chars()
        .filter(|c| keep(*c))
        .collect()
}

fn inner(holds: &'static Type) -> Option<&'static Shape> {
    match holds {
        Type::Map(shape) | Type::Either(_, shape) => Some(shape),
        Type::Names(_, holds, _) | Type::List(holds, _) => inner(holds),
        Type::Value(_) => None,
    }
}

fn not_yet(shape: &Shape) -> Vec<String> {
    let keys = shape.later.iter().map(|later| format!("`{}`", later.name));
    let values = shape.keys.iter().flat_map(|key| {
        values(&key.holds)
            .iter()
            .map(move |later| format!("`{}: {}`", key.name, later.name))
    });
    keys.chain(values).collect()
}

fn values(holds: &'static Type) -> &'static [Later] {
    match holds {
        Type::Value(Form::Choice(_, later)) => later,
        Type::List(holds, _) => values(holds),
        _ => &[],
    }
}
