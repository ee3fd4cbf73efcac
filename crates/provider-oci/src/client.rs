//! One account in one region: makes a call, signed and within a time, and gives back what the answer says, or an error in
//! the port's words, at the account's pace. It never makes a change a second time, and decides nothing. The calls are in
//! [`operation`], how one is written in [`ask`], what becomes of a refusal in [`refusal`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bascule_net::tls::client::Roots;
use bascule_provider::identity::{SKEW_TOLD, Skew};
use bascule_provider::pace::{Limit, Pace, Repeat};
use bascule_provider::{self as provider, Error, Kind};
use bascule_telemetry::clock;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::OwnedMutexGuard;

use crate::auth::{Auth, Identity};
use crate::region::{Region, Service};
use crate::wire::{Answer, Wire, WireError};

mod ask;
pub(crate) mod operation;
mod refusal;

pub(crate) use ask::Ask;
pub(crate) use operation::Operation;
use refusal::Context;
pub(crate) use refusal::SKEW_MAX;

const NEXT_PAGE: &str = "opc-next-page";
const REQUEST_ID: &str = "opc-request-id";
const DATE: &str = "date";
const ETAG: &str = "etag";

/// The most that a page may hold, for all lists that are read here.
pub(crate) const PAGE_MAX: u32 = 1000;

/// The most pages of one list: a hundred thousand things. A list that is longer is one that never ends.
const PAGES_MAX: usize = 100;

/// How often one service is called unless somebody says otherwise. OCI publishes no rates and answers 429 where it has had
/// enough, so this is a guess on the safe side: 2 000 machines take seven calls, their public addresses a hundred seconds.
pub const LIMIT: Limit = Limit {
    per_second: 20,
    burst: 40,
};

/// What a client is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The region's identifier. Default: the one that the credentials name.
    pub region: Option<String>,
    /// Services at other addresses than the region's, `https://host[:port]` without a path: private endpoints, tests.
    pub endpoints: BTreeMap<Service, String>,
    /// Who is trusted to vouch for the services.
    pub roots: Roots,
    /// For one call, its connection included. Default 10 s: OCI answers in tenths of a second, and what takes longer is ill.
    pub timeout: Duration,
    /// The first pause between two looks at a change that is under way; later ones are longer. Default 500 ms: a load
    /// balancer takes some seconds.
    pub pause: Duration,
    /// The pace of the account, to be shared by all clients of it; what reads is repeated by it where that may help. Default:
    /// one of this client alone, at [`LIMIT`] for each service. `None`: every call is made at once, and once.
    pub pace: Option<Arc<Pace>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: None,
            endpoints: BTreeMap::new(),
            roots: Roots::Web,
            timeout: Duration::from_secs(10),
            pause: Duration::from_millis(500),
            pace: Some(Arc::new(Pace::new(LIMIT, &[], fastrand::u64(..)))),
        }
    }
}

/// One account in one region.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    region: Option<Region>,
    auth: Auth,
    wire: Wire,
    /// What takes one change at a time, by its id.
    busy: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    pub(crate) data: T,
    /// What changes with every change of it, where the API has that.
    pub(crate) tag: Option<String>,
}

impl Client {
    /// For this account; nothing is asked yet.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a region that is none and for roots that hold no certificate.
    pub fn new(settings: Settings, auth: Auth) -> Result<Self, Error> {
        let wire = Wire::new(&settings.roots, settings.timeout).map_err(|error| {
            Error::new(Kind::Invalid, "TLS", "")
                .detail("the roots cannot be used")
                .because(error)
        })?;
        let region = settings.region.as_deref().map(Region::named).transpose()?;
        Ok(Self {
            settings,
            region,
            auth,
            wire,
            busy: Mutex::default(),
        })
    }

    /// Who asks, once OCI has taken the credentials: for whoever looks over them before they are needed. Which regions there are
    /// is asked for; a refusal for want of a statement proves the credentials as well.
    ///
    /// # Errors
    /// What is wrong with the credentials, with what a person can do.
    pub async fn identity(&self) -> Result<provider::Identity, Error> {
        let ask = Ask::new(&operation::LIST_REGIONS, "", "/regions");
        let prove = async || {
            let (identity, answer) = self.exchange(&ask, None).await?;
            if !refusal::is_of_policy(&answer) {
                self.judge(&ask, &identity, &answer)?;
                parse::<Vec<IgnoredAny>>(&ask, &answer)?;
            }
            let region = self.region.as_ref().or(identity.region.as_ref());
            let region = region.map_or("no region", |region| region.name.as_str());
            Ok(provider::Identity {
                name: format!("{}, in {region}", identity.name),
                skew: Skew::of(answer.header(DATE), clock::wall(), SKEW_TOLD),
            })
        };
        self.paced(&ask, prove).await
    }

    /// The first pause between two looks at a change.
    pub(crate) const fn pause(&self) -> Duration {
        self.settings.pause
    }

    /// Until the guard is dropped nobody else who asks here changes what has this id.
    pub(crate) async fn exclusive(&self, id: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(busy.entry(id.to_owned()).or_default())
        };
        lock.lock_owned().await
    }

    /// Asks, and reads the answer as JSON.
    pub(crate) async fn read<T: DeserializeOwned>(&self, ask: &Ask) -> Result<Reply<T>, Error> {
        let answer = self.send(ask, None).await?;
        Ok(Reply {
            data: parse(ask, &answer)?,
            tag: answer.header(ETAG).map(str::to_owned),
        })
    }

    /// Asks for every page of a list. Complete or an error.
    pub(crate) async fn list<T: DeserializeOwned>(&self, ask: &Ask) -> Result<Vec<T>, Error> {
        let mut all: Vec<T> = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let answer = self.send(ask, page.as_deref()).await?;
            all.extend(parse::<Vec<T>>(ask, &answer)?);
            let next = answer.header(NEXT_PAGE).filter(|next| !next.is_empty());
            match next {
                None => return Ok(all),
                next if next == page.as_deref() => break,
                next => page = next.map(str::to_owned),
            }
        }
        Err(ask.error(Kind::Invalid).detail("a list that does not end"))
    }

    /// Asks for a change that is done later; the work to wait for has this id. An answer without one is none of the API's:
    /// something in between may answer with 200 as well.
    pub(crate) async fn change(&self, ask: &Ask) -> Result<String, Error> {
        let answer = self.send(ask, None).await?;
        let id = answer.header("opc-work-request-id").map(str::to_owned);
        id.ok_or_else(|| refusal::foreign(ask, &answer))
    }

    async fn send(&self, ask: &Ask, page: Option<&str>) -> Result<Answer, Error> {
        let send = async || {
            let (identity, answer) = self.exchange(ask, page).await?;
            self.judge(ask, &identity, &answer).map(|()| answer)
        };
        self.paced(ask, send).await
    }

    async fn paced<T, F>(&self, ask: &Ask, mut call: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let Some(pace) = &self.settings.pace else {
            return call().await;
        };
        let repeat = if ask.operation.changes() {
            Repeat::No
        } else {
            Repeat::Yes
        };
        pace.call(ask.operation.service.as_str(), repeat, call)
            .await
    }

    /// Asks once, and gives the answer with who it was that asked.
    async fn exchange(
        &self,
        ask: &Ask,
        page: Option<&str>,
    ) -> Result<(Arc<Identity>, Answer), Error> {
        let identity = self.auth.identity(&self.wire).await?;
        let base = self.base(ask, &identity)?;
        let request = ask::request(ask, page, &base, &identity, clock::wall())?;
        let answer = self.wire.exchange(&base, request).await;
        let answer = answer.map_err(|error| broken(ask, &base, error))?;
        Ok((identity, answer))
    }

    /// A refusal as an error; what is not accepted any more is forgotten.
    fn judge(&self, ask: &Ask, identity: &Arc<Identity>, answer: &Answer) -> Result<(), Error> {
        if answer.status.is_success() {
            return Ok(());
        }
        if answer.status == http::StatusCode::UNAUTHORIZED {
            self.auth.forget(identity);
        }
        let context = Context {
            who: identity.who,
            now: clock::wall(),
        };
        Err(refusal::error(ask, answer, context))
    }

    /// Where the service is.
    fn base(&self, ask: &Ask, identity: &Identity) -> Result<String, Error> {
        let service = ask.operation.service;
        if let Some(base) = self.settings.endpoints.get(&service) {
            return Ok(base.trim_end_matches('/').to_owned());
        }
        let region = self.region.as_ref().or(identity.region.as_ref());
        region.map(|region| service.host(region)).ok_or_else(|| {
            ask.error(Kind::Invalid).detail("no region is known").fix(
                "write `region:` at the provider, or `region=` into the profile of the credentials",
            )
        })
    }
}

fn parse<T: DeserializeOwned>(ask: &Ask, answer: &Answer) -> Result<T, Error> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        refusal::foreign(ask, answer)
            .request_id(answer.header(REQUEST_ID).map(str::to_owned))
            .because(error)
    })
}

/// No answer.
fn broken(ask: &Ask, base: &str, error: WireError) -> Error {
    let failed = |kind| ask.error(kind).detail(error.to_string());
    match &error {
        WireError::Address(_) => failed(Kind::Invalid).fix(format!(
            "correct the endpoint of {}",
            ask.operation.service.as_str()
        )),
        WireError::TooLarge => failed(Kind::Invalid),
        WireError::Certificate { .. } => failed(Kind::Invalid)
            .fix("is something between here and OCI? its authority can be named in `ca_file`"),
        WireError::Connect { .. } => failed(Kind::Transient).fix(format!(
            "is the region right, and is there a way to {base}?"
        )),
        WireError::Broken(_) | WireError::Half(_) | WireError::TimedOut(_) => {
            failed(Kind::Transient)
        }
    }
    .because(error)
}
