//! How names are looked up: the shortest time between two look-ups must not be above the longest.

use crate::config::Dns;
use crate::diagnostic::Diagnostic;
use crate::form::unit::show_duration;
use crate::lower::Item;
use crate::read::Layers;

pub(super) fn check(root: &Item, problems: &mut Vec<Diagnostic>) {
    let Some(dns) = root.get("dns") else {
        return;
    };
    let (map, built_in) = (Layers::only(Some(dns)), Dns::default());
    let least = map.duration("ttl_min").unwrap_or(built_in.ttl_min);
    let most = map.duration("ttl_max").unwrap_or(built_in.ttl_max);
    let written = dns.get("ttl_min").or_else(|| dns.get("ttl_max"));
    let Some(item) = written.filter(|_| least > most) else {
        return;
    };
    let (least, most) = (show_duration(least), show_duration(most));
    let message = format!("`ttl_min` of {least} is above `ttl_max` of {most}");
    let problem = Diagnostic::error("E0391", item.span, &item.pointer, message)
        .label("no answer could live so long and so short")
        .help(format!(
            "`ttl_max: {least}` or more, or a shorter `ttl_min`"
        ));
    problems.push(problem);
}
