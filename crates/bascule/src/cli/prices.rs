//! `prices list`: what sending costs by the configuration, how old that is, where it is written, and what was bought
//! beforehand. It prints what a person wrote; no price comes from anywhere else, and nothing is converted.

use bascule_config::{Config, Place};
use bascule_model::{Commitment, Date, EgressPrice, Remaining};
use serde::Serialize;

use super::args::{Format, Global, PricesArgs, PricesCommand};
use super::config::{Text, invalid, live};
use super::exit::{CliError, CliResult, Exit};
use super::output::{Align, Output, Table};
use super::session::Session;
use super::status::unknown_service;
use super::text::{NONE, plural};
use crate::check::prices::OLD_DAYS;

/// Does it.
pub(crate) async fn run(command: &PricesCommand, global: &Global, out: &mut Output) -> CliResult {
    let PricesCommand::List(args) = command;
    let text = match &args.config {
        Some(file) => Text::read(file)?,
        None => live(&mut Session::open(global, out)?).await?,
    };
    let config = text.load().map_err(|problems| invalid(&problems))?.config;
    let today = Date::of(bascule_telemetry::clock::wall());
    let prices = collect(&config, args, today)?;
    let wide = out.format == Format::Wide;
    out.answer("Prices", &prices, |prices| render(prices, wide))?;
    Ok(Exit::Ok)
}

/// What `-o json` prints.
#[derive(Debug, Serialize)]
struct Prices {
    /// The day ages are counted to, in UTC.
    today: String,
    backends: Vec<Backend>,
    commitments: Vec<Bought>,
}

#[derive(Debug, Serialize)]
struct Backend {
    service: String,
    backend: String,
    provider: String,
    /// None where the configuration says none.
    egress_price: Option<Egress>,
}

#[derive(Debug, Serialize)]
struct Egress {
    currency: String,
    tiers: Vec<Tier>,
    as_of: String,
    age_days: u32,
    is_old: bool,
    /// `as_of` is after today: mistyped, or the clock is wrong.
    is_to_come: bool,
    source: Option<String>,
    place: Option<String>,
}

#[derive(Debug, Serialize)]
struct Tier {
    /// None: all that is more.
    up_to_bytes: Option<u64>,
    /// A decimal as text: nothing is lost.
    price_per_gb: String,
    #[serde(skip)]
    shown: String,
}

#[derive(Debug, Serialize)]
struct Bought {
    name: String,
    remaining_bytes: Option<u64>,
    remaining_amount: Option<String>,
    currency: Option<String>,
    as_of: String,
    age_days: u32,
    is_old: bool,
    /// `as_of` is after today: mistyped, or the clock is wrong.
    is_to_come: bool,
    period_ends: String,
    has_ended: bool,
    covers: Vec<String>,
    place: Option<String>,
    #[serde(skip)]
    shown: String,
}

fn collect(config: &Config, args: &PricesArgs, today: Date) -> Result<Prices, CliError> {
    let is_asked = |name: &str| args.service.as_deref().is_none_or(|asked| asked == name);
    let services: Vec<_> = config
        .services
        .iter()
        .filter(|service| is_asked(service.name.as_str()))
        .collect();
    if let (Some(name), true) = (&args.service, services.is_empty()) {
        let known = config.services.iter().map(|s| s.name.to_string());
        return Err(unknown_service(name, &known.collect::<Vec<_>>()));
    }
    let mut backends = Vec::new();
    for service in &services {
        for (backend, spec) in &service.backends {
            let price = config.prices.get(&(service.name.clone(), backend.clone()));
            let pointer = format!("/services/{}/backends/{backend}/egress_price", service.name);
            let place = || config.origins.place(&pointer);
            backends.push(Backend {
                service: service.name.to_string(),
                backend: backend.to_string(),
                provider: spec.provider.to_string(),
                egress_price: price.map(|price| egress(price, place(), today)),
            });
        }
    }
    let covers_some = |commitment: &Commitment| {
        services.iter().any(|service| {
            let mut all = service.backends.iter();
            all.any(|(name, spec)| {
                let covers = &commitment.covers;
                covers
                    .iter()
                    .any(|it| it.is(&service.name, name, &spec.provider))
            })
        })
    };
    let commitments = config.commitments.iter().filter(|(_, it)| covers_some(it));
    let bought = |(name, it): (&String, &Commitment)| {
        let place = config.origins.place(&format!("/commitments/{name}"));
        bought(name, it, place, today)
    };
    Ok(Prices {
        today: today.to_string(),
        commitments: commitments.map(bought).collect(),
        backends,
    })
}

fn egress(price: &EgressPrice, place: Option<Place>, today: Date) -> Egress {
    let age_days = today.days_since(price.as_of);
    let all: Vec<_> = price.tiers.iter().collect();
    let shown = |end: &Option<bascule_model::Volume>, price| match end {
        Some(end) => format!("{price} to {end}"),
        None if all.len() > 1 => format!("{price} beyond"),
        None => format!("{price}"),
    };
    let tiers = all.iter().map(|(end, price)| Tier {
        up_to_bytes: end.map(bascule_model::Volume::as_bytes),
        price_per_gb: price.to_string(),
        shown: shown(end, price),
    });
    Egress {
        currency: price.currency.to_string(),
        tiers: tiers.collect(),
        as_of: price.as_of.to_string(),
        age_days,
        is_old: age_days > OLD_DAYS,
        is_to_come: price.as_of > today,
        source: price.source.clone(),
        place: place.map(|place| place.to_string()),
    }
}

fn bought(name: &str, commitment: &Commitment, place: Option<Place>, today: Date) -> Bought {
    let age_days = today.days_since(commitment.as_of);
    let (bytes, amount, currency) = match commitment.remaining {
        Remaining::Volume(volume) => (Some(volume.as_bytes()), None, None),
        Remaining::Money(amount, currency) => {
            (None, Some(amount.to_string()), Some(currency.to_string()))
        }
    };
    Bought {
        name: name.to_owned(),
        remaining_bytes: bytes,
        remaining_amount: amount,
        currency,
        as_of: commitment.as_of.to_string(),
        age_days,
        is_old: age_days > OLD_DAYS,
        is_to_come: commitment.as_of > today,
        period_ends: commitment.period_ends.to_string(),
        has_ended: commitment.period_ends < today,
        covers: commitment.covers.iter().map(ToString::to_string).collect(),
        place: place.map(|place| place.to_string()),
        shown: commitment.remaining.to_string(),
    }
}

fn or_none(text: Option<&str>) -> String {
    text.unwrap_or(NONE).to_owned()
}

fn render(prices: &Prices, wide: bool) -> String {
    let mut text = backends(&prices.backends, wide);
    if !prices.commitments.is_empty() {
        text.push('\n');
        text.push_str(&commitments(&prices.commitments));
    }
    let warnings = warnings(prices);
    if !warnings.is_empty() {
        text.push('\n');
    }
    for line in warnings {
        text.push_str(&format!("! {line}\n"));
    }
    text
}

fn backends(backends: &[Backend], wide: bool) -> String {
    let mut head = vec![
        ("SERVICE", Align::Left),
        ("BACKEND", Align::Left),
        ("PROVIDER", Align::Left),
        ("A GB", Align::Left),
        ("AS OF", Align::Left),
        ("AGE", Align::Right),
        ("WRITTEN", Align::Left),
    ];
    if wide {
        head.push(("SOURCE", Align::Left));
    }
    let mut table = Table::new(head);
    for backend in backends {
        let price = backend.egress_price.as_ref();
        let tiers = price.map(|price| {
            let tiers: Vec<&str> = price.tiers.iter().map(|tier| tier.shown.as_str()).collect();
            format!("{}  {}", price.currency, tiers.join(" · "))
        });
        table.row([
            backend.service.clone(),
            backend.backend.clone(),
            backend.provider.clone(),
            or_none(tiers.as_deref()),
            or_none(price.map(|price| price.as_of.as_str())),
            price.map_or_else(|| NONE.to_owned(), |price| format!("{}d", price.age_days)),
            or_none(price.and_then(|price| price.place.as_deref())),
            or_none(price.and_then(|price| price.source.as_deref())),
        ]);
    }
    table.render()
}

fn commitments(commitments: &[Bought]) -> String {
    let mut table = Table::new([
        ("COMMITMENT", Align::Left),
        ("REMAINING", Align::Left),
        ("AS OF", Align::Left),
        ("AGE", Align::Right),
        ("ENDS", Align::Left),
        ("COVERS", Align::Left),
        ("WRITTEN", Align::Left),
    ]);
    for commitment in commitments {
        table.row([
            commitment.name.clone(),
            commitment.shown.clone(),
            commitment.as_of.clone(),
            format!("{}d", commitment.age_days),
            commitment.period_ends.clone(),
            commitment.covers.join(", "),
            or_none(commitment.place.as_deref()),
        ]);
    }
    table.render()
}

/// What a reader must not overlook.
fn warnings(prices: &Prices) -> Vec<String> {
    let named = |is: &dyn Fn(Option<&Egress>) -> bool| {
        let which = prices.backends.iter();
        let which = which.filter(|backend| is(backend.egress_price.as_ref()));
        let names = which.map(|backend| format!("{}/{}", backend.service, backend.backend));
        names.collect::<Vec<String>>()
    };
    let old = named(&|price| price.is_some_and(|price| price.is_old));
    let to_come = named(&|price| price.is_some_and(|price| price.is_to_come));
    let without = named(&|price| price.is_none());
    let mut lines = Vec::new();
    if !old.is_empty() {
        let count = plural(old.len(), "price");
        let names = old.join(", ");
        lines.push(format!("{count} older than {OLD_DAYS} days: {names}"));
    }
    if !to_come.is_empty() {
        lines.push(format!("dated after today: {}", to_come.join(", ")));
    }
    if !without.is_empty() {
        lines.push(format!("no price: {}", without.join(", ")));
    }
    lines.extend(prices.commitments.iter().filter_map(warning));
    lines
}

fn warning(commitment: &Bought) -> Option<String> {
    let (name, days) = (&commitment.name, commitment.age_days);
    if commitment.has_ended {
        let end = &commitment.period_ends;
        return Some(format!("commitment {name} has ended on {end}"));
    }
    if commitment.is_to_come {
        return Some(format!(
            "what is left of commitment {name} is dated after today"
        ));
    }
    commitment
        .is_old
        .then(|| format!("what is left of commitment {name} was looked up {days} days ago"))
}

#[cfg(test)]
mod tests;
