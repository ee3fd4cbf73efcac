//! A child process that ends with its guard.

use std::process::{Child, ExitStatus};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// A child process; killed by its id when dropped.
#[derive(Debug)]
pub struct Guard(Child);

impl Guard {
    /// Takes over a child.
    #[must_use]
    pub const fn new(child: Child) -> Self {
        Self(child)
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Its resident memory in KiB, as the kernel counts it.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn resident_kib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|rest| rest.split_whitespace().next());
        number
            .context("no VmRSS in status")?
            .parse()
            .context("VmRSS")
    }

    /// How many descriptors it has open.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn descriptors(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.id()))?.count())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let raw = i32::try_from(self.id())?;
        let pid = Pid::from_raw(raw).context("a child has an id")?;
        kill_process(pid, signal).context("kill")
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn ended(&mut self) -> Result<ExitStatus> {
        wait::until("the process to end", || self.0.try_wait().ok().flatten())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to kill.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
