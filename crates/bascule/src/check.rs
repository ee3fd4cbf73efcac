//! Is it fit? What `bascule check` and `config validate --online` look at: the machine (`host`), the files of a
//! configuration (`files`), the age of its prices (`prices`), its endpoints (`online`) and its accounts in clouds (`clouds`) from here, and the running process (`running`). Everything found is a
//! [`Finding`] with a code that `bascule help` explains. It must never change anything: what it binds or connects to is let
//! go at once, and a question that cannot be answered is said to be open.

use bascule_config::Config;
use bascule_model::Timestamp;

pub(crate) mod clouds;
pub(crate) mod files;
pub(crate) mod finding;
pub(crate) mod host;
pub(crate) mod online;
pub(crate) mod peer;
pub(crate) mod ports;
pub(crate) mod prices;
pub(crate) mod running;

pub(crate) use finding::{Finding, Group, Level, Report};

/// What is looked at.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    /// The configuration.
    pub(crate) config: &'a Config,
    /// Where its relative paths start.
    pub(crate) files: &'a crate::files::Files,
    /// What time it is.
    pub(crate) now: Timestamp,
}
