//! What sending out costs: the price of a backend over the tiers of a calendar month, and what was bought beforehand. Two
//! questions are answered here: what the next byte costs, and what a volume costs. Both are told how much was sent in the
//! month before; who counts that, and who forecasts it, is elsewhere. It must never convert currencies.

use crate::date::Date;
use crate::name::{BackendName, ProviderName, ServiceName};
use crate::price::{Cost, Currency, Price, Volume};

/// What sending from a backend to clients costs, as its owner wrote it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressPrice {
    /// What it is paid in; one for all backends of a service.
    pub currency: Currency,
    /// The price, by what was sent in the calendar month.
    pub tiers: Tiers,
    /// The day on which it was true.
    pub as_of: Date,
    /// Where it was read: a contract, a list; for people.
    pub source: Option<String>,
}

/// The price of a gigabyte by the volume of a calendar month. One open tier is a flat price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiers {
    /// Ends, ascending, and the price up to there.
    steps: Vec<(Volume, Price)>,
    /// The price of all that is more.
    rest: Price,
}

/// Tiers that do not ascend from above zero: the number of the first that is not beyond the one before it, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tier {at} does not end beyond the one before it")]
pub struct TiersError {
    /// Which.
    pub at: usize,
}

impl Tiers {
    /// The same price for all.
    #[must_use]
    pub const fn flat(price: Price) -> Self {
        let steps = Vec::new();
        Self { steps, rest: price }
    }

    /// Prices up to ends that ascend, and the price of what is more.
    ///
    /// # Errors
    /// An end that is not beyond the one before it; the first must be above zero.
    pub fn new(steps: Vec<(Volume, Price)>, rest: Price) -> Result<Self, TiersError> {
        let mut before = Volume::default();
        for (at, (end, _)) in steps.iter().enumerate() {
            if *end <= before {
                return Err(TiersError { at });
            }
            before = *end;
        }
        Ok(Self { steps, rest })
    }

    /// Each tier: where it ends, `None` for the last, and its price.
    pub fn iter(&self) -> impl Iterator<Item = (Option<Volume>, Price)> {
        let steps = self.steps.iter().map(|(end, price)| (Some(*end), *price));
        steps.chain(std::iter::once((None, self.rest)))
    }

    /// The price of a gigabyte for the next byte, when `sent` was sent in the month before it.
    #[must_use]
    pub fn marginal(&self, sent: Volume) -> Price {
        let step = self.steps.iter().find(|(end, _)| sent < *end);
        step.map_or(self.rest, |(_, price)| *price)
    }

    /// What `volume` costs, when `sent` was sent in the month before it.
    #[must_use]
    pub fn cost(&self, sent: Volume, volume: Volume) -> Cost {
        let (from, to) = (sent.as_bytes(), (sent + volume).as_bytes());
        let mut begin = 0;
        let part = |(end, price): (Option<Volume>, Price)| {
            let end = end.map_or(u64::MAX, Volume::as_bytes);
            let inside = end.min(to).saturating_sub(begin.max(from));
            begin = end;
            price.of(Volume::from_bytes(inside))
        };
        self.iter().map(part).sum()
    }
}

/// What was bought beforehand and is used up by sending: paid whether it is used or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    /// How much was left of it on `as_of`.
    pub remaining: Remaining,
    /// The day on which that was true.
    pub as_of: Date,
    /// The last day on which it can be used.
    pub period_ends: Date,
    /// What is taken from it; at least one, and nothing that another commitment covers.
    pub covers: Vec<Covered>,
}

/// How much is left of a commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remaining {
    /// So many bytes.
    Volume(Volume),
    /// So much money, at the prices of what is covered.
    Money(Cost, Currency),
}

/// What a commitment covers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Covered {
    /// All backends of a provider.
    Provider(ProviderName),
    /// One backend.
    Backend(ServiceName, BackendName),
}

impl Covered {
    /// Reads `PROVIDER` or `SERVICE/BACKEND`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            Some((service, backend)) => Some(Self::Backend(
                ServiceName::parse(service).ok()?,
                BackendName::parse(backend).ok()?,
            )),
            None => ProviderName::parse(text).ok().map(Self::Provider),
        }
    }

    /// Whether it is this backend of this provider.
    #[must_use]
    pub fn is(
        &self,
        service: &ServiceName,
        backend: &BackendName,
        provider: &ProviderName,
    ) -> bool {
        match self {
            Self::Provider(name) => name == provider,
            Self::Backend(of, name) => of == service && name == backend,
        }
    }
}

impl std::fmt::Display for Remaining {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Volume(volume) => write!(f, "{volume}"),
            Self::Money(amount, currency) => write!(f, "{amount} {currency}"),
        }
    }
}

impl std::fmt::Display for Covered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Provider(name) => write!(f, "{name}"),
            Self::Backend(service, backend) => write!(f, "{service}/{backend}"),
        }
    }
}

#[cfg(test)]
mod tests;
