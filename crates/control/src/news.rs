//! From the control loop's notices to events for the log, the stream and the dashboard.

use bascule_plan::steer::Notice;
use bascule_telemetry::events::Event;

/// The event that tells a notice; its data is the notice as it is.
pub(crate) fn event(notice: &Notice) -> Event {
    let data = serde_json::to_value(notice).unwrap_or_else(|error| {
        tracing::error!(event = "notice_unreadable", %error);
        serde_json::Value::Null
    });
    let mut event = Event::new(notice.kind(), notice.message()).data(data);
    if let Some(service) = notice.service() {
        event = event.service(service);
    }
    if let Some(provider) = notice.provider() {
        event = event.provider(provider);
    }
    if let Notice::Admin { target, .. } = notice
        && let bascule_model::AdminTarget::Backend(_, backend)
        | bascule_model::AdminTarget::Endpoint(_, backend, _) = target
    {
        event = event.backend(backend);
    }
    event
}
