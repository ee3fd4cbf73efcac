//! How the rest of the process talks to the controller: ask, read the public state, wait for changes. Cheap to clone.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bascule_model::{Revision, Targets};
use bascule_plan::steer::Facts;
use bascule_plan::view::Accepted;
use bascule_plan::{Refusal, Request, State};
use bascule_telemetry::{clock, spawn};
use tokio::sync::{mpsc, oneshot, watch};

use crate::discover::Kept;
use crate::store::{Recorded, Store, StoreError};

/// Requests that may wait; who comes later waits until there is room. People and scripts never ask that much.
pub(crate) const REQUESTS_MAX: usize = 256;

/// What is sent to the controller.
pub(crate) enum Message {
    /// A request and where its answer goes.
    Request(Box<Request>, oneshot::Sender<Result<Accepted, Refusal>>),
    /// The configuration was loaded anew; answered when the controller knows it.
    Facts(Facts, oneshot::Sender<()>),
}

/// The way to the controller.
#[derive(Clone)]
pub struct Handle {
    pub(crate) messages: mpsc::Sender<Message>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) changed: watch::Receiver<Revision>,
    pub(crate) store: Arc<dyn Store>,
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
        let message = Message::Request(Box::new(request), reply);
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

    /// Tells what a new configuration says of shifts; returns when the controller knows it.
    pub async fn set_facts(&self, facts: Facts) {
        let (reply, known) = oneshot::channel();
        let sent = self.messages.send(Message::Facts(facts, reply)).await;
        if sent.is_err() || known.await.is_err() {
            tracing::warn!("the controller is gone, a new configuration cannot reach it");
        }
    }

    /// The newest lines of history with a sequence below `before`, the newest first; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when the state directory cannot be read.
    pub fn history(&self, limit: usize, before: Option<u64>) -> Result<Vec<Recorded>, StoreError> {
        self.store.history(limit, before)
    }

    /// Reads all of history and recomputes its hashes; gives the number of lines. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the first line that was changed.
    pub fn verify_history(&self) -> Result<u64, StoreError> {
        self.store.verify()
    }

    /// Keeps the text of a configuration that was applied.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub async fn save_config(&self, text: String) -> Result<(), StoreError> {
        self.save("save_config", move |store| {
            store.save_config(clock::wall(), &text)
        })
        .await
    }

    /// Keeps what is believed of sources of endpoints.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub(crate) async fn save_sets(&self, sets: Vec<Kept>) -> Result<(), StoreError> {
        self.save("save_sets", move |store| store.save_sets(&sets))
            .await
    }

    /// What was believed of sources of endpoints before the start; nothing where it cannot
    /// be read, which is told: a start needs the clouds then.
    #[must_use]
    pub fn kept_sets(&self) -> Vec<Kept> {
        match self.store.sets() {
            Ok(kept) => kept,
            Err(error) => {
                tracing::error!(event = "kept_endpoints_unreadable", %error);
                Vec::new()
            }
        }
    }

    async fn save(
        &self,
        name: &'static str,
        save: impl FnOnce(&dyn Store) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let store = Arc::clone(&self.store);
        let saved = spawn::blocking(name, move || save(&*store)).await;
        saved.unwrap_or_else(|error| {
            Err(StoreError::Io {
                doing: "write",
                path: std::path::PathBuf::new(),
                source: Box::new(error),
            })
        })
    }

    /// The text of the last configuration that was applied.
    ///
    /// # Errors
    /// [`StoreError`] when the state directory cannot be read.
    pub fn last_good_config(&self) -> Result<Option<String>, StoreError> {
        self.store.last_good_config()
    }
}
