//! Other programs as gateways before an origin: Debian's nginx and HAProxy, configured as an operator would who follows
//! their manuals, so that they can be asked what the product is asked. Each on a free port of loopback, in a directory of
//! its own, ended by its process id.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::process::Guard;
use crate::{client, wait};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// nginx (Debian: nginx-light).
    Nginx,
    /// HAProxy (Debian: haproxy).
    Haproxy,
}

/// One that runs; stops when dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    _process: Guard,
    _directory: TempDir,
}

impl Program {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Nginx => "/usr/sbin/nginx",
            Self::Haproxy => "/usr/sbin/haproxy",
        }
    }

    /// Its version, as it says it.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn version(self) -> Result<String> {
        let output = Command::new(self.path())
            .arg("-v")
            .output()
            .context(self.path())?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let is_number = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
        let mut words = said.split([' ', '/', '\n']);
        Ok(words.find(is_number).unwrap_or("unknown").to_owned())
    }

    /// Starts it before an origin, and waits until a request for `path` comes through.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start(self, origin: SocketAddr, path: &str) -> Result<Gateway> {
        let gateway = self.run(|address, own| match self {
            Self::Nginx => nginx(address, "", origin, own),
            Self::Haproxy => haproxy(address, "", origin, None),
        })?;
        let answers = || {
            client::get(gateway.address, path)
                .ok()
                .filter(|it| it.status() == 200)
        };
        wait::until(self.name(), answers)?;
        Ok(gateway)
    }

    /// Starts it as a gateway of HTTP/2 in cleartext before an HTTP/1 origin, and waits until it listens. What is asked of
    /// `b.example` goes to the HTTP/2 origin, where it [can](Self::forwards_http2).
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start_http2(self, origin: SocketAddr, http2_origin: SocketAddr) -> Result<Gateway> {
        let gateway = self.run(|address, own| match self {
            Self::Nginx => nginx(address, " http2", origin, own),
            Self::Haproxy => haproxy(address, " proto h2", origin, Some(http2_origin)),
        })?;
        wait::until(self.name(), || TcpStream::connect(gateway.address).ok())?;
        Ok(gateway)
    }

    /// Whether it speaks HTTP/2 to origins.
    #[must_use]
    pub const fn forwards_http2(self) -> bool {
        matches!(self, Self::Haproxy)
    }

    fn run(self, configuration: impl FnOnce(SocketAddr, &Path) -> String) -> Result<Gateway> {
        let directory = tempfile::tempdir()?;
        let own = directory.path();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
        let file = own.join("configuration");
        std::fs::write(&file, configuration(address, own))?;
        let mut command = Command::new(self.path());
        match self {
            Self::Nginx => {
                command.arg("-p").arg(own).args(["-e", "error.log", "-c"]);
            }
            Self::Haproxy => {
                command.args(["-db", "-f"]);
            }
        }
        let child = command
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context(self.path())?;
        Ok(Gateway {
            address,
            _process: Guard::new(child),
            _directory: directory,
        })
    }
}

impl Gateway {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// One process, connections to the origin kept, and the origin told who asks; the rest as nginx has it by default.
fn nginx(address: SocketAddr, protocol: &str, origin: SocketAddr, own: &Path) -> String {
    let own = own.display();
    format!(
        "daemon off; master_process off; worker_processes 1; pid {own}/pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {own}/body; proxy_temp_path {own}/proxy;
  fastcgi_temp_path {own}/f; uwsgi_temp_path {own}/u; scgi_temp_path {own}/s;
  upstream origin {{ server {origin} max_fails=0; keepalive 16; }}
  server {{
    listen {address}{protocol};
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection \"\";
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
  }}
}}
"
    )
}

/// The time-outs that it asks for, and the origin told who asks; the rest as HAProxy has it by default.
fn haproxy(
    address: SocketAddr,
    protocol: &str,
    origin: SocketAddr,
    http2_origin: Option<SocketAddr>,
) -> String {
    let (rule, backend) = match http2_origin {
        None => ("", String::new()),
        Some(origin) => (
            "  use_backend two if { req.fhdr(host) -i b.example }\n",
            format!("backend two\n  server one {origin} proto h2\n"),
        ),
    };
    format!(
        "global
  maxconn 1024
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout http-request 10s
  option forwardfor
frontend edge
  bind {address}{protocol}
{rule}  default_backend origin
backend origin
  server one {origin}
{backend}"
    )
}
