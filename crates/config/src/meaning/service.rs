//! The inside of one service: bounds, safety rules, paths.

use std::collections::BTreeSet;

use bascule_health::OutlierPolicy;
use bascule_model::{BackendName, BasisPoints, Shares};
use bascule_plan::Bounds;

use super::{backends, checks, limits};
use crate::diagnostic::Diagnostic;
use crate::form::Value;
use crate::form::unit::show_duration;
use crate::lower::{Field, Item};
use crate::read::Layers;
use crate::similar;

pub(super) fn check(service: &Field, defaults: Option<&Item>, problems: &mut Vec<Diagnostic>) {
    backends::check(service, checks::is_over_tls(service, defaults), problems);
    limits::check(service, problems);
    bounds(service, problems);
    providers(service, problems);
    override_ttl(service, problems);
    paths(service, problems);
    let layers = Layers::new(Some(&service.item), defaults);
    budget(layers.inside("retry"), problems);
    checks::check(service, defaults, problems);
    let own = service.item.get("outlier");
    holds(
        Layers::new(own, defaults.and_then(|d| d.get("outlier"))),
        problems,
    );
}

/// The longest hold is no shorter than the first.
fn holds(outlier: Layers<'_>, problems: &mut Vec<Diagnostic>) {
    let built_in = OutlierPolicy::default();
    let hold = outlier.duration("hold").unwrap_or(built_in.hold);
    let hold_max = outlier.duration("hold_max").unwrap_or(built_in.hold_max);
    let place = outlier.get("hold_max").or_else(|| outlier.get("hold"));
    let Some(item) = place.filter(|_| hold > hold_max) else {
        return;
    };
    let (first, longest) = (show_duration(hold), show_duration(hold_max));
    let message = "the first hold is longer than the longest";
    let mut problem = Diagnostic::error("E0321", item.span, &item.pointer, message)
        .label(format!("{first} is above {longest}"));
    problem = match outlier.get("hold_max") {
        Some(max) => problem.fix(max.span, first),
        None => problem.help(format!("hold_max: {first}")),
    };
    problems.push(problem);
}

/// Tries beyond the first need a budget; one of nothing grants none.
fn budget(retry: Layers<'_>, problems: &mut Vec<Diagnostic>) {
    let attempts: u32 = retry.integer("attempts").unwrap_or(2);
    let budget = retry.inside("budget");
    let (Some(ratio), Some(min)) = (budget.percent("ratio"), budget.rate("min")) else {
        return;
    };
    let Some(item) = budget
        .get("ratio")
        .filter(|_| attempts > 1 && ratio.is_zero() && min == 0)
    else {
        return;
    };
    let message = "a budget of nothing grants no retry";
    let problem = Diagnostic::error("E0325", item.span, &item.pointer, message)
        .label(format!("0 % and 0/s, with {attempts} tries"))
        .help("to never try again write `attempts: 1`; else a budget such as `ratio: 20%`")
        .fix(item.span, "20%");
    problems.push(problem);
}

fn override_ttl(service: &Field, problems: &mut Vec<Diagnostic>) {
    let ttl = Layers::only(Some(&service.item))
        .inside("safety")
        .inside("override_ttl");
    let (Some(default), Some(max)) = (ttl.duration("default"), ttl.duration("max")) else {
        return;
    };
    let (Some(item), Some(limit)) = (ttl.get("default"), ttl.get("max")) else {
        return;
    };
    if default > max {
        let message = "the default of an override is longer than its limit";
        let problem = Diagnostic::error("E0315", item.span, &item.pointer, message)
            .label(format!(
                "{} is above {}",
                show_duration(default),
                show_duration(max)
            ))
            .related(limit.span, "the limit");
        problems.push(problem);
    }
}

fn paths(service: &Field, problems: &mut Vec<Diagnostic>) {
    let list = service
        .item
        .get("match")
        .map(Item::items)
        .unwrap_or_default();
    for path in list.iter().filter_map(|entry| entry.get("path")) {
        let (exact, prefix) = (path.field("exact"), path.field("prefix"));
        let Some(first) = exact.or(prefix) else {
            if !path.is_bad() {
                let problem =
                    Diagnostic::error("E0105", path.span, &path.pointer, "`path` says nothing")
                        .label("needs `prefix` or `exact`");
                problems.push(problem);
            }
            continue;
        };
        if let (Some(exact), Some(prefix)) = (exact, prefix) {
            let second = if exact.key_span > prefix.key_span {
                exact
            } else {
                prefix
            };
            let other = if second.name == first.name {
                prefix
            } else {
                first
            };
            let message = "a path is matched by `prefix` or by `exact`, not both";
            let problem =
                Diagnostic::error("E0318", second.key_span, &second.item.pointer, message)
                    .related(other.key_span, "the other");
            problems.push(problem);
        }
    }
}

/// A backend with its weight, whether it is off, and its bounds.
type Row = (BackendName, u64, bool, Bounds);

/// The backends that may have a share: (name, whether off, provider). `None` while one of them is undecided.
fn sharing(service: &Field) -> Option<Vec<(BackendName, u64, bool, String)>> {
    let fields = service.item.get("backends").map(Item::fields)?;
    let one = |field: &Field| {
        let map = Layers::only(Some(&field.item));
        let standby = map.word("role").is_some();
        let weight = if standby { 0 } else { map.integer("weight")? };
        let provider = map.text("provider").unwrap_or(&field.name).to_owned();
        Some((
            BackendName::parse(&field.name).ok()?,
            weight,
            !standby && weight == 0,
            provider,
        ))
    };
    fields.iter().map(one).collect()
}

fn providers(service: &Field, problems: &mut Vec<Diagnostic>) {
    let safety = Layers::only(Some(&service.item)).inside("safety");
    let (Some(wanted), Some(item)) = (
        safety.integer::<usize>("min_providers"),
        safety.get("min_providers"),
    ) else {
        return;
    };
    let Some(rows) = sharing(service) else { return };
    let providers: BTreeSet<&str> = rows
        .iter()
        .filter(|(_, _, off, _)| !off)
        .map(|(.., provider)| provider.as_str())
        .collect();
    if wanted > providers.len() {
        let names: Vec<&str> = providers.iter().copied().collect();
        let message = format!(
            "{wanted} providers must stay, and there are {}",
            providers.len()
        );
        let problem = Diagnostic::error("E0316", item.span, &item.pointer, message)
            .label(format!("not off: {}", names.join(", ")));
        problems.push(problem);
    }
}

fn bounds(service: &Field, problems: &mut Vec<Diagnostic>) {
    let Some(field) = service
        .item
        .get("controller")
        .and_then(|c| c.field("bounds"))
    else {
        return;
    };
    let backends = service
        .item
        .get("backends")
        .map(Item::fields)
        .unwrap_or_default();
    for bound in field.item.fields().iter().filter(|_| !backends.is_empty()) {
        if !backends.iter().any(|backend| backend.name == bound.name) {
            problems.push(no_backend(service, bound, backends, field.item.fields()));
        }
    }
    let bound_of = |name: &str| match field.item.get(name).map(Item::value) {
        Some(Some(Value::Bounds(bounds))) => Some(*bounds),
        Some(_) => None,
        None => Some(Bounds {
            min: BasisPoints::ZERO,
            max: BasisPoints::FULL,
        }),
    };
    let Some(rows) = sharing(service) else { return };
    let with_bounds = |(name, weight, off, _): (BackendName, u64, bool, String)| {
        bound_of(name.as_str()).map(|bounds| (name, weight, off, bounds))
    };
    let Some(rows) = rows
        .into_iter()
        .map(with_bounds)
        .collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let least: u32 = rows
        .iter()
        .filter(|r| !r.2)
        .map(|r| u32::from(r.3.min.get()))
        .sum();
    let most: u32 = rows.iter().map(|r| u32::from(r.3.max.get())).sum();
    let wrong = match (least, most) {
        (least, _) if least > 10_000 => {
            Some(format!("the lower bounds add up to {}", percent(least)))
        }
        (_, most) if most < 10_000 => Some(format!("the upper bounds add up to {}", percent(most))),
        _ => None,
    };
    if let Some(label) = wrong {
        let problem = Diagnostic::error(
            "E0313",
            field.key_span,
            &field.item.pointer,
            "no split keeps all bounds",
        )
        .label(label)
        .note("shares add up to 100 %");
        problems.push(problem);
        return;
    }
    declared_in_bounds(field, &rows, problems);
}

/// A warning for each declared share that is out of its bounds.
fn declared_in_bounds(field: &Field, rows: &[Row], problems: &mut Vec<Diagnostic>) {
    let weights = rows.iter().map(|r| (r.0.clone(), r.1));
    let Ok(declared) = Shares::from_weights(weights) else {
        return;
    };
    for (name, _, off, bounds) in rows {
        let share = declared.get(name).unwrap_or_default();
        let inside = *off || (bounds.min..=bounds.max).contains(&share);
        if let Some(item) = field.item.get(name.as_str()).filter(|_| !inside) {
            let message = format!("the declared share of `{name}` is out of its bounds");
            let problem = Diagnostic::warning("W0313", item.span, &item.pointer, message)
                .label(format!("its weight gives {share}%"))
                .note("bounds hold for shifts; the declared weights are taken as they are");
            problems.push(problem);
        }
    }
}

fn percent(points: u32) -> String {
    format!("{}.{:02}%", points / 100, points % 100)
}

fn no_backend(service: &Field, bound: &Field, backends: &[Field], bounds: &[Field]) -> Diagnostic {
    let names: Vec<&str> = backends.iter().map(|b| b.name.as_str()).collect();
    let message = format!("backend `{}` is not defined", bound.name);
    let label = format!(
        "services.{}.backends has {}",
        service.name,
        names.join(", ")
    );
    let problem =
        Diagnostic::error("E0312", bound.key_span, &bound.item.pointer, message).label(label);
    match similar::nearest(&bound.name, names.iter().copied()) {
        Some(meant) if bounds.iter().any(|b| b.name == meant) => {
            problem.help(format!("did you mean `{meant}`?"))
        }
        Some(meant) => problem
            .help(format!("did you mean `{meant}`?"))
            .fix(bound.key_span, meant),
        None => problem,
    }
}
