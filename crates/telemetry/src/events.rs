//! What happened, in order, for people and dashboards: a ring of the last events with a sequence number, sent to whoever
//! listens, each also one log line. It never blocks and never waits for a listener: a slow one is told what it missed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bascule_model::{BackendName, ProviderName, ServiceName, Timestamp};
use serde::Serialize;
use tokio::sync::broadcast;

use crate::clock;

/// How many events are kept: an hour of a busy day at three a second.
pub const KEPT_MAX: usize = 10_000;
/// How far a listener may fall behind before it is told that it missed some.
const BEHIND_MAX: usize = 1024;

/// Something that happened. Made by [`Event::new`] and [`Bus::publish`]ed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Its place in the order; given by the bus, rises by one for each event, and never goes back over a restart.
    pub seq: u64,
    /// When; given by the bus.
    pub at: Timestamp,
    /// What, in one word: `health_changed`, `weight_changed`, `shift_started`, …
    pub kind: &'static str,
    /// The service it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// The backend it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendName>,
    /// The provider it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    /// One sentence for a person.
    pub message: String,
    /// Everything else, for programs; an object or null.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub data: serde_json::Value,
}

impl Event {
    /// An event of this kind about nothing in particular yet.
    #[must_use]
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            seq: 0,
            at: Timestamp::default(),
            kind,
            service: None,
            backend: None,
            provider: None,
            message: message.into(),
            data: serde_json::Value::Null,
        }
    }

    /// About this service.
    #[must_use]
    pub fn service(mut self, service: &ServiceName) -> Self {
        self.service = Some(service.clone());
        self
    }

    /// About this backend.
    #[must_use]
    pub fn backend(mut self, backend: &BackendName) -> Self {
        self.backend = Some(backend.clone());
        self
    }

    /// About this provider.
    #[must_use]
    pub fn provider(mut self, provider: &ProviderName) -> Self {
        self.provider = Some(provider.clone());
        self
    }

    /// With this data, an object.
    #[must_use]
    pub fn data(mut self, data: serde_json::Value) -> Self {
        self.data = data;
        self
    }
}

/// What lies between the sequence number asked for and the first event given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Nothing: no event was missed.
    None,
    /// Events that are no longer kept, or came from an earlier run of the process.
    Missed,
}

/// Events after a sequence number.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Whether some were missed before these.
    pub gap: Gap,
    /// The events, oldest first.
    pub events: Vec<Event>,
}

struct Ring {
    events: VecDeque<Event>,
    /// The sequence number of the last event, or the one before the first.
    last: u64,
}

impl Ring {
    /// Events after `seq`; all that are kept when `seq` is zero (asked for by somebody who has seen none).
    fn since(&self, seq: u64) -> Page {
        let before_first = self.events.front().map_or(self.last, |e| e.seq - 1);
        let known = seq == 0 || (before_first..=self.last).contains(&seq);
        let events = self.events.iter().filter(|e| !known || e.seq > seq);
        Page {
            gap: if known { Gap::None } else { Gap::Missed },
            events: events.cloned().collect(),
        }
    }
}

/// Where events are published and read. Cheap to clone; all clones are one bus.
#[derive(Clone)]
pub struct Bus {
    ring: Arc<Mutex<Ring>>,
    sender: broadcast::Sender<Event>,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("last", &self.last()).finish()
    }
}

impl Default for Bus {
    fn default() -> Self {
        Self::new()
    }
}

impl Bus {
    /// An empty bus. Its numbers start at the wall clock in milliseconds, so that they rise over a restart and a listener
    /// who comes back with an old number is told that it missed some.
    #[must_use]
    pub fn new() -> Self {
        Self::starting_after(clock::wall().as_millis())
    }

    fn starting_after(last: u64) -> Self {
        let events = VecDeque::new();
        Self {
            ring: Arc::new(Mutex::new(Ring { events, last })),
            sender: broadcast::Sender::new(BEHIND_MAX),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing between lock and unlock leaves the ring half changed.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers, dates, keeps, logs and sends an event; gives back its number.
    pub fn publish(&self, mut event: Event) -> u64 {
        event.at = clock::wall();
        let mut ring = self.ring();
        ring.last += 1;
        event.seq = ring.last;
        if ring.events.len() == KEPT_MAX {
            ring.events.pop_front();
        }
        ring.events.push_back(event.clone());
        // Sent under the lock, so that every listener gets them in order. An error only says that nobody listens.
        drop(self.sender.send(event.clone()));
        drop(ring);
        // Not under it: a log that is slow to write must not hold up who reads.
        log(&event);
        event.seq
    }

    /// The events after `seq` that are still kept; all of them for 0.
    #[must_use]
    pub fn since(&self, seq: u64) -> Page {
        self.ring().since(seq)
    }

    /// Future events. A receiver that falls behind by more than 1024 gets `Lagged`; [`since`](Self::since) then helps.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }

    /// The events after `seq` and the receiver of exactly those that follow.
    #[must_use]
    pub fn follow(&self, seq: u64) -> (Page, broadcast::Receiver<Event>) {
        let ring = self.ring();
        (ring.since(seq), self.sender.subscribe())
    }

    /// The number of the last event.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.ring().last
    }
}

fn log(event: &Event) {
    let data = (!event.data.is_null()).then(|| event.data.to_string());
    tracing::info!(
        event = event.kind,
        seq = event.seq,
        service = event.service.as_ref().map(ServiceName::as_str),
        backend = event.backend.as_ref().map(BackendName::as_str),
        provider = event.provider.as_ref().map(ProviderName::as_str),
        data,
        "{}",
        event.message
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bus_with(count: u64) -> Bus {
        let bus = Bus::starting_after(100);
        (0..count).for_each(|n| {
            bus.publish(Event::new("test", n.to_string()));
        });
        bus
    }

    fn numbers(page: &Page) -> Vec<u64> {
        page.events.iter().map(|e| e.seq).collect()
    }

    #[test]
    fn events_after_a_number_come_in_order_and_without_a_gap() {
        let page = bus_with(5).since(103);
        assert_eq!((page.gap, numbers(&page)), (Gap::None, vec![104, 105]));
        assert_eq!(bus_with(5).since(105).events, vec![]);
        assert_eq!(bus_with(5).since(0).events.len(), 5);
    }

    #[test]
    fn who_asks_for_events_no_longer_kept_is_told() {
        let bus = bus_with(KEPT_MAX as u64 + 10);
        let page = bus.since(105);
        assert_eq!((page.gap, page.events.len()), (Gap::Missed, KEPT_MAX));
        assert_eq!(bus.since(110).gap, Gap::None);
    }

    #[test]
    fn a_number_of_an_earlier_or_unknown_run_is_a_gap() {
        assert_eq!(bus_with(3).since(50).gap, Gap::Missed);
        let ahead = bus_with(3).since(500);
        assert_eq!((ahead.gap, ahead.events.len()), (Gap::Missed, 3));
    }

    #[tokio::test]
    async fn following_gives_each_event_exactly_once() {
        let bus = bus_with(2);
        let (page, mut live) = bus.follow(0);
        bus.publish(Event::new("test", "later"));
        assert_eq!(numbers(&page), [101, 102]);
        assert_eq!(live.recv().await.unwrap().seq, 103);
    }
}
