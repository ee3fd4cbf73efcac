//! A real nginx as an upstream: the Debian program, with a configuration in a directory of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::Guard;
use crate::{client, wait};

/// What is asked for until it answers; not counted.
const PROBE: &str = "/are-you-there";

/// A running nginx that answers its name; stops when dropped.
#[derive(Debug)]
pub struct Nginx {
    address: SocketAddr,
    process: Guard,
    directory: TempDir,
}

impl Nginx {
    /// Starts one on a free port of loopback. `/` answers `name` with `x-provider: name`.
    ///
    /// # Errors
    /// When nginx is not installed (Debian: nginx-light) or does not start.
    pub fn start(name: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let file = directory.path().join("nginx.conf");
        std::fs::write(
            &file,
            configuration(name, port, &directory.path().display().to_string()),
        )?;
        let child = Command::new("/usr/sbin/nginx")
            .args([
                "-p",
                &directory.path().display().to_string(),
                "-e",
                "error.log",
                "-c",
            ])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("nginx (Debian package nginx-light)")?;
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
        let nginx = Self {
            address,
            process: Guard::new(child),
            directory,
        };
        wait::until("nginx to answer", || client::get(address, PROBE).ok())?;
        Ok(nginx)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests it has answered, by its access log; those of [`start`](Self::start) excluded.
    #[must_use]
    pub fn requests(&self) -> u64 {
        let log = std::fs::read(self.directory.path().join("access.log")).unwrap_or_default();
        let lines = log
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        lines.filter(|line| *line != PROBE.as_bytes()).count() as u64
    }

    /// Dies as in a power cut.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn die(mut self) -> Result<()> {
        self.process.signal(Signal::KILL)?;
        self.process.ended().map(drop)
    }
}

/// One process (`master_process off`), so that killing it by its id kills all of it.
fn configuration(name: &str, port: u16, directory: &str) -> String {
    format!(
        "daemon off; master_process off; worker_processes 1; pid {directory}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  log_format uri '$request_uri'; access_log {directory}/access.log uri; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ add_header x-provider {name}; return 200 \"{name}\\n\"; }}
  }}
}}
"
    )
}
