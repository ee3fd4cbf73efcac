//! Small origins.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bascule_net::preface::Http;
use bascule_net::tls::ServerTls;
use bascule_telemetry::spawn;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

pub(crate) type Body = BoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;
type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
type Handler = Arc<dyn Fn(Request<Incoming>) -> Answering + Send + Sync>;

/// How an origin speaks.
#[derive(Clone, Copy)]
pub(crate) enum Speaks {
    Http1,
    H2c,
}

/// An answer with a status and a text.
pub(crate) fn answer(status: u16, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(text));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    response
}

pub(crate) fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed()
}

/// An origin in clear.
pub(crate) async fn origin<F, A>(speaks: Speaks, handler: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> A + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
    accepting(move |stream| serve(stream, speaks, Arc::clone(&handler))).await
}

/// An origin over TLS that chooses HTTP/2 when it is offered.
pub(crate) async fn tls_origin<F, A>(tls: ServerTls, handler: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> A + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
    accepting(move |stream| serve_tls(tls.clone(), stream, Arc::clone(&handler))).await
}

async fn serve_tls(tls: ServerTls, stream: TcpStream, handler: Handler) {
    // A client that does not trust us ends the handshake.
    let Ok(secured) = tls.accept(stream).await else {
        return;
    };
    let speaks = match secured.http() {
        Http::Two => Speaks::H2c,
        Http::One => Speaks::Http1,
    };
    serve(secured.stream, speaks, handler).await;
}

/// An origin that answers with its name.
pub(crate) async fn named(name: &'static str) -> SocketAddr {
    origin(
        Speaks::Http1,
        move |_| async move { Response::new(full(name)) },
    )
    .await
}

/// An origin that answers this and counts what it is asked.
pub(crate) async fn counting(text: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let of_origin = Arc::clone(&count);
    let address = origin(Speaks::Http1, move |_| {
        of_origin.fetch_add(1, Ordering::SeqCst);
        async move { Response::new(full(text)) }
    })
    .await;
    (address, count)
}

/// Does something with each connection.
pub(crate) async fn accepting<F, A>(each: F) -> SocketAddr
where
    F: Fn(TcpStream) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn::send("origin", async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            spawn::send("origin-connection", each(stream)).detach();
        }
    })
    .detach();
    address
}

/// An address nobody listens on.
pub(crate) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// Reads a request and then closes without an answer, counting the requests it read.
pub(crate) async fn reader_that_hangs_up(read: Arc<AtomicUsize>) -> SocketAddr {
    accepting(move |mut stream| {
        let read = Arc::clone(&read);
        async move {
            let mut buffer = [0; 4096];
            if stream.read(&mut buffer).await.unwrap_or(0) > 0 {
                read.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await
}

async fn serve<S>(stream: S, speaks: Speaks, handler: Handler)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let service = service_fn(move |request| {
        let answering = handler(request);
        async move { Ok::<_, Infallible>(answering.await) }
    });
    // A connection that ends with an error is what some tests are about.
    let ended = match speaks {
        Speaks::Http1 => http1::Builder::new().serve_connection(io, service).await,
        Speaks::H2c => {
            http2::Builder::new(SendExecutor)
                .serve_connection(io, service)
                .await
        }
    };
    drop(ended);
}

#[derive(Clone)]
pub(crate) struct SendExecutor;

impl<F> hyper::rt::Executor<F> for SendExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        spawn::send("stream", future).detach();
    }
}
