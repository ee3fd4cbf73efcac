//! The breakers of a service: a limit of 0, which would let nothing through, and a line in which nobody could ever stand.

use crate::diagnostic::Diagnostic;
use crate::lower::Field;
use crate::read::Layers;

/// What can be full.
const LIMITS: [&str; 3] = [
    "endpoint_requests",
    "endpoint_connections",
    "backend_requests",
];

pub(super) fn check(service: &Field, problems: &mut Vec<Diagnostic>) {
    let Some(limits) = service.item.get("limits") else {
        return;
    };
    let own = Layers::only(Some(limits));
    for key in LIMITS {
        let Some(item) = own.get(key).filter(|_| own.integer(key) == Some(0_u64)) else {
            continue;
        };
        let message = format!("`{key}: 0` lets nothing through");
        let problem = Diagnostic::error("E0341", item.span, &item.pointer, message)
            .label("every request would be refused")
            .help("for no limit leave the key out; to take a backend out write `weight: 0`");
        problems.push(problem);
    }
    let is_limited = LIMITS.iter().any(|key| limits.has(key));
    let waits = own.get("endpoint_pending").is_some_and(|item| {
        // One that was refused may have been meant to be anything.
        item.is_bad() || own.integer("endpoint_pending") != Some(0_u64)
    });
    let unused = [
        ("endpoint_pending", is_limited || !waits, "a limit"),
        ("pending_timeout", waits, "`endpoint_pending`"),
    ];
    for (key, has_use, needs) in unused {
        let Some(field) = limits.field(key).filter(|_| !has_use) else {
            continue;
        };
        let message = format!("`{key}` has no use without {needs}");
        let problem = Diagnostic::error("E0342", field.key_span, &field.item.pointer, message);
        problems.push(match key {
            "endpoint_pending" => problem
                .label("nothing is ever full here, so nobody waits")
                .help("add `endpoint_requests`, `endpoint_connections` or `backend_requests`"),
            _ => problem
                .label("nobody waits here")
                .help("add `endpoint_pending`: how many may wait for each endpoint"),
        });
    }
}
