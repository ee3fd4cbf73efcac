//! One worker of an edge: its view of the snapshot, its picker, its retry budget, and to which endpoints it has open
//! connections. As in the proxy, a request keeps the view that it began with; a new snapshot carries the picker over.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use bascule_traffic::retry::Budget;
use bascule_traffic::snapshot::{Endpoint, Service};
use bascule_traffic::{Choice, Picker, Snapshot};

use crate::layout::Layout;

/// What a worker derived from a snapshot.
#[derive(Debug)]
pub(crate) struct View {
    /// The service in it.
    pub(crate) service: Arc<Service>,
    /// The snapshot's number.
    pub(crate) generation: u64,
    pub(crate) picker: RefCell<Picker>,
    /// By backend and endpoint of the service, their places in the world.
    places: Vec<Vec<usize>>,
}

impl View {
    fn build(
        layout: &Layout,
        worker: usize,
        snapshot: &Snapshot,
        old: Option<&Self>,
    ) -> Option<Self> {
        let service = snapshot.service(&layout.spec.name)?;
        let picker = old.map_or_else(
            || Picker::new(worker, service),
            |old| Picker::carry(old.picker.borrow().clone(), service),
        );
        let place = |endpoint: &Endpoint| layout.place(&endpoint.id).unwrap_or(usize::MAX);
        let backends = service.backends.iter();
        let places = backends.map(|backend| backend.endpoints.iter().map(place).collect());
        Some(Self {
            places: places.collect(),
            service: Arc::clone(service),
            generation: snapshot.generation,
            picker: RefCell::new(picker),
        })
    }

    /// The place in the world of an endpoint of this view.
    pub(crate) fn place(&self, backend: usize, endpoint: usize) -> Option<usize> {
        self.places.get(backend)?.get(endpoint).copied()
    }

    /// The place of a choice, and the endpoint as the snapshot has it.
    pub(crate) fn chosen(&self, choice: Choice) -> Option<(usize, &Endpoint)> {
        let place = self.place(choice.backend, choice.endpoint)?;
        let backend = self.service.backends.get(choice.backend)?;
        Some((place, backend.endpoints.get(choice.endpoint)?))
    }
}

/// A worker.
#[derive(Debug)]
pub(crate) struct Worker {
    number: usize,
    pub(crate) view: Option<Rc<View>>,
    pub(crate) budget: Budget,
    /// Places it has an open connection to.
    pub(crate) connected: BTreeSet<usize>,
}

impl Worker {
    /// Worker `number` of an edge of this layout.
    pub(crate) fn new(layout: &Layout, number: usize) -> Self {
        Self {
            number,
            view: None,
            budget: Budget::new(&layout.spec.retry, number, layout.size.workers),
            connected: BTreeSet::new(),
        }
    }

    /// Takes a snapshot.
    pub(crate) fn adopt(&mut self, layout: &Layout, snapshot: &Snapshot) {
        let view = View::build(layout, self.number, snapshot, self.view.as_deref());
        if let Some(view) = &view {
            let policy = &view.service.spec.retry;
            self.budget
                .set_policy(policy, self.number, layout.size.workers);
        }
        self.view = view.map(Rc::new);
    }
}
