//! Why a backend has its share: the chain from the declared share to the effective one, every number from the snapshot
//! that the edge really uses. Recomputes nothing: what it cannot find there it does not say.

pub(crate) mod request;

use std::collections::BTreeSet;

use bascule_health::{AgentState, Verdict};
use bascule_traffic::snapshot::{Backend, Endpoint, Factors, Mode, Service};
use bascule_traffic::spec::Role;

use crate::api::{self, Explanation, Factor, NotInPlay};
use crate::convert;
use crate::picture::{Picture, losses, words};

/// The health factor's share of endpoints that may be down before a backend gets less: min(1, 1.4 × up/total).
const HEALTH_SLACK: f64 = 1.4;

/// Explains one backend.
pub(crate) fn explain(picture: &Picture<'_>, service: &Service, backend: &Backend) -> Explanation {
    let name = service.name();
    let view = picture.view(name);
    let declared = service.spec.declared.get(&backend.name).unwrap_or_default();
    let factors = backend.factors;
    let others = service.backends.iter().filter(|b| b.name != backend.name);
    let (up, total) = (factors.up, factors.total);
    let mut explanation = Explanation {
        service: name.to_string(),
        backend: backend.name.to_string(),
        provider: backend.provider.to_string(),
        revision: picture.state.revision.0,
        effective: backend.effective.percent(),
        declared: declared.percent(),
        declared_at: declared_at(picture, service, backend),
        target: factors.target.percent(),
        target_why: words::target_why(picture, service, backend),
        factors: chain(picture, service, backend),
        product: percent(factors.product),
        product_sum: percent(service.backends.iter().map(|b| b.factors.product).sum()),
        others: others
            .map(|b| Factor {
                name: b.name.to_string(),
                value: percent(b.factors.product),
                why: words::why(picture, service, b),
            })
            .collect(),
        off: backend.off,
        off_why: words::off_why(picture, service, backend),
        mode: match service.mode {
            Mode::Serve => api::Mode::Serve,
            Mode::FailOpen => api::Mode::FailOpen,
            Mode::Refuse(_) => api::Mode::Refuse,
        },
        override_row: view
            .and_then(|view| view.override_row.as_ref())
            .map(convert::override_row),
        shift: view.and_then(|view| view.shift.clone()),
        endpoints_up: up,
        endpoints_total: total,
        not_in_play: Vec::new(),
        shed: service.shed.percent(),
        losses: losses::losses(service),
        would_return: would_return(picture, service, backend),
        confirmed_revision: picture.confirmed.revision.0,
        workers: picture.confirmed.workers,
        text: Vec::new(),
    };
    explanation.not_in_play = not_in_play(&explanation, service);
    explanation.text = text(&explanation);
    explanation
}

/// The factors between target and product.
fn chain(picture: &Picture<'_>, service: &Service, backend: &Backend) -> Vec<Factor> {
    let factors = backend.factors;
    let factor = |name: &str, value: f64, why: String| Factor {
        name: name.to_owned(),
        value,
        why,
    };
    let mut chain = vec![
        factor(
            "health",
            factors.health,
            format!(
                "{}{}{}",
                health_why(backend),
                reserve(backend),
                taken_out(picture, backend)
            ),
        ),
        factor(
            "slow_start",
            factors.slow_start,
            slow_start_why(factors.slow_start),
        ),
    ];
    if service.has_capacity() {
        let why = capacity_why(service, backend);
        chain.push(factor("capacity", factors.capacity, why));
    }
    chain
}

fn health_why(backend: &Backend) -> String {
    let Factors {
        up, total, target, ..
    } = backend.factors;
    match backend.factors.room {
        None => format!("{up} of {total} endpoints up: min(1, {HEALTH_SLACK} × {up}/{total})"),
        Some(room) => format!(
            "{up} of {total} endpoints up: min(1, {} × {up}/{total} ÷ {target} %)",
            room_words(room)
        ),
    }
}

/// Which priorities of SRV names serve, and how many endpoints stand in reserve; nothing where there are none.
fn reserve(backend: &Backend) -> String {
    let waiting = backend.endpoints.iter().filter(|e| e.is_reserve).count();
    if waiting == 0 {
        return String::new();
    }
    let serving = backend.endpoints.iter().filter(|e| !e.is_reserve);
    let serving: BTreeSet<u16> = serving.filter_map(|e| e.priority).collect();
    let serving: Vec<String> = serving.iter().map(ToString::to_string).collect();
    format!(
        "; priority {} serves, {waiting} of others in reserve",
        serving.join(" and ")
    )
}

/// What of all that comes fits there.
fn room_words(room: u64) -> String {
    format!("{}.{:02} %", room / 100, room % 100)
}

fn capacity_why(service: &Service, backend: &Backend) -> String {
    let share = losses::share_of_all(service, backend);
    let used = losses::utilization(service, backend, share);
    let used =
        used.map(|(unit, ratio)| format!("at {:.0} % of its {}", ratio * 100.0, unit.as_str()));
    match (used, service.demand) {
        (Some(used), _) if backend.factors.capacity < 1.0 => format!("full, {used}"),
        (Some(used), _) => used,
        (None, Some(_)) => "none declared".to_owned(),
        (None, None) => "the load is not known yet".to_owned(),
    }
}

/// A ratio as percent with two decimals.
fn percent(ratio: f64) -> f64 {
    (ratio * 10_000.0).round() / 100.0
}

fn declared_at(picture: &Picture<'_>, service: &Service, backend: &Backend) -> Option<String> {
    let key = match service.spec.backends.get(&backend.name)?.role {
        Role::Weighted(_) => "weight",
        Role::Standby => "role",
    };
    let pointer = format!(
        "/services/{}/backends/{}/{key}",
        service.name(),
        backend.name
    );
    let place = picture.running.config.origins.nearest(&pointer)?;
    Some(place.to_string())
}

fn slow_start_why(value: f64) -> String {
    if value < 1.0 {
        format!("returning, {:.0} % of its ramp done", value * 100.0)
    } else {
        "none".to_owned()
    }
}

/// The endpoints that traffic took out, and why; or that checks are not believed; and what agents say.
fn taken_out(picture: &Picture<'_>, backend: &Backend) -> String {
    let mut words = String::new();
    for endpoint in &backend.endpoints {
        let Some(verdict) = picture.report.endpoints.get(&*endpoint.id) else {
            continue;
        };
        let label = endpoint.id.label();
        if let Some(ejection) = verdict.ejection {
            words.push_str(&format!("; traffic took {label} out: {}", ejection.offence));
        } else if verdict.held {
            words.push_str(&format!("; {label} is up against its checks"));
        }
        if let Some(agent) = verdict.agent.as_ref().filter(|a| !a.is_ordinary()) {
            words.push_str(&format!("; the agent of {label} says {agent}"));
        }
    }
    words
}

fn would_return(picture: &Picture<'_>, service: &Service, backend: &Backend) -> String {
    if backend.off {
        return String::new();
    }
    let is_down = |e: &&Endpoint| {
        let verdict = picture.report.endpoints.get(&*e.id);
        let by_agent = verdict.and_then(out_by_agent).is_some_and(|agent| {
            e.admin <= agent.wanted() // Else people alone bring it back.
        });
        let is_out = (!e.observed.is_usable() && e.admin.is_checked()) || by_agent;
        is_out && !e.is_reserve
    };
    let down: Vec<&Endpoint> = backend.endpoints.iter().filter(is_down).collect();
    let target = backend.factors.target;
    if down.is_empty() {
        let back = backend.factors.slow_start < 1.0;
        let words = format!("Comes back to {target} % when its ramp is done.");
        return if back { words } else { String::new() };
    }
    let (mut failing, mut conditions) = (Vec::new(), Vec::new());
    let (mut out, mut by_agents) = (Vec::new(), Vec::new());
    for endpoint in down {
        let verdict = picture.report.endpoints.get(&*endpoint.id);
        let label = endpoint.id.label();
        let agent = verdict.and_then(out_by_agent).map(returns_with);
        by_agents.extend(agent.map(|word| format!("the agent of {label} says {word}")));
        if !verdict.is_some_and(|v| v.by_checks.is_usable()) {
            failing.push(label);
        } else if verdict.is_some_and(|v| v.ejection.is_some()) {
            out.push(label);
        }
    }
    if !failing.is_empty() {
        let check = picture.running.config.checks.get(service.name());
        let rise = check.map_or(0, |check| check.rise);
        let passes = if failing.len() == 1 { "passes" } else { "pass" };
        let names = failing.join(" and ");
        conditions.push(format!("{names} {passes} {rise} checks in a row"));
    }
    if !out.is_empty() {
        conditions.push(format!("trial requests to {} pass", out.join(" and ")));
    }
    conditions.extend(by_agents);
    let conditions = conditions.join(" and ");
    format!("Would return to {target} % when {conditions}.")
}

/// What the agent beside an endpoint says, if it takes it out.
fn out_by_agent(verdict: &Verdict) -> Option<&AgentState> {
    verdict.agent.as_ref().filter(|agent| agent.takes_out())
}

/// The word by which an agent undoes what it said.
const fn returns_with(agent: &AgentState) -> &'static str {
    match (agent.down, agent.admin.takes_new()) {
        (Some(_), _) => "up",
        (None, false) => "ready",
        (None, true) => "more than 0 %",
    }
}

fn not_in_play(explanation: &Explanation, service: &Service) -> Vec<NotInPlay> {
    let mut list = vec![("controller", "off")];
    if !service.has_capacity() {
        list.insert(0, ("capacity", "none declared"));
    }
    if explanation.override_row.is_none() {
        list.insert(0, ("override", "none"));
    }
    if explanation.mode != api::Mode::FailOpen {
        let configured = if service.may_fail_open() {
            "not now"
        } else {
            "not configured"
        };
        list.push(("fail_open", configured));
    }
    list.into_iter()
        .map(|(name, why)| NotInPlay {
            name: name.to_owned(),
            why: why.to_owned(),
        })
        .collect()
}

/// The whole in lines for people: one number a line, and where it comes from.
fn text(e: &Explanation) -> Vec<String> {
    let line = |sign: &str, number: f64, what: &str, why: &str| {
        let why = if why.is_empty() {
            String::new()
        } else {
            format!("  {why}")
        };
        format!("{sign:>2} {number:>6.2}  {what:<12}{why}")
            .trim_end()
            .to_owned()
    };
    let mut lines = vec![format!(
        "{} has share {:.2} %.  Declared: {:.2} %.",
        e.backend, e.effective, e.declared
    )];
    let at = e.declared_at.as_deref().unwrap_or_default();
    lines.push(line("", e.declared, "declared", at));
    if e.off {
        lines.push(line("→", e.effective, "off", &e.off_why));
        return lines;
    }
    if (e.target - e.declared).abs() > f64::EPSILON {
        lines.push(line("→", e.target, "target", &e.target_why));
    }
    for factor in &e.factors {
        lines.push(line("×", factor.value, &factor.name, &factor.why));
    }
    let others: Vec<String> = e
        .others
        .iter()
        .map(|other| format!("{} {:.2}", other.name, other.value))
        .collect();
    let of = format!("of {:.2}: {}", e.product_sum, others.join(", "));
    lines.push(line("=", e.product, "product", &of));
    let how = match e.mode {
        api::Mode::Serve => format!("product ÷ {:.2}", e.product_sum),
        api::Mode::FailOpen => "no backend is up: the target row is used (fail-open)".to_owned(),
        api::Mode::Refuse => "no backend is up: requests are refused".to_owned(),
    };
    lines.push(line("→", e.effective, "effective", &how));
    lines.push(format!(
        "in use: revision {} on {} workers",
        e.confirmed_revision, e.workers
    ));
    let idle = e
        .not_in_play
        .iter()
        .map(|n| format!("{} ({})", n.name, n.why));
    lines.push(format!(
        "not in play: {}",
        idle.collect::<Vec<_>>().join(", ")
    ));
    if !e.would_return.is_empty() {
        lines.push(e.would_return.clone());
    }
    let loss = |loss: &api::Loss| format!("if {} is lost: {}", loss.provider, loss.text);
    lines.extend(e.losses.iter().map(loss));
    lines
}
