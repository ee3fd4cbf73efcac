//! A request on its way, and what is known of it by the edge and by the world.

use std::rc::Rc;
use std::sync::Arc;

use bascule_model::Instant;
use bascule_traffic::Choice;
use bascule_traffic::retry::{Body, RequestFacts, Written, is_idempotent};

use crate::ledger::Method;
use crate::worker::View;

/// A request under way.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) edge: usize,
    pub(crate) worker: usize,
    pub(crate) method: Method,
    /// The view it began with.
    pub(crate) view: Rc<View>,
    pub(crate) began: Instant,
    pub(crate) tried: Vec<Choice>,
    /// Where the current try is.
    pub(crate) place: usize,
    /// Whether the current try goes over a connection that was open before.
    pub(crate) reused: bool,
    /// What the edge knows: whether a byte of it went out in the current try.
    pub(crate) written: bool,
    /// What the world knows: in some try it may have reached an endpoint.
    pub(crate) may_have_arrived: bool,
}

impl Request {
    /// What the decision about another try is told.
    pub(crate) fn facts(&self) -> RequestFacts {
        let body = match (self.method, self.written) {
            (Method::Get, _) => Body::None,
            (Method::Post, false) => Body::Unread,
            (Method::Post, true) => Body::Streamed,
        };
        RequestFacts {
            idempotent: is_idempotent(self.method.as_str()),
            body,
            written: if self.written {
                Written::Something
            } else {
                Written::Nothing
            },
            attempts_done: u8::try_from(self.tried.len()).unwrap_or(u8::MAX),
        }
    }

    /// The identity of the endpoint that is tried.
    pub(crate) fn endpoint(&self) -> Option<Arc<bascule_model::EndpointId>> {
        let (_, endpoint) = self.view.chosen(*self.tried.last()?)?;
        Some(Arc::clone(&endpoint.id))
    }
}
