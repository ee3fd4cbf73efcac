//! `/v1/events`: what changes, as it changes. A client that falls behind or comes back is told what it missed, or that
//! it is gone; it is never told a part in silence. A stream ends when the process stops.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use bascule_telemetry::events::{Bus, Event, Gap, Page};
use futures_util::Stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};

use crate::api;
use crate::app::{App, STREAMS_MAX};
use crate::convert;
use crate::problem::{Code, Refused};

/// Between two heartbeats: below the idle limits of proxies and of clients that watch for silence.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Which events.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Which {
    service: Option<String>,
    kind: Option<String>,
    since: Option<u64>,
    last: Option<usize>,
}

impl Which {
    /// Whether the event is one of those asked for.
    fn fits(&self, event: &Event) -> bool {
        let service = event.service.as_ref().map(|name| name.as_str());
        let fits = |wanted: &Option<String>, has: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| has == Some(wanted))
        };
        fits(&self.service, service) && fits(&self.kind, Some(event.kind))
    }
}

/// Events as server-sent events, from now on; with `Last-Event-ID` or `since` from there, with `last` from that many
/// back.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(("service" = Option<String>, Query), ("kind" = Option<String>, Query),
        ("since" = Option<u64>, Query, description = "the number of the last event that is known"),
        ("last" = Option<usize>, Query, description = "how many past events to begin with")),
    responses((status = 200, content_type = "text/event-stream", body = api::Event)))]
pub(super) async fn events(
    State(app): State<App>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refused> {
    let permit = app.streams.clone().try_acquire_owned().map_err(|_| {
        let detail = format!("{STREAMS_MAX} event streams are open; close one or come back");
        Refused::new(Code::TooManyClients, detail)
    })?;
    let header = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let since = match header {
        Some(text) => Some(text.trim().parse().map_err(|_| {
            let detail = format!("Last-Event-ID must be the id of an event, not `{text}`");
            Refused::new(Code::BadRequest, detail)
        })?),
        None => which.since,
    };
    let follower = Follower::new(&app.ports.bus, which, since, app.stopping.clone(), permit);
    let stream = futures_util::stream::unfold(follower, |mut follower| async {
        let frame = follower.next().await?;
        Some((Ok::<_, Infallible>(frame), follower))
    });
    Ok(sse(stream))
}

fn sse(
    stream: impl Stream<Item = Result<Frame, Infallible>> + Send + 'static,
) -> impl IntoResponse {
    Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("heartbeat"))
}

/// One client's place in the order of events.
struct Follower {
    bus: Bus,
    which: Which,
    ready: VecDeque<Frame>,
    receiver: broadcast::Receiver<Event>,
    /// The last event that was looked at.
    seen: u64,
    stopping: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    fn new(
        bus: &Bus,
        which: Which,
        since: Option<u64>,
        stopping: watch::Receiver<bool>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let last = bus.last();
        // Zero stands for all that are kept.
        let from = since.unwrap_or(if which.last.is_some() { 0 } else { last });
        let (mut page, receiver) = bus.follow(from);
        if let (None, Some(keep)) = (since, which.last) {
            page.events.retain(|event| which.fits(event));
            let skip = page.events.len().saturating_sub(keep);
            page.events.drain(..skip);
        }
        let mut follower = Self {
            bus: bus.clone(),
            which,
            ready: VecDeque::new(),
            receiver,
            seen: since.unwrap_or(last),
            stopping,
            _permit: permit,
        };
        follower.take(page);
        follower
    }

    fn take(&mut self, page: Page) {
        if page.gap == Gap::Missed {
            let next = page.events.first().map_or(self.bus.last() + 1, |e| e.seq);
            let gap = api::Gap {
                after: self.seen,
                next,
            };
            self.ready
                .extend(frame(next.saturating_sub(1), "gap", &gap));
        }
        for event in page.events {
            self.offer(&event);
        }
    }

    fn offer(&mut self, event: &Event) {
        self.seen = self.seen.max(event.seq);
        if self.which.fits(event) {
            let wire = convert::event(event);
            // Named events would need a listener for each kind; the kind is in the data.
            self.ready.extend(frame(event.seq, "message", &wire));
        }
    }

    /// The next frame; `None` when the process stops. Cancellation-safe: what was received is in `ready`.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(frame);
            }
            // Both branches are cancellation-safe: a receiver keeps what was not taken.
            let received = tokio::select! {
                received = self.receiver.recv() => received,
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
            };
            match received {
                Ok(event) => self.offer(&event),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    let (page, receiver) = self.bus.follow(self.seen);
                    self.receiver = receiver;
                    self.take(page);
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// One frame. A value that is not JSON cannot be: the types are ours.
fn frame(id: u64, name: &str, value: &impl serde::Serialize) -> Option<Frame> {
    let data = serde_json::to_string(value).ok()?;
    Some(Frame::default().id(id.to_string()).event(name).data(data))
}
