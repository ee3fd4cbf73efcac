//! Prices of backends: whether each says one thing, and whether those of a service can be compared. Never how old they are:
//! there is no clock here.

use bascule_model::Currency;

use crate::diagnostic::Diagnostic;
use crate::form::Value;
use crate::lower::{Field, Item};
use crate::read::Layers;

/// All of them.
pub(super) fn check(root: &Item, problems: &mut Vec<Diagnostic>) {
    for service in super::services(root) {
        let backends = service.item.get("backends").map(Item::fields);
        let backends = backends.unwrap_or_default();
        for backend in backends {
            if let Some(price) = backend.item.field("egress_price") {
                one_way(price, problems);
                tiers(&price.item, problems);
            }
        }
        let prices: Vec<&Item> = backends.iter().flat_map(prices_of).collect();
        one_currency(&prices, problems);
        some_without(backends, problems);
    }
}

/// Where a price of a backend stands: the flat one, or one for each tier.
pub(super) fn prices_of(backend: &Field) -> Vec<&Item> {
    let Some(price) = backend.item.get("egress_price") else {
        return Vec::new();
    };
    let tiers = price.get("tiers").map(Item::items).unwrap_or_default();
    let of_tiers = tiers.iter().filter_map(|tier| tier.get("price"));
    price.get("price").into_iter().chain(of_tiers).collect()
}

pub(super) fn currency(item: &Item) -> Option<Currency> {
    match item.value() {
        Some(Value::Price(_, currency)) => Some(*currency),
        _ => None,
    }
}

fn one_way(price: &Field, problems: &mut Vec<Diagnostic>) {
    let (flat, tiers) = (price.item.field("price"), price.item.field("tiers"));
    let pointer = &price.item.pointer;
    let problem = match (flat, tiers) {
        (Some(flat), Some(tiers)) => {
            Diagnostic::error("E0363", tiers.key_span, pointer, "two prices at once")
                .label("a price by tiers")
                .related(flat.key_span, "and a flat one")
                .help("keep one of the two")
        }
        (None, None) if !price.item.is_bad() => Diagnostic::error(
            "E0363",
            price.key_span,
            pointer,
            "`egress_price` has no price",
        )
        .label("neither `price` nor `tiers`")
        .help("`price: 0.05 USD/GB`, or `tiers` where it depends on the volume"),
        _ => return,
    };
    problems.push(problem);
}

fn tiers(price: &Item, problems: &mut Vec<Diagnostic>) {
    let tiers = price.get("tiers").map(Item::items).unwrap_or_default();
    let Some((last, steps)) = tiers.split_last() else {
        return;
    };
    if steps.is_empty() {
        let problem = Diagnostic::error("E0364", last.span, &last.pointer, "one tier is no tier")
            .label("the same price for every GB")
            .help("`price: 0.05 USD/GB` says that");
        problems.push(problem);
        return;
    }
    if let Some(end) = last.field("up_to") {
        let pointer = &end.item.pointer;
        let problem = Diagnostic::error("E0364", end.key_span, pointer, "the last tier ends")
            .label("what does all beyond it cost?")
            .help("leave `up_to` out of the last tier, or add a tier without one");
        problems.push(problem);
    }
    let mut before: Option<(&Item, u64)> = None;
    for step in steps {
        let Some(end) = step.get("up_to") else {
            if !step.is_bad() {
                let message = "a tier without an end is not the last";
                let problem = Diagnostic::error("E0364", step.span, &step.pointer, message)
                    .label("the tiers behind it would never be reached")
                    .help("say where it ends: `up_to: 10TB`");
                problems.push(problem);
            }
            continue;
        };
        let Some(Value::Volume(volume)) = end.value() else {
            continue;
        };
        let bytes = volume.as_bytes();
        if let Some((other, _)) = before.filter(|(_, other)| bytes <= *other) {
            let message = format!("a tier ends at {volume}, where it has already ended");
            let problem = Diagnostic::error("E0364", end.span, &end.pointer, message)
                .label("not beyond the tier before it")
                .related(other.span, "that one ends here")
                .help("tiers are counted from the first byte of a month, and ascend");
            problems.push(problem);
        }
        before = Some((end, bytes));
    }
}

fn one_currency(prices: &[&Item], problems: &mut Vec<Diagnostic>) {
    let mut known = prices
        .iter()
        .filter_map(|item| Some((item, currency(item)?)));
    let Some((first, first_currency)) = known.next() else {
        return;
    };
    for (item, other) in known.filter(|(_, currency)| *currency != first_currency) {
        let message = format!("prices of one service in {first_currency} and {other}");
        let problem = Diagnostic::error("E0365", item.span, &item.pointer, message)
            .label("they cannot be compared: nothing is converted here")
            .related(first.span, "the first is here")
            .help("give all prices of a service in one currency");
        problems.push(problem);
    }
}

/// A backend without a price, where another has one and it can get traffic.
fn some_without(backends: &[Field], problems: &mut Vec<Diagnostic>) {
    let Some(priced) = backends.iter().find_map(|b| b.item.field("egress_price")) else {
        return;
    };
    let is_off = |field: &Field| {
        let map = Layers::only(Some(&field.item));
        map.integer::<u64>("weight") == Some(0)
    };
    for backend in backends {
        if backend.item.has("egress_price") || backend.item.is_bad() || is_off(backend) {
            continue;
        }
        let message = format!("backend `{}` has no price", backend.name);
        let problem =
            Diagnostic::warning("W0363", backend.key_span, &backend.item.pointer, message)
                .label("what it costs cannot be compared with what the others do")
                .related(priced.key_span, "another backend has one")
                .help("add `egress_price: { price: 0.05 USD/GB, as_of: 2026-11-01 }`; 0 where it costs nothing");
        problems.push(problem);
    }
}
