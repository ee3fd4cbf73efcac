//! The proxies that are compared, as child processes, each with the configuration of `configs/` in a directory of its own.
//! They listen on ports that were free, and end with their guard: by their process id, and by a signal they obey, so that
//! a master takes its workers along.

use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::client::tls::{Certificate, connect};
use crate::origin::Origin;
use crate::runtime;

/// How long a proxy may take to listen.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// A proxy's name and make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Ours.
    Bascule,
    /// Debian's HAProxy: what ratios refer to.
    Haproxy,
    /// Debian's nginx.
    Nginx,
}

impl Peer {
    /// In the order in which they are measured.
    pub const ALL: [Self; 3] = [Self::Bascule, Self::Haproxy, Self::Nginx];

    const fn template(self) -> (&'static str, &'static str) {
        match self {
            Self::Bascule => ("bascule.yaml", include_str!("../configs/bascule.yaml")),
            Self::Haproxy => ("haproxy.cfg", include_str!("../configs/haproxy.cfg")),
            Self::Nginx => ("nginx.conf", include_str!("../configs/nginx.conf")),
        }
    }

    /// How it is started in the foreground.
    fn command(self, bascule: &Path, directory: &Path, file: &Path) -> Command {
        match self {
            Self::Bascule => {
                let mut command = Command::new(bascule);
                command.args(["run", "--config"]).arg(file);
                command
            }
            Self::Haproxy => {
                let mut command = Command::new("/usr/sbin/haproxy");
                command.arg("-db").arg("-f").arg(file);
                command
            }
            Self::Nginx => {
                let mut command = Command::new("/usr/sbin/nginx");
                let error_log = directory.join("error.log");
                command
                    .arg("-p")
                    .arg(directory)
                    .arg("-e")
                    .arg(error_log)
                    .arg("-c")
                    .arg(file);
                command
            }
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bascule => "bascule",
            Self::Haproxy => "HAProxy",
            Self::Nginx => "nginx",
        })
    }
}

/// A proxy that runs.
#[derive(Debug)]
pub struct Proxy {
    /// Which.
    pub peer: Peer,
    /// Its listener in clear.
    pub clear: SocketAddr,
    /// Its listener with TLS.
    pub secure: SocketAddr,
    child: Child,
    directory: TempDir,
}

impl Proxy {
    /// Starts it in front of two origins.
    ///
    /// # Errors
    /// It is not installed, or ends, or its configuration cannot be written.
    pub fn start(
        peer: Peer,
        bascule: &Path,
        origins: &[Origin; 2],
        certificate: &Certificate,
    ) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let (clear, secure) = (free()?, free()?);
        let file = prepare(
            peer,
            directory.path(),
            origins,
            certificate,
            (clear, secure),
        )?;
        let log = fs::File::create(directory.path().join("log"))?;
        let mut command = peer.command(bascule, directory.path(), &file);
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {peer}"))?;
        Ok(Self {
            peer,
            clear,
            secure,
            child,
            directory,
        })
    }

    /// Waits until both listeners take connections.
    ///
    /// # Errors
    /// It has ended, or takes too long; the error holds what it said.
    pub async fn ready(&mut self) -> Result<()> {
        let deadline = runtime::now() + START_PATIENCE;
        for address in [self.clear, self.secure] {
            while connect(address).await.is_err() {
                self.check_start(address, deadline)?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(())
    }

    fn check_start(&mut self, address: SocketAddr, deadline: Instant) -> Result<()> {
        if self.child.try_wait()?.is_none() && runtime::now() < deadline {
            return Ok(());
        }
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        bail!("{} does not listen on {address}:\n{log}", self.peer)
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // SIGINT ends each of them at once. One that has ended already needs nothing.
        let told = id.map(|id| kill_process(id, Signal::INT));
        if !matches!(told, Some(Ok(()))) {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

/// Writes the configuration and the certificate; gives the configuration's file.
fn prepare(
    peer: Peer,
    directory: &Path,
    origins: &[Origin; 2],
    certificate: &Certificate,
    (clear, secure): (SocketAddr, SocketAddr),
) -> Result<PathBuf> {
    let Certificate {
        cert_pem, key_pem, ..
    } = certificate;
    fs::write(directory.join("cert.pem"), cert_pem)?;
    fs::write(directory.join("key.pem"), key_pem)?;
    fs::write(directory.join("both.pem"), format!("{cert_pem}{key_pem}"))?;
    let [first, second] = origins;
    let (name, template) = peer.template();
    let text = fill(
        template,
        &[
            ("@FIRST@", &first.address().to_string()),
            ("@SECOND@", &second.address().to_string()),
            ("@CLEAR@", &clear.port().to_string()),
            ("@TLS@", &secure.port().to_string()),
            ("@DIR@", &directory.display().to_string()),
        ],
    );
    let file = directory.join(name);
    fs::write(&file, text)?;
    Ok(file)
}

fn fill(template: &str, words: &[(&str, &str)]) -> String {
    let replace = |text: String, (word, value): &(&str, &str)| text.replace(word, value);
    words.iter().fold(template.to_owned(), replace)
}

/// An address whose port was free a moment ago.
fn free() -> Result<SocketAddr> {
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(socket.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_every_template_is_replaced() {
        let words = ["@FIRST@", "@SECOND@", "@CLEAR@", "@TLS@", "@DIR@"];
        for peer in Peer::ALL {
            let template = peer.template().1.replace("@WORDS@", "");
            assert!(words.iter().all(|word| template.contains(word)), "{peer}");
            let filled = fill(&template, &words.map(|word| (word, "x")));
            assert!(!filled.contains('@'), "{peer}");
        }
    }
}
