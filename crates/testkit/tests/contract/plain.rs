//! The plainest cloud: some machines in pages of two, and a row of weights with a number that counts its changes, in JSON and
//! without any proof of who asks. And its provider, as a provider should be, or with one flaw.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use bascule_provider::port::{
    Call, Instance, Lifecycle, Member, Numbers, Set, Setting, Settings, Unit,
};
use bascule_provider::{Apply, Discover, Error, Kind};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Machines on a page.
const PAGE: usize = 2;

/// A running one; ends with the runtime it was started on.
pub(crate) struct Cloud {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _serving: JoinSet<()>,
}

struct State {
    machines: Vec<[u8; 4]>,
    revision: u64,
    weights: BTreeMap<String, u32>,
}

impl Cloud {
    /// With five machines, and two members of a row.
    pub(crate) fn start() -> Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = TcpListener::from_std(listener)?;
        let state = Arc::new(Mutex::new(State {
            machines: (1..=5).map(|n| [10, 0, 0, n]).collect(),
            revision: 1,
            weights: [("aws".to_owned(), 1), ("oci".to_owned(), 1)].into(),
        }));
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, Arc::clone(&state)));
        Ok(Self {
            address,
            state,
            _serving: serving,
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn all(&self) -> Set {
        let machines = self.state.lock().unwrap().machines.clone();
        Set {
            instances: machines.into_iter().map(instance).collect(),
        }
    }

    pub(crate) fn empty(&self) {
        self.state.lock().unwrap().machines.clear();
    }

    /// Another tool's doing.
    pub(crate) fn setter(&self, member: &'static str, weight: u32) -> Box<dyn FnOnce() + Send> {
        let state = Arc::clone(&self.state);
        Box::new(move || {
            let mut state = state.lock().unwrap();
            state.weights.insert(member.to_owned(), weight);
            state.revision += 1;
        })
    }
}

fn instance(address: [u8; 4]) -> (Arc<str>, Instance) {
    let [.., last] = address;
    let instance = Instance {
        address: address.into(),
        port: Some(8080),
        zone: None,
        lifecycle: Lifecycle::Running,
    };
    (format!("m-{last}").into(), instance)
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        let serve = service_fn(move |request| answer(request, Arc::clone(&state)));
        let http = hyper::server::conn::http1::Builder::new();
        let serving = http.serve_connection(TokioIo::new(stream), serve);
        connections.spawn(async { drop(serving.await) });
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let mut state = state.lock().unwrap();
    let (status, answer) = match (&head.method, head.uri.path()) {
        (&Method::GET, "/machines") => {
            let from: usize = head
                .uri
                .query()
                .and_then(|from| from.parse().ok())
                .unwrap_or(0);
            let page: Vec<[u8; 4]> = state
                .machines
                .iter()
                .skip(from)
                .take(PAGE)
                .copied()
                .collect();
            let next = from + PAGE;
            let next = (next < state.machines.len()).then_some(next);
            (StatusCode::OK, json!({ "machines": page, "next": next }))
        }
        (&Method::PUT, "/row") => {
            let over = head
                .headers
                .get("if-match")
                .and_then(|over| over.to_str().ok());
            let is_over = over.is_none_or(|over| over == state.revision.to_string());
            let wanted: Option<BTreeMap<String, u32>> = body
                .ok()
                .and_then(|body| serde_json::from_slice(&body).ok());
            match wanted.filter(|_| is_over) {
                Some(weights) => {
                    state.weights = weights;
                    state.revision += 1;
                    (StatusCode::OK, json!("done"))
                }
                None => (StatusCode::PRECONDITION_FAILED, json!("changed")),
            }
        }
        _ => {
            let row = json!({ "revision": state.revision, "weights": state.weights });
            (StatusCode::OK, row)
        }
    };
    let mut response = Response::new(Full::from(answer.to_string()));
    *response.status_mut() = status;
    Ok(response)
}

/// What is wrong with a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Nothing.
    None,
    /// Where a page fails it gives what it has.
    HalfOnError,
    /// Every error is `Invalid`.
    AllInvalid,
    /// An error says nothing of what to do.
    NoFix,
    /// A write is said to be done and is not made.
    WritesNothing,
    /// What is there has no version.
    NoVersion,
    /// All members may be off.
    AllOff,
}

/// Asks the cloud, and sets its row.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    pub(crate) patience: Duration,
    pub(crate) flaw: Flaw,
}

impl Provider {
    async fn call(&self, request: Request<Full<Bytes>>) -> Result<Value, Error> {
        let what = request.uri().to_string();
        let error = |kind, saw: &str| self.error(kind, &what, saw);
        let answer = tokio::time::timeout(self.patience, self.exchange(request));
        let (status, retry_after, body) = answer
            .await
            .map_err(|_late| error(Kind::Transient, "no answer"))?
            .map_err(|broken| error(Kind::Transient, &broken.to_string()))?;
        let word: Option<Value> = serde_json::from_slice(&body).ok();
        let kind = match (status.as_u16(), word) {
            (200, Some(answer)) => return Ok(answer),
            (200, None) => Kind::Invalid,
            (429, _) => Kind::Throttled { retry_after },
            (401 | 403, word) => {
                let saw = word.unwrap_or_default().to_string();
                return Err(error(Kind::Denied, &saw));
            }
            (412, _) => Kind::Conflict,
            _ => Kind::Transient,
        };
        Err(error(kind, &status.to_string()))
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Option<Duration>, Bytes)> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut send, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut driving = JoinSet::new();
        driving.spawn(async { drop(connection.await) });
        let response = send.send_request(request).await?;
        let status = response.status();
        let after = response.headers().get("retry-after");
        let after = after.and_then(|after| after.to_str().ok()?.parse().ok());
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, after.map(Duration::from_secs), body))
    }

    fn error(&self, kind: Kind, what: &str, saw: &str) -> Error {
        let kind = match self.flaw {
            Flaw::AllInvalid => Kind::Invalid,
            _ => kind,
        };
        let error = Error::new(kind, "Call", what.to_owned()).detail(saw.to_owned());
        match self.flaw {
            Flaw::NoFix => error,
            _ => error.fix("ask whoever runs it"),
        }
    }

    fn get(&self, path: String) -> Request<Full<Bytes>> {
        self.request(Method::GET, path, Bytes::new())
    }

    fn request(&self, method: Method, path: String, body: Bytes) -> Request<Full<Bytes>> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("host", self.address.to_string());
        request.body(Full::new(body)).unwrap()
    }

    async fn list(&self) -> Result<Set, Error> {
        let (mut set, mut from) = (Set::default(), Some(0));
        while let Some(at) = from {
            let page = match self.call(self.get(format!("/machines?{at}"))).await {
                Err(_) if self.flaw == Flaw::HalfOnError && at > 0 => break,
                page => page?,
            };
            let machines = serde_json::from_value::<Vec<[u8; 4]>>(page["machines"].clone());
            let machines =
                machines.map_err(|e| self.error(Kind::Invalid, "/machines", &e.to_string()))?;
            set.instances.extend(machines.into_iter().map(instance));
            from = page["next"].as_u64();
        }
        Ok(set)
    }

    async fn row(&self) -> Result<Settings, Error> {
        let row = self.call(self.get("/row".to_owned())).await?;
        let revision = row["revision"].as_u64();
        let revision = revision.ok_or_else(|| self.error(Kind::Invalid, "/row", "no revision"))?;
        let weights = row["weights"].as_object().into_iter().flatten();
        let member = |(name, weight): (&String, &Value)| {
            let setting = match weight.as_u64() {
                Some(0) => Setting::Off,
                weight => Setting::Weight(u32::try_from(weight.unwrap_or_default()).unwrap()),
            };
            let member = Member {
                setting: Some(setting),
                size: 1,
            };
            (name.parse().unwrap(), member)
        };
        let version = match self.flaw {
            Flaw::NoVersion => String::new(),
            _ => revision.to_string(),
        };
        Ok(Settings {
            version,
            members: weights.map(member).collect(),
            ..Settings::default()
        })
    }

    async fn set(&self, over: &Settings, wanted: &Numbers) -> Result<(), Error> {
        let is_off = |setting: &Setting| *setting == Setting::Off;
        if self.flaw != Flaw::AllOff && wanted.values().all(is_off) {
            return Err(self.error(Kind::Invalid, "/row", "all off would mean equal shares"));
        }
        if self.flaw == Flaw::WritesNothing {
            return Ok(());
        }
        let weight = |setting: &Setting| match setting {
            Setting::Off => 0,
            Setting::Weight(weight) => *weight,
        };
        let weights = wanted
            .iter()
            .map(|(name, setting)| (name.to_string(), weight(setting)));
        let body = serde_json::to_vec(&weights.collect::<BTreeMap<_, _>>()).unwrap();
        let mut request = self.request(Method::PUT, "/row".to_owned(), body.into());
        if !over.version.is_empty() {
            request
                .headers_mut()
                .insert("if-match", over.version.parse().unwrap());
        }
        self.call(request).await.map(drop)
    }
}

impl Discover for Provider {
    fn source(&self) -> &'static str {
        "plain"
    }

    fn discover(&self) -> Call<'_, Set> {
        Box::pin(self.list())
    }
}

impl Apply for Provider {
    fn actuator(&self) -> &'static str {
        "plain"
    }

    fn unit(&self) -> Unit {
        Unit {
            max: 255,
            delay: Duration::ZERO,
        }
    }

    fn read(&self) -> Call<'_, Settings> {
        Box::pin(self.row())
    }

    fn write<'a>(&'a self, over: &'a Settings, wanted: &'a Numbers) -> Call<'a, ()> {
        Box::pin(self.set(over, wanted))
    }
}
