//! Notices that the configuration file, or a file it names, has changed. Watches directories, not files: editors and
//! orchestrators replace files, and a watch on a replaced file sees nothing. Changes within 200 ms are one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::reload::Reloader;
use super::stop::nudge;

/// A reload starts when nothing has changed for this long: an editor writes more than once.
const SETTLE: Duration = Duration::from_millis(200);
/// Changes that may wait; more say nothing new.
const PENDING_MAX: usize = 16;

/// Reloads whenever the file, or one it names, changes, and whenever `asked` (SIGHUP) says so.
pub(super) async fn run(file: PathBuf, reloader: Arc<Reloader>, mut asked: mpsc::Receiver<()>) {
    let (touched, mut touches) = mpsc::channel(PENDING_MAX);
    let mut watch = Watch::new(touched);
    loop {
        watch.aim(&reloader.files(&file));
        // Cancellation: both receivers keep what was not taken.
        tokio::select! {
            touch = touches.recv() => match touch {
                Some(()) => settle(&mut touches).await,
                None => asked.recv().await.unwrap_or_default(),
            },
            ask = asked.recv() => if ask.is_none() { return },
        }
        reloader.file(&file).await;
    }
}

async fn settle(touches: &mut mpsc::Receiver<()>) {
    while let Ok(Some(())) = tokio::time::timeout(SETTLE, touches.recv()).await {}
}

/// The watched directories.
struct Watch {
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
    files: Arc<arc_swap::ArcSwap<BTreeSet<PathBuf>>>,
}

impl Watch {
    fn new(touched: mpsc::Sender<()>) -> Self {
        let files: Arc<arc_swap::ArcSwap<BTreeSet<PathBuf>>> = Arc::default();
        let seen = Arc::clone(&files);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            let concerns = !event.kind.is_access()
                && event.paths.iter().any(|path| concerns(&seen.load(), path));
            if concerns {
                nudge(&touched);
            }
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(event = "config_not_watched", %error, "SIGHUP still reloads"))
            .ok();
        Self {
            watcher,
            directories: BTreeSet::new(),
            files,
        }
    }

    /// Watches the directories of these files, and no others.
    fn aim(&mut self, files: &[PathBuf]) {
        let Some(watcher) = self.watcher.as_mut() else {
            return;
        };
        let wanted: BTreeSet<PathBuf> = files.iter().map(|file| directory(file)).collect();
        for gone in self.directories.difference(&wanted) {
            // A directory that is gone is watched no more already.
            drop(watcher.unwatch(gone));
        }
        for new in wanted.difference(&self.directories) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::warn!(event = "config_not_watched", directory = %new.display(), %error);
            }
        }
        self.directories = wanted;
        self.files.store(Arc::new(files.iter().cloned().collect()));
    }
}

fn directory(file: &Path) -> PathBuf {
    let parent = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_path_buf()
}

/// Whether a change of `path` can be one of a watched file: it is one, or it is the link that a mounted volume swaps.
fn concerns(files: &BTreeSet<PathBuf>, path: &Path) -> bool {
    let name = path.file_name();
    files.iter().any(|file| file.file_name() == name) || name.is_some_and(|n| n == "..data")
}
