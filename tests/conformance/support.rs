//! What the versions share: the binary under test, started as an operator would start it.

use std::net::SocketAddr;
use std::path::Path;

use bascule_testkit::Daemon;

/// The binary before one origin: one worker, so that what it does has an order; no access log; an endpoint that fails
/// stays in use, since cases make it fail on purpose, and no request is tried again. `scheme` is `http` or `h2c`.
#[allow(dead_code, reason = "each version of HTTP uses it as it comes")]
pub(crate) fn edge(scheme: &str, origin: SocketAddr) -> Daemon {
    let config = format!(
        "runtime: {{ workers: 1 }}
log: {{ access: {{ sample: 0.0 }} }}
listen:
  web: {{ address: \"127.0.0.1:0\" }}
defaults:
  check: {{ interval: 1h }}
  retry: {{ attempts: 1 }}
services:
  meet:
    safety: {{ fail_open: when_no_backend_up }}
    backends:
      aws: {{ weight: 1, endpoints: [\"{scheme}://{origin}\"] }}
"
    );
    Daemon::start(Path::new(env!("CARGO_BIN_EXE_bascule")), &config).unwrap()
}
