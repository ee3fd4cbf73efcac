//! Whether there is room for one more request, and the wait where there is none. The counts are gathered here, from the
//! cells of all workers; what is full is `traffic::breaker`'s to say, and who is next the line's. A request that only
//! comes is behind all that wait; the first in the line looks past them.

use std::rc::Rc;

use bascule_model::Instant;
use bascule_telemetry::clock;
use bascule_telemetry::names;
use bascule_telemetry::recorder::CellRecorder;
use bascule_traffic::breaker::{self, BackendCounts, EndpointCounts, ServiceLimits};
use bascule_traffic::hash::Key;
use bascule_traffic::pick::Place;
use bascule_traffic::snapshot::Service;
use bascule_traffic::suspect::Repeatable;
use bascule_traffic::{Gate, Look};
use metrics::{Counter, Gauge, counter, gauge};

use super::{BackendView, Lease, ServiceView};
use crate::line::Waiting;
use crate::shared;
use crate::upstream::Endpoint;

/// Who looks for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// One that has just come, or tries again.
    Comes,
    /// The first in the backend's line.
    IsNext,
}

impl ServiceView {
    /// The same look, with a gate that is shut where a limit is reached.
    pub(super) fn within_limits(
        &self,
        look: Look,
        backend: &BackendView,
        endpoint: &Endpoint,
        asker: Asker,
    ) -> Look {
        let Some(limits) = &self.limits else {
            return look;
        };
        let is_full = self.is_backend_closed(limits, backend, asker)
            || self.is_endpoint_full(limits, look.in_flight, endpoint);
        if is_full {
            look.with_gate(Gate::Full)
        } else {
            look
        }
    }

    /// Whether no limit keeps a request from an endpoint that was chosen otherwise than by a pick.
    pub(super) fn has_place(&self, backend: &BackendView, endpoint: &Endpoint) -> bool {
        let look = Look::open(endpoint.cells.load());
        self.within_limits(look, backend, endpoint, Asker::Comes)
            .gate
            != Gate::Full
    }

    fn is_backend_closed(
        &self,
        limits: &ServiceLimits,
        backend: &BackendView,
        asker: Asker,
    ) -> bool {
        // Each look sums the cells of all workers: only where that is limited.
        let requests = match limits.backend_requests {
            Some(_) => shared::sum_of(&backend.cells, |totals| &totals.in_flight),
            None => 0,
        };
        let waiting = match asker {
            Asker::Comes => u32::try_from(backend.line.len()).unwrap_or(u32::MAX),
            Asker::IsNext => 0,
        };
        limits.is_closed(BackendCounts { requests, waiting })
    }

    fn is_endpoint_full(&self, limits: &ServiceLimits, requests: u32, endpoint: &Endpoint) -> bool {
        let max = limits.endpoint_connections;
        let connections = max.map_or(0, |_| endpoint.places.connections());
        // Looked for only where it makes a difference.
        let at_hand = max.is_some_and(|max| connections >= max) && {
            let idle_max = self.service.spec.timeouts.upstream_idle;
            endpoint.has_connection_at_hand(clock::now(), idle_max)
        };
        let counts = EndpointCounts {
            requests,
            connections,
            at_hand,
        };
        limits.endpoint_full(counts).is_some()
    }

    /// Waits for a place, where nobody has one: in the line that has most room, until the patience of the service ends or
    /// the request's time does. Dropping this leaves the line.
    pub(crate) async fn wait(
        &self,
        place: Option<Place>,
        key: Option<Key>,
        request: Repeatable,
        deadline: Option<Instant>,
    ) -> Result<Lease, NoPlace> {
        let (limits, at, waiting) = self.join().ok_or(NoPlace::Full)?;
        let backend = self.backends.get(at);
        let mut noted = backend
            .and_then(|backend| backend.waits.as_deref())
            .map(Noted::new);
        let patience = clock::now() + limits.pending_timeout;
        let (until, why) = match deadline {
            Some(deadline) if deadline <= patience => (deadline, NoPlace::Deadline),
            _ => (patience, NoPlace::Full),
        };
        // A place that was found is held by its lease; giving up the wait gives up the place in the line.
        let found = tokio::select! {
            biased;
            lease = waiting.find(|| self.place_at(at, place, key, request)) => Ok(lease),
            () = clock::sleep_until(until) => Err(why),
        };
        if let Some(noted) = &mut noted {
            noted.end = match found {
                Ok(_) => End::Served,
                Err(_) => End::Timeout,
            };
        }
        found
    }

    /// A place in the line that has most room; `None`: nothing may wait, or all lines are full.
    fn join(&self) -> Option<(&ServiceLimits, usize, Waiting)> {
        let limits = self.limits.as_ref()?;
        let len = |at: usize| self.backends.get(at).map_or(usize::MAX, |b| b.line.len());
        let at = breaker::line_to_join(&self.service, len)?;
        let backend = self.backends.get(at)?;
        let usable = backend.backend()?.endpoints.iter().filter(|e| e.usable);
        let max = limits.line_max(usable.count());
        let waiting = backend.line.join(max, self.worker)?;
        Some((limits, at, waiting))
    }

    /// A place at a backend for the one that is next there.
    fn place_at(
        &self,
        backend: usize,
        place: Option<Place>,
        key: Option<Key>,
        request: Repeatable,
    ) -> Option<Lease> {
        let now = self.now_for_latency();
        let look = |backend, endpoint| self.look(backend, endpoint, now, request, Asker::IsNext);
        let mut picker = self.picker.borrow_mut();
        let choice = match place {
            Some(place) => picker.placed_after_wait(&self.service, backend, place, look),
            None => picker.after_wait(&self.service, backend, key, look),
        }?;
        let lease = self.lease(choice)?;
        lease.endpoint.watch.is_tried();
        Some(lease)
    }
}

/// Why a wait brought no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// Nothing may wait, all lines are full, or nothing became free in time.
    Full,
    /// All the time that the request had is over.
    Deadline,
}

/// How a wait ended.
#[derive(Debug, Clone, Copy)]
enum End {
    Served,
    Timeout,
    /// The client went away.
    Gone,
}

/// The metric handles of those that wait for one backend at one worker.
#[derive(Debug)]
pub(super) struct WaitMeters {
    waiting: Gauge,
    served: Counter,
    timeout: Counter,
    gone: Counter,
}

impl WaitMeters {
    /// `None` where nobody ever waits.
    pub(super) fn new(
        recorder: &CellRecorder,
        service: &Service,
        backend: &bascule_traffic::snapshot::Backend,
    ) -> Option<Rc<Self>> {
        if !service.spec.limits.has_line() {
            return None;
        }
        let labels = || {
            [
                ("service", service.name().to_string()),
                ("backend", backend.name.to_string()),
                ("provider", backend.provider.to_string()),
            ]
        };
        let ended = |end: &'static str| {
            let [service, backend, provider] = labels();
            counter!(
                names::PENDING_ENDED,
                &[service, backend, provider, ("end", end.to_owned())]
            )
        };
        Some(metrics::with_local_recorder(recorder, || {
            Rc::new(Self {
                waiting: gauge!(names::PENDING, &labels()),
                served: ended("served"),
                timeout: ended("timeout"),
                gone: ended("client_gone"),
            })
        }))
    }
}

/// One that waits, in the metrics until this is dropped.
struct Noted<'a> {
    meters: &'a WaitMeters,
    end: End,
}

impl<'a> Noted<'a> {
    fn new(meters: &'a WaitMeters) -> Self {
        meters.waiting.increment(1.0);
        let end = End::Gone;
        Self { meters, end }
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.meters.waiting.decrement(1.0);
        match self.end {
            End::Served => self.meters.served.increment(1),
            End::Timeout => self.meters.timeout.increment(1),
            End::Gone => self.meters.gone.increment(1),
        }
    }
}
