//! The demo: pretend clouds, a load generator and a story told by what clients saw. The daemon in the middle is this same
//! binary, run as anybody runs it, in a process of its own: the proxy has no code path for the demo. Read `story` next.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::cli::args::DemoArgs;

mod checks;
mod clouds;
mod daemon;
mod endpoint;
mod keys;
mod load;
mod out;
mod stage;
mod story;

/// Something that must hold did not (`--assert`).
const EXIT_CHECK_FAILED: u8 = 7;
/// Ctrl-C.
const EXIT_INTERRUPTED: u8 = 130;

/// Plays the demo.
pub(crate) fn main(args: &DemoArgs) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        tokio::select! {
            code = play(args) => code,
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(EXIT_INTERRUPTED)),
        }
    })
}

async fn play(args: &DemoArgs) -> Result<ExitCode> {
    let out = out::Out::new(args.json);
    let providers = usize::from(args.providers);
    let mut story = story::Story::begin(args.seed, providers, args.headless, out).await?;
    let holds = story.play(args.fault).await?;
    if !args.headless && !args.json && std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        keys::play(&story, args.fault).await?;
    }
    let failed = args.assert && !holds;
    Ok(if failed {
        ExitCode::from(EXIT_CHECK_FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

/// A thread with a runtime of its own, for a part of the demo that must not share one with the rest.
fn thread(name: &'static str, future: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let run = move || {
        let tasks = tokio::task::LocalSet::new();
        tasks.block_on(&runtime, future);
    };
    bascule_telemetry::spawn::thread(name, None, run)
        .context("a thread")
        .map(drop)
}

/// A task on the thread's own runtime.
fn spawn(name: &'static str, future: impl Future<Output = ()> + 'static) {
    bascule_telemetry::spawn::local(name, future).detach();
}
