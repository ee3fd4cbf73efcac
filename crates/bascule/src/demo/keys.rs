//! After the story: keys to play on with. Reads single keys in raw mode and gives the terminal back whatever happens.

use std::time::Duration;

use anyhow::Result;
use bascule_admin::api;
use crossterm::event::{Event, EventStream, KeyCode, KeyModifiers};
use crossterm::terminal;
use futures_util::StreamExt;
use serde_json::json;

use super::clouds::describe;
use super::load::Figures;
use super::story::Story;
use crate::cli::args::Fault;
use bascule_telemetry::clock;

/// Between two lines of what clients see.
const LINE: Duration = Duration::from_secs(2);

struct RawMode;

impl RawMode {
    fn enter() -> Result<Self> {
        terminal::enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Nothing else can be done about a terminal that does not answer.
        drop(terminal::disable_raw_mode());
    }
}

/// Plays on until `q`.
pub(super) async fn play(story: &Story, fault: Fault) -> Result<()> {
    let _raw = RawMode::enter()?;
    story.out.plain(
        "Keep playing: [b]reak / [h]eal the first provider, [s]hift 10 points, [e]xplain, [q]uit",
    );
    let mut keys = EventStream::new();
    let mut lines = tokio::time::interval(LINE);
    loop {
        tokio::select! {
            key = keys.next() => match key {
                Some(Ok(Event::Key(key))) => {
                    let interrupt = key.modifiers.contains(KeyModifiers::CONTROL);
                    match key.code {
                        KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                        KeyCode::Char('c') if interrupt => return Ok(()),
                        KeyCode::Char(letter) => act(story, fault, letter).await,
                        _ => {}
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(()),
            },
            _ = lines.tick() => tell_now(story),
        }
    }
}

async fn act(story: &Story, fault: Fault, key: char) {
    let Some(cloud) = story.clouds.first() else {
        return;
    };
    let name = cloud.profile.name;
    match key {
        'b' => {
            cloud.break_with(fault);
            story
                .out
                .tell(&format!("you break {name}"), describe(fault));
        }
        'h' => {
            cloud.heal();
            story
                .out
                .tell(&format!("you heal {name}"), "it returns by a ramp");
        }
        's' => shift(story, name).await,
        'e' => explain(story, name).await,
        _ => {}
    }
}

/// Ten points away from the first provider, or back to what the file declares when there is nothing left to give.
async fn shift(story: &Story, name: &str) {
    let weights: Result<api::Weights> = story.daemon.get("/v1/services/meet/weights").await;
    let has = weights
        .ok()
        .and_then(|w| w.target.get(name).copied())
        .unwrap_or_default();
    let wants = if has >= 20.0 { has - 10.0 } else { 70.0 };
    let body = json!({
        "service": "meet", "shares": { name: wants }, "reason": "demo",
        "pace": { "steps": { "step": 5, "bake_seconds": 1 } },
    });
    match story.daemon.post::<api::Change>("/v1/shifts", &body).await {
        Ok(_) => story
            .out
            .tell("you shift", &format!("{name} {has} → {wants} %")),
        Err(error) => story.out.tell("refused", &error.to_string()),
    }
}

async fn explain(story: &Story, name: &str) {
    match story
        .daemon
        .get::<api::Explanation>(&format!("/v1/services/meet/explain/{name}"))
        .await
    {
        Ok(explanation) => {
            for line in
                crate::cli::explain::render(&explanation, &crate::cli::text::Clock::system())
                    .lines()
            {
                story.out.plain(line);
            }
        }
        Err(error) => story.out.tell("explain", &error.to_string()),
    }
}

fn tell_now(story: &Story) {
    let now = clock::now();
    let recent = story
        .load
        .read(|seen| Figures::of(seen, |s| now.since(s.ended) < LINE));
    let shares: Vec<String> = story
        .clouds
        .iter()
        .map(|c| {
            format!(
                "{} {:.1} %{}",
                c.profile.name,
                recent.percent(c.profile.name),
                if c.fault().is_some() { " (broken)" } else { "" }
            )
        })
        .collect();
    let text = format!(
        "{}   p95 {:.1} ms   errors {}",
        shares.join("  "),
        recent.p95_millis(),
        recent.errors
    );
    story.out.tell("", &text);
}
