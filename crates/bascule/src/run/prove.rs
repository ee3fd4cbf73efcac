//! Client-side probes for the proof of an evacuation: requests as a client would send them, through the edge's own
//! listeners, that are told which backend answered. It asks; whether the answers prove anything is decided in `plan`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bascule_admin::ConfigPort as _;
use bascule_config::Config;
use bascule_control::Prove;
use bascule_health::CheckKind;
use bascule_model::{BackendName, ListenerName, ServiceName};
use bascule_net::tls::{client_of_own, look};
use bascule_traffic::spec::{HostPattern, PathPattern, ServiceSpec};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::reload::Reloader;

/// A probe that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sends probes; knows the listeners as soon as they exist.
#[derive(Debug)]
pub(super) struct Prober {
    token: String,
    reloader: OnceLock<Arc<Reloader>>,
}

impl Prober {
    /// The token makes the edge name the backend that answered.
    pub(super) const fn new(token: String) -> Self {
        Self {
            token,
            reloader: OnceLock::new(),
        }
    }

    /// Now there are listeners; a second time is ignored.
    pub(super) fn connect(&self, reloader: Arc<Reloader>) {
        drop(self.reloader.set(reloader));
    }
}

impl Prove for Prober {
    fn probe(
        &self,
        service: ServiceName,
    ) -> Pin<Box<dyn Future<Output = Result<BackendName, String>> + Send>> {
        let plan = self.plan(&service);
        Box::pin(async move {
            let plan = plan?;
            let answer = tokio::time::timeout(PATIENCE, ask(plan));
            answer
                .await
                .unwrap_or_else(|_| Err(format!("no answer in {PATIENCE:?}")))
        })
    }
}

/// Everything a probe needs, so that its future borrows nothing.
struct Plan {
    address: SocketAddr,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    request: Request<Empty<Bytes>>,
}

impl Prober {
    fn plan(&self, service: &ServiceName) -> Result<Plan, String> {
        let reloader = self.reloader.get().ok_or("the edge is starting")?;
        let config = reloader.running().config.clone();
        let spec = config
            .service(service)
            .ok_or_else(|| format!("no service `{service}`"))?;
        let speaks_http1 = |name| {
            config
                .listeners
                .get(name)
                .is_some_and(|listener| listener.protocols.h1)
        };
        let bound = reloader.bound();
        // One in clear text needs no handshake: preferred.
        let listener = bound
            .iter()
            .filter(|l| spec.listeners.contains(&l.name) && speaks_http1(&l.name))
            .min_by_key(|l| l.tls)
            .ok_or("no listener of the service speaks HTTP/1.1")?;
        let (host, path) = target(&config, spec);
        let host = host
            .or_else(|| own_name(&config, &listener.name))
            .unwrap_or_else(|| "localhost".to_owned());
        let tls = if listener.tls {
            Some(own_tls(&config, &listener.name, &host)?)
        } else {
            None
        };
        let request = Request::get(path)
            .header("host", host)
            .header("user-agent", "bascule-proof")
            .header("x-bascule-probe", &self.token)
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        Ok(Plan {
            address: reach(listener.address),
            tls,
            request,
        })
    }
}

/// A host and a path that lead to the service: of its first match, and the path of its check where that is HTTP. No host:
/// it takes every one.
fn target(config: &Config, spec: &ServiceSpec) -> (Option<String>, String) {
    let first = spec.matches.first();
    let host = match first.map(|m| &m.host) {
        Some(HostPattern::Exact(host)) => Some(host.clone()),
        Some(HostPattern::Wildcard(domain)) => Some(format!("probe.{domain}")),
        Some(HostPattern::Any) | None => None,
    };
    let path = match (
        first.map(|m| &m.path),
        config.checks.get(&spec.name).map(|c| &c.kind),
    ) {
        (Some(PathPattern::Exact(path)), _) => path.clone(),
        (Some(PathPattern::Prefix(prefix)), Some(CheckKind::Http { path, .. }))
            if path.starts_with(prefix.as_str()) =>
        {
            path.clone()
        }
        (Some(PathPattern::Prefix(prefix)), _) => prefix.clone(),
        (None, Some(CheckKind::Http { path, .. })) => path.clone(),
        (None, _) => "/".to_owned(),
    };
    (host, path)
}

/// A name that the listener's first certificate is for: a strict listener serves nobody who asks for another.
fn own_name(config: &Config, listener: &ListenerName) -> Option<String> {
    let tls = config.listeners.get(listener)?.tls.as_ref()?;
    let chain = look::chain_facts(&tls.certificates.first()?.cert_pem).ok()?;
    let name = chain.into_iter().next()?.names.into_iter().next()?;
    Some(match name.strip_prefix("*.") {
        Some(domain) => format!("probe.{domain}"),
        None => name,
    })
}

fn own_tls(
    config: &Config,
    listener: &ListenerName,
    host: &str,
) -> Result<(Arc<ClientConfig>, ServerName<'static>), String> {
    let tls = config.listeners.get(listener).and_then(|l| l.tls.as_ref());
    let chains = tls
        .into_iter()
        .flat_map(|tls| &tls.certificates)
        .map(|c| &*c.cert_pem);
    let client = client_of_own(chains).map_err(|error| error.to_string())?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    Ok((client, name))
}

/// Where a listener on all addresses is reached from here.
fn reach(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn ask(plan: Plan) -> Result<BackendName, String> {
    let text = |error: std::io::Error| error.to_string();
    let stream = TcpStream::connect(plan.address).await.map_err(text)?;
    let response = match plan.tls {
        None => exchange(stream, plan.request).await?,
        Some((config, name)) => {
            let stream = TlsConnector::from(config)
                .connect(name, stream)
                .await
                .map_err(text)?;
            exchange(stream, plan.request).await?
        }
    };
    let named = response
        .headers()
        .get("x-bascule-backend")
        .and_then(|v| v.to_str().ok());
    match named.map(BackendName::parse) {
        Some(Ok(backend)) => Ok(backend),
        _ => Err(format!("{} without a backend", response.status())),
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<Response<Incoming>, String> {
    let text = |error: hyper::Error| error.to_string();
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(text)?;
    let mut connection = std::pin::pin!(connection);
    // Cancellation: both are dropped together with the probe.
    tokio::select! {
        response = sender.send_request(request) => response.map_err(text),
        ended = &mut connection => Err(ended.err().map_or_else(|| "closed".to_owned(), text)),
    }
}
