//! `events`: what changed, as the API tells it. A stream that breaks is resumed after the last event seen, and what was
//! missed is said.

use std::time::Duration;

use bascule_admin::api::{Event, Gap};
use http::Method;

use super::args::EventsArgs;
use super::client::sse::{Message, Reader};
use super::client::{Call, segment};
use super::exit::{CliError, CliResult, Exit};
use super::follow::Interrupt;
use super::session::Session;
use super::text::Clock;

/// Before a broken stream is resumed.
const RESUME_AFTER: Duration = Duration::from_secs(1);
/// Without `--follow`: the stream has told all that is kept when it is silent for so long. The API sends what it keeps in
/// one go and then waits for news.
const SILENT_FOR: Duration = Duration::from_millis(300);

/// With `--follow`: how many past events it begins with, so that one sees what led here.
const BEFORE: usize = 10;

/// Prints events.
pub(crate) async fn run(session: &mut Session<'_>, args: &EventsArgs) -> CliResult {
    let mut interrupt = Interrupt::listen();
    let mut reader = Reader::default();
    loop {
        let mut call = Call::new(Method::GET, path(args));
        call.last_event = reader.last_id().map(str::to_owned);
        let Some(end) = interrupt.or(read(session, args, call, &mut reader)).await else {
            return Ok(Exit::Interrupted);
        };
        match end {
            Ok(()) if !args.follow => return Ok(Exit::Ok),
            Ok(()) => {}
            Err(error)
                if args.follow && error.exit == Exit::Unreachable && reader.last_id().is_some() =>
            {
                session.out.trace(&error.to_string());
            }
            Err(error) => return Err(error),
        }
        reader.reset();
        if interrupt
            .or(tokio::time::sleep(RESUME_AFTER))
            .await
            .is_none()
        {
            return Ok(Exit::Interrupted);
        }
    }
}

/// Reads one stream to its end.
async fn read(
    session: &mut Session<'_>,
    args: &EventsArgs,
    call: Call,
    reader: &mut Reader,
) -> Result<(), CliError> {
    let mut stream = session.stream(call).await?;
    loop {
        let piece = if args.follow {
            stream.next().await
        } else {
            tokio::time::timeout(SILENT_FOR, stream.next())
                .await
                .unwrap_or(None)
        };
        let Some(piece) = piece else { return Ok(()) };
        for message in reader.take(&piece) {
            show(session, &message)?;
        }
    }
}

fn path(args: &EventsArgs) -> String {
    let filter = |name: &str, value: &Option<String>| {
        value.as_ref().map(|v| format!("{name}={}", segment(v)))
    };
    let begin = if args.follow {
        format!("last={BEFORE}")
    } else {
        "since=0".to_owned()
    };
    let query: Vec<String> = filter("service", &args.service)
        .into_iter()
        .chain(filter("kind", &args.kind))
        .chain([begin])
        .collect();
    format!("/v1/events?{}", query.join("&"))
}

fn show(session: &mut Session<'_>, message: &Message) -> Result<(), CliError> {
    let broken = |error: serde_json::Error| {
        CliError::new(Exit::Failed, format!("an event is not understood: {error}"))
            .with_detail(message.data.clone())
    };
    if message.name == "gap" {
        let gap: Gap = serde_json::from_str(&message.data).map_err(broken)?;
        session.out.note(&format!(
            "events {} to {} are no longer kept",
            gap.after + 1,
            gap.next.saturating_sub(1)
        ));
        return Ok(());
    }
    let event: Event = serde_json::from_str(&message.data).map_err(broken)?;
    if session.out.format.is_json() {
        return session.out.line("Event", &event);
    }
    let line = line(&event, &session.clock);
    session.out.text(&line)
}

/// `2026-11-20 18:41:03  weight_changed  meet/aws  70 → 65`.
fn line(event: &Event, clock: &Clock) -> String {
    let parts = [event.service.as_deref(), event.backend.as_deref()];
    let mut about: Vec<&str> = parts.into_iter().flatten().collect();
    if about.is_empty() {
        about.extend(event.provider.as_deref());
    }
    let line = format!(
        "{}  {:<16}  {:<12}  {}",
        clock.long(event.at),
        event.kind,
        about.join("/"),
        event.message
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        assert_eq!(
            line(&samples::event(), &samples::clock()),
            "2026-11-20 18:41:00  weight_changed    meet/aws      70 → 65"
        );
    }

    #[test]
    fn filters_are_part_of_the_question() {
        let args = EventsArgs {
            follow: true,
            service: Some("meet".to_owned()),
            kind: Some("a b".to_owned()),
        };
        assert_eq!(path(&args), "/v1/events?service=meet&kind=a%20b&last=10");
        assert_eq!(
            path(&EventsArgs {
                follow: false,
                service: None,
                kind: None
            }),
            "/v1/events?since=0"
        );
    }
}
