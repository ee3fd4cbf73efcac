//! What sending costs, and what was bought beforehand, as text.

use bascule_model::{Commitment, EgressPrice};

use super::Lines;
use crate::form::money::show_price;
use crate::write::literal;

pub(super) fn egress(out: &mut Lines, price: &EgressPrice) {
    let shown = |of| literal(&show_price(of, price.currency));
    let tiers: Vec<_> = price.tiers.iter().collect();
    match tiers.as_slice() {
        [(None, flat)] => out.key("price", shown(*flat)),
        tiers => out.list(
            "tiers",
            tiers.iter().map(|(end, price)| match end {
                Some(end) => format!("{{ up_to: {end}, price: {} }}", shown(*price)),
                None => format!("{{ price: {} }}", shown(*price)),
            }),
        ),
    }
    out.key("as_of", price.as_of.to_string());
    if let Some(source) = &price.source {
        out.key("source", literal(source));
    }
}

pub(super) fn commitment(out: &mut Lines, commitment: &Commitment) {
    out.key("remaining", literal(&commitment.remaining.to_string()));
    out.key("as_of", commitment.as_of.to_string());
    out.key("period_ends", commitment.period_ends.to_string());
    let covers = commitment.covers.iter();
    out.list(
        "covers",
        covers.map(|covered| literal(&covered.to_string())),
    );
}
