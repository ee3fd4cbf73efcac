//! A check over HTTP/1.1: one request with `connection: close` on a connection of its own.

use std::error::Error;
use std::io;

use bascule_health::CheckFailure;
use bytes::Bytes;
use http::Uri;
use http::header::{CONNECTION, HeaderValue};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;

use super::answer::{Answer, BODY_BYTES_MAX};
use super::question::Question;
use super::{HEAD_BYTES_MAX, Stream, beside, broken};

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
        read(
            answer.into_body(),
            Answer::new(question.text, BODY_BYTES_MAX),
        )
        .await
    };
    beside(connection, exchange).await
}

/// Reads a body to its end.
async fn read(mut body: Incoming, mut answer: Answer<'_>) -> Result<(), CheckFailure> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| why(&error))?;
        if let Some(data) = frame.data_ref() {
            answer.take(data)?;
        }
    }
    answer.end()
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
