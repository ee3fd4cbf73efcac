//! The process behind an admin socket: its id, from the socket's peer credentials, and what the kernel tells of it: limits,
//! environment, directory. Best effort: of another user's process nothing is seen.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::cli::client::context::Context;

/// The process that answers there; none over TCP.
pub(crate) fn process(context: &Context) -> Option<i32> {
    let Context::Unix(path) = context else {
        return None;
    };
    let stream = UnixStream::connect(path).ok()?;
    let peer = rustix::net::sockopt::socket_peercred(&stream).ok()?;
    Some(peer.pid.as_raw_nonzero().get())
}

/// Its limits, as the kernel lists them.
pub(crate) fn limits(process: i32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{process}/limits")).ok()
}

/// Its environment; empty where it is not to be seen.
pub(crate) fn environment(process: i32) -> BTreeMap<String, String> {
    let bytes = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Where its relative paths start.
pub(crate) fn directory(process: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{process}/cwd")).ok()
}

/// How many descriptors a process with these limits may have.
pub(crate) fn descriptors(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptor_limit_is_read_from_the_kernels_table() {
        let table = "Limit                     Soft Limit           Hard Limit           Units\n\
            Max processes             1                    2                    processes\n\
            Max open files            1024                 1048576              files\n";
        assert_eq!(descriptors(table), Some(1024));
        assert_eq!(
            descriptors("Max open files            unlimited   unlimited files\n"),
            None
        );
        assert_eq!(descriptors(""), None);
    }
}
