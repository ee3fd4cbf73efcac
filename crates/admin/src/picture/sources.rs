//! What clouds have, as the API shows it: where endpoints are found, and what follows the split.

use std::collections::BTreeMap;

use bascule_control::apply;
use bascule_control::discover::{Place, Standing};
use bascule_control::failing::Failing;
use bascule_control::observe::Seeing;
use bascule_provider::heard::{Verdict, Whose};
use bascule_provider::port::{Member, Setting};

use super::{Picture, observed};
use crate::{api, convert};

impl Picture<'_> {
    /// All sources, by account and name.
    pub(super) fn sources(&self) -> Vec<api::Source> {
        let mut observed = self.app.ports.observed.all();
        let all = self.app.ports.sources.all().into_iter();
        all.map(|(place, standing)| {
            let seeing = observed.remove(&place);
            self.source(&place, standing, seeing)
        })
        .collect()
    }

    fn source(&self, place: &Place, standing: Standing, seeing: Option<Seeing>) -> api::Source {
        let wishes = self.running.config.discover.iter();
        let of_it = wishes.filter(|(_, wish)| {
            *wish.account == *place.account && wish.from.to_string() == *place.source
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
            failing: standing.error.map(failing),
            observed: seeing.map(|seeing| observed::observed(seeing, self.now)),
        }
    }

    /// All actuators, by service.
    pub(super) fn actuators(&self) -> Vec<api::Actuator> {
        let all = self.app.ports.actuators.all().into_iter();
        all.map(actuator).collect()
    }
}

fn actuator((place, standing): (apply::Place, apply::Standing)) -> api::Actuator {
    let members = standing.settings.map(|settings| settings.members);
    let number = |member: Member| match member.setting {
        Some(Setting::Off) => Some(0),
        Some(Setting::Weight(weight)) => Some(weight),
        None => None,
    };
    let members = members.unwrap_or_default().into_iter();
    api::Actuator {
        service: place.service.to_string(),
        account: place.account.to_string(),
        actuator: place.actuator.to_string(),
        wanted: standing.wanted.0,
        confirmed: standing.confirmed.map(|revision| revision.0),
        members: members
            .map(|(name, member)| (name.to_string(), number(member)))
            .collect(),
        read_at: standing.read_at.map(convert::time),
        error: standing.error.percent(),
        foreign: standing.foreign.percent(),
        drifted_since: standing.drifted_since.map(convert::time),
        delay_seconds: standing.delay.as_secs_f64(),
        failing: standing.failing.map(failing),
        dns: standing.dns.map(dns),
    }
}

fn dns(dns: apply::Dns) -> api::ActuatorDns {
    let (verdict, message) = match &dns.verdict {
        Some(Verdict::Agrees) => ("agrees", String::new()),
        Some(Verdict::Differs(difference)) => ("differs", difference.to_string()),
        Some(Verdict::Unclear(why)) => ("unclear", why.to_string()),
        None => ("not_asked", String::new()),
    };
    let (mut heard, mut foreign, mut unknown) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (whose, count) in dns.heard.of {
        match whose {
            Whose::Member(name) => drop(heard.insert(name.to_string(), count)),
            Whose::Foreign(name) => drop(foreign.insert(name, count)),
            Whose::Nobody(value) => drop(unknown.insert(value, count)),
        }
    }
    api::ActuatorDns {
        asked_at: dns.asked_at.map(convert::time),
        answers: dns.heard.answers,
        heard,
        foreign,
        unknown,
        verdict: verdict.to_owned(),
        message,
        differs_since: dns.differs_since.map(convert::time),
        failures: dns.failures,
    }
}

pub(super) fn failing(failing: Failing) -> api::Failing {
    api::Failing {
        kind: failing.kind.to_owned(),
        message: failing.message,
        since: convert::time(failing.since),
        count: failing.count,
    }
}
