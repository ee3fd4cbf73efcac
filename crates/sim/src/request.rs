//! A request on its way, and what is known of it by the edge and by the world. It may have two tries at a time: the one
//! that takes strangely long, and one beside it.

use std::rc::Rc;
use std::sync::Arc;

use bascule_model::{EndpointId, Instant};
use bascule_traffic::Choice;
use bascule_traffic::retry::{Body, RequestFacts, Written, is_idempotent};
use bascule_traffic::suspect::Repeatable;

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
    /// Where it was tried, in order: the choice of each of its tries.
    pub(crate) tried: Vec<Choice>,
    pub(crate) tries: Vec<Try>,
    /// What the edge knows: a byte of it went out in some try.
    pub(crate) written: bool,
    /// What the world knows: in some try it may have reached an endpoint.
    pub(crate) may_have_arrived: bool,
}

/// One try.
#[derive(Debug, Clone)]
pub(crate) struct Try {
    pub(crate) place: usize,
    pub(crate) began: Instant,
    /// Whether it goes over a connection that was open before.
    pub(crate) reused: bool,
    /// When the request went out.
    pub(crate) sent: Option<Instant>,
    /// Whether it may still be answered.
    pub(crate) open: bool,
    /// Whether another try was under way when it began.
    pub(crate) beside: bool,
    /// How long the endpoint may say nothing before that is strange.
    pub(crate) silence: Option<std::time::Duration>,
}

impl Request {
    /// One that has not been tried yet.
    pub(crate) const fn new(
        edge: usize,
        worker: usize,
        method: Method,
        view: Rc<View>,
        began: Instant,
    ) -> Self {
        Self {
            edge,
            worker,
            method,
            view,
            began,
            tried: Vec::new(),
            tries: Vec::new(),
            written: false,
            may_have_arrived: false,
        }
    }

    /// What the decision about another try is told. A small body is kept to be sent again.
    pub(crate) fn facts(&self) -> RequestFacts {
        RequestFacts {
            idempotent: is_idempotent(self.method.as_str()),
            body: match self.method {
                Method::Get => Body::None,
                Method::Post => Body::Replayable,
            },
            written: if self.written {
                Written::Something
            } else {
                Written::Nothing
            },
            attempts_done: u8::try_from(self.tried.len()).unwrap_or(u8::MAX),
        }
    }

    /// Whether it can be made again, should a try go badly.
    pub(crate) fn repeatable(&self) -> Repeatable {
        match self.method {
            Method::Get => Repeatable::Yes,
            Method::Post => Repeatable::No,
        }
    }

    /// The identity of the endpoint of a try.
    pub(crate) fn endpoint(&self, number: usize) -> Option<Arc<EndpointId>> {
        let (_, endpoint) = self.view.chosen(*self.tried.get(number)?)?;
        Some(Arc::clone(&endpoint.id))
    }

    /// Whether a try other than this one may still be answered.
    pub(crate) fn waits_beside(&self, number: usize) -> bool {
        let others = self.tries.iter().enumerate();
        others.filter(|(n, _)| *n != number).any(|(_, t)| t.open)
    }
}
