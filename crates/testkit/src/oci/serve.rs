//! Serves the API: reads a call whole, lets it fail when told, verifies who asks, finds what is asked.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::cloud::{Called, Cloud};
use super::fault::{self, Fault};
use super::{change, principal, read, verify};
use crate::thread;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Self::text(body.to_string())
    }

    pub(super) fn text(body: String) -> Self {
        Self {
            status: 200,
            body,
            headers: Vec::new(),
        }
    }

    pub(super) fn refused(status: u16, code: &str) -> Self {
        let body = json!({ "code": code, "message": format!("refused by a test: {code}") });
        Self {
            status,
            ..Self::ok(body)
        }
    }

    /// Why a value is not taken.
    pub(super) fn invalid(message: &str) -> Self {
        let body = json!({ "code": "InvalidParameter", "message": message });
        Self {
            status: 400,
            ..Self::ok(body)
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Until dropped, with all its connections.
pub(super) async fn run(listener: std::net::TcpListener, cloud: Arc<Mutex<Cloud>>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        drop(stream.set_nodelay(true));
        let cloud = Arc::clone(&cloud);
        thread::beside(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&cloud)));
            let http = hyper::server::conn::http1::Builder::new();
            // How a client ends its connection is its own affair.
            drop(http.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    cloud: Arc<Mutex<Cloud>>,
) -> Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let (fault, reply) = {
        let mut cloud = cloud.lock().unwrap_or_else(PoisonError::into_inner);
        let call = format!("{} {}", head.method, head.uri.path());
        let fault = fault::of(&mut cloud.faults, &call);
        let reply = act(&mut cloud, &head, &body, fault.as_ref());
        (fault, finish(&mut cloud, reply)?)
    };
    match fault {
        Some(Fault::Closed | Fault::Lost) => Err("closed on purpose".into()),
        Some(Fault::Silent) => std::future::pending().await,
        Some(Fault::Half) => {
            let (head, _) = reply.into_parts();
            let frames = [
                Ok(Frame::data(Bytes::from_static(b"[{\"id\":"))),
                Err(io::Error::other("broken off on purpose")),
            ];
            let body = StreamBody::new(stream::iter(frames)).boxed_unsync();
            Ok(Response::from_parts(head, body))
        }
        _ => Ok(reply),
    }
}

fn finish(cloud: &mut Cloud, reply: Reply) -> Result<Response<Body>, http::Error> {
    let now = u64::try_from(cloud.now()).unwrap_or(0);
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(now);
    let mut response = Response::builder()
        .status(reply.status)
        .header("date", httpdate::fmt_http_date(now))
        .header("opc-request-id", format!("request-{}", cloud.next()));
    if !reply
        .headers
        .iter()
        .any(|(name, _)| *name == "content-type")
    {
        response = response.header("content-type", "application/json");
    }
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let body = Full::new(Bytes::from(reply.body));
    response.body(body.map_err(|never| match never {}).boxed_unsync())
}

fn act(cloud: &mut Cloud, head: &Parts, body: &Bytes, fault: Option<&Fault>) -> Reply {
    match fault {
        Some(Fault::Refused { status, code }) => return Reply::refused(*status, code),
        Some(Fault::Throttled(after)) => {
            let reply = Reply::refused(429, "TooManyRequests");
            return match after {
                Some(seconds) => reply.header("retry-after", seconds.to_string()),
                None => reply,
            };
        }
        Some(Fault::Html) => {
            return Reply::text("<html><body>Please log in</body></html>".to_owned())
                .header("content-type", "text/html");
        }
        // What is asked does not arrive, or nothing of it is done.
        Some(Fault::Silent | Fault::Half | Fault::Closed) => return Reply::ok(Value::Null),
        Some(Fault::Lost | Fault::WorkFails) | None => {}
    }
    let path = head.uri.path();
    if let Some(path) = path.strip_prefix("/opc/v2") {
        let authorization = head.headers.get("authorization");
        let authorization = authorization.and_then(|value| value.to_str().ok());
        return principal::metadata(cloud, path, authorization.unwrap_or_default());
    }
    if let Err(why) = verify::verify(cloud, head, body) {
        let body = json!({ "code": "NotAuthenticated", "message": why });
        return Reply {
            status: 401,
            ..Reply::ok(body)
        };
    }
    let text = serde_json::from_slice(body).unwrap_or(Value::Null);
    cloud.tick();
    let reply = match (head.method.as_str(), path) {
        ("POST", verify::TOKENS) => principal::token(cloud, &text),
        ("GET", _) | ("POST", read::METRICS) => read::read(cloud, &head.uri, &text),
        ("PUT", _) => {
            let tag = head
                .headers
                .get("if-match")
                .and_then(|tag| tag.to_str().ok());
            let fails = fault == Some(&Fault::WorkFails);
            change::put(cloud, path, tag, &text, fails)
        }
        _ => Reply::refused(404, "NotFound"),
    };
    record(cloud, head, text, reply.status);
    reply
}

fn record(cloud: &mut Cloud, head: &Parts, body: Value, status: u16) {
    const LEFT_OUT: [&str; 3] = ["date", "authorization", "host"];
    let headers: BTreeMap<String, String> = head
        .headers
        .iter()
        .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()))
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    cloud.calls.push(Called {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers,
        body,
        status,
    });
}
