//! What keeps an exchange together with others: found once its service is known, used by the pick, and told the client.

use bascule_model::Instant;
use bascule_telemetry::names;
use bascule_traffic::hash::Key;
use bascule_traffic::keys::Ignored;
use http::header::{HeaderMap, HeaderValue};

use super::Exchange;
use crate::affinity::Bond;
use crate::http::check::Asked;

impl Exchange {
    /// Finds what keeps it together with others, if its service wants that.
    pub(crate) fn bind(&mut self, headers: &HeaderMap, asked: &Asked) {
        let affinity = self.service.as_ref().and_then(|s| s.affinity());
        let peer = self.client.peer();
        self.bond = affinity.map(|affinity| affinity.bond(headers, &asked.path, peer));
        if let Some(why) = self.bond.as_ref().and_then(|bond| bond.ignored) {
            self.count_ignored(why);
        }
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
        match keys.find(headers, &asked.path, self.client.peer()) {
            Ok(key) => key,
            Err(why) => {
                self.count_ignored(why);
                None
            }
        }
    }

    /// What the client sent for a key or as a cookie is ignored.
    #[cold]
    fn count_ignored(&self, why: Ignored) {
        let service = self.service.as_ref().map(|s| s.service.name().to_string());
        let labels = [
            ("service", service.unwrap_or_default()),
            ("reason", why.as_str().to_owned()),
        ];
        metrics::with_local_recorder(self.client.worker.recorder(), || {
            metrics::counter!(names::AFFINITY_IGNORED, &labels).increment(1);
        });
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
