//! What sending costs, and what was bought beforehand.

use bascule_model::{Commitment, Covered, EgressPrice, Price, Tiers, Volume};

use crate::form::Value;
use crate::lower::{Field, Item};
use crate::read::Layers;

/// The price of a backend; `None` where it has none, and after a problem.
pub(super) fn egress(item: Option<&Item>) -> Option<EgressPrice> {
    let item = item?;
    let map = Layers::only(Some(item));
    let (currency, tiers) = match (item.get("tiers"), map.price("price")) {
        (None, Some((price, currency))) => (currency, Tiers::flat(price)),
        (Some(list), None) => {
            let (_, currency) = Layers::only(list.items().first()).price("price")?;
            (currency, tiers(list.items())?)
        }
        _ => return None,
    };
    Some(EgressPrice {
        currency,
        tiers,
        as_of: map.date("as_of")?,
        source: map.text("source").map(str::to_owned),
    })
}

/// Tiers whose last is open and whose ends ascend.
fn tiers(items: &[Item]) -> Option<Tiers> {
    let (last, steps) = items.split_last()?;
    let price = |item: &Item| Some(Layers::only(Some(item)).price("price")?.0);
    let step = |item: &Item| -> Option<(Volume, Price)> {
        Some((Layers::only(Some(item)).volume("up_to")?, price(item)?))
    };
    let steps: Option<Vec<_>> = steps.iter().map(step).collect();
    Tiers::new(steps?, price(last)?).ok()
}

/// One entry of `commitments`.
pub(super) fn commitment(field: &Field) -> Option<(String, Commitment)> {
    let map = Layers::only(Some(&field.item));
    let covers = map.get("covers").map(Item::items).unwrap_or_default();
    let covered = |item: &Item| match item.value() {
        Some(Value::Text(text)) => Covered::parse(text),
        _ => None,
    };
    let commitment = Commitment {
        remaining: map.remaining("remaining")?,
        as_of: map.date("as_of")?,
        period_ends: map.date("period_ends")?,
        covers: covers.iter().filter_map(covered).collect(),
    };
    Some((field.name.clone(), commitment))
}
