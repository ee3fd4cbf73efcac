//! What a request without an answer means, read from hyper's error once: nothing later looks at an error again.

use std::error::Error as _;
use std::rc::Rc;

use bascule_guard::Violation;
use bascule_guard::http2::Abuse;
use bascule_traffic::retry::{Cause, Failure};

use crate::http::forward::Outgoing;
use crate::upstream::{self, Endpoint, Unanswered};

/// Classifies, and puts a request that was certainly not sent back to be sent again.
pub(super) fn unanswered(
    mut unanswered: Unanswered,
    endpoint: &Rc<Endpoint>,
    outgoing: &mut Outgoing,
) -> Failure {
    match unanswered.unsent.take() {
        Some(request) => {
            outgoing.put_back(request);
            Failure::new(Cause::ClosedUnsent, Some(endpoint.id())).because(unanswered.error)
        }
        None => failure(unanswered, endpoint),
    }
}

/// Classifies a request that is not sent again.
pub(super) fn failure(unanswered: Unanswered, endpoint: &Rc<Endpoint>) -> Failure {
    let Unanswered {
        error,
        abuse,
        unsent,
        ..
    } = unanswered;
    let cause = match unsent {
        Some(_) => Cause::ClosedUnsent,
        None => cause_of(&error, abuse),
    };
    Failure::new(cause, Some(endpoint.id())).because(error)
}

fn cause_of(error: &hyper::Error, abuse: Option<Abuse>) -> Cause {
    let http2 = error
        .source()
        .and_then(|source| source.downcast_ref::<h2::Error>());
    let refused = http2.is_some_and(|error| {
        let refused_stream = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        // Only streams above the id that a GOAWAY names end by it; they were not processed (RFC 9113 §6.8).
        error.is_remote() && (refused_stream || error.is_go_away())
    });
    // Every request of a connection that was ended for what the endpoint sent, not only the one that it answered: which it
    // was is lost with the connection, the endpoint has them all, and to repeat them would multiply what a bad one costs.
    let is_malformed = abuse.is_some() || http2.is_some_and(h2::Error::is_library);
    if refused {
        Cause::StreamRefused
    } else if is_malformed {
        Cause::ResponseMalformed
    } else {
        match upstream::violation_of(error) {
            // It came before the request went out: the connection was dead already, and this is no answer to anything.
            Some(Violation::Unasked) => Cause::Died,
            Some(_) => Cause::ResponseMalformed,
            None if error.is_parse() => Cause::ResponseMalformed,
            None => Cause::Died,
        }
    }
}
