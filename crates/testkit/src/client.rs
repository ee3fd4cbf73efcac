//! HTTP/1.1 requests for tests: one connection a call, over TCP or a unix socket. For protocols and options beyond that
//! tests use curl.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::thread;

/// Sends a request over a new TCP connection and reads the whole answer.
///
/// # Errors
/// When the connection or the exchange fails.
pub fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
    block_on(async { exchange(TcpStream::connect(address).await?, request).await })
}

/// `GET` of a path.
///
/// # Errors
/// As [`send`].
pub fn get(address: SocketAddr, path: &str) -> Result<Response<Bytes>> {
    let request = Request::get(path).header("host", address.to_string());
    send(address, request.body(Full::default())?)
}

/// Sends a request over a unix socket and reads the whole answer.
///
/// # Errors
/// As [`send`].
pub fn send_unix(socket: &Path, request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
    block_on(async { exchange(UnixStream::connect(socket).await?, request).await })
}

fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    thread::runtime()?.block_on(future)
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok::<_, hyper::Error>(Response::from_parts(head, body))
    };
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer.context("exchange"),
        // The connection may end with the last byte of the answer: then the answer is there.
        _ = &mut connection => answer.await.context("the connection ended"),
    }
}
