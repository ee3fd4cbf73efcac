//! Where in clouds endpoints are found, as the API shows it.

use bascule_control::discover::{Place, Standing};

use super::Picture;
use crate::{api, convert};

impl Picture<'_> {
    /// All sources, by account and name.
    pub(super) fn sources(&self) -> Vec<api::Source> {
        let all = self.app.ports.sources.all().into_iter();
        all.map(|(place, standing)| self.source(&place, standing))
            .collect()
    }

    fn source(&self, place: &Place, standing: Standing) -> api::Source {
        let wishes = self.running.config.discover.iter();
        let of_it = wishes.filter(|(_, wish)| {
            *wish.account == *place.account && wish.from.to_string() == *place.source
        });
        let failing = standing.error.map(|failing| api::Failing {
            kind: failing.kind.to_owned(),
            message: failing.message,
            since: convert::time(failing.since),
            count: failing.count,
        });
        api::Source {
            account: place.account.to_string(),
            source: place.source.to_string(),
            backends: of_it
                .map(|((service, backend), _)| format!("{service}/{backend}"))
                .collect(),
            revision: standing.revision,
            running: standing.running,
            known: standing.known,
            good_at: standing.good_at.map(convert::time),
            doubted_since: standing.doubted_since.map(convert::time),
            failing,
        }
    }
}
