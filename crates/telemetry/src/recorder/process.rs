//! The metrics of the process itself, read from `/proc` when somebody asks. What cannot be read is left out.

use std::fs;
use std::time::Duration;

use bascule_model::Timestamp;

use super::text::{head, number};

/// Appends the `process_*` families.
pub(super) fn render(out: &mut String, started: Timestamp) {
    let mut family = |name: &str, kind: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            head(out, name, kind, help);
            out.push_str(name);
            out.push(' ');
            out.push_str(&number(value));
            out.push('\n');
        }
    };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    family(
        "process_resident_memory_bytes",
        "gauge",
        "Resident memory size in bytes.",
        status_number(&status, "VmRSS:").map(|kib| kib * 1024.0),
    );
    family(
        "process_virtual_memory_bytes",
        "gauge",
        "Virtual memory size in bytes.",
        status_number(&status, "VmSize:").map(|kib| kib * 1024.0),
    );
    family(
        "process_threads",
        "gauge",
        "Number of threads.",
        status_number(&status, "Threads:"),
    );
    family(
        "process_open_fds",
        "gauge",
        "Number of open file descriptors.",
        open_files(),
    );
    family(
        "process_cpu_seconds_total",
        "counter",
        "User and system CPU time spent, in seconds.",
        cpu_seconds(),
    );
    let started = Duration::from_millis(started.as_millis()).as_secs_f64();
    family(
        "process_start_time_seconds",
        "gauge",
        "Start of the process since 1970, in seconds.",
        Some(started),
    );
}

/// The first number after `key` in the text of `/proc/self/status`.
fn status_number(status: &str, key: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

fn open_files() -> Option<f64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    // The one that reads the directory is not counted.
    u32::try_from(count.saturating_sub(1)).ok().map(f64::from)
}

/// CPU time of the process, ended threads included.
fn cpu_seconds() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).ok().map(|time| time.as_secs_f64())
}
