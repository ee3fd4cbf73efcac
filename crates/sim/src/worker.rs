//! One worker of an edge: its view of the snapshot, its picker, its retry budget, what it has seen of each endpoint, and
//! where it has open connections. As in the proxy, a request keeps the view that it began with; a new snapshot carries the
//! picker over, and an endpoint that is usable again is suspected no more.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use bascule_model::Instant;
use bascule_traffic::admit::Shedder;
use bascule_traffic::retry::{Budget, Ledger};
use bascule_traffic::snapshot::{Endpoint, Service};
use bascule_traffic::suspect::{Answers, Standing, Suspicion, Times};
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

    /// The places that are usable in it.
    fn usable(&self) -> BTreeSet<usize> {
        let backends = self.service.backends.iter().zip(&self.places);
        let endpoints = backends.flat_map(|(backend, places)| backend.endpoints.iter().zip(places));
        endpoints
            .filter(|(endpoint, _)| endpoint.usable)
            .map(|(_, place)| *place)
            .collect()
    }
}

/// What a worker has seen of one endpoint.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) suspicion: Suspicion,
    pub(crate) answers: Answers,
}

/// A worker.
#[derive(Debug)]
pub(crate) struct Worker {
    number: usize,
    pub(crate) view: Option<Rc<View>>,
    pub(crate) budget: Budget,
    pub(crate) shedder: Shedder,
    /// By place.
    pub(crate) watches: Vec<Watch>,
    /// Places it has an open connection to.
    pub(crate) connected: BTreeSet<usize>,
}

impl Worker {
    /// Worker `number` of an edge of this layout, with what all of its workers share.
    pub(crate) fn new(
        layout: &Layout,
        number: usize,
        standings: &[Arc<Standing>],
        ledger: &Arc<Ledger>,
    ) -> Self {
        let watch = |standing: &Arc<Standing>| Watch {
            suspicion: Suspicion::new(Arc::clone(standing)),
            answers: Answers::default(),
        };
        Self {
            number,
            view: None,
            budget: Budget::join(&layout.spec.retry, number, Arc::clone(ledger)),
            shedder: Shedder::new(number),
            watches: standings.iter().map(watch).collect(),
            connected: BTreeSet::new(),
        }
    }

    /// Takes a snapshot.
    pub(crate) fn adopt(&mut self, layout: &Layout, snapshot: &Snapshot) {
        let view = View::build(layout, self.number, snapshot, self.view.as_deref());
        if let (Some(view), Some(old)) = (&view, &self.view) {
            let (usable, before) = (view.usable(), old.usable());
            let returned = usable.difference(&before);
            let watches = returned.filter_map(|place| self.watches.get(*place));
            watches.for_each(|watch| watch.suspicion.standing().forget());
        }
        if let Some(view) = &view {
            self.budget.set_policy(&view.service.spec.retry);
        }
        self.view = view.map(Rc::new);
    }

    /// Once a second: what is strange is worked out anew.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let Some(view) = &self.view else {
            return;
        };
        for places in &view.places {
            let mut times = Times::default();
            let of_each = places.iter().filter_map(|at| self.watches.get(*at));
            of_each.for_each(|watch| times += watch.answers.times());
            let tell = |watch: &mut Watch| watch.answers.handle_timeout(now, &times);
            for at in places {
                self.watches.get_mut(*at).map(tell);
            }
        }
    }
}
