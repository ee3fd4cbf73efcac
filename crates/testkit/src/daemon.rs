//! The product itself as a child process, with a configuration, a state directory and an admin socket of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::Guard;
use crate::{client, wait};

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    binary: PathBuf,
    directory: TempDir,
    process: Guard,
}

impl Daemon {
    /// Starts the binary with this configuration and waits until it is ready. `state_dir` and `admin.socket` are set
    /// here: the text must not have them.
    ///
    /// # Errors
    /// When it does not become ready; the error holds its log.
    pub fn start(binary: &Path, config: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let process = launch(binary, directory.path(), config)?;
        let mut daemon = Self {
            binary: binary.to_owned(),
            directory,
            process,
        };
        daemon.ready()?;
        Ok(daemon)
    }

    /// Kills it as in a power cut and starts it again on the same state directory.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn crash_and_restart(&mut self, config: &str) -> Result<()> {
        self.process.signal(Signal::KILL)?;
        self.process.ended()?;
        self.process = launch(&self.binary, self.directory.path(), config)?;
        self.ready()
    }

    fn ready(&mut self) -> Result<()> {
        let ready = wait::until("readiness", || self.api(Method::GET, "/readyz", "").ok());
        match ready {
            Ok(_) => Ok(()),
            Err(error) => bail!("{error}; log:\n{}", self.log()),
        }
    }

    /// Replaces the configuration file; what follows depends on who watches it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_config(&self, config: &str) -> Result<()> {
        write_config(self.directory.path(), config)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Resident memory in KiB.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn resident_kib(&self) -> Result<u64> {
        self.process.resident_kib()
    }

    /// How many descriptors it has open.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn descriptors(&self) -> Result<usize> {
        self.process.descriptors()
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.process.ended()
    }

    /// Waits for the end without asking for it.
    ///
    /// # Errors
    /// When it does not end.
    pub fn ended(&mut self) -> Result<ExitStatus> {
        self.process.ended()
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Its admin socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("admin.sock")
    }

    /// A file in its directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The address a listener really has (the configuration says port 0).
    ///
    /// # Errors
    /// When the status does not name the listener.
    pub fn listener(&self, name: &str) -> Result<SocketAddr> {
        let status = self.get("/v1/status")?;
        let listeners = status
            .pointer("/instance/listeners")
            .and_then(Value::as_array);
        let named = listeners
            .into_iter()
            .flatten()
            .find(|listener| listener.get("name").and_then(Value::as_str) == Some(name));
        let address = named
            .and_then(|listener| listener.get("address"))
            .and_then(Value::as_str);
        let address: SocketAddr = address.with_context(|| status.to_string())?.parse()?;
        let reach = if address.is_ipv6() {
            "[::1]"
        } else {
            "127.0.0.1"
        };
        Ok(format!("{reach}:{}", address.port()).parse()?)
    }

    /// Reads JSON from the API.
    ///
    /// # Errors
    /// When the answer is not a 200 with JSON.
    pub fn get(&self, path: &str) -> Result<Value> {
        let answer = self.api(Method::GET, path, "")?;
        if answer.status() != 200 {
            bail!("{path}: {} {:?}", answer.status(), answer.body());
        }
        Ok(serde_json::from_slice(answer.body())?)
    }

    /// Any request to the API, with `If-Match: *`.
    ///
    /// # Errors
    /// When the exchange fails.
    pub fn api(&self, method: Method, path: &str, body: &str) -> Result<Response<Bytes>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("if-match", "*")
            .header("content-type", "application/json")
            .body(Full::from(body.to_owned()))?;
        client::send_unix(&self.socket(), request)
    }

    /// Runs the command line against it.
    ///
    /// # Errors
    /// When the binary cannot be run.
    pub fn cli(&self, args: &[&str]) -> Result<Output> {
        let context = format!("unix:{}", self.socket().display());
        let output = Command::new(&self.binary)
            .args(["--context", &context])
            .args(args)
            .stdin(Stdio::null())
            .output()?;
        Ok(output)
    }
}

fn write_config(directory: &Path, config: &str) -> Result<()> {
    let shown = directory.display();
    let text =
        format!("state_dir: {shown}/state\nadmin: {{ socket: {shown}/admin.sock }}\n{config}");
    let fresh = directory.join("bascule.yaml.new");
    std::fs::write(&fresh, text)?;
    Ok(std::fs::rename(fresh, directory.join("bascule.yaml"))?)
}

fn launch(binary: &Path, directory: &Path, config: &str) -> Result<Guard> {
    write_config(directory, config)?;
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.join("log"))?;
    let child = Command::new(binary)
        .arg("run")
        .arg("--config")
        .arg(directory.join("bascule.yaml"))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("the binary")?;
    Ok(Guard::new(child))
}
