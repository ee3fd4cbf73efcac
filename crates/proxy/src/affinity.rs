//! What keeps requests together at one backend and endpoint: finds a request's key or cookie, and says where it belongs. Where
//! a key belongs is decided in `traffic::keys`, what is picked in `traffic::pick`; here is what both need to know of the
//! request, and the cookie that goes back. What a client sends is never trusted: what does not open or cannot be a key is
//! counted and ignored.
//!
//! Next: [`sealer`] for the cookie's seal, [`live`] for keys in use, [`cookie`] for what a client sends and gets.

mod cookie;
mod live;
mod sealer;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bascule_config::Secrets;
use bascule_model::{AdminState, Instant};
use bascule_telemetry::clock;
use bascule_traffic::hash::{self, Key};
use bascule_traffic::keys::live::Seat;
use bascule_traffic::keys::{BondReason, Ignored};
use bascule_traffic::pick::Place;
use bascule_traffic::snapshot::{Endpoint, Service};
use bascule_traffic::spec::{AffinityBy, AffinitySpec, OnDrain};
use bascule_traffic::{Choice, PickReason};
use http::HeaderValue;
use http::header::HeaderMap;
use http::uri::PathAndQuery;

use crate::http::key::Keys;
use crate::http::origin::Peer;
pub(crate) use cookie::Issue;
pub(crate) use live::Live;
use sealer::Sealer;

/// The secrets that cookies are sealed with, by `secret_file`.
pub type CookieSecrets = std::collections::BTreeMap<String, Secrets>;

/// What keeps the requests of one service together, in one worker's view of it.
#[derive(Debug)]
pub(crate) struct Affinity {
    service: Arc<Service>,
    by: By,
    ttl: Duration,
    on_drain: OnDrain,
}

/// The same for each kind of thing that does.
#[derive(Debug)]
enum By {
    /// A key, and where keys are in use, if that is remembered.
    Key(Keys, Option<Kept>),
    /// A cookie; `None` without secrets, which no configuration that was loaded is.
    Cookie(cookie::Cookie, Option<Rc<Sealer>>),
}

/// Where keys are in use.
#[derive(Debug)]
struct Kept {
    live: Arc<Live>,
    /// The numbers of the view's endpoints, in its order.
    seats: Vec<Vec<Option<Seat>>>,
    /// The same by number: indexes of backend and endpoint.
    places: Vec<(Seat, usize, usize)>,
}

/// What is known of one request.
#[derive(Debug, Default)]
pub(crate) struct Bond {
    /// Where it belongs; `None`: nowhere, it goes by the shares.
    pub(crate) place: Option<Place>,
    /// What says so.
    pub(crate) why: Option<BondReason>,
    /// Why what the client sent for it is ignored, if it is.
    pub(crate) ignored: Option<Ignored>,
    /// The cookie that it gets with its answer.
    pub(crate) issue: Issue,
}

impl Affinity {
    /// Of a service in a view; `None` where requests are not kept together.
    pub(crate) fn build(
        service: &Arc<Service>,
        secrets: &CookieSecrets,
        live: impl FnOnce(Duration) -> Arc<Live>,
        previous: Option<&Self>,
    ) -> Option<Self> {
        let spec = service.spec.affinity.as_ref()?;
        let by = match &spec.by {
            AffinityBy::Cookie(cookie) => {
                let known = previous.and_then(Self::sealer).cloned();
                let sealer = match secrets.get(&cookie.secret_file) {
                    Some(secrets) => known
                        .filter(|sealer| sealer.is_of(secrets))
                        .or_else(|| Sealer::new(secrets).map(Rc::new)),
                    // A reload gives the new secrets before the new services: what is still in effect keeps its own.
                    None => known,
                };
                By::Cookie(cookie::Cookie::new(service, cookie), sealer)
            }
            AffinityBy::Key(source) => {
                let is_kept = spec.on_drain == OnDrain::KeepRunning;
                let kept = is_kept.then(|| Kept::new(service, live(spec.ttl)));
                By::Key(Keys::new(source)?, kept)
            }
        };
        let AffinitySpec { ttl, on_drain, .. } = *spec;
        Some(Self {
            service: Arc::clone(service),
            by,
            ttl,
            on_drain,
        })
    }

    /// Whether it would be another with these secrets.
    pub(crate) fn has_secrets(&self, secrets: &CookieSecrets) -> bool {
        let Some(AffinityBy::Cookie(cookie)) = self.service.spec.affinity.as_ref().map(|a| &a.by)
        else {
            return true;
        };
        secrets.get(&cookie.secret_file).is_none_or(|secrets| {
            let held = self.sealer();
            held.is_some_and(|sealer| sealer.is_of(secrets))
        })
    }

    fn sealer(&self) -> Option<&Rc<Sealer>> {
        match &self.by {
            By::Cookie(_, sealer) => sealer.as_ref(),
            By::Key(..) => None,
        }
    }

    /// What is known of a request.
    pub(crate) fn bond(&self, headers: &HeaderMap, path: &PathAndQuery, peer: Peer<'_>) -> Bond {
        match &self.by {
            By::Key(keys, kept) => match keys.find(headers, path, peer) {
                Ok(Some(key)) => self.placed(key, kept.as_ref()),
                Ok(None) => Bond::default(),
                Err(why) => Bond::default().without(why),
            },
            By::Cookie(cookie, sealer) => {
                let is_secure = peer.origin.is_secure(headers);
                match sealer {
                    Some(sealer) => self.by_cookie(cookie, sealer, headers, is_secure),
                    None => Bond::default(),
                }
            }
        }
    }

    /// Where a key belongs: where it is in use, if it may go on there; else where the map says.
    fn placed(&self, key: Key, kept: Option<&Kept>) -> Bond {
        let map = self.service.placement.as_ref();
        let Some(mapped) = map.and_then(|map| map.backend(key)) else {
            return Bond::default();
        };
        let in_use = kept.and_then(|kept| kept.find(key, clock::now(), self.ttl));
        let stays = |(backend, endpoint): (usize, usize)| {
            let at = self.endpoint(backend, endpoint)?;
            let why = match backend == mapped && at.usable {
                true => BondReason::InUse,
                false if self.is_drained_and_keeps(at) => BondReason::Drained,
                false => return None,
            };
            Some((backend, Some(endpoint), why))
        };
        let home = (mapped, None, BondReason::Map);
        let (backend, endpoint, why) = in_use.and_then(stays).unwrap_or(home);
        let place = Place {
            backend,
            endpoint,
            key: Some(key),
        };
        Bond::at(place, why)
    }

    /// Where a cookie says, if it may.
    fn by_cookie(
        &self,
        cookie: &cookie::Cookie,
        sealer: &Sealer,
        headers: &HeaderMap,
        is_secure: bool,
    ) -> Bond {
        let now = cookie::now();
        let (said, ignored) = cookie.find(sealer, headers, now, self.ttl);
        let anew = Bond {
            issue: Issue::New { is_secure },
            ..Bond::default()
        };
        let bond = match said {
            Some(said) => self.by_said(&said, anew, is_secure),
            None => anew,
        };
        match ignored {
            Some(why) => bond.without(why),
            None => bond,
        }
    }

    /// Where what a cookie says leads; `anew`: what a request without one gets.
    fn by_said(&self, said: &cookie::Said, anew: Bond, is_secure: bool) -> Bond {
        let Some(backend) = said.backend else {
            return anew.without(Ignored::Unknown);
        };
        let endpoint = said
            .endpoint
            .and_then(|at| Some((at, self.endpoint(backend, at)?)));
        match endpoint {
            Some((at, endpoint)) if endpoint.usable => Bond {
                issue: if said.is_half_over {
                    Issue::Renewed { is_secure }
                } else {
                    Issue::Nothing
                },
                ..Bond::at(to(backend, Some(at)), BondReason::Cookie)
            },
            Some((at, endpoint)) if self.is_drained_and_keeps(endpoint) => {
                Bond::at(to(backend, Some(at)), BondReason::Drained)
            }
            // What it was with is gone, or takes nothing: another endpoint of the backend, if one does, is its new one.
            _ if self.takes_new(backend) => Bond {
                issue: anew.issue,
                ..Bond::at(to(backend, None), BondReason::CookieBackend)
            },
            _ => anew,
        }
    }

    fn endpoint(&self, backend: usize, endpoint: usize) -> Option<&Endpoint> {
        self.service.backends.get(backend)?.endpoints.get(endpoint)
    }

    fn is_drained_and_keeps(&self, endpoint: &Endpoint) -> bool {
        endpoint.keeps
            && endpoint.admin == AdminState::Drain
            && self.on_drain == OnDrain::KeepRunning
    }

    fn takes_new(&self, backend: usize) -> bool {
        let backend = self.service.backends.get(backend);
        backend.is_some_and(|backend| !backend.off && backend.endpoints.iter().any(|e| e.usable))
    }

    /// A request went somewhere, or has ended there: its key is in use there. One that spilled or was tried again says
    /// nothing about where its key belongs.
    pub(crate) fn used(&self, bond: &Bond, choice: Choice, now: Instant) {
        let By::Key(_, Some(kept)) = &self.by else {
            return;
        };
        let key = bond.place.and_then(|place| place.key);
        let (Some(key), PickReason::Affinity) = (key, choice.why) else {
            return;
        };
        let seats = kept.seats.get(choice.backend);
        if let Some(Some(seat)) = seats.and_then(|seats| seats.get(choice.endpoint)) {
            kept.live.keys.keep(key, *seat, now);
        }
    }

    /// The cookie that a request gets with the answer of the endpoint that was chosen, if it gets one.
    pub(crate) fn cookie(&self, bond: &Bond, choice: Choice) -> Option<HeaderValue> {
        let By::Cookie(cookie, Some(sealer)) = &self.by else {
            return None;
        };
        let is_secure = match bond.issue {
            Issue::New { is_secure } => is_secure,
            Issue::Renewed { is_secure } if choice.why == PickReason::Affinity => is_secure,
            Issue::Nothing | Issue::Renewed { .. } => return None,
        };
        let backend = self.service.backends.get(choice.backend)?;
        let endpoint = backend.endpoints.get(choice.endpoint)?;
        let ticket = sealer::Ticket {
            at: cookie::now(),
            endpoint: hash::of_endpoint(&endpoint.id),
            backend: backend.name.as_str(),
        };
        cookie.value(sealer, ticket, self.ttl, is_secure)
    }
}

impl Bond {
    /// It belongs there.
    const fn at(place: Place, why: BondReason) -> Self {
        Self {
            place: Some(place),
            why: Some(why),
            ignored: None,
            issue: Issue::Nothing,
        }
    }

    /// What the client sent is ignored.
    const fn without(self, why: Ignored) -> Self {
        Self {
            ignored: Some(why),
            ..self
        }
    }
}

const fn to(backend: usize, endpoint: Option<usize>) -> Place {
    Place {
        backend,
        endpoint,
        key: None,
    }
}

impl Kept {
    fn new(service: &Service, live: Arc<Live>) -> Self {
        let seats: Vec<Vec<Option<Seat>>> = service
            .backends
            .iter()
            .map(|backend| backend.endpoints.iter().map(|e| live.seat(&e.id)).collect())
            .collect();
        let mut places: Vec<(Seat, usize, usize)> = Vec::new();
        for (backend, seats) in seats.iter().enumerate() {
            let seats = seats.iter().enumerate();
            places.extend(seats.filter_map(|(at, seat)| Some(((*seat)?, backend, at))));
        }
        places.sort_unstable();
        Self {
            live,
            seats,
            places,
        }
    }

    /// Where a key is in use: indexes of backend and endpoint.
    fn find(&self, key: Key, now: Instant, ttl: Duration) -> Option<(usize, usize)> {
        let seat = self.live.keys.find(key, now, ttl)?;
        let at = self
            .places
            .binary_search_by_key(&seat, |place| place.0)
            .ok()?;
        self.places
            .get(at)
            .map(|(_, backend, endpoint)| (*backend, *endpoint))
    }
}
