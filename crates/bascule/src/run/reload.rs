//! One way for a configuration to become the running one, whoever asks (a signal, the file, the API): parse, validate,
//! build, swap. Everything that can fail happens before anything changes; a refusal leaves the old configuration running
//! and is told by log, event, metric and status. Running requests and connections are never touched.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use bascule_admin::{
    BoundListener, By, ConfigOutcome, ConfigPort, Later, RefusedConfig, RunningConfig,
};
use bascule_config::{Config, Diagnostics, Loaded};
use bascule_control::Handle;
use bascule_model::{BackendName, ServiceName};
use bascule_proxy::Edge;
use bascule_telemetry::Registry;
use bascule_telemetry::access::Sample;
use bascule_telemetry::events::{Bus, Event};
use bascule_telemetry::log::Log;
use bascule_telemetry::{clock, names};
use bascule_traffic::spec::ServiceSpec;
use tokio::sync::{Mutex, mpsc};

use super::edge::Change;
use super::listeners::{Listeners, Prepared, Unusable};
use super::trust::Trust;
use crate::files::Files;

/// What a reload reaches.
#[derive(Debug)]
pub(super) struct Reach {
    /// The data plane.
    pub(super) edge: Edge,
    /// The edge task.
    pub(super) changes: mpsc::UnboundedSender<Change>,
    /// The controller.
    pub(super) control: Handle,
    /// Where it is told.
    pub(super) bus: Bus,
    /// Metrics.
    pub(super) registry: Registry,
    /// The log, whose level a reload changes.
    pub(super) log: Log,
    /// The access log, whose sample a reload changes.
    pub(super) sample: Sample,
    /// Workers, for which new listeners need a socket each.
    pub(super) workers: usize,
    /// Where relative paths of the configuration start.
    pub(super) source: Files,
}

/// The running configuration and the way to another.
#[derive(Debug)]
pub(super) struct Reloader {
    reach: Reach,
    running: ArcSwap<RunningConfig>,
    bound: ArcSwap<Vec<BoundListener>>,
    /// Held through a reload: one at a time.
    built: Mutex<Built>,
}

/// What a configuration was built into.
#[derive(Debug, Default)]
pub(super) struct Built {
    /// Sockets and their TLS.
    pub(super) listeners: Listeners,
    /// Whom endpoints are verified by.
    pub(super) trust: Trust,
    /// Backends that the last reload took away. Their metrics are forgotten with the next one: until then workers may
    /// hold the handles for requests that still run.
    vanished: BTreeSet<(ServiceName, BackendName)>,
}

impl Built {
    /// What the process was started with.
    pub(super) fn new(listeners: Listeners, trust: Trust) -> Self {
        Self {
            listeners,
            trust,
            vanished: BTreeSet::new(),
        }
    }

    fn forget_vanished(&mut self, old: &Config, new: &Config, registry: &Registry) {
        let (old, new) = (backends(old), backends(new));
        for (service, backend) in self.vanished.difference(&new) {
            registry.forget(&[("service", service.as_str()), ("backend", backend.as_str())]);
        }
        self.vanished = old.difference(&new).cloned().collect();
    }
}

fn backends(config: &Config) -> BTreeSet<(ServiceName, BackendName)> {
    let of = |service: &Arc<ServiceSpec>| {
        let names = service.backends.keys().cloned();
        names
            .map(|name| (service.name.clone(), name))
            .collect::<Vec<_>>()
    };
    config.services.iter().flat_map(of).collect()
}

impl Reach {
    fn set_log(&self, config: &Config) {
        self.sample.set(config.log.access.sample);
        self.sample.set_decisions(config.log.access.decisions);
        if let Err(error) = self.log.set_level(config.log.level.as_str()) {
            tracing::error!(event = "log_level_kept", %error);
        }
    }
}

impl Reloader {
    /// With the configuration that was started with.
    pub(super) fn new(reach: Reach, running: RunningConfig, built: Built) -> Self {
        tell_metrics(true);
        let bound = ArcSwap::from_pointee(built.listeners.bound());
        Self {
            reach,
            running: ArcSwap::from_pointee(running),
            bound,
            built: Mutex::new(built),
        }
    }

    /// Every listener with the address it really has.
    pub(super) fn bound(&self) -> Vec<BoundListener> {
        self.bound.load().as_ref().clone()
    }

    /// The file it watches, and the files that the configuration names.
    pub(super) fn files(&self, file: &Path) -> Vec<PathBuf> {
        let named = self.running.load().config.files();
        let named = named.iter().map(|name| self.reach.source.path(name));
        std::iter::once(file.to_path_buf()).chain(named).collect()
    }

    /// Reads the file and makes it the running configuration, if it differs.
    pub(super) async fn file(&self, file: &Path) {
        let name = file.display().to_string();
        let text = match std::fs::read(file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => {
                tracing::error!(event = "config_unreadable", file = name, %error);
                tell_metrics(false);
                return;
            }
        };
        let by = By {
            actor: "bascule".to_owned(),
            reason: "file".to_owned(),
            file_name: name.clone(),
        };
        self.load(&name, "file", &by, &text).await;
    }

    async fn load(&self, origin: &str, source: &'static str, by: &By, text: &str) -> ConfigOutcome {
        let mut built = self.built.lock().await;
        let running = self.running.load_full();
        let loaded = match self.check(&by.file_name, text, &built) {
            Ok(loaded) => loaded,
            Err(diagnostics) => return self.refuse(origin, source, diagnostics),
        };
        let (Loaded { config, warnings }, prepared, trust) = loaded;
        let unchanged = config == *running.config && text == &*running.text;
        if unchanged && running.last_error.is_none() {
            return ConfigOutcome::Valid(warnings);
        }
        warn_of_restart(&running.config, &config);
        self.reach.set_log(&config);
        built.forget_vanished(&running.config, &config, &self.reach.registry);
        let config = Arc::new(config);
        self.reach.edge.set_cookie_secrets(config.secrets.clone());
        self.reach.edge.set_upstream_tls(trust.upstream());
        self.reach
            .edge
            .set_connections_max(config.limits.connections);
        self.reach
            .edge
            .set_listeners(built.listeners.commit(prepared));
        self.bound.store(Arc::new(built.listeners.bound()));
        built.trust = trust.clone();
        let change = Change::Config(Arc::clone(&config), trust);
        if self.reach.changes.send(change).is_err() {
            tracing::error!(event = "edge_task_gone");
        }
        self.reach.control.set_facts(config.facts.clone()).await;
        self.keep(text).await;
        self.running.store(Arc::new(RunningConfig {
            text: Arc::from(text),
            config,
            origin: origin.to_owned(),
            loaded_at: clock::wall(),
            last_error: None,
        }));
        tell_metrics(true);
        self.reach.bus.publish(Event::new(
            "config_loaded",
            format!("configuration loaded from {origin}"),
        ));
        ConfigOutcome::Valid(warnings)
    }

    /// Everything that can fail.
    fn check(
        &self,
        file_name: &str,
        text: &str,
        built: &Built,
    ) -> Result<(Loaded, Prepared, Trust), Diagnostics> {
        let loaded = bascule_config::load(file_name, text, &self.reach.source)?;
        build(&loaded.config, built, self.reach.workers)
            .map(|(prepared, trust)| (loaded.clone(), prepared, trust))
            .map_err(|unusable| diagnose(file_name, text, &loaded.config, &unusable))
    }

    fn refuse(
        &self,
        origin: &str,
        source: &'static str,
        diagnostics: Diagnostics,
    ) -> ConfigOutcome {
        let rendered = bascule_config::text::render(&diagnostics, bascule_config::Style::Plain);
        tracing::error!(
            event = "config_refused",
            origin,
            summary = diagnostics.summary(),
            "{rendered}"
        );
        metrics::counter!(names::CONFIG_REJECTED, "source" => source).increment(1);
        tell_metrics(false);
        let message = format!(
            "configuration from {origin} refused: {}",
            diagnostics.summary()
        );
        let data = serde_json::Value::Array(diagnostics.to_json());
        self.reach
            .bus
            .publish(Event::new("config_refused", message).data(data));
        let mut running = self.running.load().as_ref().clone();
        running.last_error = Some(RefusedConfig {
            at: clock::wall(),
            origin: origin.to_owned(),
            diagnostics: diagnostics.clone(),
        });
        self.running.store(Arc::new(running));
        ConfigOutcome::Invalid(diagnostics)
    }

    async fn keep(&self, text: &str) {
        if let Err(error) = self.reach.control.save_config(text.to_owned()).await {
            // It runs all the same; only a later start with --last-good would find an older one.
            tracing::error!(event = "config_not_kept", %error);
        }
    }
}

impl ConfigPort for Reloader {
    fn running(&self) -> Arc<RunningConfig> {
        self.running.load_full()
    }

    fn validate<'a>(&'a self, file_name: &'a str, text: &'a str) -> Later<'a, ConfigOutcome> {
        Box::pin(async move {
            let built = self.built.lock().await;
            match self.check(file_name, text, &built) {
                Ok((loaded, _, _)) => ConfigOutcome::Valid(loaded.warnings),
                Err(diagnostics) => ConfigOutcome::Invalid(diagnostics),
            }
        })
    }

    fn apply<'a>(&'a self, by: &'a By, text: &'a str) -> Later<'a, ConfigOutcome> {
        Box::pin(self.load("api", "api", by, text))
    }
}

/// Sockets and TLS of a configuration.
pub(super) fn build(
    config: &Config,
    built: &Built,
    workers: usize,
) -> Result<(Prepared, Trust), Vec<Unusable>> {
    let trust = built.trust.next(config).map_err(|error| {
        let (message, help) = (error.to_string(), error.fix().to_owned());
        vec![Unusable {
            pointer: "/services".to_owned(),
            code: "E0403",
            message,
            help,
        }]
    });
    match (built.listeners.prepare(config, workers), trust) {
        (Ok(prepared), Ok(trust)) => Ok((prepared, trust)),
        (Err(unusable), Ok(_)) | (Ok(_), Err(unusable)) => Err(unusable),
        (Err(one), Err(two)) => Err([one, two].into_iter().flatten().collect()),
    }
}

/// What the machine refuses, at its place in the text.
pub(super) fn diagnose(
    file_name: &str,
    text: &str,
    config: &Config,
    unusable: &[Unusable],
) -> Diagnostics {
    let item = |u: &Unusable| {
        bascule_config::found(&config.origins, u.code, &u.pointer, &u.message, &u.help)
    };
    let items = unusable.iter().map(item).collect();
    Diagnostics {
        file: Arc::from(file_name),
        text: Arc::from(text),
        items,
    }
}

/// What a reload cannot change while the process runs.
fn warn_of_restart(running: &Config, next: &Config) {
    let keys = bascule_config::needs_start(running, next);
    if !keys.is_empty() {
        let keys = keys.join(", ");
        tracing::warn!(
            event = "config_needs_restart",
            keys,
            "changed, but in effect only after a restart"
        );
    }
}

fn tell_metrics(successful: bool) {
    metrics::gauge!(names::CONFIG_RELOAD_OK).set(if successful { 1.0 } else { 0.0 });
    if successful {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of the next 200 000 years are exact"
        )]
        let seconds = clock::wall().as_millis() as f64 / 1000.0;
        metrics::gauge!(names::CONFIG_RELOAD_TIME).set(seconds);
    }
}
