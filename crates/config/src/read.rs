//! Getting typed values out of what was lowered. A getter gives `None` for what is absent and for what was refused;
//! who must tell them apart asks `has`.

use std::time::Duration;

use bascule_model::{BasisPoints, Currency, Date, Price, Remaining, Volume};

use crate::form::Value;
use crate::lower::{Field, Item, Lowered};

impl Item {
    /// The fields of a map; none for anything else.
    pub(crate) fn fields(&self) -> &[Field] {
        match &self.lowered {
            Lowered::Map(fields) => fields,
            _ => &[],
        }
    }

    /// The entries of a list; none for anything else.
    pub(crate) fn items(&self) -> &[Item] {
        match &self.lowered {
            Lowered::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn value(&self) -> Option<&Value> {
        match &self.lowered {
            Lowered::Value(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn is_bad(&self) -> bool {
        matches!(self.lowered, Lowered::Bad)
    }

    /// The field of a fixed key.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields().iter().find(|field| field.name == name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Item> {
        self.field(name).map(|field| &field.item)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }
}

/// Maps of the same shape, the first that has a key wins: a service's own, then the defaults.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Layers<'a> {
    own: Option<&'a Item>,
    base: Option<&'a Item>,
}

impl<'a> Layers<'a> {
    pub(crate) fn new(own: Option<&'a Item>, base: Option<&'a Item>) -> Self {
        Self { own, base }
    }

    pub(crate) fn only(own: Option<&'a Item>) -> Self {
        Self { own, base: None }
    }

    /// What the service says itself.
    pub(crate) const fn own_item(self) -> Option<&'a Item> {
        self.own
    }

    /// What the defaults say.
    pub(crate) const fn base_item(self) -> Option<&'a Item> {
        self.base
    }

    /// The defaults alone.
    pub(crate) fn base(self) -> Self {
        Self {
            own: None,
            base: self.base,
        }
    }

    /// The same key of both layers.
    pub(crate) fn inside(self, name: &str) -> Self {
        let get = |item: Option<&'a Item>| item.and_then(|item| item.get(name));
        Self {
            own: get(self.own),
            base: get(self.base),
        }
    }

    pub(crate) fn get(self, name: &str) -> Option<&'a Item> {
        let own = self.own.and_then(|item| item.get(name));
        own.or_else(|| self.base.and_then(|item| item.get(name)))
    }

    fn value(self, name: &str) -> Option<&'a Value> {
        self.get(name).and_then(Item::value)
    }

    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        match self.value(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn word(self, name: &str) -> Option<&'static str> {
        match self.value(name) {
            Some(Value::Word(word)) => Some(word),
            _ => None,
        }
    }

    pub(crate) fn boolean(self, name: &str) -> Option<bool> {
        match self.value(name) {
            Some(Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// A whole number; the form held it to the range of the type.
    pub(crate) fn integer<T: TryFrom<u64>>(self, name: &str) -> Option<T> {
        match self.value(name) {
            Some(Value::Integer(value) | Value::Size(value)) => T::try_from(*value).ok(),
            _ => None,
        }
    }

    pub(crate) fn ratio(self, name: &str) -> Option<f64> {
        match self.value(name) {
            Some(Value::Ratio(value) | Value::Rise(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn duration(self, name: &str) -> Option<Duration> {
        match self.value(name) {
            Some(Value::Duration(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn percent(self, name: &str) -> Option<BasisPoints> {
        match self.value(name) {
            Some(Value::Percent(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn rate(self, name: &str) -> Option<u32> {
        match self.value(name) {
            Some(Value::Rate(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn bit_rate(self, name: &str) -> Option<u64> {
        match self.value(name) {
            Some(Value::BitRate(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn price(self, name: &str) -> Option<(Price, Currency)> {
        match self.value(name) {
            Some(Value::Price(price, currency)) => Some((*price, *currency)),
            _ => None,
        }
    }

    pub(crate) fn volume(self, name: &str) -> Option<Volume> {
        match self.value(name) {
            Some(Value::Volume(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn remaining(self, name: &str) -> Option<Remaining> {
        match self.value(name) {
            Some(Value::Remaining(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn date(self, name: &str) -> Option<Date> {
        match self.value(name) {
            Some(Value::Date(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn socket(self, name: &str) -> Option<std::net::SocketAddr> {
        match self.value(name) {
            Some(Value::Socket(value)) => Some(*value),
            _ => None,
        }
    }
}
