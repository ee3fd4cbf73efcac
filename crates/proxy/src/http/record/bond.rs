//! What keeps an exchange together with others: found once its service is known, used by the pick, and told the client.

use bascule_model::Instant;
use bascule_traffic::hash::Key;
use http::header::{HeaderMap, HeaderValue};

use super::Exchange;
use crate::affinity::Bond;
use crate::http::check::Asked;

impl Exchange {
    /// Finds what keeps it together with others, if its service wants that.
    pub(crate) fn bind(&mut self, headers: &HeaderMap, asked: &Asked) {
        let affinity = self.service.as_ref().and_then(|s| s.affinity());
        self.bond = affinity.map(|affinity| affinity.bond(headers, asked, &self.client));
    }

    /// What keeps it together with others.
    pub(crate) const fn bond(&self) -> Option<&Bond> {
        self.bond.as_ref()
    }

    /// The key that its endpoint is chosen by, where nothing says where it belongs.
    pub(crate) fn key(&self, headers: &HeaderMap, asked: &Asked) -> Option<Key> {
        let keys = self.service.as_ref()?.keys.as_ref()?;
        let belongs = self.bond.as_ref().is_some_and(|bond| bond.place.is_some());
        if belongs {
            return None;
        }
        keys.of(headers, asked, &self.client)
    }

    /// Its key is in use where it went.
    pub(super) fn note_use(&self, now: Instant) {
        let affinity = self.service.as_ref().and_then(|s| s.affinity());
        if let (Some(affinity), Some(bond), Some(lease)) = (affinity, &self.bond, &self.lease) {
            affinity.used(bond, lease.choice, now);
        }
    }

    /// The cookie that its answer brings the client.
    pub(crate) fn cookie(&self) -> Option<HeaderValue> {
        let affinity = self.service.as_ref()?.affinity()?;
        affinity.cookie(self.bond.as_ref()?, self.lease.as_ref()?.choice)
    }
}
