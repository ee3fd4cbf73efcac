//! Sends one request over a connection and waits for the head of the response.

use std::rc::Rc;

use bascule_guard::http2::Abuse;
use bascule_telemetry::clock;
use http::{Request, Response, Version};
use hyper::body::Incoming;

use crate::http::body::RequestBody;
use crate::upstream::Connected;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::pool::{Connection, Single, StreamLoan};

/// A request without an answer.
#[derive(Debug)]
pub(crate) struct Unanswered {
    /// Why.
    pub(crate) error: hyper::Error,
    /// The request, if certainly not a byte of it was written.
    pub(crate) unsent: Option<Request<RequestBody>>,
    /// The endpoint broke a rule of HTTP/2 or spent a budget, and the connection was ended for it.
    pub(crate) abuse: Option<Abuse>,
    /// The connection had carried a request before.
    pub(crate) reused: bool,
}

/// A connection in use by a response. Dropped without being given back it is closed (HTTP/1) or its stream reset.
#[derive(Debug)]
pub(crate) struct Loan(Lent);

#[derive(Debug)]
enum Lent {
    Http1(Single, Rc<Endpoint>),
    Http2(StreamLoan),
}

impl Loan {
    /// The response has ended well: the connection may carry the next.
    pub(crate) fn give_back(self) {
        match self.0 {
            Lent::Http1(single, endpoint) => {
                if endpoint.places.may_keep(endpoint.pool.idle()) {
                    endpoint.pool.give_back(single, clock::now());
                }
            }
            Lent::Http2(stream) => drop(stream),
        }
    }
}

impl Connected {
    /// What it speaks.
    pub(crate) const fn version(&self) -> Version {
        match self.connection {
            Connection::Http1 { .. } => Version::HTTP_11,
            Connection::Http2 { .. } => Version::HTTP_2,
        }
    }

    /// Sends the request. Dropping the future cancels it: the connection closes, or the stream is reset.
    pub(crate) async fn send(
        self,
        request: Request<RequestBody>,
        endpoint: &Rc<Endpoint>,
    ) -> Result<(Response<Incoming>, Loan), Unanswered> {
        let (sent, lent, reused) = match self.connection {
            Connection::Http1 { mut single, reused } => {
                let sent = single.send(request).await;
                (sent, Lent::Http1(single, Rc::clone(endpoint)), reused)
            }
            Connection::Http2 { stream, reused } => {
                let sent = stream.sender().try_send_request(request).await;
                (sent, Lent::Http2(stream), reused)
            }
        };
        match sent {
            Ok(response) => Ok((response, Loan(lent))),
            Err(mut failed) => Err(Unanswered {
                unsent: failed.take_message(),
                error: failed.into_error(),
                abuse: match &lent {
                    Lent::Http1(..) => None,
                    Lent::Http2(stream) => stream.abuse(),
                },
                reused,
            }),
        }
    }
}
