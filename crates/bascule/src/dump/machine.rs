//! Facts of the machine for a dump: kernel settings that matter to a proxy, the control group, the processor count. No host
//! name, no user, no other process.

use std::fmt::Write as _;
use std::path::Path;

/// Kernel settings that a proxy feels.
const SETTINGS: &[&str] = &[
    "kernel/osrelease",
    "kernel/pid_max",
    "fs/file-max",
    "fs/nr_open",
    "net/core/somaxconn",
    "net/core/netdev_max_backlog",
    "net/core/rmem_max",
    "net/core/wmem_max",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_max_syn_backlog",
    "net/ipv4/tcp_fin_timeout",
    "net/ipv4/tcp_tw_reuse",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_wmem",
    "net/ipv4/tcp_mem",
    "net/ipv4/tcp_congestion_control",
    "net/ipv4/ip_unprivileged_port_start",
    "net/ipv6/conf/all/disable_ipv6",
];

/// Files of the control group that bound a process.
const GROUP: &[&str] = &[
    "cpu.max",
    "cpuset.cpus.effective",
    "memory.max",
    "memory.high",
    "memory.current",
    "pids.max",
];

/// Kernel settings and processors.
pub(crate) fn kernel() -> String {
    let mut text = String::new();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    put(
        &mut text,
        format_args!("cores that this process may use: {cores}"),
    );
    for name in SETTINGS {
        let value = std::fs::read_to_string(Path::new("/proc/sys").join(name));
        let value = value.map_or_else(
            |error| format!("({})", error.kind()),
            |v| v.trim().replace('\t', " "),
        );
        put(
            &mut text,
            format_args!("{}: {value}", name.replace('/', ".")),
        );
    }
    text
}

/// The control group of a process (version 2), from it up to the root.
pub(crate) fn control_group(process: Option<i32>) -> String {
    let process = process.map_or_else(|| "self".to_owned(), |id| id.to_string());
    let Ok(groups) = std::fs::read_to_string(format!("/proc/{process}/cgroup")) else {
        return "not to be seen\n".to_owned();
    };
    let Some(own) = groups.lines().find_map(|line| line.strip_prefix("0::")) else {
        return "no control group of version 2\n".to_owned();
    };
    let mut text = String::new();
    let root = Path::new("/sys/fs/cgroup");
    let own = root.join(own.trim_start_matches('/'));
    for folder in own
        .ancestors()
        .take_while(|folder| folder.starts_with(root))
    {
        for name in GROUP {
            if let Ok(value) = std::fs::read_to_string(folder.join(name)) {
                put(
                    &mut text,
                    format_args!("{}/{name}: {}", folder.display(), value.trim()),
                );
            }
        }
    }
    if text.is_empty() {
        text.push_str("nothing bounds it\n");
    }
    text
}

/// A `write!` to a `String` cannot fail.
fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(line).and_then(|()| text.write_char('\n'));
    debug_assert!(written.is_ok(), "a string takes everything");
}
