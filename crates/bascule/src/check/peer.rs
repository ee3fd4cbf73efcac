//! The process behind an admin socket: its id, from the socket's peer credentials, and the limits that the kernel holds it
//! to. Best effort: of another user's process nothing is seen.

use std::os::unix::net::UnixStream;

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
