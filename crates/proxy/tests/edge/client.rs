//! Small clients: one that says bytes, and hyper's.

use std::net::SocketAddr;

use bascule_net::tls::{Alpn, ClientTls};
use bascule_telemetry::spawn;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::origin::{Body, SendExecutor};

/// A connection that says bytes.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until the text ends like this.
    pub(crate) async fn hear(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            let mut byte = [0];
            let count = self.0.read(&mut byte).await.unwrap();
            assert!(
                count > 0,
                "closed after {:?}",
                String::from_utf8_lossy(&heard)
            );
            heard.extend_from_slice(&byte);
        }
        String::from_utf8(heard).unwrap()
    }

    /// Reads to the end of the connection.
    pub(crate) async fn hear_all(mut self) -> String {
        let mut heard = Vec::new();
        // A reset after the last byte is an end too.
        drop(self.0.read_to_end(&mut heard).await);
        String::from_utf8(heard).unwrap()
    }
}

/// What a client that says this text on a connection of its own hears until the edge closes it.
pub(crate) async fn ask_raw(address: SocketAddr, text: &str) -> String {
    let mut raw = Raw::connect(address).await;
    raw.say(text).await;
    raw.hear_all().await
}

pub(crate) fn get(path: &str) -> Request<Body> {
    let body = crate::origin::full("");
    Request::get(path)
        .header("host", "meet.example")
        .body(body)
        .unwrap()
}

/// As [`get`], for HTTP/2: the whole URI.
pub(crate) fn get2(uri: &str) -> Request<Body> {
    Request::get(uri).body(crate::origin::full("")).unwrap()
}

/// hyper's client, HTTP/1.
pub(crate) async fn http1(address: SocketAddr) -> http1::SendRequest<Body> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    spawn::send("client", async move { drop(connection.await) }).detach();
    sender
}

/// hyper's client, HTTP/2 by prior knowledge.
pub(crate) async fn http2(address: SocketAddr) -> http2::SendRequest<Body> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(SendExecutor, TokioIo::new(stream))
        .await
        .unwrap();
    spawn::send("client", async move { drop(connection.await) }).detach();
    sender
}

/// hyper's client, HTTP/2 over TLS.
pub(crate) async fn https2(
    address: SocketAddr,
    tls: &ClientTls,
    name: &'static str,
) -> http2::SendRequest<Body> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = name.try_into().unwrap();
    let stream = tls.connect(stream, name, Alpn::Both).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) = http2::handshake(SendExecutor, TokioIo::new(stream))
        .await
        .unwrap();
    spawn::send("client", async move { drop(connection.await) }).detach();
    sender
}

/// hyper's client, HTTP/1 over TLS.
pub(crate) async fn https1(
    address: SocketAddr,
    tls: &ClientTls,
    name: &'static str,
) -> http1::SendRequest<Body> {
    let stream = TcpStream::connect(address).await.unwrap();
    let stream = tls
        .connect(stream, name.try_into().unwrap(), Alpn::Http1)
        .await
        .unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    spawn::send("client", async move { drop(connection.await) }).detach();
    sender
}

pub(crate) async fn text(response: Response<Incoming>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// One GET on a connection of its own: the status and the body.
pub(crate) async fn ask(address: SocketAddr, path: &str) -> (u16, String) {
    let mut sender = http1(address).await;
    let response = sender.send_request(get(path)).await.unwrap();
    (response.status().as_u16(), text(response).await)
}

pub(crate) fn boxed(text: &'static str) -> Body {
    Full::new(Bytes::from_static(text.as_bytes()))
        .map_err(|never| match never {})
        .boxed()
}
