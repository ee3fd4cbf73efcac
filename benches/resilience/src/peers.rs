//! The proxies, as child processes, each with the configuration of `configs/` in a directory of its own. They end with
//! their guard, by their process id.

use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use bascule_testkit::process::Guard;
use bascule_testkit::wait;
use clap::{Args, ValueEnum};
use tempfile::TempDir;

/// Which proxy, and with which settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// Ours, with the settings that the others have.
    Bascule,
    /// Ours, with nothing set.
    #[value(name = "bascule-defaults")]
    Defaults,
    /// Debian's HAProxy.
    Haproxy,
    /// Debian's nginx.
    Nginx,
    /// Envoy.
    Envoy,
}

/// Where the programs are.
#[derive(Debug, Clone, Args)]
pub struct Programs {
    /// Ours.
    #[arg(long, hide = true, default_value = "target/release/bascule")]
    pub bascule: PathBuf,
    /// Envoy.
    #[arg(long, hide = true, default_value = "envoy")]
    pub envoy: PathBuf,
}

impl Peer {
    /// In the order of the page.
    pub const ALL: [Self; 5] = [
        Self::Bascule,
        Self::Defaults,
        Self::Haproxy,
        Self::Nginx,
        Self::Envoy,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bascule => "bascule",
            Self::Defaults => "bascule, defaults",
            Self::Haproxy => "HAProxy",
            Self::Nginx => "nginx",
            Self::Envoy => "Envoy",
        }
    }

    const fn template(self) -> &'static str {
        match self {
            Self::Bascule => include_str!("../configs/bascule.yaml"),
            Self::Defaults => include_str!("../configs/bascule-defaults.yaml"),
            Self::Haproxy => include_str!("../configs/haproxy.cfg"),
            Self::Nginx => include_str!("../configs/nginx.conf"),
            Self::Envoy => include_str!("../configs/envoy.yaml"),
        }
    }

    fn program(self, programs: &Programs) -> &Path {
        match self {
            Self::Bascule | Self::Defaults => &programs.bascule,
            Self::Haproxy => Path::new("/usr/sbin/haproxy"),
            Self::Nginx => Path::new("/usr/sbin/nginx"),
            Self::Envoy => &programs.envoy,
        }
    }

    /// Its version, as it says it.
    ///
    /// # Errors
    /// It is not installed.
    pub fn version(self, programs: &Programs) -> Result<String> {
        let program = self.program(programs);
        let flag = match self {
            Self::Haproxy | Self::Nginx => "-v",
            _ => "--version",
        };
        let output = Command::new(program)
            .arg(flag)
            .output()
            .with_context(|| format!("{}: {}", self.name(), program.display()))?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let is_version =
            |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
        let mut words = said.split(|c: char| c == '/' || c.is_whitespace());
        Ok(words.find(is_version).unwrap_or("unknown").to_owned())
    }

    /// How it is started in the foreground.
    fn command(self, programs: &Programs, directory: &Path, file: &Path) -> Command {
        let mut command = Command::new(self.program(programs));
        match self {
            Self::Bascule | Self::Defaults => {
                command.args(["run", "--config"]).arg(file);
            }
            Self::Haproxy => {
                command.arg("-db").arg("-f").arg(file);
            }
            Self::Nginx => {
                let error_log = directory.join("error.log");
                command.arg("-p").arg(directory).arg("-e").arg(error_log);
                command.arg("-c").arg(file);
                // One process, so that it ends as a whole with its guard.
                command.args(["-g", "master_process off;"]);
            }
            Self::Envoy => {
                command.arg("-c").arg(file).args([
                    "--concurrency",
                    "1",
                    "--disable-hot-restart",
                    "--log-level",
                    "error",
                ]);
            }
        }
        command
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A proxy that runs.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    _process: Guard,
    _directory: TempDir,
}

impl Proxy {
    /// Starts it in front of the endpoints of two providers, and waits until it listens.
    ///
    /// # Errors
    /// It is not installed, or does not start; the error holds what it said.
    pub fn start(
        peer: Peer,
        programs: &Programs,
        providers: &[Vec<SocketAddr>; 2],
    ) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let own = directory.path();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let file = own.join("configuration.yaml");
        fs::write(&file, fill(peer.template(), own, free.port(), providers))?;
        let log = fs::File::create(own.join("log"))?;
        let child = peer
            .command(programs, own, &file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {peer}"))?;
        let process = Guard::new(child);
        let listens = wait::until(peer.name(), || TcpStream::connect(free).ok());
        if let Err(error) = listens {
            let said = fs::read_to_string(own.join("log")).unwrap_or_default();
            bail!("{error}; it said:\n{said}");
        }
        Ok(Self {
            address: free,
            _process: process,
            _directory: directory,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A configuration from its template: lines with `@A` or `@B` once for each endpoint of the first or second provider.
fn fill(template: &str, own: &Path, port: u16, providers: &[Vec<SocketAddr>; 2]) -> String {
    let [a, b] = providers;
    let mut text = String::new();
    // Remarks name the words too.
    let lines = template
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    for line in lines {
        let (word, endpoints) = if line.contains("@A") {
            ("A", a.as_slice())
        } else if line.contains("@B") {
            ("B", b.as_slice())
        } else {
            text += line;
            text.push('\n');
            continue;
        };
        let weight = 100 / endpoints.len().max(1);
        for (n, endpoint) in (1..).zip(endpoints) {
            text += &line
                .replace(&format!("@{word}.HOST@"), &endpoint.ip().to_string())
                .replace(&format!("@{word}.PORT@"), &endpoint.port().to_string())
                .replace(&format!("@{word}@"), &endpoint.to_string())
                .replace("@WEIGHT@", &weight.to_string())
                .replace("@N@", &u32::to_string(&n));
            text.push('\n');
        }
    }
    text.replace("@PORT@", &port.to_string())
        .replace("@DIR@", &own.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_whole_and_lists_every_endpoint() {
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let providers = [vec![at(11), at(12)], vec![at(21)]];
        for peer in Peer::ALL {
            let text = fill(peer.template(), Path::new("/own"), 80, &providers);
            assert!(!text.contains("@A") && !text.contains("@B"), "{text}");
            for port in ["11", "12", "21"] {
                assert!(text.contains(port), "{peer} misses {port}");
            }
        }
        let haproxy = fill(Peer::Haproxy.template(), Path::new("/own"), 80, &providers);
        assert!(
            haproxy.contains("server aws-2 127.0.0.1:12 weight 50"),
            "{haproxy}"
        );
        assert!(haproxy.contains("server oci-1 127.0.0.1:21 weight 100"));
    }
}
