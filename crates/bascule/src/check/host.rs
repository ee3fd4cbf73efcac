//! The machine: what the kernel and the control group allow, against what the configuration asks for. It reads `/proc`,
//! `/sys` and limits; what is not there is said to be unknown.

use std::path::{Path, PathBuf};

use bascule_config::Config;
use bascule_net::listen::{self, ListenAddress};
use rustix::process::{Resource, getrlimit};

use super::{Finding, Subject};

/// Descriptors besides connections: sockets, logs, the state directory, watched files.
const DESCRIPTORS_OWN: u64 = 128;
/// What `net::listen` asks the kernel for; `somaxconn` cuts it.
const BACKLOG: u64 = 4096;
/// Local ports that are few: each connection to an endpoint takes one, and keeps it for a minute after its end.
const PORTS_FEW: u64 = 10_000;
/// 2024: a clock before it was never set.
const CLOCK_LEAST_MS: u64 = 1_704_067_200_000;

/// Everything about the machine.
pub(crate) fn look(subject: &Subject<'_>, whose: Whose) -> Vec<Finding> {
    let config = subject.config;
    let mut found = vec![
        descriptors(config, descriptor_limit(whose)),
        backlog(number(Path::new("/proc/sys/net/core/somaxconn"))),
        local_ports(&read("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default()),
        clock(
            subject.now.as_millis(),
            Path::new("/run/systemd/timesync/synchronized").exists(),
        ),
        shared_ports(),
        workers(
            config,
            std::thread::available_parallelism().map_or(1, usize::from),
        ),
        memory(config, memory_limit()),
    ];
    found.push(state_dir(crate::run::state_dir(config).as_deref()));
    found.extend(socket(crate::run::admin_socket(config).as_deref(), whose));
    found
}

/// Whose limits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Ours, as nothing runs: those that a start from here would get.
    Own,
    /// Those of a process that runs, with its descriptor limit where it says it.
    Running {
        /// How many it may have.
        descriptors: Option<u64>,
    },
}

fn descriptor_limit(whose: Whose) -> Option<u64> {
    match whose {
        Whose::Running {
            descriptors: Some(limit),
        } => Some(limit),
        Whose::Running { descriptors: None } | Whose::Own => getrlimit(Resource::Nofile).current,
    }
}

/// A connection of a client takes one descriptor, and most have one to an endpoint beside it.
fn descriptors(config: &Config, limit: Option<u64>) -> Finding {
    let wanted = u64::try_from(config.limits.connections).unwrap_or(u64::MAX);
    let needed = wanted.saturating_mul(2).saturating_add(DESCRIPTORS_OWN);
    match limit {
        None => Finding::ok("no descriptor limit"),
        Some(limit) if limit >= needed => Finding::ok(format!("{limit} descriptors")),
        Some(limit) => {
            let text = format!(
                "{limit} descriptors (ulimit -n here), and {wanted} connections may take {needed}"
            );
            let fits = limit.saturating_sub(DESCRIPTORS_OWN) / 2;
            Finding::wrong("W0710", text)
                .help(format!("raise it (systemd: LimitNOFILE={needed}), or lower `defaults.limits.connections` to {fits}"))
                .at("/defaults/limits/connections")
        }
    }
}

fn backlog(somaxconn: Option<u64>) -> Finding {
    match somaxconn {
        None => Finding::unknown("net.core.somaxconn cannot be read"),
        Some(limit) if limit >= BACKLOG => Finding::ok(format!("somaxconn {limit}")),
        Some(limit) => Finding::wrong(
            "W0711",
            format!("net.core.somaxconn is {limit}: a burst of more connections is dropped"),
        )
        .help(format!("sysctl -w net.core.somaxconn={BACKLOG}")),
    }
}

fn local_ports(range: &str) -> Finding {
    let ends: Vec<u64> = range
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    let [first, last] = ends.as_slice() else {
        return Finding::unknown("net.ipv4.ip_local_port_range cannot be read");
    };
    let count = last.saturating_add(1).saturating_sub(*first);
    if count >= PORTS_FEW {
        return Finding::ok(format!("{count} local ports"));
    }
    let text = format!(
        "{count} local ports ({first} to {last}): so many connections can there be to one endpoint"
    );
    Finding::wrong("W0712", text).help("sysctl -w net.ipv4.ip_local_port_range='15000 60999'")
}

/// Only sanity: whether a time service says that the clock is right, and that it is not far from it.
fn clock(now_ms: u64, is_synchronised: bool) -> Finding {
    if now_ms < CLOCK_LEAST_MS {
        return Finding::wrong(
            "W0713",
            "the clock was never set: certificates and overrides would end at wrong times",
        )
        .help("run a time service (systemd-timesyncd, chrony)");
    }
    if is_synchronised {
        Finding::ok("clock synchronised")
    } else {
        Finding::unknown("whether the clock is synchronised is not to be seen here")
    }
}

fn shared_ports() -> Finding {
    let any = ListenAddress {
        ip: Some(std::net::Ipv4Addr::LOCALHOST.into()),
        port: 0,
    };
    match listen::bind(any, 2) {
        Ok(_let_go) => Finding::ok(""),
        Err(error) => Finding::wrong("E0406", format!("workers cannot share a port: {error}"))
            .help("a kernel of 3.9 or newer, and a sandbox that allows SO_REUSEPORT"),
    }
}

fn workers(config: &Config, cores: usize) -> Finding {
    match config.runtime.workers {
        Some(workers) if workers > cores => {
            let text = format!("{workers} workers, and {cores} cores that the process may use");
            Finding::wrong("W0714", text)
                .help("`workers: auto` follows affinity and control group")
                .at("/runtime/workers")
        }
        Some(workers) => Finding::ok(format!("{workers} workers")),
        None => Finding::ok(format!("{cores} workers")),
    }
}

fn memory(config: &Config, limit: Option<u64>) -> Finding {
    let Some(limit) = limit else {
        return Finding::ok("no memory limit");
    };
    let connections = u64::try_from(config.limits.connections).unwrap_or(u64::MAX);
    let head = u64::try_from(config.limits.header_bytes).unwrap_or(u64::MAX);
    let heads = connections.saturating_mul(head);
    let mib = |bytes: u64| bytes >> 20;
    if heads <= limit {
        return Finding::ok(format!("{} MiB of memory", mib(limit)));
    }
    let text = format!(
        "a memory limit of {} MiB, and the heads of {connections} connections alone may take {} MiB",
        mib(limit),
        mib(heads)
    );
    let fits = (limit / 2).checked_div(head).unwrap_or(1).max(1);
    Finding::wrong("W0715", text)
        .help(format!(
            "raise it, or lower `defaults.limits.connections` to about {fits}"
        ))
        .at("/defaults/limits/connections")
}

/// The memory limit of the control group that this process is in (version 2), or of one above it.
fn memory_limit() -> Option<u64> {
    let groups = read("/proc/self/cgroup")?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let root = Path::new("/sys/fs/cgroup");
    let own = root.join(own.trim_start_matches('/'));
    own.ancestors()
        .take_while(|folder| folder.starts_with(root))
        .filter_map(|folder| number(&folder.join("memory.max")))
        .min()
}

/// File systems whose state does not survive a restart of the machine.
const IN_MEMORY: &[(u64, &str)] = &[(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];
/// File systems over a network: a lock or an fsync may not mean there what it says.
const REMOTE: &[(u64, &str)] = &[
    (0x6969, "nfs"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x0187, "autofs"),
];

fn state_dir(folder: Option<&Path>) -> Finding {
    let Some(folder) = folder else {
        return Finding::ok("state in memory");
    };
    let shown = folder.display();
    let there = nearest(folder);
    if !there.is_dir() {
        let text = format!(
            "the state directory {shown} cannot be made: {} is no directory",
            there.display()
        );
        return Finding::wrong("E0404", text)
            .help("name another as `state_dir`")
            .at("/state_dir");
    }
    if let Err(error) = tempfile::Builder::new()
        .prefix(".bascule-check")
        .tempfile_in(&there)
    {
        let text = format!("the state directory {shown} cannot be written: {error}");
        return Finding::wrong("E0404", text)
            .help("give it to the user that bascule runs as, or run this as that user")
            .at("/state_dir");
    }
    let kind = rustix::fs::statfs(&there)
        .ok()
        .map(|fs| u64::try_from(fs.f_type).unwrap_or(0));
    let is = |table: &[(u64, &'static str)]| {
        let found = table.iter().find(|(magic, _)| Some(*magic) == kind);
        found.map(|(_, name)| *name)
    };
    let why = match (is(IN_MEMORY), is(REMOTE)) {
        (Some(name), _) => format!("on {name}: overrides and admin states end with the machine"),
        (None, Some(name)) => format!("on {name}: what is acknowledged may not be on disk"),
        (None, None) => return Finding::ok(format!("state in {shown}")),
    };
    Finding::wrong("W0716", format!("the state directory {shown} is {why}"))
        .help("name a directory on a local disk as `state_dir`")
        .at("/state_dir")
}

/// The longest path of a unix socket on Linux.
const SOCKET_PATH_MAX: usize = 107;

fn socket(path: Option<&Path>, whose: Whose) -> Option<Finding> {
    let path = path?;
    let wrong = |why: String, help: &str| {
        let text = format!("the admin socket {} {why}", path.display());
        Some(Finding::wrong("E0405", text).help(help).at("/admin/socket"))
    };
    if path.as_os_str().len() > SOCKET_PATH_MAX {
        return wrong(
            format!("has a path of more than {SOCKET_PATH_MAX} bytes"),
            "name a shorter one as `admin.socket`",
        );
    }
    if matches!(whose, Whose::Running { .. }) {
        return Some(Finding::ok(""));
    }
    let folder = nearest(path.parent().unwrap_or(Path::new("/")));
    if let Err(error) = rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK) {
        return wrong(
            format!("cannot be made in {}: {error}", folder.display()),
            "name another as `admin.socket`, or start as a user that may",
        );
    }
    Some(Finding::ok(format!("socket {}", path.display())))
}

/// The path, or the nearest folder above it that is there.
fn nearest(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute
        .ancestors()
        .find(|p| p.exists())
        .map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// A file that holds one number; `None` where it is missing or says `max`.
fn number(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let text = format!(
            "listen: {{ web: {{ address: \":8080\" }} }}\nservices: {{ meet: {{ backends: {{ \
             aws: {{ weight: 1, endpoints: [\"http://127.0.0.1:9\"] }} }} }} }}\n{more}"
        );
        let source = bascule_config::MemorySource::default();
        bascule_config::load("meet.yaml", &text, &source)
            .unwrap()
            .config
    }

    #[test]
    fn limits_are_compared_with_what_is_configured() {
        let few = config("defaults: { limits: { connections: 100 } }\nruntime: { workers: 8 }\n");
        for (finding, code) in [
            (descriptors(&few, Some(1024)), None),
            (descriptors(&few, Some(300)), Some("W0710")),
            (descriptors(&config(""), Some(1024)), Some("W0710")),
            (descriptors(&config(""), None), None),
            (backlog(Some(4096)), None),
            (backlog(Some(128)), Some("W0711")),
            (local_ports("32768\t60999\n"), None),
            (local_ports("60000 60999"), Some("W0712")),
            (clock(0, true), Some("W0713")),
            (workers(&few, 8), None),
            (workers(&few, 2), Some("W0714")),
            (memory(&few, Some(1 << 30)), None),
            (memory(&few, Some(1 << 20)), Some("W0715")),
            (memory(&few, None), None),
        ] {
            assert_eq!(finding.code, code, "{finding:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_unknown_and_not_fine() {
        for finding in [backlog(None), local_ports(""), clock(CLOCK_LEAST_MS, false)] {
            assert_eq!(finding.level, super::super::Level::Unknown, "{finding:?}");
        }
    }

    #[test]
    fn a_state_directory_must_be_one_and_a_socket_path_short() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(state_dir(Some(&file.join("state"))).code, Some("E0404"));
        let below = state_dir(Some(&dir.path().join("a/b")));
        assert!(below.code.is_none_or(|code| code == "W0716"), "{below:?}");
        let long = dir.path().join("x".repeat(120));
        assert_eq!(socket(Some(&long), Whose::Own).unwrap().code, Some("E0405"));
    }
}
