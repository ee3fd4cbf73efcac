//! A check over HTTP/2, by prior knowledge or after ALPN: one request on a connection of its own. It uses `h2` itself,
//! because hyper's client would start tasks that outlive a check which times out.

use bascule_health::CheckFailure;
use h2::RecvStream;
use h2::client::Builder;
use http::Uri;
use http::header::HOST;
use http::uri::Scheme as UriScheme;

use super::answer::{Answer, BODY_BYTES_MAX};
use super::question::Question;
use super::{HEAD_BYTES_MAX, Stream, beside, broken};

pub(super) async fn ask<S: Stream>(stream: S, question: Question<'_>) -> Result<(), CheckFailure> {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .max_header_list_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder
        .handshake::<S, bytes::Bytes>(stream)
        .await
        .map_err(|error| why(&error))?;
    let mut request = question.request(target(&question)?, ());
    request.headers_mut().remove(HOST); // `:authority` says it.
    let exchange = async {
        std::future::poll_fn(|cx| sender.poll_ready(cx))
            .await
            .map_err(|error| why(&error))?;
        let (answer, _) = sender
            .send_request(request, true)
            .map_err(|error| why(&error))?;
        let answer = answer.await.map_err(|error| why(&error))?;
        question.judge(answer.status())?;
        read(
            answer.into_body(),
            Answer::new(question.text, BODY_BYTES_MAX),
        )
        .await
    };
    beside(connection, exchange).await
}

fn target(question: &Question<'_>) -> Result<Uri, CheckFailure> {
    let scheme = if question.tls {
        UriScheme::HTTPS
    } else {
        UriScheme::HTTP
    };
    let builder = Uri::builder()
        .scheme(scheme)
        .authority(question.authority.clone())
        .path_and_query(question.path.clone());
    builder.build().map_err(|_| CheckFailure::Protocol)
}

/// Reads a body to its end.
async fn read(mut body: RecvStream, mut answer: Answer<'_>) -> Result<(), CheckFailure> {
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| why(&error))?;
        answer.take(&data)?;
        let released = body.flow_control().release_capacity(data.len());
        released.map_err(|error| why(&error))?;
    }
    answer.end()
}

fn why(error: &h2::Error) -> CheckFailure {
    broken(error.get_io())
}
