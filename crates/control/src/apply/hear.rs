//! Whether DNS answers as is set: the name servers are asked after each look of an actuator that found or set what is wanted,
//! and their answers judged by `provider::heard`. A difference is told once it was heard twice, and after a write not before
//! its name servers have had time to hear of it. It sets nothing, and fails nothing: the numbers in the cloud are as wanted, and
//! why DNS does not follow them (a delegation to other servers, another record in front, health checks) a person must see.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bascule_model::{RecordType, Timestamp};
use bascule_provider::drive::{Brought, Done};
use bascule_provider::heard::{ALARM, Heard, OVER, Unclear, Verdict, judge};
use bascule_provider::port::{Settings, Values};
use bascule_telemetry::events::Event;
use bascule_telemetry::{clock, names};

use super::Follower;

/// Between two times that a difference is asked about: by then other answers are drawn, and a server that was about to hear of
/// a change has.
const AGAIN: Duration = Duration::from_secs(5);
/// After a write no difference is told for so long: Route 53 says when its servers have it, OCI does not, and says no time.
const SETTLE: Duration = Duration::from_secs(60);

/// Asks the name servers of an actuator's name.
pub trait Ask: Debug + Send + Sync {
    /// What they answer for this type of record. Dropping it ends it.
    fn ask(&self, kind: RecordType) -> Pin<Box<dyn Future<Output = Asked> + '_>>;
}

/// What name servers answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// The values of each answer.
    pub answers: Vec<Values>,
    /// Which server's answers are missing, and why.
    pub failures: Vec<String>,
}

/// What is known of what DNS answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dns {
    /// When it was asked last.
    pub asked_at: Option<Timestamp>,
    /// What it answered then.
    pub heard: Heard,
    /// What that says of what is set; `None`: there was no answer.
    pub verdict: Option<Verdict>,
    /// Why answers are missing.
    pub failures: Vec<String>,
    /// Since when a difference is told.
    pub differs_since: Option<Timestamp>,
}

impl Follower {
    /// Asks until there is nothing to tell, or it is told.
    pub(super) async fn hear(&mut self) {
        let Some(names) = self.wanted.dns.clone() else {
            return;
        };
        let settings = self.standing.borrow().settings.clone();
        let Some(settings) = settings else {
            return;
        };
        let mut is_first = true;
        loop {
            let asked = match settings.dns.kind {
                Some(kind) => names.ask(kind).await,
                None => Asked {
                    answers: Vec::new(),
                    failures: vec!["its answers are not all of one type".to_owned()],
                },
            };
            let is_settled = self.settles_at.is_none_or(|at| clock::now() >= at);
            let is_sure = !is_first && is_settled;
            if self.weigh(&settings, asked, is_sure) {
                return;
            }
            is_first = false;
            clock::sleep_until(clock::now() + AGAIN).await;
        }
    }

    /// What was written is heard of after a while, and what was heard before says nothing of it. To be called while the old
    /// settings stand.
    pub(super) fn written(&mut self, brought: &Brought) {
        let mut standing = self.standing.borrow_mut();
        let is_same = standing.settings.as_ref() == Some(&brought.settings);
        let by_us = matches!(brought.done, Done::Set | Done::Reverted);
        // What another tool wrote takes as long, and is left where that is wanted.
        if by_us || (standing.settings.is_some() && !is_same) {
            self.settles_at = Some(clock::now() + SETTLE);
        }
        if let Some(dns) = standing.dns.as_mut().filter(|_| !is_same) {
            *dns = Dns {
                differs_since: dns.differs_since,
                ..Dns::default()
            };
        }
    }

    /// False: it is to be asked again, as there is a difference of which it is not sure.
    fn weigh(&self, settings: &Settings, asked: Asked, is_sure: bool) -> bool {
        let mut standing = self.standing.borrow_mut();
        let dns = standing.dns.get_or_insert_default();
        let was_told = dns.differs_since.is_some();
        dns.asked_at = Some(clock::wall());
        dns.failures = asked.failures;
        dns.heard = Heard::count(settings, &asked.answers);
        let chance = if was_told { OVER } else { ALARM };
        let is_answered = !asked.answers.is_empty();
        dns.verdict = is_answered.then(|| judge(settings, &dns.heard, chance));
        let told = match &dns.verdict {
            Some(Verdict::Differs(difference)) if !was_told && is_sure => {
                Some(difference.to_string())
            }
            Some(Verdict::Agrees) if was_told => Some("DNS answers as is set".to_owned()),
            // Too few answers leave it open; what cannot be judged any more is no difference any more.
            Some(Verdict::Unclear(why)) if was_told && !matches!(why, Unclear::Few(_)) => {
                Some(why.to_string())
            }
            _ => None,
        };
        if told.is_some() {
            dns.differs_since = (!was_told).then(clock::wall);
        }
        let is_told = dns.differs_since.is_some();
        let is_done = is_told || !matches!(dns.verdict, Some(Verdict::Differs(_)));
        drop(standing);
        if let Some(what) = told {
            let kind = if is_told {
                "actuator_not_heard"
            } else {
                "actuator_heard"
            };
            self.tell(kind, &what);
        }
        self.gauge(names::APPLY_DNS_DIFFERS)
            .set(f64::from(u8::from(is_told)));
        self.show();
        is_done
    }

    fn tell(&self, kind: &'static str, what: &str) {
        let place = &self.place;
        let message = format!(
            "{}: {what} ({} {})",
            place.service, place.account, place.actuator
        );
        self.bus
            .publish(Event::new(kind, message).service(&place.service));
    }
}
