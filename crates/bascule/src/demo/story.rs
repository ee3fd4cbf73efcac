//! The story: a steady split, a shift, a provider that dies and comes back, a typo in the configuration, and what clients
//! saw of it all. Each scene acts on the daemon as an operator would, then counts at the clients. It must not read its
//! figures from the proxy; what it asks the proxy for (effective shares, retries) it names as such.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bascule_admin::api;
use bascule_model::{Instant, Rng};
use bascule_telemetry::clock;
use serde_json::json;

use super::checks::Checks;
use super::clouds::{Cloud, PROFILES, describe};
use super::daemon::{Daemon, LOOK, Ports};
use super::load::{Figures, Load, SESSIONS};
use super::out::Out;
use crate::cli::args::Fault;

/// How long a fault lasts.
const FAULT_LASTS: Duration = Duration::from_secs(8);
/// The longest a scene waits for what must come.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// The first proxied request must be answered in this time.
const FIRST_ANSWER: Duration = Duration::from_secs(3);
/// Points that the shift moves away from the first provider.
const SHIFT_POINTS: f64 = 20.0;

/// Everything on stage.
#[derive(Debug)]
pub(super) struct Story {
    /// The pretend clouds.
    pub(super) clouds: Vec<Cloud>,
    /// The daemon between clients and clouds.
    pub(super) daemon: Daemon,
    /// The clients.
    pub(super) load: Load,
    /// Where it is told.
    pub(super) out: Out,
    pub(super) checks: Checks,
    pub(super) workers: usize,
}

impl Story {
    /// Puts everything on stage and waits for the first answer.
    pub(super) async fn begin(
        seed: u64,
        providers: usize,
        any_port: bool,
        out: Out,
    ) -> Result<Self> {
        let started = clock::now();
        let rng = Rng::new(seed);
        let clouds: Vec<Cloud> = PROFILES
            .iter()
            .take(providers)
            .map(|profile| Cloud::start(*profile, &rng))
            .collect::<Result<_>>()?;
        let daemon = Daemon::start(&clouds, Ports::choose(any_port)?).await?;
        let load = Load::start(daemon.proxy())?;
        let status: api::Status = daemon.get("/v1/status").await?;
        let workers = status.edge.workers;
        let mut story = Self {
            clouds,
            daemon,
            load,
            out,
            checks: Checks::default(),
            workers,
        };
        story.banner();
        let first = story
            .until("the first answer", |s| {
                s.load.read(|seen| seen.first_answer)
            })
            .await?;
        let took = first.since(started);
        let text = format!(
            "first proxied request answered {:.2} s after the start",
            took.as_secs_f64()
        );
        story.out.tell_at(first, "up", &text);
        story.checks.that(
            &story.out,
            "first proxied request < 3 s",
            took < FIRST_ANSWER,
            &text,
        );
        Ok(story)
    }

    /// Plays all scenes and tells whether everything held.
    pub(super) async fn play(&mut self, fault: Fault) -> Result<bool> {
        let began = clock::now();
        self.steady().await?;
        self.shift().await?;
        self.fault(fault).await?;
        self.reload().await?;
        self.summary(began, fault).await?;
        Ok(self.checks.all_hold())
    }

    async fn steady(&mut self) -> Result<()> {
        self.until("all sessions", |s| {
            s.load
                .read(|seen| (seen.sessions.values().sum::<u32>() == SESSIONS).then_some(()))
        })
        .await?;
        self.count_split("steady").await.map(drop)
    }

    async fn shift(&mut self) -> Result<()> {
        let before = self.shares().await?;
        let cost_before = self.usd_per_gb(&before);
        let (giver, has) = before.first().cloned().context("a backend")?;
        let wants = has - SHIFT_POINTS;
        self.out.tell(
            "you shift",
            &format!("bascule shift meet {giver}={wants:.0} --step 5 --bake 1s"),
        );
        let from = clock::now();
        let request = json!({
            "service": "meet", "shares": { giver.as_str(): wants },
            "pace": { "steps": { "step": 5, "bake_seconds": 1 } },
            "reason": "demo",
        });
        let change: api::Change = self.daemon.post("/v1/shifts", &request).await?;
        let id = change.shifts.first().cloned().context("the shift's id")?;
        self.follow(&id, &giver).await?;
        let after = self.shares().await?;
        let reached = after
            .first()
            .is_some_and(|(_, share)| (share - wants).abs() < 0.01);
        self.checks.that(
            &self.out,
            "the shift reaches its shares",
            reached,
            &format!("{after:?}"),
        );
        self.nothing_failed("the shift", from);
        let cost = self.usd_per_gb(&after);
        let change = (cost / cost_before - 1.0) * 100.0;
        self.out.tell(
            "egress price",
            &format!("${cost_before:.4} → ${cost:.4} a GB at list price ({change:+.0} %)"),
        );
        self.count_split("after the shift").await.map(drop)
    }

    async fn follow(&self, id: &str, giver: &str) -> Result<()> {
        let mut step = 0;
        let deadline = clock::now() + PATIENCE;
        loop {
            let shift: api::Shift = self.daemon.get(&format!("/v1/shifts/{id}")).await?;
            if shift.step != step {
                step = shift.step;
                let now = shift.now.get(giver).copied().unwrap_or_default();
                let text = format!("step {step}/{}  {giver} {now} %", shift.steps);
                self.out.tell("", &text);
            }
            match shift.phase {
                api::ShiftPhase::Completed => return Ok(()),
                api::ShiftPhase::Aborted | api::ShiftPhase::Superseded => {
                    bail!("the shift ended as {:?}: {}", shift.phase, shift.note)
                }
                _ if clock::now() > deadline => bail!("the shift hangs: {}", shift.note),
                _ => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn fault(&mut self, fault: Fault) -> Result<()> {
        let retries_before = self.retries().await?;
        let victim = self.clouds.first().context("a cloud")?.profile.name;
        let broken_at = clock::now();
        self.cloud()?.break_with(fault);
        self.out.tell(&format!("I break {victim}"), describe(fault));
        let left = self.left(victim, broken_at + FAULT_LASTS).await?;
        if let Some(at) = left {
            let text = format!(
                "by the edge alone, {:.2} s after the break",
                at.since(broken_at).as_secs_f64()
            );
            self.out.tell_at(at, &format!("{victim} → 0 %"), &text);
        } else {
            self.out.tell(
                &format!("{victim} stays"),
                "its checks still pass, and what traffic sees of it is no more than chance",
            );
        }
        clock::sleep_until(broken_at + FAULT_LASTS).await;
        let healed_at = clock::now();
        self.cloud()?.heal();
        let saw = self.between(broken_at, healed_at);
        let saved = self.retries().await?.saturating_sub(retries_before);
        let text = format!(
            "{} of {} requests failed for clients; {saved} retried elsewhere (the proxy's count)",
            saw.errors, saw.requests
        );
        self.out.tell("clients saw", &text);
        self.checks.that(
            &self.out,
            "no request fails when a provider falls ill",
            saw.errors == 0,
            &text,
        );
        let is_dead = matches!(
            fault,
            Fault::Refused | Fault::Unavailable | Fault::Reset | Fault::Blackhole
        );
        if is_dead {
            self.checks.that(
                &self.out,
                "a dead provider is left",
                left.is_some(),
                "by its shares",
            );
        }
        self.out
            .tell(&format!("I heal {victim}"), "it returns by a ramp");
        self.back(victim, healed_at).await?;
        self.count_split("after the return").await.map(drop)
    }

    /// When the effective share of a backend became 0, if it does before the deadline.
    async fn left(&self, backend: &str, deadline: Instant) -> Result<Option<Instant>> {
        while clock::now() < deadline {
            let shares = self.shares().await?;
            if shares
                .iter()
                .any(|(name, share)| name == backend && *share == 0.0)
            {
                return Ok(Some(clock::now()));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(None)
    }

    /// Waits until a healed backend has its share again, and looks for an overshoot at the clients.
    async fn back(&mut self, backend: &str, healed_at: Instant) -> Result<()> {
        let target = self.target(backend).await?;
        let deadline = clock::now() + PATIENCE;
        loop {
            let shares = self.shares().await?;
            let has = shares
                .iter()
                .find(|(name, _)| name == backend)
                .map_or(0.0, |(_, s)| *s);
            if (has - target).abs() < 0.01 && self.everything_up().await? {
                break;
            }
            if clock::now() > deadline {
                bail!("{backend} does not return: {has} % of {target} %");
            }
            tokio::time::sleep(LOOK).await;
        }
        let at = clock::now();
        let text = format!(
            "{target} % again, {:.1} s after it healed",
            at.since(healed_at).as_secs_f64()
        );
        self.out.tell_at(at, &format!("{backend} is back"), &text);
        let peak = self.peak(backend, healed_at, at);
        // A second of traffic: 2 workers off by 2 each, and what was in flight.
        let limit = target + 2.0;
        let text = format!("at most {peak:.1} % in any second, of {target} %");
        self.checks.that(
            &self.out,
            "the return does not overshoot",
            peak <= limit,
            &text,
        );
        Ok(())
    }

    /// The largest part of a second's answers that a backend gave.
    fn peak(&self, backend: &str, from: Instant, to: Instant) -> f64 {
        let second = Duration::from_secs(1);
        let mut start = from;
        let mut peak: f64 = 0.0;
        while start + second <= to {
            peak = peak.max(self.between(start, start + second).percent(backend));
            start = start + second;
        }
        peak
    }

    async fn reload(&mut self) -> Result<()> {
        let good = self.daemon.config()?;
        let from = clock::now();
        self.daemon
            .write_config(&good.replace("weight: 70", "wieght: 70"))?;
        let failure = self
            .until_config(|config| config.last_error.is_some())
            .await?
            .last_error;
        let first = failure.as_ref().and_then(|f| f.diagnostics.first());
        let text = first.map_or_else(
            || "refused".to_owned(),
            |d| {
                format!(
                    "reload refused: {}:{}:{} {} {}",
                    d.file, d.line, d.column, d.code, d.message
                )
            },
        );
        self.out.tell("config typo", &text);
        let named = first.is_some_and(|d| d.line > 0 && d.message.contains("wieght"));
        self.checks
            .that(&self.out, "a typo is refused with its place", named, &text);
        self.daemon
            .write_config(&good.replace("fall: 3", "fall: 4"))?;
        self.until_config(|config| config.last_error.is_none())
            .await?;
        self.out.tell(
            "config fixed",
            "reloaded; connections, sessions and health were not touched",
        );
        self.nothing_failed("typo and reload", from);
        self.count_split("after the reload").await.map(drop)
    }

    async fn until_config(
        &self,
        holds: impl Fn(&api::ConfigState) -> bool,
    ) -> Result<api::ConfigState> {
        let deadline = clock::now() + PATIENCE;
        while clock::now() < deadline {
            let status: api::Status = self.daemon.get("/v1/status").await?;
            if holds(&status.config) {
                return Ok(status.config);
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("the daemon does not take notice of its configuration file")
    }

    async fn summary(&mut self, began: Instant, fault: Fault) -> Result<()> {
        let victim = self.clouds.first().context("a cloud")?.profile.name;
        let ended = clock::now();
        let all = self.load.read(|seen| Figures::of(seen, |_| true));
        let (cut, kept_out) = self.load.read(|seen| {
            let avoidable = |cut: &&super::load::Cut| cut.gap || cut.provider != victim;
            (seen.cuts.len(), seen.cuts.iter().filter(avoidable).count())
        });
        let text = format!("{kept_out} lost that could have been kept ({cut} ended with {victim})");
        self.checks.that(
            &self.out,
            "no session is lost that could be kept",
            kept_out == 0,
            &text,
        );
        self.out.tell("sessions", &text);
        let verdict = if self.checks.all_hold() {
            "PASS"
        } else {
            "FAIL"
        };
        let p95 = all.p95_millis();
        self.out.tell(
            "summary",
            &format!(
                "{} requests, {} failed, p95 {p95:.1} ms, {} checks: {verdict}",
                all.requests,
                all.errors,
                self.checks.len()
            ),
        );
        self.out.figures(&json!({
            "summary": {
                "verdict": verdict, "fault": describe(fault), "seconds": ended.since(began).as_secs_f64(),
                "requests": all.requests, "failed": all.errors, "p95_ms": p95,
                "sessions_cut": cut, "sessions_lost_that_could_be_kept": kept_out,
                "checks": self.checks.to_json(),
            }
        }));
        Ok(())
    }
}
