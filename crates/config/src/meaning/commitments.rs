//! Commitments: whether what they cover is there, once, and in their own currency. Never whether one has ended: there is no
//! clock here.

use std::collections::BTreeMap;

use bascule_model::{BackendName, Covered, Currency, ProviderName, Remaining, ServiceName};

use super::prices::{currency, prices_of};
use crate::diagnostic::Diagnostic;
use crate::form::Value;
use crate::lower::{Field, Item};
use crate::read::Layers;
use crate::similar;

/// A backend as a commitment sees it.
struct Candidate<'a> {
    service: ServiceName,
    backend: BackendName,
    provider: ProviderName,
    field: &'a Field,
}

fn candidates(root: &Item) -> Vec<Candidate<'_>> {
    let mut all = Vec::new();
    for service in super::services(root) {
        let backends = service.item.get("backends").map(Item::fields);
        for field in backends.unwrap_or_default() {
            let named = Layers::only(Some(&field.item)).text("provider");
            let provider = ProviderName::parse(named.unwrap_or(&field.name));
            let names = (
                ServiceName::parse(&service.name),
                BackendName::parse(&field.name),
            );
            if let (Ok(service), Ok(backend), Ok(provider)) = (names.0, names.1, provider) {
                all.push(Candidate {
                    service,
                    backend,
                    provider,
                    field,
                });
            }
        }
    }
    all
}

/// All of them.
pub(super) fn check(root: &Item, problems: &mut Vec<Diagnostic>) {
    let candidates = candidates(root);
    let mut taken = Taken::new();
    let fields = root.get("commitments").map(Item::fields);
    for commitment in fields.unwrap_or_default() {
        let money = match commitment.item.get("remaining").and_then(Item::value) {
            Some(Value::Remaining(Remaining::Money(_, currency))) => Some(*currency),
            _ => None,
        };
        let covers = commitment.item.get("covers").map(Item::items);
        for item in covers.unwrap_or_default() {
            covered(item, money, &candidates, &mut taken, problems);
        }
    }
}

/// By which entry of which commitment a backend is covered.
type Taken<'a> = BTreeMap<(&'a ServiceName, &'a BackendName), &'a Item>;

/// One entry of `covers`.
fn covered<'a>(
    item: &'a Item,
    money: Option<Currency>,
    candidates: &'a [Candidate<'_>],
    taken: &mut Taken<'a>,
    problems: &mut Vec<Diagnostic>,
) {
    let Some(Value::Text(text)) = item.value() else {
        return;
    };
    let covered = Covered::parse(text);
    let is = |c: &&Candidate<'_>| {
        let covered = covered.as_ref();
        covered.is_some_and(|it| it.is(&c.service, &c.backend, &c.provider))
    };
    let inside: Vec<&Candidate<'_>> = candidates.iter().filter(is).collect();
    if inside.is_empty() {
        problems.push(covers_nothing(item, text, candidates));
    }
    for candidate in inside {
        if let Some(first) = taken.insert((&candidate.service, &candidate.backend), item) {
            problems.push(covered_twice(item, candidate, first));
        }
        problems.extend(money.and_then(|money| other_money(item, candidate, money)));
    }
}

fn covers_nothing(item: &Item, text: &str, candidates: &[Candidate<'_>]) -> Diagnostic {
    let message = format!("nothing here is `{text}`");
    let problem = Diagnostic::error("E0366", item.span, &item.pointer, message)
        .label("neither a provider nor SERVICE/BACKEND");
    let meant = match text.split_once('/') {
        None => {
            let providers = candidates.iter().map(|c| c.provider.as_str());
            similar::nearest(text, providers).map(str::to_owned)
        }
        Some((service, backend)) => {
            let inside = candidates.iter().filter(|c| c.service.as_str() == service);
            let meant = similar::nearest(backend, inside.map(|c| c.backend.as_str()));
            meant.map(|backend| format!("{service}/{backend}"))
        }
    };
    match (meant, candidates.first()) {
        (Some(meant), _) => problem
            .help(format!("did you mean `{meant}`?"))
            .fix(item.span, meant),
        (None, Some(one)) => problem.help(format!(
            "such as `{}`, or `{}/{}`",
            one.provider, one.service, one.backend
        )),
        (None, None) => problem,
    }
}

fn covered_twice(item: &Item, candidate: &Candidate<'_>, first: &Item) -> Diagnostic {
    let message = format!(
        "{}/{} is covered twice",
        candidate.service, candidate.backend
    );
    Diagnostic::error("E0367", item.span, &item.pointer, message)
        .label("what it sends cannot be taken from both")
        .related(first.span, "covered here already")
        .help("leave it in one of the two")
}

/// An amount in another currency than the prices it is used up at.
fn other_money(item: &Item, candidate: &Candidate<'_>, money: Currency) -> Option<Diagnostic> {
    let prices = prices_of(candidate.field);
    let price = prices
        .into_iter()
        .find(|price| currency(price).is_some_and(|of| of != money))?;
    let message = format!(
        "a commitment in {money} covers {}/{}, which has its price in another currency",
        candidate.service, candidate.backend
    );
    let problem = Diagnostic::error("E0365", item.span, &item.pointer, message)
        .label("what is used up of it cannot be counted: nothing is converted here")
        .related(price.span, "the price is here")
        .help("give both in one currency");
    Some(problem)
}
