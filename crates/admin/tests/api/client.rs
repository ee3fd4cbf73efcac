//! A server on real sockets, and a client that speaks to it: every test gets its own of both.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bascule_admin::{Server, Settings, Tokens, serve};
use bascule_telemetry::{clock, spawn};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;

use crate::world::World;

/// sha256 of `viewer-secret`, `operator-secret`, `admin-secret`.
const TOKENS: &str = include_str!("tokens");

pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) server: Server,
    pub(crate) socket: PathBuf,
    _folder: tempfile::TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// Status and code, as a test compares them.
    pub(crate) fn refusal(&self) -> (u16, String) {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text
        );
        (
            self.status,
            self.json()["code"].as_str().unwrap().to_owned(),
        )
    }
}

/// Where a request goes.
#[derive(Clone, Copy)]
pub(crate) enum To<'a> {
    Socket,
    Tcp,
    /// TCP with this token.
    As(&'a str),
    Metrics,
}

/// Runs a test with a site of its own.
pub(crate) fn with_site<F: Future<Output = ()>>(test: impl FnOnce(Site) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    let limit = Duration::from_secs(60);
    let timed = async {
        tokio::time::timeout(limit, test(Site::open()))
            .await
            .unwrap()
    };
    runtime.block_on(local.run_until(timed));
}

impl Site {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("admin.sock");
        let world = World::new();
        let listener = || Arc::new(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let settings = Settings {
            socket: Some(socket.clone()),
            listen: Some(listener()),
            metrics: Some(listener()),
            host_names: Vec::new(),
            tokens: Tokens::parse(TOKENS).unwrap(),
            instance: "test".to_owned(),
            version: "0.0.0".to_owned(),
            started_at: clock::wall(),
        };
        let server = serve(settings, world.ports()).unwrap();
        Self {
            world,
            server,
            socket,
            _folder: folder,
        }
    }

    /// Sends a request and reads the head of the answer.
    pub(crate) async fn open_answer(
        &self,
        to: To<'_>,
        request: http::request::Builder,
        body: &str,
    ) -> http::Response<Incoming> {
        let tcp = |address: Option<SocketAddr>| tokio::net::TcpStream::connect(address.unwrap());
        let request = match to {
            To::As(token) => request.header("authorization", format!("Bearer {token}")),
            _ => request,
        };
        let has_host = request
            .headers_ref()
            .is_some_and(|h| h.contains_key("host"));
        let request = if has_host {
            request
        } else {
            request.header("host", "localhost")
        };
        let request = request
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        match to {
            To::Socket => {
                send(
                    tokio::net::UnixStream::connect(&self.socket).await.unwrap(),
                    request,
                )
                .await
            }
            To::Tcp | To::As(_) => send(tcp(self.server.listen()).await.unwrap(), request).await,
            To::Metrics => send(tcp(self.server.metrics()).await.unwrap(), request).await,
        }
    }

    pub(crate) async fn send(
        &self,
        to: To<'_>,
        request: http::request::Builder,
        body: &str,
    ) -> Answer {
        let response = self.open_answer(to, request, body).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    pub(crate) async fn get(&self, to: To<'_>, path: &str) -> Answer {
        self.send(to, http::Request::get(path), "").await
    }

    /// A mutation with `If-Match: *` and a JSON body.
    pub(crate) async fn change(&self, to: To<'_>, method: &str, path: &str, body: &str) -> Answer {
        self.send(to, mutation(method, path, "*"), body).await
    }
}

pub(crate) fn mutation(method: &str, path: &str, if_match: &str) -> http::request::Builder {
    http::Request::builder()
        .method(method)
        .uri(path)
        .header("if-match", if_match)
        .header("content-type", "application/json")
}

async fn send(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
    request: http::Request<Full<Bytes>>,
) -> http::Response<Incoming> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    spawn::local("test-client", connection).detach();
    sender.send_request(request).await.unwrap()
}

/// Waits until the condition holds; the test's own time-out ends it.
pub(crate) async fn until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    while !condition().await {
        clock::sleep_until(clock::now() + Duration::from_millis(10)).await;
    }
}
