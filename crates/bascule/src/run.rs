//! The daemon: edge and controller in one process. This is the composition root: it makes the parts, connects them and
//! decides nothing itself. Workers have threads of their own; everything else runs on this one, the control thread.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use bascule_admin as admin;
use bascule_control as control;
use bascule_net::resolve::Resolver;
use bascule_probe as probe;
use bascule_proxy as proxy;
use bascule_telemetry::access::{AccessLog, Destination};
use bascule_telemetry::events::Bus;
use bascule_telemetry::{Registry, clock, log, names as metric_names, spawn};
use tokio::sync::mpsc;

use crate::cli::args::RunArgs;
use crate::files::Files;

mod clouds;
mod edge;
mod links;
mod listeners;
mod paths;
mod prove;
mod reload;
mod rows;
mod start;
mod stop;
mod trust;
mod watch;

/// Failed connections that wait for the judge; more of the same say nothing new.
const FAILURES_MAX: usize = 1024;

pub(crate) use paths::{admin_socket_of as admin_socket, state_dir_of as state_dir};

/// Runs until told to stop.
pub(crate) fn main(args: &RunArgs) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = tokio::task::LocalSet::new();
    let ended = tasks.block_on(&runtime, run(args));
    Ok(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    })
}

async fn run(args: &RunArgs) -> Result<(), start::Failure> {
    let given = start::configuration(args)?;
    let workers = given.config.runtime.workers.unwrap_or_else(available);
    let sockets = start::sockets(&given, workers)?;
    let parts = serve(args, given, workers, sockets).await;
    parts.map_err(|error| start::Failure::machine(&error))
}

/// One worker a core that the process may use: affinity and control group counted.
fn available() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[expect(
    clippy::too_many_lines,
    reason = "the composition, in the order of the start, on one page"
)]
async fn serve(
    args: &RunArgs,
    given: start::Given,
    workers: usize,
    (prepared, trust): (listeners::Prepared, trust::Trust),
) -> Result<()> {
    let started_at = clock::wall();
    let instance = random()?;
    let (running, source) = start::running(given);
    let config = Arc::clone(&running.config);
    let socket = paths::admin_socket(args, &config);
    let tokens = tokens(&config, &source)?;
    let admin_listener = config.admin.listen.map(bind_tcp).transpose()?;
    let metrics_listener = config.metrics.map(bind_tcp).transpose()?;

    let log = log::init(config.log.level.as_str(), format(config.log.format)).context("the log")?;
    let registry = Registry::new();
    registry.install_global();
    metrics::gauge!(metric_names::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION"), "revision" => "")
        .set(1.0);
    let bus = Bus::new();
    let access = AccessLog::start(&Destination::Stdout, config.log.access.sample)?;
    access.sample().set_decisions(config.log.access.decisions);

    // The controller first: the edge starts with its targets, so that an override holds from the first request on.
    let (changes, changes_receiver) = mpsc::unbounded_channel();
    let link = Arc::new(links::Link::new(changes.clone()));
    let token = random()?;
    let prover = Arc::new(prove::Prober::new(token.clone()));
    let settings = control::Settings {
        state_dir: paths::state_dir(args, &config),
    };
    let control = control::Controller::start(
        settings,
        config.facts.clone(),
        Arc::clone(&link) as Arc<dyn control::EdgeLink>,
        Arc::clone(&prover) as Arc<dyn control::Prove>,
        bus.clone(),
    )?;

    let targets = control.targets().as_ref().clone();
    let mut names = Resolver::start(crate::names::settings(&config.dns));
    let (rows, followed) = tokio::sync::watch::channel(Arc::default());
    let mut asking = clouds::Asking::start(
        source.clone(),
        control.kept_sets(),
        followed,
        &bus,
        &registry,
    );
    let (sources, observed, actuators) = (asking.board(), asking.observed(), asking.actuators());
    let keep = control::discover::keep(sources.clone(), control.clone());
    spawn::local("keep", keep).detach();
    let outside = (&mut names, &mut asking);
    let (state, snapshot) = edge::EdgeState::begin(&config, targets, trust.clone(), outside).await;
    let snapshot = snapshot.context("a configuration gives a snapshot")?;
    let (failures, failures_receiver) = mpsc::channel(FAILURES_MAX);
    let mut listeners = listeners::Listeners::default();
    let settings = proxy::Settings {
        workers,
        listeners: listeners.commit(prepared),
        upstream_tls: trust.upstream(),
        cookie_secrets: config.secrets.clone(),
        connections_max: config.limits.connections,
        redact_query: config.log.access.redact_query,
        probe_token: Some(token),
    };
    let edge = proxy::Edge::start(settings, snapshot, &registry, Some(&access), &failures)?;
    link.connect(edge.clone());

    let judge = probe::Prober::start(probe::Settings {
        seed: started_at.as_millis(),
        failures: failures_receiver,
        traffic: Box::new(edge::Seen(edge.clone())),
        bus: bus.clone(),
        registry: registry.clone(),
    });
    let task = state.run(
        edge.clone(),
        judge.clone(),
        (names, asking),
        changes_receiver,
        bus.clone(),
    );
    spawn::local("edge", task).detach();

    control
        .save_config(running.text.to_string())
        .await
        .context("the state directory")?;
    let reach = reload::Reach {
        edge: edge.clone(),
        changes,
        control: control.clone(),
        bus: bus.clone(),
        registry: registry.clone(),
        log,
        sample: access.sample(),
        workers,
        source,
    };
    let built = reload::Built::new(listeners, trust);
    let reloader = Arc::new(reload::Reloader::new(reach, running, built));
    prover.connect(Arc::clone(&reloader));
    let rows = rows::tell(control.clone(), edge.clone(), Arc::clone(&reloader), rows);
    spawn::local("rows", rows).detach();

    let ready = stop::Ready::default();
    let says = ready.clone();
    let ports = admin::Ports {
        control: Arc::new(control.clone()),
        edge: Arc::new(links::View {
            edge: edge.clone(),
            ready: ready.clone(),
            reloader: Arc::clone(&reloader),
        }),
        health: Arc::clone(&judge.report),
        bus: bus.clone(),
        registry,
        config: Arc::clone(&reloader) as Arc<dyn admin::ConfigPort>,
        sources,
        observed,
        actuators,
        ready: Arc::new(move || says.get()),
    };
    let settings = admin::Settings {
        socket,
        listen: admin_listener,
        metrics: metrics_listener,
        host_names: Vec::new(),
        tokens,
        instance,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
    };
    let server = admin::serve(settings, ports)?;

    let (ask_reload, reload_asked) = mpsc::channel(1);
    let mut signals = stop::Signals::listen(ask_reload)?;
    if let Some(file) = args.config.clone() {
        spawn::local(
            "reload",
            watch::run(file, Arc::clone(&reloader), reload_asked),
        )
        .detach();
    }
    ready.yes();
    tell_start(&reloader, workers);
    signals.asked().await;
    let policy = admin::ConfigPort::running(&*reloader).config.shutdown;
    stop::stop(&ready, &mut signals, &edge, policy).await;
    server.stop(STOP_ADMIN).await;
    access.stop().context("the access log")
}

/// How long running admin requests are waited for at the end.
const STOP_ADMIN: std::time::Duration = std::time::Duration::from_secs(1);

fn tell_start(reloader: &reload::Reloader, workers: usize) {
    for listener in reloader.bound() {
        let (name, address) = (&listener.name, listener.address);
        tracing::info!(event = "listening", listener = %name, %address, tls = listener.tls);
    }
    tracing::info!(
        event = "started",
        version = env!("CARGO_PKG_VERSION"),
        workers
    );
}

/// Random for secrets and names; 128 bits of it as hexadecimal digits.
fn random() -> Result<String> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("no randomness"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn bind_tcp(address: std::net::SocketAddr) -> Result<Arc<std::net::TcpListener>> {
    let listener = std::net::TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}"))?;
    listener.set_nonblocking(true)?;
    Ok(Arc::new(listener))
}

fn tokens(config: &bascule_config::Config, source: &Files) -> Result<admin::Tokens> {
    match &config.admin.tokens_file {
        None => Ok(admin::Tokens::default()),
        Some(file) => Ok(admin::Tokens::read(&source.path(file))?),
    }
}

fn format(format: bascule_config::LogFormat) -> log::Format {
    match format {
        bascule_config::LogFormat::Json => log::Format::Json,
        bascule_config::LogFormat::Text => log::Format::Text,
    }
}
