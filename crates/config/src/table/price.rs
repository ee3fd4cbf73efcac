//! The keys of what sending costs: prices of backends, and commitments. What they mean together is decided in
//! [`meaning`](crate::meaning); how old they are nobody knows here.

use bascule_model::Volume;

use super::Reload::Live;
use super::{Shape, Type, optional, required, shape};
use crate::form::Form;

const AS_OF: Type = Type::Value(Form::Date);

pub(super) static EGRESS: Shape = shape(
    "`egress_price`",
    "services.NAME.backends.NAME.egress_price",
    &[
        optional(
            "price",
            Type::Value(Form::Price),
            "by `tiers`",
            Live,
            "The same price for every GB.",
        ),
        optional(
            "tiers",
            Type::List(&Type::Map(&TIER), 1),
            "by `price`",
            Live,
            "Prices by what was sent in the calendar month; the last has no `up_to`. Not together with `price`.",
        ),
        required(
            "as_of",
            AS_OF,
            "The day on which it was true. `bascule check` warns of prices older than 90 days.",
        ),
        optional(
            "source",
            Type::Value(Form::Text),
            "none",
            Live,
            "Where it was read, such as a contract; for display.",
        ),
    ],
);

static TIER: Shape = shape(
    "a tier",
    "services.NAME.backends.NAME.egress_price.tiers[]",
    &[
        optional(
            "up_to",
            Type::Value(Form::Volume(
                Volume::from_bytes(1),
                Volume::from_bytes(1_000_000_000_000_000_000),
            )),
            "all that is more",
            Live,
            "Where it ends. What is sent beyond costs what the next one says.",
        ),
        required("price", Type::Value(Form::Price), "What a GB in it costs."),
    ],
);

pub(super) static COMMITMENT: Shape = shape(
    "a commitment",
    "commitments.NAME",
    &[
        required(
            "remaining",
            Type::Value(Form::Remaining),
            "What was left of it on `as_of`: a volume, or an amount that is used up at the prices of what it covers.",
        ),
        required("as_of", AS_OF, "The day on which that was true."),
        required(
            "period_ends",
            AS_OF,
            "The last day on which it can be used.",
        ),
        required(
            "covers",
            Type::List(&Type::Value(Form::Text), 1),
            "What is taken from it: all backends of a provider (`oci`), or one backend (`meet/oci`).",
        ),
    ],
);
