//! **admit**, and the count of what a service brings: requests that ask for it, those that are shed, bytes to clients. Of a
//! service without a capacity nothing is counted.

use std::rc::Rc;
use std::sync::Arc;

use bascule_model::ServiceName;
use bascule_traffic::admit::{self, Reason, Rejection};

use super::{Ground, ServiceView};
use crate::shared::{ServiceCells, ServiceTotals};

/// Counts what a service brings to one worker; only for one that has a capacity to keep.
#[derive(Debug)]
pub(crate) struct Load {
    cells: Arc<ServiceCells>,
    worker: usize,
}

impl Load {
    /// Of a service, at this worker.
    pub(super) fn new(ground: &Ground, service: &ServiceName) -> Self {
        Self {
            cells: ground.shared.service(service),
            worker: ground.worker,
        }
    }

    fn totals(&self) -> Option<&ServiceTotals> {
        self.cells.of(self.worker)
    }

    /// Body bytes went to a client.
    pub(crate) fn sent(&self, bytes: u64) {
        if let Some(totals) = self.totals() {
            totals.bytes.add(bytes);
        }
    }

    fn asked(&self, outcome: &Result<(), Rejection>) {
        if let Some(totals) = self.totals() {
            totals.offered.increment();
            if matches!(outcome, Err(rejection) if rejection.reason == Reason::Shed) {
                totals.shed.increment();
            }
        }
    }
}

impl ServiceView {
    /// **admit**: lets a request in, or says why not.
    pub(crate) fn admit(&self) -> Result<(), Rejection> {
        let outcome = admit::admit(&self.service, &mut self.shedder.borrow_mut());
        if let Some(load) = &self.load {
            load.asked(&outcome);
        }
        outcome
    }

    /// Where what is sent to clients is counted, if it is.
    pub(crate) fn load_meter(&self) -> Option<Rc<Load>> {
        self.load.clone()
    }
}
