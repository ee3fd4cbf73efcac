//! A check over HTTP/1.1: one request with `connection: close` on a connection of its own.

use std::error::Error;
use std::io;

use bascule_health::CheckFailure;
use bytes::Bytes;
use http::Uri;
use http::header::{CONNECTION, HeaderValue};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;

use super::{BODY_BYTES_MAX, HEAD_BYTES_MAX, Question, Stream, beside, broken};

pub(super) async fn ask<S: Stream>(stream: S, question: Question<'_>) -> Result<(), CheckFailure> {
    let mut builder = Builder::new();
    builder.max_buf_size(usize::try_from(HEAD_BYTES_MAX).unwrap_or(usize::MAX));
    let (mut sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| why(&error))?;
    let mut request = question.request(Uri::from(question.path.clone()), Empty::<Bytes>::new());
    request
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    let exchange = async {
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| why(&error))?;
        question.judge(answer.status())?;
        read(answer.into_body()).await
    };
    beside(connection, exchange).await
}

/// Reads a body to its end, or as much as is looked at.
async fn read(mut body: Incoming) -> Result<(), CheckFailure> {
    let mut seen = 0_usize;
    while seen < BODY_BYTES_MAX && !body.is_end_stream() {
        match body.frame().await {
            None => break,
            Some(Ok(frame)) => seen += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(error)) => return Err(why(&error)),
        }
    }
    Ok(())
}

/// The operating system's error, if that is at the end of the chain; else what came is not HTTP.
fn why(error: &hyper::Error) -> CheckFailure {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return broken(Some(error));
        }
        source = error.source();
    }
    broken(None)
}
