//! Which service a request belongs to.

/// The routes of all listeners.
#[derive(Debug, Clone, Default)]
pub struct Table {}
