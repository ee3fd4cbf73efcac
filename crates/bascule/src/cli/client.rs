//! The admin API as a client sees it: one request a connection over a unix socket or TCP, and server-sent events. It
//! decides nothing; what an answer means for the command is `problem`'s and the command's. Parts: `context` (where the API
//! is), `problem` (refusals as errors with an exit code), `sse` (the reader of event streams).

pub(crate) mod context;
pub(crate) mod problem;
pub(crate) mod sse;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::exit::{CliError, Exit};
use context::Context;

/// The largest answer read: a status of hundreds of services is far below it.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The method.
    pub(crate) method: Method,
    /// Path and query, already encoded.
    pub(crate) path: String,
    /// The revision the change is based on.
    pub(crate) if_match: Option<u64>,
    /// Why.
    pub(crate) reason: Option<String>,
    /// The last event seen.
    pub(crate) last_event: Option<String>,
    /// A JSON body.
    pub(crate) body: Option<Vec<u8>>,
}

impl Call {
    /// A request without a body.
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            if_match: None,
            reason: None,
            last_event: None,
            body: None,
        }
    }
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body.
    pub(crate) body: Bytes,
}

/// Whom to ask, and how long to wait.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    context: Context,
    token: Option<String>,
    timeout: Duration,
}

impl Client {
    /// A client of the API there.
    pub(crate) const fn new(context: Context, token: Option<String>, timeout: Duration) -> Self {
        Self {
            context,
            token,
            timeout,
        }
    }

    /// Where the API is.
    pub(crate) const fn context(&self) -> &Context {
        &self.context
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn exchange(&self, call: Call) -> Result<Reply, CliError> {
        let all = async {
            let (status, mut connection, body) = self.start(call).await?;
            let collect = Limited::new(body, ANSWER_BYTES_MAX).collect();
            let body = connection
                .drive(collect)
                .await
                .map_err(|error| self.broken(&*error))?;
            Ok(Reply {
                status,
                body: body.to_bytes(),
            })
        };
        self.in_time(all).await
    }

    /// Sends a request and gives back the answer's body as it comes.
    pub(crate) async fn stream(&self, call: Call) -> Result<Stream, CliError> {
        let (status, connection, body) = self.in_time(self.start(call)).await?;
        Ok(Stream {
            status,
            connection,
            body,
        })
    }

    async fn start(&self, call: Call) -> Result<(StatusCode, Connection, Incoming), CliError> {
        let request = self.request(call)?;
        let (mut sender, mut connection) = self.connect().await?;
        let answer = connection.drive(sender.send_request(request)).await;
        let answer = answer.map_err(|error| self.broken(&error))?;
        Ok((answer.status(), connection, answer.into_body()))
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        tokio::time::timeout(self.timeout, work)
            .await
            .unwrap_or_else(|_| {
                let message = format!("no answer from {} within {:?}", self.context, self.timeout);
                Err(CliError::new(Exit::Unreachable, message)
                    .with_help("wait longer with --timeout"))
            })
    }

    fn request(&self, call: Call) -> Result<Request<Full<Bytes>>, CliError> {
        let mut request = Request::builder()
            .method(&call.method)
            .uri(&call.path)
            .header(header::HOST, self.context.host())
            .header(header::ACCEPT, "application/json, text/event-stream");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(revision) = call.if_match {
            request = request.header(header::IF_MATCH, format!("\"{revision}\""));
        }
        if let Some(reason) = &call.reason {
            // Header values are bytes; a line feed cannot be one of them and is refused here.
            let value = HeaderValue::from_bytes(reason.as_bytes()).map_err(|_| {
                CliError::new(
                    Exit::Usage,
                    "--reason holds a control character; write one line",
                )
            })?;
            request = request.header("x-reason", value);
        }
        if let Some(last) = &call.last_event {
            request = request.header("last-event-id", last);
        }
        if call.method != Method::GET {
            request = request.header("idempotency-key", format!("{:016x}", fastrand::u64(..)));
        }
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request
            .body(Full::new(Bytes::from(call.body.unwrap_or_default())))
            .map_err(|error| {
                CliError::new(Exit::Failed, format!("cannot make the request: {error}"))
            })
    }

    async fn connect(&self) -> Result<(http1::SendRequest<Full<Bytes>>, Connection), CliError> {
        match &self.context {
            Context::Unix(path) => {
                let stream = UnixStream::connect(path).await;
                shake(stream.map_err(|error| self.context.unreachable(&error))?).await
            }
            Context::Tcp(authority) => {
                let stream = TcpStream::connect(authority).await;
                shake(stream.map_err(|error| self.context.unreachable(&error))?).await
            }
        }
        .map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &dyn std::error::Error) -> CliError {
        CliError::new(
            Exit::Unreachable,
            format!("the connection to {} broke: {error}", self.context),
        )
    }
}

async fn shake<S>(stream: S) -> hyper::Result<(http1::SendRequest<Full<Bytes>>, Connection)>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    Ok((sender, Connection(Some(Box::pin(connection)))))
}

/// The driver of one connection: it must be polled for anything to move, and is, beside whatever waits for it.
struct Connection(Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connection")
            .field(&self.0.is_some())
            .finish()
    }
}

impl Connection {
    /// Waits for `work` and moves the connection meanwhile. Its end is seen by `work` as well, so it is not told twice.
    async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if self
                .0
                .as_mut()
                .is_some_and(|connection| connection.as_mut().poll(cx).is_ready())
            {
                self.0 = None;
            }
            match work.as_mut().poll(cx) {
                Poll::Ready(value) => Poll::Ready(value),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// An answer whose body is read as it comes.
#[derive(Debug)]
pub(crate) struct Stream {
    /// The status.
    pub(crate) status: StatusCode,
    connection: Connection,
    body: Incoming,
}

impl Stream {
    /// The next piece; `None` at the end, also when the connection broke: the reader comes back and resumes.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            let frame = self.connection.drive(self.body.frame()).await?.ok()?;
            if let Ok(data) = frame.into_data() {
                return Some(data);
            }
        }
    }

    /// What is left of the body, for an answer that is no stream.
    pub(crate) async fn rest(mut self) -> Bytes {
        let collect = Limited::new(self.body, ANSWER_BYTES_MAX).collect();
        self.connection
            .drive(collect)
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default()
    }
}

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
