//! A check over HTTP/2, by prior knowledge or after ALPN: one request on a connection of its own. It uses `h2` itself,
//! because hyper's client would start tasks that outlive a check which times out.

use bascule_health::CheckFailure;
use h2::RecvStream;
use h2::client::Builder;
use http::Uri;
use http::header::HOST;
use http::uri::Scheme as UriScheme;

use bascule_model::Scheme;

use super::{BODY_BYTES_MAX, HEAD_BYTES_MAX, Question, Stream, beside, broken};

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
        read(answer.into_body()).await
    };
    beside(connection, exchange).await
}

fn target(question: &Question<'_>) -> Result<Uri, CheckFailure> {
    let scheme = match question.scheme {
        Scheme::Https => UriScheme::HTTPS,
        Scheme::Http | Scheme::H2c => UriScheme::HTTP,
    };
    let builder = Uri::builder()
        .scheme(scheme)
        .authority(question.authority.clone())
        .path_and_query(question.path.clone());
    builder.build().map_err(|_| CheckFailure::Protocol)
}

/// Reads a body to its end, or as much as is looked at; the window given at the start is larger than that.
async fn read(mut body: RecvStream) -> Result<(), CheckFailure> {
    let mut seen = 0_usize;
    while seen < BODY_BYTES_MAX {
        match body.data().await {
            None => break,
            Some(Ok(data)) => seen += data.len(),
            Some(Err(error)) => return Err(why(&error)),
        }
    }
    Ok(())
}

fn why(error: &h2::Error) -> CheckFailure {
    broken(error.get_io())
}
