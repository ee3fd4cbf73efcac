//! CPU time as the kernel accounts for it: of a process with all its threads and children, and of the whole machine, so that
//! a round that others disturbed can be seen. Only reads `/proc`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context, Result};

/// The kernel counts the machine's time in hundredths of a second (`USER_HZ`, fixed on Linux for user space).
const TICK: Duration = Duration::from_millis(10);

/// The time that a process, its threads and the processes it started have been on a CPU.
///
/// # Errors
/// The process is gone.
pub fn cpu_of(process: u32) -> Result<Duration> {
    let parents = parents()?;
    let mut total = Duration::ZERO;
    for one in family(process, &parents) {
        total += cpu_of_threads(one)?;
    }
    Ok(total)
}

/// The same without children.
///
/// # Errors
/// The process is gone.
pub fn cpu_of_threads(process: u32) -> Result<Duration> {
    let folder = format!("/proc/{process}/task");
    let mut total = Duration::ZERO;
    for thread in fs::read_dir(&folder).with_context(|| folder.clone())? {
        let file = thread?.path().join("schedstat");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            // The thread ended after it was listed; the threads that serve live as long as their process.
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        };
        total += on_cpu(&text).with_context(|| file.display().to_string())?;
    }
    Ok(total)
}

/// The first of a `schedstat`'s three numbers: nanoseconds on a CPU.
fn on_cpu(schedstat: &str) -> Option<Duration> {
    let nanoseconds = schedstat.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// The parent of every process.
fn parents() -> Result<BTreeMap<u32, u32>> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let Some(process) = number(&path) else {
            continue;
        };
        // A process that ends meanwhile is none of ours.
        let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
        if let Some(parent) = parent(&stat) {
            parents.insert(process, parent);
        }
    }
    Ok(parents)
}

fn number(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.parse().ok()
}

/// The fourth field of a `stat`; the second is a name in parentheses that may hold anything.
fn parent(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

/// A process and all that descend from it.
fn family(process: u32, parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut family = vec![process];
    let mut at = 0;
    while let Some(elder) = family.get(at).copied() {
        let children = parents.iter().filter(|(_, parent)| **parent == elder);
        family.extend(children.map(|(child, _)| *child));
        at += 1;
    }
    family
}

/// The time that all CPUs of the machine have been busy, and what a hypervisor took from them.
///
/// # Errors
/// `/proc/stat` is not as it should be.
pub fn busy() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat").context("/proc/stat")?;
    busy_of(&text).context("/proc/stat has no line of CPU times")
}

/// user, nice, system, (idle, iowait,) irq, softirq, steal.
fn busy_of(stat: &str) -> Option<Duration> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u32> = line
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    let busy = |at: &usize| ticks.get(*at).copied();
    let busy: Option<u32> = [0, 1, 2, 5, 6, 7].iter().map(busy).sum();
    Some(TICK * busy?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedstat_begins_with_the_time_on_a_cpu() {
        let text = "189495825 16765935 449\n";
        assert_eq!(on_cpu(text), Some(Duration::from_nanos(189_495_825)));
        assert_eq!(on_cpu(""), None);
    }

    #[test]
    fn a_parent_is_found_behind_a_name_with_spaces_and_parentheses() {
        assert_eq!(parent("7582 (a) b (c) R 77 7577 14105 0"), Some(77));
        assert_eq!(parent("7582"), None);
    }

    #[test]
    fn a_family_is_the_process_with_children_and_theirs() {
        let parents = BTreeMap::from([(2, 1), (3, 2), (4, 3), (5, 1)]);
        assert_eq!(family(2, &parents), [2, 3, 4]);
    }

    #[test]
    fn idle_time_and_waiting_for_disks_are_not_busy() {
        let text = "cpu  10 20 30 1000 5000 1 2 3 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(busy_of(text), Some(TICK * 66));
        assert_eq!(busy_of("intr 5\n"), None);
    }

    #[test]
    fn this_process_has_used_some_time() {
        assert!(cpu_of(std::process::id()).unwrap() > Duration::ZERO);
        assert!(busy().unwrap() > Duration::ZERO);
    }
}
