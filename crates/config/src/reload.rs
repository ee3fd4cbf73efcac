//! What a reload cannot change: keys that take effect with the next start. The table of keys says the same of each.

use crate::config::Config;

/// The pointers of what differs between two configurations and takes effect only with the next start; empty when a
/// reload does it all.
#[must_use]
pub fn needs_start(old: &Config, new: &Config) -> Vec<&'static str> {
    let differs = [
        ("/state_dir", old.state_dir != new.state_dir),
        ("/admin/socket", old.admin.socket != new.admin.socket),
        ("/admin/listen", old.admin.listen != new.admin.listen),
        (
            "/admin/auth/tokens_file",
            old.admin.tokens_file != new.admin.tokens_file,
        ),
        ("/metrics/listen", old.metrics != new.metrics),
        ("/log/format", old.log.format != new.log.format),
        (
            "/log/access/redact_query",
            old.log.access.redact_query != new.log.access.redact_query,
        ),
        ("/runtime/workers", old.runtime != new.runtime),
    ];
    differs
        .iter()
        .filter(|(_, differs)| *differs)
        .map(|(pointer, _)| *pointer)
        .collect()
}
