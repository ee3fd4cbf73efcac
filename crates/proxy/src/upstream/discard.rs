//! A response that no client will see, as the request is tried elsewhere: what there is of it is read and thrown away where
//! that is little, so that the connection can carry the next request; else the connection is closed, or the stream reset.
//! It never keeps the request waiting. Its end is a place that frees after the request's own has been given back, so whoever
//! waits for one is told.

use std::pin::pin;
use std::rc::Rc;

use bascule_telemetry::{clock, spawn};
use http::Response;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::http::limits;
use crate::upstream::{Endpoint, Loan};

/// Throws the response of an endpoint away.
pub(crate) fn discard((response, loan): (Response<Incoming>, Loan), endpoint: Rc<Endpoint>) {
    let body = response.into_body();
    if body.is_end_stream() {
        loan.give_back();
        return;
    }
    if body.size_hint().lower() > limits::DISCARD_BYTES {
        return;
    }
    spawn::local("discard", async move {
        let deadline = clock::now() + limits::DISCARD_TIMEOUT;
        // Losing the rest of the response loses the connection, as it should.
        let ended = tokio::select! {
            ended = read_to_end(body) => ended,
            () = clock::sleep_until(deadline) => false,
        };
        if ended {
            loan.give_back();
        } else {
            drop(loan);
        }
        endpoint.places.freed();
    })
    .detach();
}

/// Whether its end came, and soon enough.
async fn read_to_end(body: Incoming) -> bool {
    let mut body = pin!(body);
    let mut bytes = 0_u64;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return false;
        };
        let length = frame.data_ref().map_or(0, bytes::Bytes::len);
        bytes = bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if bytes > limits::DISCARD_BYTES {
            return false;
        }
    }
    true
}
