//! Counts picks that went to another backend than the one whose turn it was. Where a limit is reached that is many of
//! them, so a handle is kept once it was needed; until then, which is for ever in most services, there is none.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use bascule_telemetry::names;
use bascule_telemetry::recorder::CellRecorder;
use bascule_traffic::SpillCause;
use bascule_traffic::snapshot::Service;
use metrics::{Counter, counter};

/// The counters of one service at one worker, by the indexes of both backends.
pub(crate) struct Spills {
    recorder: CellRecorder,
    counters: RefCell<BTreeMap<(usize, usize, SpillCause), Counter>>,
}

impl Spills {
    /// Without any.
    pub(crate) fn new(recorder: &CellRecorder) -> Self {
        Self {
            recorder: recorder.clone(),
            counters: RefCell::default(),
        }
    }

    /// A request whose turn was `from`'s went to `to`.
    pub(crate) fn count(&self, service: &Service, from: usize, to: usize, cause: SpillCause) {
        let mut counters = self.counters.borrow_mut();
        let counter = counters.entry((from, to, cause)).or_insert_with(|| {
            let name = |at: usize| {
                let backend = service.backends.get(at);
                backend.map_or_else(String::new, |backend| backend.name.to_string())
            };
            let labels = [
                ("service", service.name().to_string()),
                ("from", name(from)),
                ("to", name(to)),
                ("reason", cause.as_str().to_owned()),
            ];
            metrics::with_local_recorder(&self.recorder, || counter!(names::SPILLS, &labels))
        });
        counter.increment(1);
    }
}

impl fmt::Debug for Spills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.counters.borrow().len();
        f.debug_struct("Spills").field("seen", &seen).finish()
    }
}
