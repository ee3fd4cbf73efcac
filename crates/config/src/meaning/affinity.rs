//! What keeps requests together: exactly one thing, with a secret where it is a cookie of ours.

use crate::diagnostic::Diagnostic;
use crate::lower::{Field, Item};

pub(super) fn check(service: &Field, problems: &mut Vec<Diagnostic>) {
    let Some(affinity) = service.item.get("affinity") else {
        return;
    };
    let Some(by) = affinity.get("by").filter(|by| !by.is_bad()) else {
        return;
    };
    one_thing(by, problems);
    let cookie = by.field("cookie");
    match (cookie, affinity.has("secret_file")) {
        (Some(cookie), false) => {
            let message = "a cookie needs secrets to seal it";
            let pointer = &affinity.pointer;
            let problem = Diagnostic::error("E0352", cookie.key_span, pointer, message)
                .label("anybody could make one and choose the endpoint")
                .help("add `secret_file: affinity.key`, made by `openssl rand -base64 48 > affinity.key`");
            problems.push(problem);
        }
        (Some(_), true) => {}
        (None, _) => without_use(affinity, problems),
    }
}

fn one_thing(by: &Item, problems: &mut Vec<Diagnostic>) {
    if by.value().is_some() {
        return;
    }
    match by.fields() {
        [] => {
            let message = "`by` says nothing";
            let problem = Diagnostic::error("E0351", by.span, &by.pointer, message)
                .label("needs `cookie`, `header`, `query` or `path_segment`")
                .help("or `by: source_ip`, or `by: sni`");
            problems.push(problem);
        }
        [first, others @ ..] => {
            for second in others {
                let message = "requests are kept together by one thing, not two";
                let pointer = &second.item.pointer;
                let problem = Diagnostic::error("E0351", second.key_span, pointer, message)
                    .label("the second")
                    .related(first.key_span, "the first")
                    .help("keep one");
                problems.push(problem);
            }
        }
    }
}

fn without_use(affinity: &Item, problems: &mut Vec<Diagnostic>) {
    for name in ["secret_file", "same_site"] {
        let Some(field) = affinity.field(name) else {
            continue;
        };
        let message = format!("`{name}` has no use without a cookie");
        let problem = Diagnostic::error("E0353", field.key_span, &field.item.pointer, message)
            .label("it belongs to `by: { cookie: … }`")
            .help("leave it out");
        problems.push(problem);
    }
}
