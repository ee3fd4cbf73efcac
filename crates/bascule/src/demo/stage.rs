//! What the scenes of the story ask and count: at the clients first, and where it must be the proxy's own word, by the
//! API. Asking changes nothing.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use bascule_admin::api;
use bascule_model::Instant;
use bascule_telemetry::clock;

use super::checks::split_is_exact;
use super::clouds::Cloud;
use super::daemon::{LOOK, Ports};
use super::load::{Figures, RATE, SESSIONS, Sample};
use super::story::{PATIENCE, Story};

/// Requests that a count of the split takes: four seconds of them.
const WINDOW: u64 = 4 * RATE as u64;

/// Requests in flight at the two ends of the window: at 500 a second and 8 ms four each, and room for a slow moment.
const IN_FLIGHT: f64 = 16.0;

impl Story {
    /// Tells who is on stage.
    pub(super) fn banner(&self) {
        self.out
            .plain("bascule demo: pretend clouds on this machine, real HTTP over loopback");
        for cloud in &self.clouds {
            let ports: Vec<String> = cloud
                .addresses
                .iter()
                .map(|a| a.port().to_string())
                .collect();
            self.out.plain(&format!(
                "  {:<6} weight {:>2}  127.0.0.1:{}  +0..{} ms  ${}/GB",
                cloud.profile.name,
                cloud.profile.weight,
                ports.join(","),
                cloud.profile.latency_max.as_millis(),
                cloud.profile.usd_per_gb,
            ));
        }
        let Ports {
            proxy,
            admin,
            metrics,
        } = self.daemon.ports();
        self.out.plain(&format!(
            "  proxy      http://127.0.0.1:{proxy}   (curl -si -H 'host: meet.example.org' localhost:{proxy} | grep x-provider)"
        ));
        self.out.plain(&format!(
            "  dashboard  http://127.0.0.1:{admin}   metrics http://127.0.0.1:{metrics}/metrics"
        ));
        self.out.plain(&format!(
            "  load       {RATE} requests/s + {SESSIONS} long sessions with numbered heartbeats"
        ));
        self.out.plain(&format!(
            "  terminal   bascule --context unix:{} status",
            self.daemon.socket().display()
        ));
        self.out.plain("");
    }

    /// Counts the next requests by provider and compares them with the shares in effect.
    pub(super) async fn count_split(&mut self, when: &str) -> Result<()> {
        let shares = self.shares().await?;
        let first = self
            .load
            .read(|seen| seen.samples.iter().map(|s| s.number).max())
            .unwrap_or(0)
            + 1;
        let inside = move |sample: &Sample| (first..first + WINDOW).contains(&sample.number);
        let figures = self
            .until("the requests of the window", |s| {
                let figures = s.load.read(|seen| Figures::of(seen, inside));
                (figures.requests == WINDOW).then_some(figures)
            })
            .await?;
        #[expect(clippy::cast_precision_loss, reason = "a handful of workers")]
        let slack = 2.0 * self.workers as f64 + IN_FLIGHT;
        let (exact, found) = split_is_exact(&figures, &shares, slack);
        let sessions: u32 = self.load.read(|seen| seen.sessions.values().sum());
        self.out.tell(
            when,
            &format!(
                "{found}   p95 {:.1} ms   errors {}   sessions {sessions}",
                figures.p95_millis(),
                figures.errors
            ),
        );
        self.checks
            .that(&self.out, &format!("exact split, {when}"), exact, &found);
        Ok(())
    }

    pub(super) fn nothing_failed(&mut self, what: &str, from: Instant) {
        let figures = self.between(from, clock::now());
        let cuts = self
            .load
            .read(|seen| seen.cuts.iter().filter(|cut| cut.at >= from).count());
        let text = format!(
            "{} of {} requests failed, {cuts} sessions cut",
            figures.errors, figures.requests
        );
        let name = format!("{what} fails nothing");
        self.checks
            .that(&self.out, &name, figures.errors == 0 && cuts == 0, &text);
    }

    pub(super) fn between(&self, from: Instant, to: Instant) -> Figures {
        self.load
            .read(|seen| Figures::of(seen, |s| from <= s.ended && s.ended < to))
    }

    pub(super) async fn until<T>(&self, what: &str, ask: impl Fn(&Self) -> Option<T>) -> Result<T> {
        let deadline = clock::now() + PATIENCE;
        loop {
            if let Some(answer) = ask(self) {
                return Ok(answer);
            }
            if clock::now() > deadline {
                bail!("waited {PATIENCE:?} in vain for {what}");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The shares in effect, by the proxy's own word, in the clouds' order.
    pub(super) async fn shares(&self) -> Result<Vec<(String, f64)>> {
        let weights: api::Weights = self.daemon.get("/v1/services/meet/weights").await?;
        Ok(self.in_order(&weights.effective))
    }

    pub(super) async fn target(&self, backend: &str) -> Result<f64> {
        let weights: api::Weights = self.daemon.get("/v1/services/meet/weights").await?;
        weights
            .target
            .get(backend)
            .copied()
            .context("the backend's target")
    }

    pub(super) fn in_order(&self, row: &BTreeMap<String, f64>) -> Vec<(String, f64)> {
        let share = |c: &Cloud| {
            (
                c.profile.name.to_owned(),
                row.get(c.profile.name).copied().unwrap_or_default(),
            )
        };
        self.clouds.iter().map(share).collect()
    }

    pub(super) async fn everything_up(&self) -> Result<bool> {
        let service: api::Service = self.daemon.get("/v1/services/meet").await?;
        Ok(service.backends.iter().all(|b| {
            b.endpoints
                .iter()
                .all(|e| e.observed_state == api::ObservedState::Up)
        }))
    }

    /// What a GB costs at these shares and list prices.
    pub(super) fn usd_per_gb(&self, shares: &[(String, f64)]) -> f64 {
        let part = |(cloud, (_, share)): (&Cloud, &(String, f64))| {
            cloud.profile.usd_per_gb * share / 100.0
        };
        self.clouds.iter().zip(shares).map(part).sum()
    }

    /// Retries so far, by the proxy's own count.
    pub(super) async fn retries(&self) -> Result<u64> {
        let text = self.daemon.text("/metrics").await?;
        let values = text
            .lines()
            .filter(|line| line.starts_with("bascule_retries_total"));
        let counts = values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        Ok(counts.sum::<f64>() as u64)
    }

    pub(super) fn cloud(&self) -> Result<&Cloud> {
        self.clouds.first().context("a cloud")
    }
}
