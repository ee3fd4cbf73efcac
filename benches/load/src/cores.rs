//! Which core does what: the proxies share the first that this process may use, origin and clients have the second. So the
//! proxy that is measured has a core of its own, for the others stand idle meanwhile.

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The two cores.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    proxies: usize,
    load: usize,
}

impl Cores {
    /// The first two that this process may use.
    ///
    /// # Errors
    /// There is only one.
    pub fn find() -> Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        let mut next = || cores.next().context("the bench needs two cores");
        Ok(Self {
            proxies: next()?,
            load: next()?,
        })
    }

    /// Runs something whose child processes are to be on the proxies' core: they inherit this thread's.
    ///
    /// # Errors
    /// Those of `start`, or the kernel refuses.
    pub fn on_proxies<T>(self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        pin(self.proxies)?;
        let started = start();
        pin(self.load)?;
        started
    }
}

fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).context("pinning to a core")
}
